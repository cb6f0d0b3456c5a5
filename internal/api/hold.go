package api

import (
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
)

// holds are the requests that are held for news, up to a limit.
type holds struct {
	limit int
	mu    sync.Mutex
	all   map[*hold]struct{}
	retry func() time.Duration // set once draining
}

// hold is one of them. Its lock is never held while it wakes what is parked.
type hold struct {
	mu       sync.Mutex
	wake     func() // of what is parked; nil if nothing is, or not yet
	started  bool   // the request is on its way: wake may be called
	released bool
}

// busyRetry is when to come back where too much is held.
const busyRetry = 5 * time.Second

func newHolds(limit int) holds { return holds{limit: limit, all: map[*hold]struct{}{}} }

// enter makes room for a request that may be held. In a drain it is answered at once.
func (s *holds) enter() (*hold, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= s.limit {
		return nil, hongyan.Errorf(hongyan.Busy, "%d requests are held for news, which is the limit", s.limit).
			WithHint("come back later, or ask without waiting").WithRetryAfter(busyRetry)
	}
	h := &hold{released: s.retry != nil}
	s.all[h] = struct{}{}
	return h, nil
}

// leave says that the request was answered.
func (s *holds) leave(h *hold) {
	s.mu.Lock()
	delete(s.all, h)
	s.mu.Unlock()
	h.mu.Lock()
	h.wake = nil
	h.mu.Unlock()
}

// count is how many there are.
func (s *holds) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// drain releases all, and those to come as they come.
func (s *holds) drain(retry func() time.Duration) {
	s.mu.Lock()
	s.retry = retry
	all := make([]*hold, 0, len(s.all))
	for h := range s.all {
		all = append(all, h)
	}
	s.mu.Unlock()
	for _, h := range all {
		h.release()
	}
}

// leaving reports whether drain was called.
func (s *holds) leaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.retry != nil
}

// leavingError is what those are told who waited in vain.
func (s *holds) leavingError() error {
	s.mu.Lock()
	after := s.retry()
	s.mu.Unlock()
	return hongyan.Errorf(hongyan.Unavailable, "the server is leaving").WithHint("come back with the same key").
		WithRetryAfter(after)
}

// park makes what parks a request into what lets h wake it too.
func (h *hold) park(park func(hongyan.UserID, func()) func()) func(hongyan.UserID, func()) func() {
	return func(u hongyan.UserID, wake func()) (cancel func()) {
		h.mu.Lock()
		h.wake = wake
		h.mu.Unlock()
		return park(u, wake)
	}
}

// after does the same with what wakes a request when its time is over.
func (h *hold) after(after func(time.Duration, func()) func()) func(time.Duration, func()) func() {
	return func(d time.Duration, wake func()) (stop func()) {
		h.mu.Lock()
		h.wake = wake
		h.mu.Unlock()
		return after(d, wake)
	}
}

// begun says that the request is on its way. Before that nothing can be woken: the desk parks under its own lock.
func (h *hold) begun() { h.set(func() { h.started = true }) }

// release has the request answered now.
func (h *hold) release() { h.set(func() { h.released = true }) }

func (h *hold) set(change func()) {
	h.mu.Lock()
	change()
	var wake func()
	if h.started && h.released {
		wake = h.wake
	}
	h.mu.Unlock()
	if wake != nil {
		wake()
	}
}
