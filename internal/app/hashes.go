package app

import (
	"context"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
)

// hashes runs logins that have to hash a password on a fixed number of goroutines, with a bounded line before them.
type hashes struct {
	jobs    chan func(context.Context)
	ctx     context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu     sync.RWMutex // held for reading while a job is queued, so that close knows that none comes after
	closed bool
}

func newHashes(workers, waiting int) *hashes {
	h := &hashes{jobs: make(chan func(context.Context), waiting)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	for range workers {
		h.workers.Go(func() {
			for job := range h.jobs {
				job(h.ctx)
			}
		})
	}
	return h
}

// run queues a job, or answers Busy.
func (h *hashes) run(job func(context.Context)) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return hongyan.Errorf(hongyan.Unavailable, "the server is stopping").WithHint("come back in a moment")
	}
	select {
	case h.jobs <- job:
		return nil
	default:
		return hongyan.Errorf(hongyan.Busy, "%d logins wait already", cap(h.jobs)).
			WithHint("try again in a moment").WithRetryAfter(time.Second)
	}
}

// close lets the queued jobs finish, telling them by their context that the end has come, and returns after the last.
func (h *hashes) close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.jobs)
	}
	h.mu.Unlock()
	h.cancel()
	h.workers.Wait()
}
