package session

import (
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/wire"
)

// rests returns how long the session would rest, to the millisecond.
func (c *conn) rests() time.Duration {
	if until := c.s.Rest(); !until.IsZero() {
		return until.Sub(c.r.Now()).Round(time.Millisecond)
	}
	return 0
}

func (c *conn) beats(n int) {
	c.r.t.Helper()
	for range n {
		c.must(wire.OpHeartbeat, nil, nil)
	}
}

func TestWhoAsksForTooMuchRests(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	c := r.account("alice")
	r.Advance(time.Hour)
	c.beats(Burst)
	if d := c.rests(); d != 0 {
		t.Errorf("%d requests after a silence lead to a rest of %v", Burst, d)
	}
	c.beats(Rate / 2)
	if d := c.rests(); d != time.Second/2 {
		t.Errorf("half a second's requests more lead to a rest of %v", d)
	}
	r.Advance(time.Second / 2)
	c.beats(1)
	if d := c.rests(); d != (time.Second / Rate).Round(time.Millisecond) {
		t.Errorf("after the rest a single request leads to one of %v", d)
	}
	for range 5 { // at the pace that is allowed
		r.Advance(time.Second)
		c.beats(Rate)
	}
	if d := c.rests(); d != (time.Second / Rate).Round(time.Millisecond) {
		t.Errorf("%d requests a second lead to a rest of %v", Rate, d)
	}
}

func TestWhatCountsForMore(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice := r.account("alice")

	stranger := r.open(secure)
	stranger.beats(Burst / WasteCost)
	if d := stranger.rests(); d != 0 {
		t.Errorf("a stranger's burst leads to a rest of %v", d)
	}
	stranger.beats(1)
	if d := stranger.rests(); d != (WasteCost * time.Second / Rate).Round(time.Millisecond) {
		t.Errorf("a stranger's request leads to a rest of %v", d)
	}

	r.Advance(time.Hour)
	for range Burst/WasteCost + 1 {
		if alice.ask(wire.OpAuth, &wire.AuthRequest{Token: alice.token}, nil) == nil {
			t.Fatal("a second Auth is taken")
		}
	}
	if d := alice.rests(); d != (WasteCost * time.Second / Rate).Round(time.Millisecond) {
		t.Errorf("refused requests lead to a rest of %v", d)
	}

	r.Advance(time.Hour)
	before := alice.budgetLevel()
	alice.says(alice, strings.Repeat("x", 60<<10))
	alice.must(wire.OpSync, &wire.SyncRequest{Limit: 500}, nil)
	if got := alice.budgetLevel() - before; got < 5 || got > 6 {
		t.Errorf("an answer of 60 KiB counts for %v", got)
	}

	operator := r.open(Peer{Secure: true, Operator: true})
	operator.beats(2 * Burst)
	for range 2 * Burst / WasteCost {
		if operator.ask(wire.OpSync, &wire.SyncRequest{}, nil) == nil {
			t.Fatal("the operator has a log")
		}
	}
	if d := operator.rests(); d != 0 {
		t.Errorf("the operator is to rest for %v", d)
	}
}

// budgetLevel is the level as of now.
func (c *conn) budgetLevel() float32 {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.budget.pass(c.r.Now())
	return c.s.budget.level
}
