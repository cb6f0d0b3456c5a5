package webwx

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hongyan-im/hongyan"
)

// Limits of how often one session, or one network without a session, may ask.
const (
	requestEvery = 50 * time.Millisecond // in the long run
	requestBurst = 200                   // at once, after a rest
	maxDelay     = 5 * time.Second       // who would have to wait longer for its turn is refused
	maxLimited   = 65_536                // askers that are remembered
)

// limiter gives every asker its turn. Who asks too often is slowed down first: bots send in bursts, and most end their
// session when they are refused.
type limiter struct {
	mu   sync.Mutex
	next *simplelru.LRU[string, time.Time] // when the asker's burst is over, if it asks no more
}

func newLimiter() (*limiter, error) {
	next, err := simplelru.NewLRU[string, time.Time](maxLimited, nil)
	return &limiter{next: next}, err
}

// turn returns how long an asker has to wait; false: too long.
func (l *limiter) turn(now time.Time, key string) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	earliest := now.Add(-requestBurst * requestEvery)
	next, _ := l.next.Get(key)
	if next.Before(earliest) {
		next = earliest
	}
	next = next.Add(requestEvery)
	delay := next.Sub(now)
	if delay > maxDelay {
		return 0, false
	}
	l.next.Add(key, next)
	return max(0, delay), true
}

// wait waits for the turn of an asker.
func (l *limiter) wait(ctx context.Context, now func() time.Time, key string) error {
	delay, ok := l.turn(now(), key)
	if !ok {
		return hongyan.Errorf(hongyan.Throttled, "too many requests").WithRetryAfter(maxDelay)
	}
	return sleep(ctx, delay)
}

// sleep waits, or until the client has gone.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errGone
	}
}
