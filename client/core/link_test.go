package core

import (
	"errors"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

var hinted = Hints{
	HeartbeatMin: time.Minute, HeartbeatMax: 3 * time.Minute, ReconnectMin: 2 * time.Second, ReconnectMax: 20 * time.Second,
}

// upLink is a link that is up since the epoch and holds a ticket.
func upLink(t *testing.T) *Link {
	l := NewLink(false, false, noJitter)
	expect(t, "start", l.Start(), "Dial false")
	expect(t, "dialed", l.Dialed(), "Authenticate false")
	expect(t, "authenticated", l.Authenticated(epoch, hinted, true), "Up")
	return l
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	broken := Ending{Err: errors.New("broken")}
	for _, tt := range []struct {
		name   string
		after  time.Duration // how long it was up
		ending Ending
		want   string
		next   string
	}{
		{"broken at once", 0, broken, "Down 1s", "Dial false"},
		{"broken later", time.Minute, broken, "Down 1m1s", "Dial false"},
		{"asked to wait", 0, Ending{ReconnectAfter: 9 * time.Second}, "Down 9s", "Dial false"},
		{"asked to wait less than it would", 0, Ending{ReconnectAfter: time.Millisecond}, "Down 1s", "Dial false"},
		{"not understood", 0, Ending{Slowly: true}, "Down 20s", "Dial false"},
		{"TLS demanded", 0, Ending{NeedTLS: true}, "Down 0s", "Dial true"},
		{"over", 0, Ending{Final: true}, "Stop", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := upLink(t)
			expect(t, "ended", l.Ended(epoch.Add(tt.after), tt.ending), tt.want)
			expect(t, "ended twice", l.Ended(epoch, tt.ending), "")
			at := l.WakeAt()
			if !at.IsZero() && at.After(epoch) {
				expect(t, "too early", l.Tick(at.Add(-1)), "")
			}
			expect(t, "tick", l.Tick(at), tt.next)
		})
	}
}

// TestBackoff: delays double while attempts fail, also while they get as far as a connection that ends at once.
func TestBackoff(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*Link, time.Time) []Action{
		"no connection": func(l *Link, now time.Time) []Action { return l.Ended(now, Ending{}) },
		"no patience": func(l *Link, now time.Time) []Action {
			l.Dialed()
			l.Authenticated(now, hinted, true)
			return l.Ended(now.Add(time.Second), Ending{})
		},
	} {
		l := upLink(t)
		l.Ended(epoch.Add(time.Hour), Ending{})
		now := l.WakeAt()
		var delays []time.Duration
		for range 6 {
			l.Tick(now)
			fail(l, now)
			delays = append(delays, l.WakeAt().Sub(now).Truncate(2*time.Second))
			now = l.WakeAt()
		}
		for i, want := range []time.Duration{2, 4, 8, 10, 10, 10} {
			if got := delays[i]; got != want*time.Second {
				t.Errorf("%s: attempt %d after %v, want %v", name, i+1, got, want*time.Second)
			}
		}
	}
}

// TestJitter: delays and heartbeats of many devices are spread, within their bounds.
func TestJitter(t *testing.T) {
	t.Parallel()
	most := func(n int64) int64 { return n - 1 }
	l := NewLink(false, false, most)
	l.Start()
	l.Dialed()
	l.Authenticated(epoch, hinted, true)
	if beat := l.WakeAt().Sub(epoch); beat != time.Minute+6*time.Second {
		t.Errorf("beats after %v", beat)
	}
	l.Ended(epoch, Ending{ReconnectAfter: 40 * time.Second})
	if delay := l.WakeAt().Sub(epoch); delay != 50*time.Second {
		t.Errorf("comes back after %v, was asked for 40 s", delay)
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	refused := func(code hongyan.Code) *hongyan.Error { return hongyan.Errorf(code, "no") }
	for _, tt := range []struct {
		name   string
		ticket bool
		err    *hongyan.Error
		want   string
	}{
		{"expired ticket", true, refused(hongyan.TokenExpired), "Authenticate false"},
		{"revoked ticket", true, refused(hongyan.Revoked), "Authenticate false"},
		{"revoked device", false, refused(hongyan.Revoked), "Drop, Stop"},
		{"unknown token", false, refused(hongyan.Unauthenticated), "Drop, Stop"},
		{"disabled account", false, refused(hongyan.Forbidden), "Drop, Stop"},
		{"busy", false, refused(hongyan.Busy), "Drop, Down 2s"},
		{"busy with a ticket", true, refused(hongyan.Busy), "Drop, Down 2s"},
		{"throttled", false, refused(hongyan.Throttled).WithRetryAfter(time.Minute), "Drop, Down 1m0s"},
		{"a code of a later version", false, refused(9999), "Drop, Down 2s"},
		{"plain", true, refused(hongyan.TLSRequired), "Drop, Down 0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := upLink(t)
			l.Ended(epoch, Ending{})
			l.Tick(l.WakeAt())
			expect(t, "dialed", l.Dialed(), "Authenticate true")
			if !tt.ticket {
				expect(t, "expired", l.Refused(epoch, refused(hongyan.TokenExpired)), "Authenticate false")
			}
			expect(t, "refused", l.Refused(epoch, tt.err), tt.want)
		})
	}
}

// TestTLSDemand: the demand is obeyed at once and for good, but a server that repeats it is not asked in a tight loop.
func TestTLSDemand(t *testing.T) {
	t.Parallel()
	l := upLink(t)
	expect(t, "demanded", l.Ended(epoch, Ending{NeedTLS: true}), "Down 0s")
	expect(t, "at once", l.Tick(epoch), "Dial true")
	if !l.Secure() {
		t.Error("the demand is not known")
	}
	l.Dialed()
	expect(t, "demanded again", l.Ended(epoch, Ending{NeedTLS: true}), "Down 2s")
	l.Tick(l.WakeAt())
	l.Dialed()
	l.Authenticated(epoch, hinted, true)
	l.Ended(epoch, Ending{})
	expect(t, "for good", l.Tick(l.WakeAt()), "Dial true")
}

// TestHeartbeat: the interval begins with the shortest, grows while beats are answered, and steps back from one that
// has failed twice.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	l := upLink(t)
	now := epoch
	beat := func(answered bool) time.Duration {
		t.Helper()
		wait := l.WakeAt().Sub(now)
		now = l.WakeAt()
		expect(t, "tick", l.Tick(now), "Beat")
		expect(t, "tick again", l.Tick(now), "")
		if answered {
			l.Beaten(now)
			return wait
		}
		l.Ended(now, Ending{})
		now = l.WakeAt()
		l.Tick(now)
		l.Dialed()
		l.Authenticated(now, hinted, true)
		return wait
	}
	for i, tt := range []struct {
		minutes  int
		answered bool
	}{
		{1, true}, {1, true}, {1, true}, {2, true}, {2, true}, {2, true}, {3, true}, {3, true}, {3, true}, {3, true},
		{3, false}, {3, true}, {3, false}, {3, false}, {2, true}, {2, true}, {2, true}, {2, true},
		{2, false}, {2, false}, {1, false}, {1, false}, {1, true}, {1, true}, {1, true}, {1, true},
	} {
		if got := beat(tt.answered); got != time.Duration(tt.minutes)*time.Minute {
			t.Errorf("beat %d after %v, want %d min", i, got, tt.minutes)
		}
	}
}

// TestWithoutHints: a server that says nothing is treated as the documents say.
func TestWithoutHints(t *testing.T) {
	t.Parallel()
	l := NewLink(true, false, noJitter)
	expect(t, "start", l.Start(), "Dial true")
	expect(t, "failed", l.Ended(epoch, Ending{}), "Down 500ms")
	l.Tick(l.WakeAt())
	l.Dialed()
	l.Authenticated(epoch, Hints{}, false)
	if wait := l.WakeAt().Sub(epoch); wait != 210*time.Second {
		t.Errorf("the first heartbeat comes after %v", wait)
	}
	l.Ended(epoch.Add(stableAfter), Ending{})
	l.Tick(l.WakeAt())
	expect(t, "without a ticket", l.Dialed(), "Authenticate false")
}
