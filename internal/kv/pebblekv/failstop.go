package pebblekv

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// failstop is the one-way switch of a store from working to failed. The first failure wins, stays, and is announced
// once.
type failstop struct {
	dir string
	log *slog.Logger

	failure atomic.Pointer[FailedError]
	mu      sync.Mutex
	notify  func(error) // nil while the store is being opened
}

// fail records the failure. From its return on no batch is acknowledged and nothing more reaches the disk.
func (f *failstop) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure.Load() != nil {
		f.log.Debug("storage error after the store failed", "dir", f.dir, "err", err)
		return
	}
	failure := &FailedError{Dir: f.dir, Err: err}
	f.failure.Store(failure)
	f.log.Error("the store has failed: nothing is acknowledged any more", "dir", f.dir, "err", err)
	if f.notify != nil {
		go f.notify(failure) // a failure may come from under the engine's locks, and the callback may close the store
	}
}

// failed reports whether the store has failed.
func (f *failstop) failed() bool { return f.failure.Load() != nil }

// err returns the failure as a *FailedError, or nil.
func (f *failstop) err() error {
	if failure := f.failure.Load(); failure != nil {
		return failure
	}
	return nil
}

// arm makes failures from now on known to notify; it returns the one that has already happened, if any.
func (f *failstop) arm(notify func(error)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if failure := f.failure.Load(); failure != nil {
		return failure.Err
	}
	f.notify = notify
	return nil
}

// Infof, Errorf and Fatalf make it Pebble's logger. Pebble calls Fatalf when it cannot go on and expects it to end the
// process. Here it returns, and what Pebble does afterwards reaches neither the disk nor a caller.

// Infof implements pebble.Logger.
func (f *failstop) Infof(format string, args ...any) {
	if f.log.Enabled(context.Background(), slog.LevelDebug) {
		f.log.Debug(fmt.Sprintf(format, args...), "dir", f.dir)
	}
}

// Errorf implements pebble.Logger.
func (f *failstop) Errorf(format string, args ...any) {
	f.log.Error(fmt.Sprintf(format, args...), "dir", f.dir)
}

// Fatalf implements pebble.Logger.
func (f *failstop) Fatalf(format string, args ...any) { f.fail(fmt.Errorf(format, args...)) }

// events are the incidents that Pebble reports without failing a call. A background job that cannot read its input
// would be tried for ever, and a damaged table is found by whoever reads it first: both end the store.
func (f *failstop) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: f.failOrDamaged,
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			f.fail(&CorruptError{Dir: f.dir, Err: fmt.Errorf("%s: %w", info.Path, info.Details)})
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			f.log.Warn("writes wait for the disk", "dir", f.dir, "reason", info.Reason)
		},
		WriteStallEnd: func() { f.log.Warn("writes go on", "dir", f.dir) },
	}
}

// failOrDamaged fails the store with a *CorruptError if the error is about the content of a file.
func (f *failstop) failOrDamaged(err error) {
	if pebble.IsCorruptionError(err) {
		err = &CorruptError{Dir: f.dir, Err: err}
	}
	f.fail(err)
}
