package app

import (
	"runtime"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/fair"
)

// waitingReads is how many reads wait for a goroutine; half as many of one account.
const waitingReads = 4096

// reads runs what looks into the store on a fixed number of goroutines: more than there are processors, because some wait
// for the disk. Accounts take turns.
type reads struct {
	workers sync.WaitGroup

	mu     sync.Mutex
	turn   sync.Cond // there may be a turn, or the end has come
	queue  *fair.Queue
	closed bool
}

func newReads() *reads {
	processors := runtime.GOMAXPROCS(0)
	r := &reads{queue: fair.New(fair.Limits{Waiting: waitingReads, Line: waitingReads / 2, Behind: max(1, processors/2)})}
	r.turn.L = &r.mu
	for range 2*processors + 2 {
		r.workers.Go(r.work)
	}
	return r
}

func (r *reads) work() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		now := time.Now()
		j, ok := r.queue.Next(now)
		if !ok {
			if r.closed && r.queue.Waiting() == 0 {
				r.turn.Broadcast()
				return
			}
			r.turn.Wait()
			continue
		}
		r.mu.Unlock()
		j.Run()
		end := time.Now()
		// Jobs are short. A worker that goes from one to the next keeps its processor for 10 ms, before the scheduler takes
		// it away, and everybody else's messages wait on their way through other goroutines.
		runtime.Gosched()
		r.mu.Lock()
		r.queue.Done(j, end.Sub(now), end)
	}
}

// run queues a read of an account, or answers Busy.
func (r *reads) run(who hongyan.UserID, job func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return hongyan.Errorf(hongyan.Unavailable, "the server is stopping").WithHint("come back in a moment")
	case !r.queue.Push(who, job):
		return hongyan.Errorf(hongyan.Busy, "too many reads wait already: %d of all accounts", r.queue.Waiting()).
			WithHint("try again in a moment").WithRetryAfter(time.Second)
	}
	r.turn.Signal()
	return nil
}

// waiting is how many reads wait, and how many accounts do so behind the others.
func (r *reads) waiting() (reads, behind int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue.Waiting(), r.queue.Behind()
}

// close lets what waits finish, and returns after the last.
func (r *reads) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.turn.Broadcast()
	r.workers.Wait()
}
