package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

var epoch = time.Unix(1_700_000_000, 0)

// noJitter draws the smallest number.
func noJitter(int64) int64 { return 0 }

// tell writes actions as one line, for tables.
func tell(acts []Action) string {
	var words []string
	for _, act := range acts {
		word := strings.TrimPrefix(fmt.Sprintf("%T", act), "core.")
		switch act := act.(type) {
		case Commit:
			word = fmt.Sprintf("%s %d-%d", word, act.Previous, act.State.Version)
			if act.Reset != nil {
				word += fmt.Sprintf(" reset %d", *act.Reset)
			}
		case Pull:
			word += " " + string(act.Key)
		case Ack:
			word += " " + string(act.Key)
		case Backfill:
			word += " " + string(act.Token)
		case Dial:
			word += fmt.Sprintf(" %v", act.Secure)
		case Authenticate:
			word += fmt.Sprintf(" %v", act.WithTicket)
		case Down:
			word += fmt.Sprintf(" %v", act.At.Sub(epoch))
		case Transmit:
			word += fmt.Sprintf(" %c@%d", act.Item.ID[0], act.Item.FirstAttemptMS)
		case Save:
			for _, it := range act.Items {
				word += fmt.Sprintf(" %c:%d@%d", it.ID[0], it.State, it.FirstAttemptMS)
			}
		}
		words = append(words, strings.TrimSpace(word))
	}
	return strings.Join(words, ", ")
}

// expect compares what a machine wants done with what a table says.
func expect(t *testing.T, what string, acts []Action, want string) {
	t.Helper()
	if got := tell(acts); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// held10 is a machine that holds version 10, is online and has nothing to ask.
func held10(t *testing.T) *Sync {
	s := NewSync(State{Key: []byte("k10"), Version: 10}, noJitter)
	expect(t, "start", s.Start(), "")
	expect(t, "connected", s.Connected(epoch), "Pull k10")
	expect(t, "nothing new", s.Pulled(epoch, Page{Key: []byte("k10"), Version: 10}), "CaughtUp")
	return s
}

func notice(previous, version hongyan.Version) Notice {
	return Notice{
		Version: version, Previous: previous, Key: fmt.Appendf(nil, "k%d", version),
		Changes: []hongyan.Change{{Version: version}},
	}
}

func TestNotified(t *testing.T) {
	t.Parallel()
	bare := Notice{Version: 12}
	keyless := notice(10, 12)
	keyless.Key = nil
	for _, tt := range []struct {
		name string
		n    Notice
		want string
	}{
		{"the next change", notice(10, 12), "Commit 10-12, Deliver, CaughtUp"},
		{"known", notice(8, 10), ""},
		{"older", notice(3, 9), ""},
		{"a gap", notice(11, 12), "Pull k10"},
		{"an overlap", notice(9, 12), "Pull k10"},
		{"without changes", bare, "Pull k10"},
		{"without a key", keyless, "Pull k10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			expect(t, tt.name, held10(t).Notified(epoch, tt.n), tt.want)
		})
	}
}

// TestNotifiedWhileAsking: what is announced meanwhile leads to another pull only if the answer does not bring it.
func TestNotifiedWhileAsking(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		announced hongyan.Version
		want      string
	}{
		{12, "Commit 10-12, Deliver, CaughtUp"},
		{13, "Commit 10-12, Deliver, Pull k12"},
	} {
		s := held10(t)
		expect(t, "hint", s.Newer(epoch), "Pull k10")
		expect(t, "notified", s.Notified(epoch, notice(10, tt.announced)), "")
		p := Page{Key: []byte("k12"), Version: 12, Changes: []hongyan.Change{{Version: 12}}}
		expect(t, "pulled", s.Pulled(epoch, p), tt.want)
	}
}

// TestAcknowledgement: inline changes are acknowledged together, a second after the first of them; a pull that presents
// the key makes it needless.
func TestAcknowledgement(t *testing.T) {
	t.Parallel()
	s := held10(t)
	s.Notified(epoch, notice(10, 11))
	s.Notified(epoch.Add(600*time.Millisecond), notice(11, 12))
	if at := s.WakeAt(); !at.Equal(epoch.Add(SettleDelay)) {
		t.Errorf("wakes %v after the first change", at.Sub(epoch))
	}
	expect(t, "early", s.Tick(epoch.Add(SettleDelay-1)), "")
	expect(t, "due", s.Tick(epoch.Add(SettleDelay)), "Handed, Ack k12")
	if at := s.WakeAt(); !at.IsZero() {
		t.Errorf("wakes at %v for nothing", at)
	}

	s.Notified(epoch, notice(12, 13))
	expect(t, "hint", s.Newer(epoch), "Pull k13")
	expect(t, "nothing new", s.Pulled(epoch, Page{Key: []byte("k13"), Version: 13}), "CaughtUp")
	expect(t, "due", s.Tick(epoch.Add(SettleDelay)), "Handed")

	s.Notified(epoch, notice(13, 14))
	s.Disconnected()
	expect(t, "due while offline", s.Tick(epoch.Add(SettleDelay)), "Handed")
	expect(t, "connected", s.Connected(epoch), "Pull k14")
}

// TestPullPages: pages follow each other at once, and each is presented by the next.
func TestPullPages(t *testing.T) {
	t.Parallel()
	s := held10(t)
	s.Newer(epoch)
	page := func(v hongyan.Version, more bool) Page {
		return Page{Key: fmt.Appendf(nil, "k%d", v), Version: v, More: more, Changes: []hongyan.Change{{Version: v}}}
	}
	expect(t, "first", s.Pulled(epoch, page(15, true)), "Commit 10-15, Deliver, Pull k15")
	expect(t, "empty", s.Pulled(epoch, Page{Key: []byte("k17"), Version: 17, More: true}), "Commit 15-17, Deliver, Pull k17")
	expect(t, "last", s.Pulled(epoch, page(20, false)), "Commit 17-20, Deliver, CaughtUp")
	expect(t, "due", s.Tick(epoch.Add(SettleDelay)), "Handed, Ack k20")
}

// TestReset: the window comes first, then the backfill, then what came meanwhile. Nothing is acknowledged before.
func TestReset(t *testing.T) {
	t.Parallel()
	s := held10(t)
	s.Notified(epoch, notice(10, 11))
	s.Newer(epoch)
	reset := Page{Key: []byte("k40"), Version: 40, Reset: &Reset{Reason: ResetTrimmed, Backfill: []byte("b1")}}
	expect(t, "reset", s.Pulled(epoch, reset), "Commit 11-40 reset 2, Deliver, Backfill b1")
	if key := s.Presentable(); key != nil {
		t.Errorf("a heartbeat would present %s", key)
	}
	expect(t, "settle", s.Tick(epoch.Add(SettleDelay)), "Handed")
	expect(t, "refused", s.Refused(epoch, hongyan.Errorf(hongyan.Busy, "no")), "Trouble")
	expect(t, "notified", s.Notified(epoch, notice(40, 41)), "")
	expect(t, "later", s.Tick(s.WakeAt()), "Backfill b1")
	older := Older{Changes: []hongyan.Change{{Version: 30}}, Token: []byte("b2")}
	expect(t, "backfilled", s.Backfilled(epoch, older), "Commit 40-40, Deliver, Backfill b2")

	// The device is switched off and on in the middle.
	s = NewSync(s.Held(), noJitter)
	expect(t, "start", s.Start(), "Deliver, Handed")
	expect(t, "connected", s.Connected(epoch), "Backfill b2")
	expect(t, "backfilled", s.Backfilled(epoch, Older{}), "Commit 40-40, Deliver, Pull k40")
	expect(t, "nothing new", s.Pulled(epoch, Page{Key: []byte("k40"), Version: 40}), "CaughtUp")
}

// TestLostKey: a key or token that the server does not accept is given up, with what may be wrong because of it.
func TestLostKey(t *testing.T) {
	t.Parallel()
	invalid := hongyan.Errorf(hongyan.KeyInvalid, "damaged")
	first := Page{Key: []byte("k50"), Version: 50, Reset: &Reset{Reason: ResetFirst}}

	s := held10(t)
	s.Newer(epoch)
	expect(t, "refused", s.Refused(epoch, invalid), "Trouble, Pull")
	expect(t, "notified", s.Notified(epoch, notice(10, 11)), "")
	expect(t, "reset", s.Pulled(epoch, first), "Commit 10-50 reset 3, Deliver, CaughtUp")

	s = NewSync(State{Key: []byte("k10"), Version: 10, Backfill: []byte("b")}, noJitter)
	expect(t, "connected", s.Connected(epoch), "Backfill b")
	expect(t, "refused", s.Refused(epoch, invalid), "Trouble, Pull")
	expect(t, "no reset", s.Pulled(epoch, Page{Version: 10}), "Trouble")
	expect(t, "again", s.Tick(s.WakeAt()), "Pull")
	expect(t, "refused again", s.Refused(epoch, invalid), "Trouble")
	expect(t, "again", s.Tick(s.WakeAt()), "Pull")
	expect(t, "reset", s.Pulled(epoch, first), "Commit 10-50 reset 3, Deliver, CaughtUp")
}

// TestServersThatGoInCircles: a server that makes no progress is asked ever more rarely, not in a tight loop.
func TestServersThatGoInCircles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		p    Page
		want string
	}{
		{"more of nothing", Page{Key: []byte("k10"), Version: 10, More: true}, "Trouble"},
		{"back in time", Page{Key: []byte("k9"), Version: 9}, "Trouble"},
		{"changes without progress", Page{Key: []byte("k10"), Version: 10, Changes: make([]hongyan.Change, 1)}, "Trouble"},
	} {
		s := held10(t)
		s.Newer(epoch)
		now := epoch
		var waits []time.Duration
		for range 8 {
			expect(t, tt.name, s.Pulled(now, tt.p), tt.want)
			waits = append(waits, s.WakeAt().Sub(now))
			now = s.WakeAt()
			expect(t, tt.name, s.Tick(now), "Pull k10")
		}
		if waits[0] != pullRetryMin/2 || waits[7] != pullRetryMax/2 {
			t.Errorf("%s: waits %v", tt.name, waits)
		}
	}

	s := held10(t)
	s.Newer(epoch)
	reset := Page{Key: []byte("k40"), Version: 40, Reset: &Reset{Reason: ResetTrimmed}}
	expect(t, "reset", s.Pulled(epoch, reset), "Commit 10-40 reset 2, Deliver, CaughtUp")
	s.Newer(epoch)
	expect(t, "reset again", s.Pulled(epoch, reset), "Commit 40-40 reset 2, Deliver, Trouble")

	s = NewSync(State{Key: []byte("k10"), Version: 10, Backfill: []byte("b")}, noJitter)
	s.Connected(epoch)
	expect(t, "the same token", s.Backfilled(epoch, Older{Token: []byte("b")}), "Trouble")
}

// TestAheadOfTheServer: a key that is ahead of the server is kept, and shown again later.
func TestAheadOfTheServer(t *testing.T) {
	t.Parallel()
	s := held10(t)
	s.Newer(epoch)
	expect(t, "refused", s.Refused(epoch, hongyan.Errorf(hongyan.KeyAhead, "lost").WithRetryAfter(time.Hour)), "Trouble")
	if wait := s.WakeAt().Sub(epoch); wait != time.Hour {
		t.Errorf("asks again after %v", wait)
	}
	expect(t, "hint", s.Newer(epoch), "")
	expect(t, "later", s.Tick(s.WakeAt()), "Pull k10")
}

func TestAnswersToNothing(t *testing.T) {
	t.Parallel()
	s := held10(t)
	expect(t, "page", s.Pulled(epoch, Page{Key: []byte("k99"), Version: 99}), "")
	expect(t, "older", s.Backfilled(epoch, Older{Changes: make([]hongyan.Change, 1)}), "")
	expect(t, "refusal", s.Refused(epoch, hongyan.Errorf(hongyan.KeyInvalid, "no")), "")
	s.Disconnected()
	expect(t, "notice of an old connection", s.Notified(epoch, notice(10, 11)), "")
}
