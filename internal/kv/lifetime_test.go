package kv_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

func TestLifetimeEndsWhenTheLastUserLeaves(t *testing.T) {
	t.Parallel()
	for range 200 {
		l := kv.NewLifetime()
		var inside, ended atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if err := l.Enter(); err != nil {
						if !errors.Is(err, kv.ErrClosed) {
							t.Errorf("Enter: %v", err)
						}
						return
					}
					inside.Add(1)
					if ended.Load() != 0 {
						t.Error("a user is inside after End returned")
					}
					inside.Add(-1)
					l.Leave()
				}
			})
		}
		results := make(chan error, 2)
		for range 2 {
			wg.Go(func() {
				err := l.End()
				if err == nil {
					if n := inside.Load(); n != 0 {
						t.Errorf("End returned with %d users inside", n)
					}
					ended.Store(1)
				}
				results <- err
			})
		}
		wg.Wait()
		first, second := <-results, <-results
		if (first == nil) == (second == nil) || !errors.Is(errors.Join(first, second), kv.ErrClosed) {
			t.Fatalf("two calls of End returned %v and %v", first, second)
		}
	}
}

func TestFailedReaders(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	it := kv.FailedIterator(boom)
	if it.Next() || it.Key() != nil || it.Value() != nil || it.Close() != boom {
		t.Error("a failed iterator must hold nothing and return its error")
	}
	s := kv.FailedSnapshot(boom)
	if _, err := s.Get([]byte("a")); err != boom {
		t.Errorf("Get: %v", err)
	}
	if it := s.Scan(nil, nil, true); it.Next() || it.Close() != boom {
		t.Error("Scan in a failed snapshot must fail")
	}
	if err := s.Close(); err != boom {
		t.Errorf("Close: %v", err)
	}
}
