package inbox

import (
	"errors"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/store"
)

// run runs a round of one command and leaves it unapplied.
func (g *rig) run(do func(tx *Tx) error) (*Round, *answer) {
	g.t.Helper()
	a := &answer{do: do}
	r, taken, err := g.e.Run(g.nowMS, []Command{a})
	if err != nil || taken != 1 {
		g.t.Fatalf("Run took %d commands: %v", taken, err)
	}
	return r, a
}

// TestRunAhead runs a round before the one that it follows is applied: it sees it all the same, whether that is remembered
// or has to be looked up, and nobody else sees anything.
func TestRunAhead(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	c := hongyan.Direct(1, 2)
	one, first := g.run(message("one", 1, 2))
	two, second := g.run(message("two", 1, 2))
	if v := g.newest(1); v != 0 {
		t.Errorf("version %x of a round that is not applied", v)
	}
	ran := make(chan *Round)
	third := &answer{do: func(tx *Tx) error {
		for o, text := range map[hongyan.Ordinal]string{1: "one", 2: "two"} {
			if m, err := store.GetMessage(tx, c, o); err != nil || m == nil || m.Content.Text != text {
				t.Errorf("message %d is %+v, %v, want %q", o, m, err, text)
			}
		}
		return message("three", 1, 2)(tx)
	}}
	go func() {
		r, _, err := g.e.Run(g.nowMS, []Command{third})
		if err != nil {
			t.Error(err)
		}
		ran <- r
	}()
	time.Sleep(time.Millisecond) // for the look-up to come too early, if it does not wait
	rounds := []*Round{one, two}
	for _, r := range rounds {
		if err := g.e.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	three := <-ran
	if err := g.e.Apply(three); err != nil {
		t.Fatal(err)
	}
	for i, r := range append(rounds, three) {
		if a := []*answer{first, second, third}[i]; a.done != 0 {
			t.Errorf("command %d was answered before its round was durable", i)
		}
		g.settle(r)
	}
	for i, a := range []*answer{first, second, third} {
		if a.done != 1 || a.err != nil {
			t.Errorf("command %d was answered %d times: %v", i, a.done, a.err)
		}
	}
	r := g.e.Read()
	defer r.Close()
	if last, err := store.LastOrdinal(r, c); err != nil || last != 3 {
		t.Errorf("the last ordinal is %d, %v", last, err)
	}
}

// TestApplyFails loses a round that a later one has already seen: neither is acknowledged, and nothing follows.
func TestApplyFails(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	one, first := g.run(message("one", 1, 2))
	two, second := g.run(message("two", 1, 2))
	if _, err := g.kv.Claim(0); err != nil { // by another owner
		t.Fatal(err)
	}
	if err := g.e.Apply(one); !errors.Is(err, ErrFailed) || !errors.Is(err, kv.ErrFenced) {
		t.Errorf("the fenced round: %v", err)
	}
	if err := g.e.Apply(two); !errors.Is(err, ErrFailed) {
		t.Errorf("the round that has seen it: %v", err)
	}
	if _, _, err := g.e.Run(g.nowMS, []Command{&answer{do: message("three", 1, 2)}}); !errors.Is(err, ErrFailed) {
		t.Errorf("a later round: %v", err)
	}
	for i, a := range []*answer{first, second} {
		if a.done != 1 {
			t.Errorf("command %d was answered %d times", i, a.done)
		}
		codeOf(t, a.err, hongyan.Unavailable)
	}
	if v := g.newest(1); v != 0 {
		t.Errorf("a round was applied: version %x", v)
	}
}
