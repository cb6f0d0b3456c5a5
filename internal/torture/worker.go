package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
)

// order is what a client process is told on its standard input, a word a line. At the end of its input it ends.
type order string

const (
	play order = "play" // want things
	calm order = "calm" // want nothing more, and finish what was begun
	hold order = "hold" // record what every device holds, and end
)

// status is what a client process says of itself on its standard output, a line of JSON each.
type status struct {
	Devices []deviceStatus `json:"devices"`
	Failed  string         `json:"failed,omitempty"` // why it cannot go on
}

type deviceStatus struct {
	Device  hongyan.DeviceID           `json:"device"`
	Acked   int                        `json:"acked"`
	Waiting int                        `json:"waiting"` // sends without an answer
	Marks   map[string]hongyan.Ordinal `json:"marks,omitempty"`
	Fault   string                     `json:"fault,omitempty"` // the last trouble
}

const statusEvery = 250 * time.Millisecond

// Work is a client process: it runs the devices of a plan as in tells it, and says how they are on out. It ends when it
// was told to hold, or at the end of in.
func Work(ctx context.Context, planFile string, in io.Reader, out io.Writer) error {
	p, err := loadPlan(planFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &worker{plan: p, out: json.NewEncoder(out), calm: make(chan struct{}), hold: make(chan struct{})}
	go w.listen(in, cancel)
	if err := w.run(ctx); err != nil {
		w.say(status{Failed: err.Error()})
		return err
	}
	return nil
}

type worker struct {
	plan *plan
	calm chan struct{} // closed when nothing more is to be wanted
	hold chan struct{} // closed when all is to be recorded

	mu  sync.Mutex
	out *json.Encoder
}

func (w *worker) listen(in io.Reader, end func()) {
	defer end()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		switch order(lines.Text()) {
		case calm:
			shut(w.calm)
		case hold:
			shut(w.calm)
			shut(w.hold)
		}
	}
}

func shut(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

func (w *worker) say(s status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.out.Encode(s) // nobody listens: the end of the input says so too
}

func (w *worker) run(ctx context.Context) error {
	var actors []*actor
	var lives []func(context.Context) error
	for i := range w.plan.Devices {
		d := &w.plan.Devices[i]
		if d.sdk() {
			s, err := newSDK(w.plan, d)
			if err != nil {
				return err
			}
			actors = append(actors, s.actor)
			lives = append(lives, func(ctx context.Context) error { return w.liveSDK(ctx, s) })
			continue
		}
		l, err := newLean(w.plan, d)
		if err != nil {
			return err
		}
		actors = append(actors, l.actor)
		lives = append(lives, func(ctx context.Context) error { return w.liveLean(ctx, l) })
	}
	telling, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { w.tell(telling, actors) })
	defer background.Wait()
	defer stop()

	failed := make(chan error, len(lives))
	for _, live := range lives {
		go func() { failed <- live(ctx) }()
	}
	var first error
	for range lives {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// tell says every now and then how the devices are.
func (w *worker) tell(ctx context.Context, actors []*actor) {
	for ctx.Err() == nil {
		var s status
		for _, a := range actors {
			s.Devices = append(s.Devices, a.status(w.resting()))
		}
		w.say(s)
		rest(ctx, statusEvery)
	}
}

func (w *worker) resting() bool {
	select {
	case <-w.calm:
		return true
	default:
		return false
	}
}

func (a *actor) status(marks bool) deviceStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := deviceStatus{Device: a.Device, Acked: a.acked, Waiting: len(a.waiting), Fault: a.fault}
	if marks {
		s.Marks = make(map[string]hongyan.Ordinal, len(a.marks))
		for id, n := range a.marks {
			s.Marks[id.String()] = n
		}
	}
	return s
}

// wanting returns a context that ends when nothing more is to be wanted.
func (w *worker) wanting(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-w.calm:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (w *worker) liveLean(ctx context.Context, l *lean) error {
	defer l.rec.close()
	defer l.net.close() // before the record: what comes is written there
	following, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { l.follow(following) })
	wanting, cancel := w.wanting(ctx)
	l.play(wanting, ctx, w.plan.Rate)
	cancel()
	select {
	case <-w.hold:
	case <-ctx.Done():
	}
	stop()
	background.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return l.finish(ctx)
}

// finish brings the device up to date once more.
func (l *lean) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, hang, errNoReply)
	defer cancel()
	var err error
	for ctx.Err() == nil {
		if err = l.catchUp(ctx); err == nil {
			l.rec.add(entry{What: whole}, nil)
			return nil
		}
		rest(ctx, redialRest)
	}
	return fmt.Errorf("device %d does not catch up: %w", l.Device, err)
}

// sdkRate is how many messages a device of the SDK sends a second: its outbox sends one after the other.
const sdkRate = 2

func (w *worker) liveSDK(ctx context.Context, s *sdk) error {
	defer s.rec.close()
	err := s.open(ctx)
	if s.client != nil {
		defer s.client.Close()
	}
	if ctx.Err() != nil {
		return nil // it was told to end before it was let in
	}
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.client.Run(running) }()
	wanting, cancel := w.wanting(ctx)
	s.play(wanting, ctx, sdkRate)
	cancel()
	select {
	case <-w.hold:
	case <-ctx.Done():
	case err := <-ended:
		stop()
		return fmt.Errorf("device %d gave up: %v", s.Device, err)
	}
	stop()
	if err := <-ended; err != nil {
		return fmt.Errorf("device %d gave up: %w", s.Device, err)
	}
	if ctx.Err() != nil {
		return nil
	}
	return s.hold(ctx)
}
