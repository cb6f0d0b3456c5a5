package api

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

func TestTickets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	s := newTickets(func() time.Time { return now })
	issue := func(u hongyan.UserID) string {
		t.Helper()
		text, expires, err := s.issue(u, "token")
		if err != nil || !expires.Equal(now.Add(TicketLife)) {
			t.Fatalf("expires %v, %v", expires, err)
		}
		return text
	}
	redeems := func(text string, want bool) {
		t.Helper()
		if token, ok := s.redeem(text); ok != want || ok && token != "token" {
			t.Errorf("redeemed %v for %q, want %v", ok, token, want)
		}
	}
	a, b := issue(1), issue(1)
	if a == b {
		t.Fatal("two tickets are the same")
	}
	redeems(a, true)
	redeems(a, false)
	redeems("", false)
	redeems(b[:len(b)-1], false)
	now = now.Add(TicketLife - 1)
	c := issue(2)
	redeems(b, true)
	d := issue(2)
	now = now.Add(1)
	redeems(c, true)
	now = now.Add(TicketLife)
	redeems(d, false)
	if s.count() != 0 || len(s.queue) != 0 || len(s.of) != 0 {
		t.Errorf("%d tickets, %d in the queue, %d accounts are left", s.count(), len(s.queue), len(s.of))
	}

	// To spend them at once does not get one more of them.
	for range MaxTicketsOfAccount {
		redeems(issue(3), true)
	}
	if _, _, err := s.issue(3, "token"); hongyan.CodeOf(err) != hongyan.Throttled {
		t.Errorf("one more: %v", err)
	}
	issue(4)
	now = now.Add(TicketLife)
	issue(4)
	for len(s.queue) < MaxTickets {
		s.queue = append(s.queue, s.queue[0])
	}
	if _, _, err := s.issue(5, "token"); hongyan.CodeOf(err) != hongyan.Throttled {
		t.Errorf("one more than all: %v", err)
	}
}
