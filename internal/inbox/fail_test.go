package inbox

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/store"
)

// TestNothingIsAcknowledgedAfterALostRound has a retry answered from a round that never became durable.
func TestNothingIsAcknowledgedAfterALostRound(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(message("before", 1, 2))
	lost, first := g.commit(message("lost", 1, 2))
	// Writes nothing, so nothing of its own has to be synced; but it has seen the round before it.
	retry, second := g.commit(func(*Tx) error { return nil })
	later, third := g.commit(message("later", 1, 2))
	read := g.e.Read()

	g.e.Settle(lost, errDisk)
	g.e.Settle(retry, retry.Wait())
	g.e.Settle(later, later.Wait())
	for i, a := range []*answer{first[0], second[0], third[0]} {
		if a.done != 1 {
			t.Errorf("command %d was answered %d times", i, a.done)
		}
		codeOf(t, a.err, hongyan.Unavailable)
	}
	if released, err := release(read); !released || !errors.Is(err, ErrFailed) {
		t.Errorf("a read of the lost round was released: %v, %v", released, err)
	}
	if released, err := release(g.e.Read()); !released || !errors.Is(err, ErrFailed) {
		t.Errorf("a later read was released: %v, %v", released, err)
	}
	if g.e.Counts().Commands != 1 || len(g.hints) != 2 {
		t.Errorf("counts are %+v, and %d hints, after one settled round", g.e.Counts(), len(g.hints))
	}
}

// TestRefusedCommandLeavesNothing has a command change its mind after it asked to be called back.
func TestRefusedCommandLeavesNothing(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var called []string
	errs := g.round(
		func(tx *Tx) error { tx.AfterDurable(func() { called = append(called, "first") }); return nil },
		func(tx *Tx) error {
			tx.AfterDurable(func() { called = append(called, "refused") })
			return hongyan.Errorf(hongyan.TooMany, "too many")
		},
		func(tx *Tx) error { tx.AfterDurable(func() { called = append(called, "last") }); return nil },
	)
	codeOf(t, errs[1], hongyan.TooMany)
	if !slices.Equal(called, []string{"first", "last"}) {
		t.Errorf("called back: %v", called)
	}
}

// TestUnreadableRecord meets damage in one account: that is no reason to stop for all.
func TestUnreadableRecord(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var b kv.Batch
	b.Set(binary.BigEndian.AppendUint64([]byte{'a'}, 7), []byte("damage"))
	if _, err := g.kv.Apply(&b); err != nil {
		t.Fatal(err)
	}
	errs := g.round(
		message("before", 1, 2),
		func(tx *Tx) error { _, err := store.Accounts.Get(tx, 7); return err },
		message("after", 1, 2),
	)
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("the other commands were answered %v, %v", errs[0], errs[2])
	}
	codeOf(t, errs[1], hongyan.Internal)
	g.must(message("later", 1, 2))
}

// TestHalfACommand has a command write and then fail: the round must not be applied, and nothing may follow.
func TestHalfACommand(t *testing.T) {
	t.Parallel()
	for _, err := range []error{hongyan.Errorf(hongyan.TooMany, "too many"), errDisk} {
		g := newRig(t)
		commands := []*answer{
			{do: message("before", 1, 2)},
			{do: func(tx *Tx) error { return errors.Join(message("half", 1, 2)(tx), err) }},
			{do: message("after", 1, 2)},
		}
		r, taken, failure := g.e.Commit(g.nowMS, []Command{commands[0], commands[1], commands[2]})
		if r != nil || taken != 2 || !errors.Is(failure, ErrFailed) {
			t.Fatalf("Commit returned %v, took %d, %v", r, taken, failure)
		}
		if _, taken, failure := g.e.Commit(g.nowMS, []Command{commands[2]}); taken != 1 || !errors.Is(failure, ErrFailed) {
			t.Fatalf("the next Commit took %d, %v", taken, failure)
		}
		for i, a := range commands {
			if a.done != 1 {
				t.Errorf("command %d was answered %d times", i, a.done)
			}
			codeOf(t, a.err, hongyan.Unavailable)
		}
		if v := g.newest(1); v != 0 {
			t.Errorf("the round was applied: version %x", v)
		}
	}
}
