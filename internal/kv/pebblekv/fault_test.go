package pebblekv

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// fault makes changes to the disk fail once it is armed: the first match and, if it lasts, all later ones.
type fault struct {
	match func(op change, name string) bool
	err   error
	lasts bool

	armed   atomic.Bool
	hits    atomic.Int64 // changes that it made fail
	changes atomic.Int64 // changes that reached it, failed or not
}

func (f *fault) wrap(fs vfs.FS) vfs.FS { return &probe{FS: fs, before: f.before} }

func (f *fault) before(op change, name string) error {
	f.changes.Add(1)
	if !f.armed.Load() || !f.match(op, name) {
		return nil
	}
	if f.hits.Add(1) > 1 && !f.lasts {
		return nil
	}
	return f.err
}

// on matches one kind of change to the files whose name ends or begins so.
func on(op change, name string) func(change, string) bool {
	return func(o change, n string) bool {
		base := path.Base(n)
		return o == op && (strings.HasSuffix(base, name) || strings.HasPrefix(base, name))
	}
}

// TestFaults breaks the disk under concurrent writers. From the first error on nothing may be acknowledged, whatever
// the disk does later, and what was acknowledged before must be there: on the disk as it is, and after a loss of power.
func TestFaults(t *testing.T) {
	t.Parallel()
	faults := []struct {
		name  string
		match func(change, string) bool
	}{
		{"log write", on(opWrite, ".log")},
		{"log sync", on(opSync, ".log")},
		{"next log", on(opCreate, ".log")},
		{"directory sync", on(opSync, "db")},
		{"manifest write", on(opWrite, "MANIFEST")},
		{"manifest sync", on(opSync, "MANIFEST")},
		{"new table", on(opCreate, ".sst")},
		{"table write", on(opWrite, ".sst")},
		{"table sync", on(opSync, ".sst")},
		{"any change", func(op change, _ string) bool { return op != opRemove }},
	}
	for i, f := range faults {
		for j, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
			// A failed sync that works the second time is the worse one: it is then that a retry would lie.
			lasts := errno == syscall.ENOSPC
			t.Run(fmt.Sprintf("%s/%v", f.name, errno), func(t *testing.T) {
				t.Parallel()
				testFault(t, &fault{match: f.match, err: errno, lasts: lasts}, uint64(10+i*5+j*20))
			})
		}
	}
}

// testFault arms the fault when the writers have had some batches acknowledged.
func testFault(t *testing.T, f *fault, after uint64) {
	disk := vfs.NewCrashableMem()
	failures := make(chan error, 2)
	s, err := open("db", Options{FS: f.wrap(disk), OnFailure: func(err error) { failures <- err }}, small)
	if err != nil {
		t.Fatal(err)
	}
	term, err := s.Claim(1)
	if err != nil {
		t.Fatal(err)
	}
	var l ledger
	var never atomic.Bool
	ended := make(chan []error)
	go func() { ended <- l.run(s, term, &never) }()
	for l.acked[0].Load() < after && !s.stop.failed() {
		time.Sleep(time.Millisecond)
	}
	f.armed.Store(true)
	for w, err := range <-ended {
		expectFailed(t, fmt.Sprintf("writer %d", w), err, f.err)
	}
	if f.hits.Load() == 0 {
		t.Fatal("the fault was never met")
	}
	acked := l.marks()

	// The disk is well again, and nothing is any better for it.
	f.armed.Store(false)
	changes := f.changes.Load()
	expectAllFailed(t, s, f.err)
	expectFailed(t, "OnFailure", <-failures, f.err)
	expectFailed(t, "Close", s.Close(), f.err)
	if err := s.Close(); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	if n := f.changes.Load() - changes; n != 0 {
		t.Errorf("%d changes reached the disk after the store had failed", n)
	}
	if len(failures) != 0 {
		t.Error("OnFailure was called twice")
	}

	unplugged := disk.CrashClone(vfs.CrashCloneCfg{})
	for name, fs := range map[string]vfs.FS{"the same disk": disk, "a loss of power": unplugged} {
		s, err := open("db", Options{FS: fs}, small)
		if err != nil {
			t.Fatalf("after %s: %v", name, err)
		}
		if err := checkLedger(s, acked); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
		if again, err := s.Claim(1); err != nil || again <= term {
			t.Errorf("after %s: Claim after term %d returned %d, %v", name, term, again, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

func expectFailed(t *testing.T, what string, err, cause error) {
	t.Helper()
	var failed *FailedError
	if !errors.As(err, &failed) || !errors.Is(err, cause) || failed.Dir != "db" {
		t.Errorf("%s: %v, want a *FailedError about %v", what, err, cause)
	}
}

// expectAllFailed calls everything that a store has.
func expectAllFailed(t *testing.T, s *Store, cause error) {
	t.Helper()
	var b, empty kv.Batch
	b.Set([]byte("a"), []byte("1"))
	_, err := s.Apply(&b)
	expectFailed(t, "Apply", err, cause)
	_, err = s.Apply(&empty)
	expectFailed(t, "Apply of nothing", err, cause)
	_, err = s.Claim(2)
	expectFailed(t, "Claim", err, cause)
	_, err = s.Get([]byte("a"))
	expectFailed(t, "Get", err, cause)
	expectFailed(t, "Scan", s.Scan(nil, nil, false).Close(), cause)
	snapshot := s.Snapshot()
	_, err = snapshot.Get([]byte("a"))
	expectFailed(t, "Get in a snapshot", err, cause)
	expectFailed(t, "Scan in a snapshot", snapshot.Scan(nil, nil, true).Close(), cause)
	expectFailed(t, "Close of a snapshot", snapshot.Close(), cause)
	if m := s.Metrics(); m != (Metrics{}) {
		t.Errorf("Metrics: %+v", m)
	}
}

// TestFaultUnderReaders fails the store under a batch that waits, an iterator and snapshots: each of them learns of it.
func TestFaultUnderReaders(t *testing.T) {
	t.Parallel()
	f := &fault{match: on(opSync, ".log"), err: syscall.EIO}
	s, err := open("db", Options{FS: f.wrap(vfs.NewCrashableMem())}, small)
	if err != nil {
		t.Fatal(err)
	}
	var b kv.Batch
	b.Set([]byte("a"), []byte("1"))
	c, err := s.Apply(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	it, snapshot := s.Scan(nil, nil, false), s.Snapshot()
	inSnapshot := snapshot.Scan(nil, nil, true)
	f.armed.Store(true)
	var waiting []kv.Commit
	for range 3 {
		c, err := s.Apply(&b)
		if err != nil {
			expectFailed(t, "Apply", err, f.err)
			continue
		}
		waiting = append(waiting, c)
	}
	for _, c := range waiting {
		expectFailed(t, "Wait", c.Wait(), f.err)
	}
	_, err = snapshot.Get([]byte("a"))
	expectFailed(t, "Get in a snapshot", err, f.err)
	expectFailed(t, "Close of an iterator", it.Close(), f.err)
	expectFailed(t, "Close of an iterator in a snapshot", inSnapshot.Close(), f.err)
	expectFailed(t, "Close of a snapshot", snapshot.Close(), f.err)
	expectFailed(t, "Close", s.Close(), f.err)
}

// TestFatal is Pebble's last word: it must not end the process, nor let anything through afterwards.
func TestFatal(t *testing.T) {
	t.Parallel()
	failures := make(chan error, 1)
	var s *Store
	s, err := open("db", Options{FS: vfs.NewMem(), OnFailure: func(err error) {
		expectFailed(t, "Close in OnFailure", s.Close(), syscall.EDOM)
		failures <- err
	}}, small)
	if err != nil {
		t.Fatal(err)
	}
	s.stop.Fatalf("pebble: fatal commit error: %w", syscall.EDOM)
	s.stop.Fatalf("what came of it: %w", syscall.EIO)
	expectFailed(t, "OnFailure", <-failures, syscall.EDOM)
	var b kv.Batch
	if _, err := s.Apply(&b); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Apply after Close: %v", err)
	}
}

// TestFaultsInOpen lets each change that Open makes fail in turn, on a new disk and on one with logs to read. Open must
// return the error, neither hang nor panic nor come back with a store, and leave the directory fit for the next Open.
func TestFaultsInOpen(t *testing.T) {
	t.Parallel()
	var l ledger
	used := vfs.NewCrashableMem()
	last := cutWhileWriting(t, newRand(t), used, &l, 40)[39]
	for name, disk := range map[string]*vfs.MemFS{"new": vfs.NewCrashableMem(), "used": last.disk} {
		acked := last.acked
		if name == "new" {
			acked = marks{}
		}
		for step := int64(1); ; step++ {
			fs := disk.CrashClone(vfs.CrashCloneCfg{})
			f := &fault{err: syscall.ENOSPC, lasts: step%2 == 0}
			var changes atomic.Int64
			f.match = func(op change, _ string) bool { return op != opRemove && changes.Add(1) >= step }
			f.armed.Store(true)
			s, err := open("db", Options{FS: f.wrap(fs), OnFailure: func(err error) {
				t.Errorf("OnFailure was called for a failed Open: %v", err)
			}}, quiet)
			f.armed.Store(false)
			if f.hits.Load() == 0 {
				t.Logf("%s: %d changes", name, step-1)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				break
			}
			if err == nil {
				err = s.Close() // the fault hit what Open leaves running behind
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("%s, change %d: %v, want ENOSPC", name, step, err)
			}
			if s, err = open("db", Options{FS: fs}, quiet); err != nil {
				t.Fatalf("%s, after change %d: %v", name, step, err)
			}
			if err := errors.Join(checkLedger(s, acked), s.Close()); err != nil {
				t.Fatalf("%s, after change %d: %v", name, step, err)
			}
		}
	}
}
