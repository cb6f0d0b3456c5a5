package inbox

import (
	"errors"
	"testing"

	"github.com/hongyan-im/hongyan"
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
