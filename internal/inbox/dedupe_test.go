package inbox

import (
	"fmt"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// once is a command that does what a send does about its retries: it tells whether the request was seen before, and
// remembers it otherwise.
func once(u hongyan.UserID, n uint64, firstMS int64, seen *bool) func(tx *Tx) error {
	return func(tx *Tx) error {
		o, err := tx.Original(u, clientID(n), firstMS)
		if *seen = o != nil; o != nil || err != nil {
			if o != nil && string(o.Result) != fmt.Sprint(u, n) {
				return fmt.Errorf("the outcome of another request: %q", o.Result)
			}
			return err
		}
		tx.Remember(u, clientID(n), store.Original{Digest: [16]byte{byte(n)}, Result: fmt.Append(nil, u, n)})
		return nil
	}
}

// request runs once as a round of its own.
func (g *rig) request(u hongyan.UserID, n uint64, firstMS int64) (seen bool, err error) {
	g.t.Helper()
	err = g.round(once(u, n, firstMS, &seen))[0]
	return seen, err
}

func (g *rig) first(u hongyan.UserID, n uint64, firstMS int64) {
	g.t.Helper()
	if seen, err := g.request(u, n, firstMS); seen || err != nil {
		g.t.Fatalf("first attempt of %d: seen %v, %v", n, seen, err)
	}
}

func (g *rig) again(u hongyan.UserID, n uint64, firstMS int64) {
	g.t.Helper()
	if seen, err := g.request(u, n, firstMS); !seen || err != nil {
		g.t.Fatalf("retry of %d: seen %v, %v", n, seen, err)
	}
}

// loadFilters does what a writer does after a restart.
func (g *rig) loadFilters() {
	g.t.Helper()
	view := g.e.store.View()
	defer view.Close()
	for _, h := range g.e.Filters(g.nowMS) {
		f, err := LoadFilter(view, h, func() bool { return true })
		if err != nil {
			g.t.Fatal(err)
		}
		g.must(f.Do)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for i, test := range []struct {
		name    string
		firstMS int64
		code    hongyan.Code
	}{
		{"now", 0, 0},
		{"at the start of the window", -WindowMS, 0},
		{"before the window", -WindowMS - 1, hongyan.TooLate},
		{"as far ahead as clocks may be", SkewMS, 0},
		{"too far ahead", SkewMS + 1, hongyan.ClockSkew},
		{"at the beginning of time", -1 << 62, hongyan.TooLate},
		{"at the end of time", 1 << 62, hongyan.ClockSkew},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen, err := g.request(1, uint64(i), g.nowMS+test.firstMS)
			codeOf(t, err, test.code)
			if seen {
				t.Error("seen before its first attempt")
			}
			if err == nil {
				g.again(1, uint64(i), g.nowMS+test.firstMS)
			}
		})
	}
}

func TestRetryInTheSameRound(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var seen [3]bool
	g.must(once(1, 1, g.nowMS, &seen[0]), once(1, 1, g.nowMS, &seen[1]), once(2, 1, g.nowMS, &seen[2]))
	if seen != [3]bool{false, true, false} {
		t.Errorf("seen: %v; the second is a retry, the third another account's", seen)
	}
}

// TestRetryAfterHours retries through the whole window, as the clock goes on, and over restarts.
func TestRetryAfterHours(t *testing.T) {
	t.Parallel()
	for _, restart := range []string{"never", "filters loaded", "filters not loaded"} {
		t.Run(restart, func(t *testing.T) {
			t.Parallel()
			g := newRig(t)
			start := g.nowMS
			g.first(1, 1, start)
			for range WindowHours / 4 {
				g.nowMS += 4 * hourMS
				if restart != "never" {
					g.open()
				}
				if restart == "filters loaded" {
					g.loadFilters()
				}
				g.again(1, 1, start)
				g.first(2, uint64(g.nowMS), g.nowMS)
			}
			g.nowMS++
			_, err := g.request(1, 1, start)
			codeOf(t, err, hongyan.TooLate)
		})
	}
}

// TestClockJumps moves the clock of the machine about: what was accepted is never accepted again.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	const day = 24 * hourMS
	for _, test := range []struct {
		name string
		jump int64
		code hongyan.Code
	}{
		{"an hour back", -hourMS, 0},
		{"a year back", -365 * day, 0},
		{"an hour on", hourMS, 0},
		{"six days on", 6 * day, 0},
		{"eight days on", 8 * day, hongyan.TooLate},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %v", test.name, restart), func(t *testing.T) {
				t.Parallel()
				g := newRig(t)
				start := g.nowMS
				g.first(1, 1, start)
				g.nowMS += test.jump
				if restart {
					g.open()
					g.loadFilters()
				}
				for range 2 {
					seen, err := g.request(1, 1, start)
					codeOf(t, err, test.code)
					if err == nil && !seen {
						t.Error("the retry was accepted as new")
					}
					g.nowMS = start // and back, or on, to where it was
				}
			})
		}
	}
}

// TestClockBefore1970 is a machine whose clock was not set: the first hours of time.
func TestClockBefore1970(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.nowMS = 5000
	g.first(1, 1, 4000)
	g.again(1, 1, 4000)
	g.first(1, 2, -4000)
	g.again(1, 2, -4000)
	g.nowMS = hourMS + 5000
	g.again(1, 1, 4000)
	g.open()
	g.loadFilters()
	g.again(1, 2, -4000)
	g.nowMS = -5000
	g.again(1, 2, -4000)
}

func TestForgotten(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	start := g.nowMS
	g.first(1, 1, start)
	count := func(hour uint32) (n int) {
		view := g.e.store.View()
		defer view.Close()
		if err := store.ListOriginals(view, hour, func(hongyan.UserID, hongyan.ClientID) bool { n++; return true }); err != nil {
			t.Fatal(err)
		}
		if raw, err := store.GetFilter(view, hour); err != nil || raw != nil {
			n++
		}
		return n
	}
	g.nowMS += WindowMS
	g.again(1, 1, start)
	if count(hourOf(start)) == 0 {
		t.Error("forgotten within the window")
	}
	g.nowMS += 3 * hourMS
	g.must(func(*Tx) error { return nil })
	if n := count(hourOf(start)); n != 0 {
		t.Errorf("%d records of an hour beyond the window are still there", n)
	}
	if _, there := g.e.dedupe.hours[hourOf(start)]; there {
		t.Error("so is its filter")
	}
}

// TestRetriesAtRandom compares with a model that remembers everything: through restarts, with filters loaded at once, late,
// in part or not at all, under a limit that makes them go, with clocks of clients that are wrong, and a clock that jumps.
func TestRetriesAtRandom(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	g := newRig(t)
	type request struct {
		n       uint64
		firstMS int64
	}
	var made []request
	var toLoad []*Filter
	clock := g.nowMS
	for step := range 2000 {
		switch r.IntN(40) {
		case 0:
			g.nowMS += r.Int64N(3 * hourMS)
		case 1:
			g.nowMS += r.Int64N(20*hourMS) - 10*hourMS
		case 2:
			if r.IntN(10) == 0 {
				g.nowMS += r.Int64N(8*WindowMS) / 4
			}
		case 3:
			g.open()
			g.e.dedupe.limit = []int{0, 20 << 10, 100 << 10, MaxFilterBytes}[r.IntN(4)]
			toLoad = nil
			view := g.e.store.View()
			for _, h := range g.e.Filters(g.nowMS) {
				f, err := LoadFilter(view, h, func() bool { return true })
				if err != nil {
					t.Fatal(err)
				}
				if r.IntN(4) > 0 {
					toLoad = append(toLoad, f)
				}
			}
			view.Close()
		case 4, 5, 6, 7:
			for range min(len(toLoad), r.IntN(60)) {
				g.must(toLoad[0].Do)
				toLoad = toLoad[1:]
			}
		}
		clock = max(clock, g.nowMS)
		again := len(made) > 0 && r.IntN(2) == 0
		q := request{n: uint64(step), firstMS: clock + SkewMS - r.Int64N(1+r.Int64N(WindowMS+2*hourMS))}
		if again {
			q = made[len(made)-1-r.IntN(1+r.IntN(len(made)))]
		}
		seen, err := g.request(1, q.n, q.firstMS)
		want := hongyan.Code(0)
		if q.firstMS < clock-WindowMS {
			want = hongyan.TooLate
		}
		if hongyan.CodeOf(err) != want || err == nil && seen != again {
			t.Fatalf("step %d: the request of %d ms, retry %v, at %d ms: seen %v, %v", step, q.firstMS, again, clock, seen, err)
		}
		if !again && err == nil {
			made = append(made, q)
		}
		total := 0
		for _, f := range g.e.dedupe.hours {
			total += f.bytes()
		}
		if total != g.e.dedupe.bytes || total > g.e.dedupe.limit {
			t.Fatalf("step %d: the filters take %d bytes, counted %d, limit %d", step, total, g.e.dedupe.bytes, g.e.dedupe.limit)
		}
	}
}
