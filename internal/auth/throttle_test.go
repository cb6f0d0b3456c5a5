package auth

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	start = time.Now()
	home  = netip.MustParseAddr("192.0.2.1")
	away  = netip.MustParseAddr("198.51.100.1")
)

// host returns the i-th of many addresses in different networks.
func host(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// fail makes n attempts at the same moment and expects all to be let through.
func fail(t *testing.T, th *Throttle, at time.Time, n int, account string, addr netip.Addr) {
	t.Helper()
	for i := range n {
		if wait, ok := th.Allow(at, account, addr, false); !ok {
			t.Fatalf("attempt %d at %s from %v has to wait %v", i+1, account, addr, wait)
		}
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"192.0.2.1":                 "192.0.2.1/32",
		"::ffff:192.0.2.1":          "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6":      "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":      "2001:db8:1:2::/64",
		"fe80::1%eth0":              "fe80::/64",
		"fe80::2%a-very-long-scope": "fe80::/64",
		"::1":                       "::/64",
	} {
		if got := Network(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("Network(%s) = %s, want %s", addr, got, want)
		}
	}
	if got := Network(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("Network of no address = %s", got)
	}
}

func TestWaitDoublesUpToTheCap(t *testing.T) {
	t.Parallel()
	th := NewThrottle(start)
	now := start
	fail(t, th, now, pairRule.free+1, "alice", home)
	var waits []time.Duration
	for range 20 {
		wait, ok := th.Allow(now, "alice", home, false)
		if ok {
			t.Fatalf("let through at once after waiting %v", waits)
		}
		if _, ok := th.Allow(now.Add(wait-1), "alice", home, false); ok {
			t.Fatal("let through a nanosecond early")
		}
		now = now.Add(wait)
		fail(t, th, now, 1, "alice", home)
		waits = append(waits, wait)
	}
	for i, wait := range waits {
		if want := time.Second << i; i < 10 && wait != want {
			t.Errorf("wait %d is %v, want %v", i+1, wait, want)
		}
		if i > 15 && wait != pairRule.step {
			t.Errorf("wait %d is %v, want the cap", i+1, wait)
		}
	}
	// All is forgiven in the end.
	fail(t, th, now.Add(24*time.Hour), pairRule.free+1, "alice", home)
}

func TestRefusedAttemptsCountForNothing(t *testing.T) {
	t.Parallel()
	th := NewThrottle(start)
	fail(t, th, start, pairRule.free+1, "alice", home)
	for range 1000 {
		if wait, ok := th.Allow(start, "alice", home, false); ok || wait != time.Second {
			t.Fatalf("wait is %v, %v", wait, ok)
		}
	}
}

func TestParallelGuessesDoNotSlipThrough(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		attempt func(*Throttle, int) bool
		want    int
	}{
		"at one account from one network": {func(th *Throttle, _ int) bool {
			_, ok := th.Allow(start, "alice", home, false)
			return ok
		}, pairRule.free + 1},
		"at one account from everywhere": {func(th *Throttle, i int) bool {
			_, ok := th.Allow(start, "alice", host(i), false)
			return ok
		}, accountRule.free + 1},
		"at all accounts from one network": {func(th *Throttle, i int) bool {
			_, ok := th.Allow(start, fmt.Sprint("user", i), home, false)
			return ok
		}, networkRule.free + 1},
		"at codes from one network": {func(th *Throttle, _ int) bool {
			_, ok := th.Allow(start, "", home, false)
			return ok
		}, networkRule.free + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			th := NewThrottle(start)
			var passed atomic.Int32
			var group sync.WaitGroup
			for worker := range 8 {
				group.Go(func() {
					for i := range 100 {
						if test.attempt(th, worker*100+i) {
							passed.Add(1)
						}
					}
				})
			}
			group.Wait()
			if got := int(passed.Load()); got != test.want {
				t.Errorf("%d of 800 guesses passed before the first verdict, want %d", got, test.want)
			}
		})
	}
}

func TestSuccessClearsAccountAndPairButNotNetwork(t *testing.T) {
	t.Parallel()
	th := NewThrottle(start)
	fail(t, th, start, pairRule.free, "alice", home)
	fail(t, th, start, 1, "alice", home)
	th.Success(start, "alice", home)
	fail(t, th, start, pairRule.free+1, "alice", home) // all free failures are back

	// Whoever owns an account cannot clean the network with it.
	th = NewThrottle(start)
	for i := range networkRule.free {
		fail(t, th, start, 1, fmt.Sprint("victim", i), home)
		fail(t, th, start, 1, "mallory", home)
		th.Success(start, "mallory", home)
	}
	fail(t, th, start, 1, "victim", home)
	if _, ok := th.Allow(start, "victim", home, false); ok {
		t.Error("successes at an own account bought guesses at others")
	}

	// Nor do successes use the network up.
	th = NewThrottle(start)
	for i := range 10 * networkRule.free {
		fail(t, th, start, 1, fmt.Sprint("pupil", i), home)
		th.Success(start, fmt.Sprint("pupil", i), home)
	}
	if pairs, accounts, networks := th.Tracked(); pairs+accounts+networks != 0 {
		t.Errorf("%d pairs, %d accounts, %d networks remembered after successes only", pairs, accounts, networks)
	}
}

func TestCancelGivesBack(t *testing.T) {
	t.Parallel()
	th := NewThrottle(start)
	for range 1000 { // the hasher is busy
		fail(t, th, start, 1, "alice", home)
		th.Cancel(start, "alice", home)
	}
	fail(t, th, start, pairRule.free+1, "alice", home)
	th.Cancel(start, "alice", home) // and with the attempt goes its wait
	fail(t, th, start, 1, "alice", home)
	if _, ok := th.Allow(start, "alice", home, false); ok {
		t.Error("Cancel gave back more than one attempt")
	}
	th.Cancel(start, "nobody", away) // never allowed: nothing to give back
}

func TestKnownUserIsNotKeptOut(t *testing.T) {
	t.Parallel()
	th := NewThrottle(start)
	now := start
	for day := range 10 {
		for minute := range 24 * 60 { // a thousand hosts guess alice's password around the clock
			now = now.Add(time.Minute)
			th.Allow(now, "alice", host(minute%1000), false)
		}
		if _, ok := th.Allow(now, "alice", away, false); ok {
			t.Errorf("day %d: a new network is let through in the middle of the attack", day)
		}
		if wait, ok := th.Allow(now, "alice", home, true); !ok {
			t.Fatalf("day %d: at home alice has to wait %v", day, wait)
		}
		th.Cancel(now, "alice", home)
	}
	// The attack over, everybody gets in again within the cap.
	now = now.Add(accountRule.step)
	fail(t, th, now, 1, "alice", away)
	th.Success(now, "alice", away)
	fail(t, th, now, pairRule.free+1, "alice", away)
}

func TestKnownUserBesideAnAttacker(t *testing.T) {
	t.Parallel()
	th := NewThrottle(start)
	now := start
	for i := range 10_000 { // a pupil sprays from the school's network
		now = now.Add(time.Second)
		th.Allow(now, fmt.Sprint("user", i), home, false)
	}
	if _, ok := th.Allow(now, "newcomer", home, false); ok {
		t.Error("the network has no penalty")
	}
	for i := range 500 {
		account := fmt.Sprint("pupil", i)
		if wait, ok := th.Allow(now, account, home, true); !ok {
			t.Fatalf("%s has to wait %v", account, wait)
		}
		th.Success(now, account, home)
	}
	// Being known excuses from the others' failures, not from one's own.
	for range pairRule.free + 1 {
		if _, ok := th.Allow(now, "pupil", home, true); !ok {
			t.Fatal("no free failures")
		}
	}
	if _, ok := th.Allow(now, "pupil", home, true); ok {
		t.Error("a known pair may guess freely")
	}
}

// One network alone, guessing as fast as it is allowed for a month, never delays another one.
func TestOneNetworkCannotPenaliseTheAccount(t *testing.T) {
	t.Parallel()
	th := NewThrottle(start)
	now := start
	guesses, most := 0, 20+30*24*4
	for now.Before(start.Add(30*24*time.Hour)) && guesses <= most {
		wait, ok := th.Allow(now, "alice", away, false)
		if !ok {
			now = now.Add(wait)
			continue
		}
		guesses++
		if wait, ok := th.Allow(now, "alice", home, false); !ok {
			t.Fatalf("after %d guesses from elsewhere alice has to wait %v", guesses, wait)
		}
		th.Cancel(now, "alice", home)
	}
	if guesses > most {
		t.Errorf("%d guesses in 30 days, want at most %d", guesses, most)
	}
}

// The numbers that docs/decisions/passwords.md promises.
func TestGuessesPerDay(t *testing.T) {
	t.Parallel()
	const days = 10
	for name, test := range map[string]struct {
		attempt func(th *Throttle, now time.Time, i int) (time.Duration, bool)
		first   int // guesses until the pace is reached
		perDay  int
	}{
		"one account, one network": {func(th *Throttle, now time.Time, _ int) (time.Duration, bool) {
			return th.Allow(now, "alice", home, false)
		}, 20, 96},
		"one account, one known network": {func(th *Throttle, now time.Time, _ int) (time.Duration, bool) {
			return th.Allow(now, "alice", home, true)
		}, 20, 96},
		"one account, always another network": {func(th *Throttle, now time.Time, i int) (time.Duration, bool) {
			return th.Allow(now, "alice", host(i), false)
		}, 50, 96},
		"one network, always another account": {func(th *Throttle, now time.Time, i int) (time.Duration, bool) {
			return th.Allow(now, fmt.Sprint("user", i), home, false)
		}, 50, 1440},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			th := NewThrottle(start)
			guesses := 0
			most := test.first + days*test.perDay
			for now := start; now.Before(start.Add(days*24*time.Hour)) && guesses <= most; {
				wait, ok := test.attempt(th, now, guesses)
				if ok {
					guesses++
				} else {
					now = now.Add(wait)
				}
			}
			if guesses > most || guesses < days*test.perDay/2 {
				t.Errorf("%d guesses in %d days, want at most %d and not far below", guesses, days, most)
			}
		})
	}
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	th := NewThrottle(start)
	fail(t, th, start.Add(time.Hour), pairRule.free+1, "alice", home)
	wait, ok := th.Allow(start, "alice", home, false)
	if ok || wait != time.Second {
		t.Errorf("an hour earlier: wait %v, %v", wait, ok)
	}
	fail(t, th, start.Add(time.Hour+time.Second), 1, "alice", home)
}

func TestLongNamesTakeNoSpace(t *testing.T) {
	t.Parallel()
	long := string(make([]byte, 1<<20))
	a, b := recordKey(long, Network(home)), recordKey(long+"x", Network(home))
	if a == b {
		t.Error("long names are confused")
	}
	if recordKey("a", Network(home)) == recordKey("", Network(home)) ||
		recordKey("a", Network(home)) == recordKey("a", Network(away)) {
		t.Error("the key does not cover its parts")
	}
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	th := NewThrottle(start)
	const limit = 500 // filling MaxTracked takes seconds under the race detector
	for _, l := range []*ledger{th.pairs, th.accounts, th.networks} {
		if l.limit != MaxTracked {
			t.Errorf("limit is %d, want %d", l.limit, MaxTracked)
		}
		l.limit = limit
	}
	for i := range 2 * limit {
		fail(t, th, start, 1, fmt.Sprint("user", i), host(i))
	}
	pairs, accounts, networks := th.Tracked()
	if pairs != limit || accounts != limit || networks != limit {
		t.Errorf("%d pairs, %d accounts, %d networks, want %d each", pairs, accounts, networks, limit)
	}
}

func BenchmarkAllowInAFullThrottle(b *testing.B) {
	th := NewThrottle(start)
	names := make([]string, 2*MaxTracked)
	for i := range names {
		names[i] = fmt.Sprint("user", i)
		th.Allow(start, names[i], host(i), false)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		th.Allow(start, names[i%len(names)], host(i), false)
	}
}
