package inbox_test

import (
	"errors"
	mrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
)

// TestDiskFaults lets a write or sync of the log fail under concurrent senders. From then on nothing is acknowledged and
// nothing is read, everybody is answered, the failure is told, and everything that was acknowledged is there after a
// restart, on the disk as a loss of power at that moment would leave it.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name string
		kind errorfs.OpKind
		err  error
	}{
		{"write, EIO", errorfs.OpFileWrite, syscall.EIO},
		{"write, ENOSPC", errorfs.OpFileWrite, syscall.ENOSPC},
		{"sync, EIO", errorfs.OpFileSyncData, syscall.EIO},
		{"sync, ENOSPC", errorfs.OpFileSyncData, syscall.ENOSPC},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			r := newRand(t)
			for range 3 {
				faultWhileSending(t, r, fault.kind, fault.err)
			}
		})
	}
}

func faultWhileSending(t *testing.T, r *mrand.Rand, kind errorfs.OpKind, fault error) {
	var left, hits atomic.Int64
	left.Store(-1)
	disk := vfs.NewCrashableMem()
	s := mustOpen(t, errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == kind && strings.HasSuffix(op.Path, ".log") && left.Add(-1) == 0 {
			hits.Add(1)
			return fault // once: the disk is well again, and nothing is any better for it
		}
		return nil
	})), true)
	if err := s.settle(); err != nil {
		t.Fatal(err)
	}
	left.Store(10 + r.Int64N(40))
	var l ledger
	var running sync.WaitGroup
	never := make(chan struct{})
	for u := hongyan.UserID(1); u <= people; u++ {
		seed := r.Uint64()
		running.Go(func() {
			refused(t, "a send", s.sender(&l, mrand.New(mrand.NewPCG(seed, 0)), u, never))
		})
		running.Go(func() { refused(t, "a pull", s.reader(&l, u, never)) })
	}
	running.Wait() // each ends with the error, or never
	if hits.Load() != 1 {
		t.Fatalf("the fault was met %d times", hits.Load())
	}
	select {
	case err := <-s.failed:
		if !errors.Is(err, inbox.ErrFailed) || !errors.Is(err, fault) {
			t.Errorf("the failure is told as %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the failure is not told")
	}
	m := newSend(r, 1)
	_, err := s.send(m)
	refused(t, "a later send", err)
	if !errors.Is(s.engine.Failure(), fault) {
		t.Errorf("the engine has failed with %v", s.engine.Failure())
	}
	if err := s.close(); !errors.Is(err, fault) {
		t.Errorf("closed with the error %v", err)
	}
	again := mustOpen(t, disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r}), false)
	if len(l.acked) == 0 {
		t.Error("nothing was acknowledged before the fault")
	}
	check(t, again, l.mark())
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
}

// refused expects Unavailable, or Internal where the command itself could not read the store: a client tries again after
// both.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if c := hongyan.CodeOf(err); c != hongyan.Unavailable && c != hongyan.Internal {
		t.Errorf("%s ends with %v", what, err)
	}
}
