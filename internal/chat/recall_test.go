package chat

import (
	"slices"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
)

func TestWhoMayRecall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{RecallWindow: time.Minute})
	p := w.people("owner", "admin", "member", "other", "gone", "stranger")
	owner, admin, member, other, gone, stranger := p[0], p[1], p[2], p[3], p[4], p[5]
	g := owner.founds("group", admin, member, other, gone)
	must(t, owner.setRole(g, admin, hongyan.RoleAdmin))
	c, direct := hongyan.GroupConversation(g), member.with(other)
	gones := gone.says(c, "of somebody who left")
	must(t, gone.leave(g))
	old, olds := member.says(c, "old"), member.says(direct, "old")
	w.Advance(time.Minute)
	young, youngs := member.says(c, "young"), member.says(direct, "young")
	w.Advance(time.Millisecond)
	tests := []struct {
		name string
		who  *device
		c    hongyan.ConversationID
		o    hongyan.Ordinal
		code hongyan.Code
	}{
		{"a stranger's, in a group", stranger, c, young, hongyan.NotMember},
		{"a stranger's, between others", stranger, direct, youngs, hongyan.NotMember},
		{"another member's", other, c, young, hongyan.Forbidden},
		{"the other side's", other, direct, youngs, hongyan.Forbidden},
		{"too old, in a group", member, c, old, hongyan.TooLate},
		{"too old, direct", member, direct, olds, hongyan.TooLate},
		{"none", member, direct, 3, hongyan.NotFound},
		{"number nought", member, direct, 0, hongyan.NotFound},
		{"a notice", owner, c, 1, hongyan.Forbidden},
		{"of nowhere", member, hongyan.GroupConversation(1), 1, hongyan.NotFound},
		{"who has left", gone, c, gones, hongyan.NotMember},
		{"one's own", member, c, young, 0},
		{"one's own again", member, c, young, 0},
		{"one's own, direct", member, direct, youngs, 0},
		{"old, by an admin", admin, c, old, 0},
		{"of who has left, by the owner", owner, c, gones, 0},
	}
	for _, tt := range tests {
		if err := tt.who.recall(tt.c, tt.o); hongyan.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.code)
		}
	}
	w.Advance(time.Hour)
	if err := member.recall(c, young); err != nil {
		t.Errorf("what is recalled stays so, late as well: %v", err)
	}
	w.chat.config.RecallWindow = 0
	wantCode(t, member.recall(direct, member.says(direct, "never")), hongyan.TooLate)
	must(t, owner.dissolve(g))
	wantCode(t, owner.recall(c, young), hongyan.Dissolved)
}

func TestARecalledMessageIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	fresh := w.device("bob")
	c := alice.with(bob)
	alice.says(c, "one", "secret", "three")
	bob.sync()
	if n := bob.view(c).Unread; n != 3 {
		t.Errorf("%d messages are unread", n)
	}
	must(t, alice.recall(c, 2))
	want := []string{"one", "-", "three"}
	for _, d := range []*device{alice, bob, fresh} {
		d.sync()
		if got := d.texts(c); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", d.name, got, want)
		}
		if got := d.whole(c); !slices.Equal(got, want) {
			t.Errorf("%s reads %q, want %q", d.name, got, want)
		}
		last := d.changes[len(d.changes)-1]
		if r := last.Recall; r == nil || r.Ordinal != 2 || r.By != alice.User || r.ID != d.messages[c][2].ID {
			t.Errorf("%s learned of it by %+v", d.name, last)
		}
	}
	if n := bob.view(c).Unread; n != 2 {
		t.Errorf("%d messages are unread", n)
	}
	must(t, alice.recall(c, 3))
	if m := bob.list()[0].LastMessage; m == nil || m.State != hongyan.Recalled || m.Content.Text != "" {
		t.Errorf("the last message is %+v", m)
	}
}

// Who was not there does not learn that there was something.
func TestARecallIsToldToThoseWhoMaySeeTheMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "bob", "carol")
	alice, bob, carol := p[0], p[1], p[2]
	g := alice.founds("friends", bob)
	c := hongyan.GroupConversation(g)
	o := alice.says(c, "before")
	must(t, alice.invite(g, carol))
	for _, d := range p {
		d.sync()
	}
	must(t, alice.recall(c, o))
	for _, d := range p {
		d.sync()
		if told := slices.ContainsFunc(d.changes, func(c hongyan.Change) bool { return c.Recall != nil }); told != (d != carol) {
			t.Errorf("%s was told: %v", d.name, told)
		}
	}
}

// The content of a message that was recalled in the very round in which it was sent is not shown to anybody, not by a
// hint either.
func TestARecallInTheRoundOfTheSend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	for _, d := range []*device{alice, bob} {
		d.sync()
	}
	c := alice.with(bob)
	alice.says(c, "one")
	var hints []inbox.Hint
	w.OnHint = func(h inbox.Hint) { hints = append(hints, h) }
	w.chat.Send(alice.Caller, w.text(c, "secret"), func(_ Sent, err error) { must(t, err) })
	w.chat.Recall(alice.Caller, c, 2, func(err error) { must(t, err) })
	w.Step()
	if len(hints) != 2 {
		t.Fatalf("there were %d hints", len(hints))
	}
	for _, h := range hints {
		for _, change := range h.Changes {
			if m := change.Message; m != nil && m.Content.Text == "secret" {
				t.Errorf("the hint for %d shows the recalled message", h.User)
			}
		}
	}
	w.OnHint = nil
	for _, d := range []*device{alice, bob} {
		d.sync()
		if got := d.texts(c); !slices.Equal(got, []string{"one", "-"}) {
			t.Errorf("%s has %q", d.name, got)
		}
	}
}

func TestRemovingForOneself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	bob2, late := w.device("bob"), w.device("bob")
	c := alice.with(bob)
	alice.says(c, "one", "two", "three", "four")
	bob2.sync()
	must(t, bob.remove(c, 2, 4, 2))
	for _, d := range []*device{bob, bob2, late} {
		d.sync()
		if got := d.texts(c); !slices.Equal(got, []string{"one", "three"}) {
			t.Errorf("%s has %q", d.name, got)
		}
		if got := d.whole(c); !slices.Equal(got, []string{"one", "three"}) {
			t.Errorf("%s reads %q", d.name, got)
		}
	}
	if m := bob.list()[0].LastMessage; m == nil || m.Content.Text != "three" {
		t.Errorf("the last message that bob sees is %+v", m)
	}
	if got := alice.whole(c); len(got) != 4 {
		t.Errorf("alice reads %q", got)
	}
	must(t, bob.clear(c, 1))
	many := make([]hongyan.Ordinal, MaxRemovals+1)
	for name, tt := range map[string]struct {
		ordinals []hongyan.Ordinal
		code     hongyan.Code
	}{
		"nothing": {nil, hongyan.Invalid}, "too many": {many, hongyan.Invalid}, "cleared": {[]hongyan.Ordinal{1}, hongyan.NotFound},
		"beyond the end": {[]hongyan.Ordinal{3, 5}, hongyan.NotFound}, "again": {[]hongyan.Ordinal{2}, 0},
	} {
		if err := bob.remove(c, tt.ordinals...); hongyan.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := bob.whole(c); !slices.Equal(got, []string{"three"}) {
		t.Errorf("bob reads %q", got)
	}
	wantCode(t, w.people("eve")[0].remove(c, 3), hongyan.NotFound)
}
