// Package core holds the rules by which a device keeps an account: when it connects again, how it follows the account's
// changes without losing or repeating one, and how it sends what waits in its outbox exactly once and in order.
//
// The rules are three machines, Link, Sync and Outbox, that own no socket, file, clock or goroutine. Events go in as
// method calls, each with the time at which it happened; what has to be done about them comes out as a list of actions.
// Whoever drives a machine carries its actions out in their order, one after the other, and reports what came of them
// as further events. When an action fails that must not fail, a Commit or a Save, the machine is dropped and a new one
// starts from what is stored: that is also what a crash between two actions amounts to, so a machine needs no other
// rule for it.
//
// Package client drives the machines over real connections and files. A simulation drives the same ones over a network
// and a disk of its own.
package core

import (
	"time"

	"github.com/hongyan-im/hongyan"
)

// Action is one thing to do. It is one of the structs of this package that say so.
type Action interface{ action() }

// Rand returns a random number from 0 to n-1. It is how a machine draws its jitter; math/rand/v2.Int64N is one.
type Rand func(n int64) int64

// Trouble reports a problem that the machine copes with by trying again, to be shown to somebody.
type Trouble struct{ Err error }

func (Trouble) action() {}

// backoff is a delay that doubles from min to max.
type backoff struct {
	min, max time.Duration
	attempt  int
}

// next draws a delay from the upper half of the present step, so that those who failed together do not come back
// together, and takes the next step.
func (b *backoff) next(rand Rand) time.Duration {
	d := b.min
	for range b.attempt {
		if d >= b.max/2 {
			d = b.max
			break
		}
		d *= 2
	}
	b.attempt++
	return d/2 + time.Duration(rand(int64(d/2)+1))
}

func (b *backoff) reset() { b.attempt = 0 }

var codes = hongyan.Codes()

// again reports whether the same request may be made again. A code of a later version is taken for Internal.
func again(c hongyan.Code) bool {
	_, known := codes[c]
	return !known || c.Retryable()
}

// earlier returns the earlier of two times, where the zero time stands for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// due reports whether t is a time that has come.
func due(now, t time.Time) bool { return !t.IsZero() && !now.Before(t) }
