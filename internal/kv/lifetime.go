package kv

import (
	"math"
	"sync"
	"sync/atomic"
)

// ended is what End adds to the count of a Lifetime, far below any count of users.
const ended = math.MinInt64 / 2

// Lifetime counts the calls, iterators and snapshots under way in an open store, so that Close can refuse new ones and
// wait for the rest. An engine enters at the start of each of them and leaves at its end.
type Lifetime struct {
	users atomic.Int64 // negative once End was called
	idle  chan struct{}
	once  sync.Once
}

// NewLifetime returns a Lifetime that has begun.
func NewLifetime() *Lifetime { return &Lifetime{idle: make(chan struct{})} }

// Enter counts one more user. After End it counts none and returns ErrClosed.
func (l *Lifetime) Enter() error {
	if l.users.Add(1) < 0 {
		l.Leave()
		return ErrClosed
	}
	return nil
}

// Leave ends what a successful Enter began.
func (l *Lifetime) Leave() {
	if l.users.Add(-1) == ended {
		l.once.Do(func() { close(l.idle) })
	}
}

// End makes every later Enter fail and returns when all users have left. A second End returns ErrClosed at once.
func (l *Lifetime) End() error {
	for {
		n := l.users.Load()
		if n < 0 {
			return ErrClosed
		}
		if !l.users.CompareAndSwap(n, n+ended) {
			continue
		}
		if n > 0 {
			<-l.idle
		}
		return nil
	}
}

// FailedIterator returns an iterator over nothing whose Close returns err.
func FailedIterator(err error) Iterator { return failed{err} }

// FailedSnapshot returns a snapshot whose every call returns err.
func FailedSnapshot(err error) Snapshot { return failed{err} }

type failed struct{ err error }

func (f failed) Get([]byte) ([]byte, error)        { return nil, f.err }
func (f failed) Scan(_, _ []byte, _ bool) Iterator { return f }
func (f failed) Next() bool                        { return false }
func (f failed) Key() []byte                       { return nil }
func (f failed) Value() []byte                     { return nil }
func (f failed) Close() error                      { return f.err }
