package chat

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

func TestUnreadCountsWhatOthersWroteAndOneMaySee(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "bob", "carol")
	alice, bob, carol := p[0], p[1], p[2]
	g := alice.founds("friends", bob)
	c := hongyan.GroupConversation(g)
	alice.says(c, "2", "3")
	bob.says(c, "4")
	must(t, alice.invite(g, carol)) // 5
	alice.says(c, "6", "7")
	want := func(step string, d *device, n int) {
		t.Helper()
		if v := d.view(c); v.Unread != n {
			t.Errorf("%s: %s has %d unread, want %d: %+v", step, d.name, v.Unread, n, v)
		}
	}
	want("before anything is read", alice, 1)
	want("before anything is read", bob, 6)
	want("from joining on", carol, 3)
	must(t, alice.recall(c, 7))
	want("one is recalled", bob, 5)
	must(t, bob.read(c, 3))
	want("three are read", bob, 2)
	must(t, bob.remove(c, 6))
	want("one is removed, unread", bob, 2)
	must(t, bob.clear(c, 5))
	want("cleared", bob, 1)
	must(t, bob.leave(g))
	alice.says(c, "after")
	want("left", bob, 1)
	if v := bob.view(c); v.Last != 7 || v.Left != 7 {
		t.Errorf("who has left sees %+v", v)
	}
}

// Counting is bounded for those who write and never read.
func TestUnreadCountsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	bob.floods(c, "x", hongyan.MaxUnread+1)
	if n := alice.view(c).Unread; n != hongyan.MaxUnread {
		t.Errorf("%d are unread", n)
	}
	alice.floods(c, "x", scanUnread-10)
	if n := alice.view(c).Unread; n != 10 {
		t.Errorf("%d are unread among the newest", n)
	}
	alice.says(alice.with(alice), "a note")
	if n := alice.view(alice.with(alice)).Unread; n != 0 {
		t.Errorf("%d notes are unread", n)
	}
}

func TestConversationsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	names := make([]string, WindowSize+10)
	for i := range names {
		names[i] = fmt.Sprint("other", i)
	}
	alice, others := w.people("alice")[0], w.people(names...)
	var want []hongyan.ConversationID
	for i, other := range others {
		w.Advance(time.Duration(i%3) * time.Second / 2) // some write in the same millisecond
		other.says(other.with(alice), other.name)
		want = append([]hongyan.ConversationID{other.with(alice)}, want...)
	}
	w.Advance(time.Second)
	g := alice.founds("friends")
	want = append([]hongyan.ConversationID{hongyan.GroupConversation(g)}, want...)
	list, err := alice.conversationsOf(MaxConversations)
	must(t, err)
	var got []hongyan.ConversationID
	for _, c := range list {
		got = append(got, c.ID)
		if c.LastMessage == nil || c.LastMessage.Conversation != c.ID || c.LastMessage.Ordinal != c.Last {
			t.Errorf("the last message of %+v is %+v", c, c.LastMessage)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := len(alice.list()); n != WindowSize {
		t.Errorf("the usual list has %d conversations", n)
	}
	if page, err := alice.page(0); err != nil || len(page.Conversations) != WindowSize {
		t.Errorf("the window of a reset has %d conversations, %v", len(page.Conversations), err)
	}
	if list, err = alice.conversationsOf(0, want[3], others[0].with(others[1]), want[1]); err != nil || len(list) != 2 ||
		list[0].ID != want[3] || list[1].ID != want[1] {
		t.Errorf("named ones: %+v, %v", list, err)
	}
	_, err = alice.conversationsOf(0, make([]hongyan.ConversationID, MaxConversations+1)...)
	wantCode(t, err, hongyan.TooMany)
}

func TestAConversationsTitleIsWhatItsOwnerCallsTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	bob.says(c, "hello")
	title := func() string { return alice.view(c).Title }
	if got := title(); got != "bob" || alice.view(c).Peer.User != bob.User {
		t.Errorf("the title is %q", got)
	}
	name := "Bob the Builder"
	must(t, bob.setProfile(ProfileChange{DisplayName: &name}))
	if got := title(); got != name {
		t.Errorf("the title is %q", got)
	}
	remark := "Bobby"
	_, err := alice.setContact(bob.User, ContactChange{Remark: &remark})
	must(t, err)
	if got := title(); got != remark {
		t.Errorf("the title is %q", got)
	}
}

func TestAHiddenConversationComesBackWithSomethingNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	bob.says(c, "one")
	yes, no := true, false
	must(t, alice.set(c, ViewChange{Pinned: &yes, Muted: &yes, Hidden: &yes}))
	alice.sync()
	if v := alice.conversations[c]; !v.Pinned || !v.Muted || !v.Hidden {
		t.Errorf("the conversation is %+v", v)
	}
	bob.says(c, "two")
	if v := alice.view(c); !v.Pinned || !v.Muted || v.Hidden {
		t.Errorf("with something new it is %+v", v)
	}
	alice.sync()
	key := alice.key
	must(t, alice.set(c, ViewChange{Pinned: &yes, Hidden: &no}))
	must(t, alice.set(c, ViewChange{Pinned: &yes, Hidden: &no}))
	must(t, alice.set(c, ViewChange{}))
	alice.sync()
	if len(alice.changes) != 1 {
		t.Errorf("setting the same again made %d changes", len(alice.changes))
	}
	if alice.key == key || alice.conversations[c].Hidden || !alice.conversations[c].Muted {
		t.Errorf("in the end it is %+v", alice.conversations[c])
	}
	wantCode(t, w.people("eve")[0].set(c, ViewChange{Pinned: &yes}), hongyan.NotFound)
}

func TestHistoryIsReadInPagesBothWays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	const total = 260
	alice.floods(c, "x", total)
	must(t, bob.clear(c, 5))
	must(t, bob.remove(c, 100, 101))
	tests := []struct {
		name        string
		q           HistoryQuery
		first, last hongyan.Ordinal
		count       int
		more        bool
	}{
		{"the end", HistoryQuery{}, 211, 260, DefaultHistory, true},
		{"before", HistoryQuery{Before: 211, Limit: 10}, 201, 210, 10, true},
		{"over deleted ones", HistoryQuery{Before: 105, Limit: 10}, 93, 104, 10, true},
		{"the beginning", HistoryQuery{Before: 10, Limit: 10}, 6, 9, 4, false},
		{"exactly the beginning", HistoryQuery{Before: 16, Limit: 10}, 6, 15, 10, false},
		{"before the beginning", HistoryQuery{Before: 6}, 0, 0, 0, false},
		{"after", HistoryQuery{After: 50, Limit: 10}, 51, 60, 10, true},
		{"after, from the beginning", HistoryQuery{After: 1, Limit: 3}, 6, 8, 3, true},
		{"after, to the end", HistoryQuery{After: 250, Limit: 10}, 251, 260, 10, false},
		{"after the end", HistoryQuery{After: 260}, 0, 0, 0, false},
		{"after everything", HistoryQuery{After: math.MaxUint64}, 0, 0, 0, false},
		{"before everything", HistoryQuery{Before: math.MaxUint64, Limit: 1}, 260, 260, 1, true},
		{"more than there may be", HistoryQuery{Limit: 1000}, 61, 260, 198, true},
	}
	for _, tt := range tests {
		tt.q.Conversation = c
		h, err := bob.history(tt.q)
		must(t, err)
		var first, last hongyan.Ordinal
		if n := len(h.Messages); n > 0 {
			first, last = h.Messages[0].Ordinal, h.Messages[n-1].Ordinal
		}
		if !slices.IsSortedFunc(h.Messages, func(a, b *hongyan.Message) int { return int(a.Ordinal) - int(b.Ordinal) }) {
			t.Errorf("%s: not in order", tt.name)
		}
		if tt.name == "more than there may be" {
			tt.first, tt.count = 59, MaxHistory // two were deleted
		}
		if first != tt.first || last != tt.last || len(h.Messages) != tt.count || h.More != tt.more {
			t.Errorf("%s: %d messages from %d to %d, more %v; want %d from %d to %d, more %v", tt.name,
				len(h.Messages), first, last, h.More, tt.count, tt.first, tt.last, tt.more)
		}
	}
	eve := w.people("eve")[0]
	_, err := eve.history(HistoryQuery{Conversation: c})
	wantCode(t, err, hongyan.NotFound)
}
