// Package shardtest gives tests a shard that they drive by hand: the real engine and the real records over the memory
// store, without a goroutine, with a clock that stands still and random numbers that repeat. What is submitted waits
// until a test steps the shard, so a test says which commands share a round.
package shardtest

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Shard is a shard of accounts under a test's control. Everything happens on the goroutine that calls.
type Shard struct {
	*inbox.Shard
	Random io.Reader
	// OnHint gets the hints of each round, if it is set.
	OnHint func(inbox.Hint)

	tb       testing.TB
	now      time.Time
	waiting  []inbox.Command
	stepping bool
	holding  bool
	held     []func()
}

// New makes a shard without accounts. That the engine has not failed is checked at the end of the test.
func New(tb testing.TB) *Shard {
	tb.Helper()
	s := &Shard{tb: tb, now: time.UnixMilli(1_700_000_000_000), Random: rand.NewChaCha8([32]byte{})}
	memory := kv.NewMemory()
	records, err := store.Open(memory, s.Random)
	if err != nil {
		tb.Fatal(err)
	}
	engine, err := inbox.Open(records, 0, func(h inbox.Hint) {
		if s.OnHint != nil {
			s.OnHint(h)
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	submit := func(c inbox.Command) error { s.waiting = append(s.waiting, c); return nil }
	run := func(_ hongyan.UserID, job func()) error {
		if s.holding {
			s.held = append(s.held, job)
		} else {
			job()
		}
		return nil
	}
	s.Shard = inbox.NewShard(engine, submit, run)
	tb.Cleanup(func() {
		if err := engine.Failure(); err != nil {
			tb.Errorf("the engine has failed: %v", err)
		}
		if err := memory.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Now is the time, which only Advance moves.
func (s *Shard) Now() time.Time { return s.now }

// Advance moves the clock.
func (s *Shard) Advance(d time.Duration) { s.now = s.now.Add(d) }

// Waiting is how many commands wait for their round.
func (s *Shard) Waiting() int { return len(s.waiting) }

// Drop forgets what waits, as a crash does.
func (s *Shard) Drop() { s.waiting = nil }

// HoldReads keeps the reads that begin from now on until ReadOn.
func (s *Shard) HoldReads() { s.holding = true }

// ReadOn does the reads that were held, and lets further ones go through at once.
func (s *Shard) ReadOn() {
	held := s.held
	s.holding, s.held = false, nil
	for _, job := range held {
		job()
	}
}

// Step commits what waits as one round, or as few as it takes, and settles it. What is submitted meanwhile waits for
// the next step.
func (s *Shard) Step() {
	s.tb.Helper()
	if s.stepping {
		s.tb.Fatal("a step within a step")
	}
	s.stepping = true
	defer func() { s.stepping = false }()
	commands := s.waiting
	s.waiting = nil
	for len(commands) > 0 {
		round, taken, err := s.Engine().Commit(s.now.UnixMilli(), commands)
		commands = commands[taken:]
		if err != nil {
			s.tb.Errorf("a round failed: %v", err)
			continue
		}
		s.Engine().Settle(round, round.Wait())
	}
}

// Rest steps until nothing waits any more.
func (s *Shard) Rest() {
	s.tb.Helper()
	for len(s.waiting) > 0 {
		s.Step()
	}
}

// Overtake runs f while what waits stands aside: what f submits, and steps, gets in before it.
func (s *Shard) Overtake(f func()) {
	aside := s.waiting
	s.waiting = nil
	f()
	s.waiting = append(aside, s.waiting...)
}

// Ask starts a request, steps the shard until nothing waits, and returns the answer, of which there must be one.
func Ask[R any](s *Shard, start func(done func(R, error))) (R, error) {
	s.tb.Helper()
	answer := Begin(s, start)
	s.Rest()
	return answer()
}

// Try is Ask for what only succeeds or fails.
func Try(s *Shard, start func(done func(error))) error {
	s.tb.Helper()
	_, err := Ask(s, func(done func(struct{}, error)) {
		start(func(err error) { done(struct{}{}, err) })
	})
	return err
}

// Begin starts a request and returns what takes its answer once the test has stepped the shard.
func Begin[R any](s *Shard, start func(done func(R, error))) (answer func() (R, error)) {
	s.tb.Helper()
	var result R
	var failure error
	answers := 0
	start(func(r R, err error) { result, failure, answers = r, err, answers+1 })
	return func() (R, error) {
		s.tb.Helper()
		if answers != 1 {
			s.tb.Fatalf("the request was answered %d times", answers)
		}
		return result, failure
	}
}
