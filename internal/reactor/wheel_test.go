//go:build linux

package reactor

import (
	"math/rand/v2"
	"testing"
)

// TestWheelAgainstModel sets, moves and cancels at random, from a start at which the ticks soon begin again, and compares
// what comes due, and when, with a plain list.
func TestWheelAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &wheel{now: ^uint32(0) - r.Uint32N(100_000)}
		conns := make([]conn, 64)
		due := map[*conn]uint32{}
		for range 4000 {
			c := &conns[r.IntN(len(conns))]
			switch r.IntN(3) {
			case 0:
				w.cancel(c)
				delete(due, c)
			case 1:
				at := w.now + r.Uint32N(1<<(1+r.Uint32N(26)))
				w.set(c, at)
				if !before(w.now, at) {
					at = w.now + 1
				}
				due[c] = at
			case 2:
				to := w.now + r.Uint32N(1<<(1+r.Uint32N(16)))
				if ticks, ok := w.wake(); ok && r.IntN(2) == 0 {
					to = w.now + ticks
				}
				early := w.now
				w.advance(to, func(c *conn) {
					at, ok := due[c]
					if !ok || at != w.now || c.timer.slot != 0 {
						t.Fatalf("seed %d: came at %d, due %d (%v)", seed, w.now, at, ok)
					}
					delete(due, c)
				})
				for _, at := range due {
					if !before(w.now, at) {
						t.Fatalf("seed %d: %d did not come between %d and %d", seed, at, early, w.now)
					}
				}
			}
			ticks, ok := w.wake()
			if ok != (len(due) > 0) || w.count != len(due) {
				t.Fatalf("seed %d: %d are in the wheel, want %d", seed, w.count, len(due))
			}
			for _, at := range due {
				if before(at, w.now+ticks) && ticks < wheelSpan {
					t.Fatalf("seed %d: the next thing is said to be at %d, and one is due at %d", seed, w.now+ticks, at)
				}
			}
		}
	}
}

// TestWheelAllocates pins that deadlines cost no memory of their own.
func TestWheelAllocates(t *testing.T) {
	w, c := new(wheel), new(conn)
	if n := testing.AllocsPerRun(100, func() {
		w.set(c, w.now+70)
		w.set(c, w.now+5)
		w.advance(w.now+10, func(*conn) {})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
