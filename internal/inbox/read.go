package inbox

import (
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// MaxHeldReads bounds the reads that wait for a round to become durable. Beyond it their answer is Busy.
const MaxHeldReads = 8192

// Read is a consistent view whose answer is held back until what it saw is durable.
type Read struct {
	*store.View
	e       *Engine
	settled uint64 // the last durable round before the snapshot: all of it is in the view
	started uint64 // the last round that began before the snapshot was complete: nothing later is in the view
}

// Read begins a read. It must be ended with Release.
func (e *Engine) Read() *Read {
	r := &Read{e: e}
	e.mu.Lock()
	r.settled = e.durable
	e.mu.Unlock()
	r.View = e.store.View()
	e.mu.Lock()
	r.started = e.started
	e.mu.Unlock()
	return r
}

// waiter is the answer to a read that has seen a round that is not durable yet.
type waiter struct {
	round   uint64
	release func(error)
}

// Release closes the view and calls release once everything in it is durable, perhaps at once and perhaps on the
// goroutine that settles rounds; or with ErrFailed when it never will be, or with a Busy Error at once when too many
// reads wait.
func (r *Read) Release(release func(error)) {
	r.Close()
	e := r.e
	e.mu.Lock()
	switch {
	case e.durable >= r.started:
		e.mu.Unlock()
		release(nil)
	case e.failure != nil:
		err := e.failure
		e.mu.Unlock()
		release(err)
	case len(e.waiting) >= MaxHeldReads:
		e.mu.Unlock()
		release(hongyan.Errorf(hongyan.Busy, "%d answers wait for the server's disk", MaxHeldReads).
			WithHint("ask again in a moment").WithRetryAfter(time.Second))
	default:
		e.waiting = append(e.waiting, waiter{r.started, release})
		e.mu.Unlock()
	}
}

// Head returns the version of u's newest change in the view. What is remembered of accounts that changed lately spares
// the look-up, but only if the view holds it for sure.
func (r *Read) Head(u hongyan.UserID) (hongyan.Version, error) {
	e := r.e
	e.mu.Lock()
	known, ok := e.heads.Get(u)
	e.mu.Unlock()
	if ok && known.round <= r.settled {
		return known.version, nil
	}
	version, err := store.Head(r, u)
	if err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started == r.settled {
		e.heads.Add(u, head{version, r.settled}) // nothing was written since, and all of it is durable
	}
	return version, nil
}
