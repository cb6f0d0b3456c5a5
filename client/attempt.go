package client

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxAttempts is how many attempts are remembered: as many as a report takes.
const maxAttempts = 64

// Attempt is an attempt to connect, as a report tells it.
type Attempt struct {
	Transport string // tls, wss, https, tcp, ws or http; empty for a name that was looked up
	Address   string // HOST:PORT, or a name
	At        time.Time
	Took      time.Duration
	Stage     string // at which it failed: dns, connect, tls or answer; ok: it did not
	Err       error  // nil if it did not fail
}

// attempts are the last ones.
type attempts struct {
	mu   sync.Mutex
	list []Attempt
}

// add remembers an attempt, unless it ended only because another was faster.
func (l *attempts) add(ctx context.Context, a Attempt) {
	if context.Cause(ctx) == errOutrun {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == maxAttempts {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, a)
}

// since returns those that began at a time or later, the oldest first.
func (l *attempts) since(t time.Time) []Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.list)
	return slices.DeleteFunc(list, func(a Attempt) bool { return a.At.Before(t) })
}
