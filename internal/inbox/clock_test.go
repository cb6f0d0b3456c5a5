package inbox

import (
	"testing"

	"github.com/hongyan-im/hongyan/internal/store"
)

// told is the time of the next round.
func (g *rig) told() (ms int64) {
	g.t.Helper()
	g.must(func(tx *Tx) error { ms = tx.NowMS(); return nil })
	return ms
}

// TestClock never goes back: not when the machine's does, and over a restart by less than the interval at which it is
// kept, within the hour.
func TestClock(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	g := newRig(t)
	last := int64(0)
	for range 3000 {
		restart := r.IntN(20) == 0
		switch r.IntN(3) {
		case 0:
			g.nowMS += r.Int64N(2 * clockEvery)
		case 1:
			g.nowMS -= r.Int64N(2 * clockEvery)
		case 2:
			g.nowMS += r.Int64N(hourMS)
		}
		if restart {
			g.open()
		}
		now := g.told()
		switch at := g.e.Clock(g.nowMS); {
		case at != now || g.e.Clock(now+1) != now+1:
			t.Fatalf("a round has told %d, and everybody else is told %d", now, at)
		case now < g.nowMS:
			t.Fatalf("the clock says %d when the machine's says %d", now, g.nowMS)
		case now > g.nowMS && now > last:
			t.Fatalf("the clock went from %d to %d by itself", last, now)
		case !restart && now < last, now <= last-clockEvery, hourOf(now) < hourOf(last):
			t.Fatalf("the clock went back from %d to %d, restart %v", last, now, restart)
		}
		last = now
	}
}

// TestClockIsWrittenSeldom makes sure that a round does not pay for the clock.
func TestClockIsWrittenSeldom(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.told()
	rounds := g.e.Counts().Rounds
	for range 10 {
		g.nowMS += clockEvery / 20
		g.told()
	}
	if n := g.e.Counts().Rounds - rounds; n != 0 {
		t.Errorf("%d rounds without a change had something to write", n)
	}
}

func TestDamagedClock(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(func(tx *Tx) error { store.Meta.Put(tx.Tx, metaClock, &[]byte{1}); return nil })
	s, err := store.Open(g.kv, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := Open(s, 0, nil); err == nil || e != nil {
		t.Errorf("opened with the clock at %d, which is what the deduplication window depends on", e.Clock(0))
	}
}
