package inbox

import (
	"testing"

	"github.com/hongyan-im/hongyan"
)

// TestHeldReadsAreBounded lets more reads wait for a slow disk than the engine holds.
func TestHeldReadsAreBounded(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	r, _ := g.commit(message("slow", 1, 2))
	held := 0
	for range MaxHeldReads {
		g.e.Read().Release(func(err error) {
			if held++; err != nil {
				t.Error(err)
			}
		})
	}
	if held != 0 {
		t.Fatalf("%d reads were released before the round was durable", held)
	}
	released, err := release(g.e.Read())
	if !released {
		t.Error("a read beyond the bound is held")
	}
	codeOf(t, err, hongyan.Busy)
	// What is refused at the gate is refused as such, not as the end of the store.
	Look(NewShard(g.e, nil, RunHere), Nobody, func(*Read) (none, error) { return none{}, nil },
		func(_ none, err error) { codeOf(t, err, hongyan.Busy) })
	g.settle(r)
	if held != MaxHeldReads {
		t.Errorf("%d of %d reads were released by the round", held, MaxHeldReads)
	}
	if released, err := release(g.e.Read()); !released || err != nil {
		t.Errorf("a read of what is durable: released %v, %v", released, err)
	}
}
