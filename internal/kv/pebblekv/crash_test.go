package pebblekv

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// cut is the disk as a loss of power left it, and what had been acknowledged before.
type cut struct {
	disk  *vfs.MemFS
	acked marks
	term  uint64
}

// TestPowerCuts takes the power away before random changes to the disk, under concurrent writers, through
// flushes, compactions, new logs and new manifests, each time with another share of the unsynced data on the disk.
// The writers go on from one of the disks, so that stores that have recovered before are cut as well.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	const rounds, cutsPerRound = 7, 30 // 210
	r := newRand(t)
	disk, l := vfs.NewCrashableMem(), new(ledger)
	cuts := 0
	for range rounds {
		taken := cutWhileWriting(t, r, disk, l, cutsPerRound)
		next := r.IntN(len(taken))
		for i, c := range taken {
			s, err := open("db", Options{FS: c.disk}, quiet)
			if err != nil {
				t.Fatalf("cut %d: %v", cuts, err)
			}
			if err := checkLedger(s, c.acked); err != nil {
				t.Fatalf("cut %d: %v", cuts, err)
			}
			if term, err := s.Claim(1); err != nil || term <= c.term {
				t.Fatalf("cut %d: Claim after term %d returned %d, %v", cuts, c.term, term, err)
			}
			if i == next {
				disk = c.disk
				if err := l.resume(s); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatalf("cut %d: %v", cuts, err)
			}
			cuts++
		}
	}
	t.Logf("%d cuts", cuts)
}

// cutWhileWriting lets the ledger's writers work on the disk and copies it n times as a loss of power would leave it.
func cutWhileWriting(t *testing.T, r *rand.Rand, disk *vfs.MemFS, l *ledger, n int) []cut {
	var (
		mu    sync.Mutex
		taken []cut
		wait  = 1 + r.IntN(30) // changes
		stop  atomic.Bool
		term  atomic.Uint64
	)
	watched := &probe{FS: disk, before: func(change, string) error {
		mu.Lock()
		defer mu.Unlock()
		if wait--; wait > 0 || len(taken) == n {
			return nil
		}
		wait = 1 + r.IntN(30)
		// What was acknowledged has to be read before the power goes.
		c := cut{acked: l.marks(), term: term.Load()}
		share := []int{0, 100, 1 + r.IntN(99)}[r.IntN(3)]
		c.disk = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: share, RNG: r})
		if taken = append(taken, c); len(taken) == n {
			stop.Store(true)
		}
		return nil
	}}
	s, err := open("db", Options{FS: watched}, small)
	if err != nil {
		t.Fatal(err)
	}
	claimed, err := s.Claim(1)
	if err != nil {
		t.Fatal(err)
	}
	term.Store(claimed)
	for _, err := range l.run(s, claimed, &stop) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return taken
}

// TestAManifestIsNamedBeforeItsMarker looks for a sync of the directory between a new manifest and the marker that puts it
// in force. Without it a loss of power could leave the marker alone.
func TestAManifestIsNamedBeforeItsMarker(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	named := map[string]bool{} // manifests: durable names
	markers := 0
	watched := &probe{FS: vfs.NewMem(), before: func(op change, name string) error {
		mu.Lock()
		defer mu.Unlock()
		base := name[strings.LastIndexByte(name, '/')+1:]
		switch {
		case op == opSync && base == "db":
			for manifest := range named {
				named[manifest] = true
			}
		case op == opCreate && strings.HasPrefix(base, "MANIFEST-"):
			named[base] = false
		case op == opCreate && strings.HasPrefix(base, "marker.manifest."):
			markers++
			if manifest := base[strings.LastIndexByte(base, '.')+1:]; !named[manifest] {
				t.Errorf("%s is made while the name of %s may still be lost", base, manifest)
			}
		}
		return nil
	}}
	for range 2 {
		s, err := open("db", Options{FS: watched}, small)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Claim(1); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if markers == 0 {
		t.Error("no marker was made")
	}
}

// TestWaitWaits holds back the syncs of the log: no Wait may return meanwhile, and the one of a batch without writes
// waits for the batches before it.
func TestWaitWaits(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	var hold atomic.Bool
	released := make(chan struct{})
	s, err := open("db", Options{FS: &probe{FS: disk, before: func(op change, name string) error {
		if hold.Load() && op == opSync && strings.HasSuffix(name, ".log") {
			<-released
		}
		return nil
	}}}, small)
	if err != nil {
		t.Fatal(err)
	}
	hold.Store(true)
	done := make(chan error)
	for n := range 3 {
		var b kv.Batch
		if n < 2 {
			b.Set([]byte{'a', byte(n)}, nil)
		}
		c, err := s.Apply(&b)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 { // nobody waits for the first one itself
			go func() { done <- c.Wait() }()
		}
	}
	if _, err := s.Get([]byte{'a', 1}); err != nil {
		t.Errorf("a batch is not visible before it is durable: %v", err)
	}
	select {
	case err := <-done:
		t.Fatalf("a Wait returned %v before the log was synced", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(released)
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	unplugged := disk.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = open("db", Options{FS: unplugged}, small); err != nil {
		t.Fatal(err)
	}
	for n := range byte(2) {
		if _, err := s.Get([]byte{'a', n}); err != nil {
			t.Errorf("batch %d: %v", n, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
