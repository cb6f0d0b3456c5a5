package app

import (
	"context"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
)

// pool runs jobs on a fixed number of goroutines, with a bounded line before them.
type pool struct {
	name    string
	jobs    chan func(context.Context)
	ctx     context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu     sync.RWMutex // held for reading while a job is queued, so that close knows that none comes after
	closed bool
}

func newPool(name string, workers, waiting int) *pool {
	p := &pool{name: name, jobs: make(chan func(context.Context), waiting)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for range workers {
		p.workers.Go(func() {
			for job := range p.jobs {
				job(p.ctx)
			}
		})
	}
	return p
}

// run queues a job, or answers Busy.
func (p *pool) run(job func(context.Context)) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return hongyan.Errorf(hongyan.Unavailable, "the server is stopping").WithHint("come back in a moment")
	}
	select {
	case p.jobs <- job:
		return nil
	default:
		return hongyan.Errorf(hongyan.Busy, "%d %s wait already", cap(p.jobs), p.name).
			WithHint("try again in a moment").WithRetryAfter(time.Second)
	}
}

// close lets the queued jobs finish, telling them by their context that the end has come, and returns after the last.
func (p *pool) close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.jobs)
	}
	p.mu.Unlock()
	p.cancel()
	p.workers.Wait()
}
