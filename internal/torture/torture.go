// Package torture runs the real program for a long time while everything around it breaks, and checks what everybody was
// told: a server and some client processes over real sockets of this machine, killed, stopped, cut off and slowed down by
// a seed.
//
//	client process (devices) ⇄ faultproxy ⇄ server process
//	      │ one record a device, append-only                    nemesis ──► processes, proxies, disk
//	      ▼
//	records ──load──► history.History ──Check, Linearizable──► violations ──► Report
//
// A run is a number of acts. In each some new accounts talk, by two and in groups, from three devices each: one on the Go
// SDK with its files, and two that are clients of their own, over the long link, WebSocket, TLS, long-polls and
// server-sent events. A client process that was killed goes on from its files. When an act ends so do the faults, and
// everybody has to have everything; its records are checked then and thrown away, so that a run of any length needs the
// memory of one act. In the end the accounts of all acts are looked at once more.
package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/history"
)

// Limits of a run.
const (
	MaxClients = 64
	MaxRate    = 20_000.0

	actLength    = 2 * time.Minute  // at most, of the part with faults
	minLength    = 5 * time.Second  // of a run
	linearLimit  = 30 * time.Second // for the second opinion on a conversation
	progressRest = 2 * time.Second  // between two lines of progress
)

// Options describe a run.
type Options struct {
	Duration time.Duration // of the faults, all acts together
	Clients  int           // client processes
	Rate     float64       // messages that lean devices try to send a second, all together
	Seed     uint64
	Dir      string // for the server's data and the records; it must be empty or missing
	// Disk is a small file system of its own for the server's data, which is filled now and then. Empty: Dir.
	Disk string
	Keep bool // the records of acts that went well too
	// Progress gets a line every now and then.
	Progress io.Writer
}

func (o *Options) check() error {
	switch {
	case o.Duration < minLength:
		return fmt.Errorf("a run of less than %v tells nothing", minLength)
	case o.Clients < 1 || o.Clients > MaxClients:
		return fmt.Errorf("%d client processes are not between 1 and %d", o.Clients, MaxClients)
	case o.Rate <= 0 || o.Rate > MaxRate:
		return fmt.Errorf("a rate of %g messages a second is not between 0 and %g", o.Rate, MaxRate)
	}
	return nil
}

// run is a run under way.
type run struct {
	options  Options
	server   *server
	disk     *filler
	counts   counts
	report   *Report
	begin    time.Time
	accounts int // made so far

	audit []audited

	mu  sync.Mutex
	say func() string // how it is at present
}

// Run tortures the program and returns what came of it. The error is that of a run that could not be carried out: then
// nothing is known. A report with violations is no error.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("torture: %w", err)
	}
	report := &Report{Seed: o.Seed, Clients: o.Clients, Dir: o.Dir}
	r := &run{options: o, counts: counts{of: map[Fault]int{}}, report: report, begin: time.Now()}
	err := r.run(ctx)
	report.Seconds = time.Since(r.begin).Seconds()
	report.Faults = r.counts.of
	if err != nil {
		return report, fmt.Errorf("torture: %w (seed %d, files in %s)", err, o.Seed, o.Dir)
	}
	return report, nil
}

func (r *run) run(ctx context.Context) error {
	if err := os.MkdirAll(r.options.Dir, 0o700); err != nil {
		return err
	}
	if entries, err := os.ReadDir(r.options.Dir); err != nil || len(entries) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty", r.options.Dir))
	}
	data := filepath.Join(r.options.Dir, "data")
	if r.options.Disk != "" {
		if err := checkSmall(r.options.Disk); err != nil {
			return err
		}
		r.disk, data = newFiller(r.options.Disk), filepath.Join(r.options.Disk, "data")
	}
	var err error
	if r.server, err = newServer(data); err != nil {
		return err
	}
	defer r.server.release()
	if err := r.server.run(ctx); err != nil {
		return err
	}
	defer r.server.kill()
	ended := make(chan struct{})
	var background sync.WaitGroup
	background.Go(func() { r.watch(ended) })
	defer background.Wait()
	defer close(ended)

	acts := int((r.options.Duration + actLength - 1) / actLength)
	for i := range acts {
		a := &act{run: r, dir: filepath.Join(r.options.Dir, fmt.Sprintf("act-%03d", i+1))}
		if err := a.play(ctx, r.options.Seed+uint64(i), r.options.Duration/time.Duration(acts)); err != nil {
			return err
		}
		if err := a.judge(); err != nil {
			return err
		}
		r.report.Acts++
	}
	return r.lookAgain(ctx)
}

// now says from now on how the run is.
func (r *run) now(say func() string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say = say
}

// watch tells how the run is every now and then, and looks at the memory of the server, until it has ended.
func (r *run) watch(ended <-chan struct{}) {
	tick := time.NewTicker(progressRest)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		memory := r.server.resident()
		r.mu.Lock()
		r.report.MostMemory = max(r.report.MostMemory, memory)
		say := r.say
		r.mu.Unlock()
		if say != nil && r.options.Progress != nil {
			fmt.Fprintf(r.options.Progress, "%6.0f s  %s; %d faults; server %d MiB\n",
				time.Since(r.begin).Seconds(), say(), r.counts.sum(), memory>>20)
		}
	}
}

// judge checks the records of the act, and throws them away if all is well.
func (a *act) judge() error {
	n := a.report.Acts + 1 // here, because what tells of it runs elsewhere
	a.now(func() string { return fmt.Sprintf("checking act %d", n) })
	l, err := load(a.devices)
	if err != nil {
		return err
	}
	a.count(l)
	found := history.Check(l.h)
	if len(found) == 0 {
		found = history.Linearizable(l.h, linearLimit)
	}
	var windows [][]string
	if len(found) > 0 {
		if windows, err = tell(l.h, a.devices, a.dir, found); err != nil {
			return err
		}
	}
	for i, v := range found {
		a.report.add(v, a.dir, windows[i])
	}
	a.remember(l)
	if a.report.failed(a.dir) || a.options.Keep {
		return nil
	}
	return os.RemoveAll(a.dir)
}
