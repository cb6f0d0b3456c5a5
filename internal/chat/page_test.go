package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// bodyOf is what a page takes as a body.
func bodyOf(p Page) int {
	return proto.Size(&wire.SyncReply{
		Changes: wire.FromAll(wire.FromChange, p.Changes), Conversations: wire.FromAll(wire.FromConversation, p.Conversations),
		Key: p.Key.Token(), Reset_: &wire.Reset{Backfill: p.Backfill},
	})
}

func checkPage(t testing.TB, what string, p Page) {
	t.Helper()
	if n := bodyOf(p); n > wire.MaxFrame-wire.HeaderSize {
		t.Errorf("%s: a page of %d changes and %d conversations has %d bytes", what, len(p.Changes), len(p.Conversations), n)
	}
}

// pageThrough pulls, fills back and reads everything in the largest pages there are, and checks the size of each.
func (d *device) pageThrough() {
	d.w.t.Helper()
	for range 1000 {
		p, err := d.page(MaxPage)
		must(d.w.t, err)
		checkPage(d.w.t, "sync", p)
		for len(d.backfill) > 0 {
			b, err := backfill(d, d.backfill, MaxHistory)
			must(d.w.t, err)
			checkPage(d.w.t, "backfill", b)
			d.apply(b)
			d.backfill = b.Backfill
		}
		if !p.More {
			return
		}
	}
	d.w.t.Fatal("there is no end")
}

func TestPagesOfLargeMessagesFitFrames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	bob.sync()
	c := alice.with(bob)
	large := strings.Repeat("x", hongyan.MaxText)
	small := Draft{Conversation: c, Content: hongyan.Content{Kind: hongyan.KindImage, Media: &hongyan.Media{
		Ref: strings.Repeat("r", 512), Name: strings.Repeat("n", 512), MIME: strings.Repeat("m", 512), SHA256: make([]byte, 32),
	}, Quote: &hongyan.Quote{Ordinal: 1, Excerpt: strings.Repeat("q", 512)}, Forward: &hongyan.Forward{FromName: strings.Repeat("f", 512)}}}
	var want []hongyan.Ordinal
	alice.floods(c, large, 40)
	for range 600 {
		d := small
		d.ClientID, d.FirstAttemptMS = w.newClientID(), w.Now().UnixMilli()
		w.chat.Send(alice.Caller, d, func(_ Sent, err error) { must(t, err) })
	}
	w.Rest()
	for o := range hongyan.Ordinal(640) {
		want = append(want, o+1)
	}
	fresh := w.device("bob")
	for _, d := range []*device{bob, fresh} {
		d.pageThrough()
		if !slices.Equal(d.arrived[c], want) {
			t.Errorf("%d messages came, want %d", len(d.arrived[c]), len(want))
		}
	}
	var read []hongyan.Ordinal
	for more := true; more; {
		q := HistoryQuery{Conversation: c, Limit: MaxHistory}
		if len(read) > 0 {
			q.Before = read[0]
		}
		h, err := bob.history(q)
		must(t, err)
		page := &wire.HistoryReply{}
		ordinals := []hongyan.Ordinal{}
		for _, m := range h.Messages {
			page.Messages = append(page.Messages, wire.FromMessage(*m))
			ordinals = append(ordinals, m.Ordinal)
		}
		if n := proto.Size(page); n > wire.MaxFrame-wire.HeaderSize {
			t.Errorf("a page of history has %d bytes", n)
		}
		read, more = append(ordinals, read...), h.More
	}
	if !slices.Equal(read, want) {
		t.Errorf("%d messages were read, want %d", len(read), len(want))
	}
}

// Every other thing is as large as it can be as well.
func TestPagesOfLargeStatesFitFrames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice := w.people("alice")[0]
	name, bio, note := strings.Repeat("😀", 64), strings.Repeat("😀", MaxBio), strings.Repeat("😀", MaxNote)
	avatar := strings.Repeat("a", hongyan.MaxLabel)
	announcement := strings.Repeat("😀", MaxAnnouncement)
	const many = 360
	names := make([]string, many)
	for i := range names {
		names[i] = fmt.Sprintf("other-%d-%s", i, strings.Repeat("x", 20))
	}
	contact := func(_ hongyan.Contact, err error) { must(t, err) }
	for _, other := range w.people(names...) {
		w.chat.SetProfile(other.Caller, ProfileChange{DisplayName: &name, Avatar: &avatar, Bio: &bio},
			func(_ hongyan.Profile, err error) { must(t, err) })
		w.chat.AskContact(other.Caller, Target{User: alice.User}, note, contact)
		w.chat.AnswerContact(alice.Caller, other.User, true, contact)
		w.chat.SetContact(alice.Caller, other.User, ContactChange{Remark: &name}, contact)
		w.chat.Send(other.Caller, w.text(alice.with(other), strings.Repeat("x", 8<<10)), func(_ Sent, err error) { must(t, err) })
		w.chat.CreateGroup(other.Caller, NewGroup{Title: name, Others: targetsOf(alice)}, func(g hongyan.Group, err error) {
			must(t, err)
			w.chat.SetGroup(other.Caller, g.ID, GroupChange{Announcement: &announcement, Avatar: &avatar},
				func(_ hongyan.Group, err error) { must(t, err) })
		})
	}
	w.Rest()
	for i := range MaxSettings {
		setting := hongyan.Setting{Name: fmt.Sprint("setting", i), Value: make([]byte, hongyan.MaxSetting)}
		w.chat.SetSetting(alice.Caller, setting, func(err error) { must(t, err) })
	}
	w.Rest()
	alice.pageThrough()
	if len(alice.contacts) != many || len(alice.groups) != many || len(alice.settings) != MaxSettings {
		t.Errorf("%d contacts, %d groups and %d settings came", len(alice.contacts), len(alice.groups), len(alice.settings))
	}
	list, err := alice.conversationsOf(MaxConversations)
	must(t, err)
	reply := &wire.ConversationsReply{Conversations: wire.FromAll(wire.FromConversation, list)}
	if n := proto.Size(reply); n > wire.MaxFrame-wire.HeaderSize || len(list) != MaxConversations {
		t.Errorf("a list of %d conversations has %d bytes", len(list), n)
	}
	above, found := hongyan.UserID(0), 0
	for more := true; more; {
		page, err := alice.listContacts(above, MaxPage)
		must(t, err)
		body := &wire.ContactsReply{Contacts: wire.FromAll(wire.FromContact, page.Contacts)}
		if n := proto.Size(body); n > wire.MaxFrame-wire.HeaderSize {
			t.Errorf("a list of %d contacts has %d bytes", len(page.Contacts), n)
		}
		found += len(page.Contacts)
		above, more = page.Contacts[len(page.Contacts)-1].Profile.User, page.More
	}
	if found != many {
		t.Errorf("%d contacts were listed", found)
	}
}

// TestPagesOfSlowReads has every change take its time: pages get short, never empty, and a device comes through.
func TestPagesOfSlowReads(t *testing.T) {
	t.Parallel()
	const each = 400 * time.Millisecond
	var now time.Time
	w := newWorld(t, Config{Now: func() time.Time {
		now = now.Add(each)
		return now
	}})
	alice, bob := w.pair("alice", "bob")
	bob.sync()
	c := alice.with(bob)
	const sent = 20
	alice.floods(c, "slow", sent)
	short := func(what string, p Page) {
		if n := len(p.Changes); p.More && n == 0 || n > int(MaxPageTime/each)+1 {
			t.Errorf("a page of the %s has %d changes", what, n)
		}
	}
	pages := 0
	for more := true; more; pages++ {
		p, err := bob.page(MaxPage)
		must(t, err)
		short("sync", p)
		more = p.More
	}
	if pages < 5 || len(bob.arrived[c]) != sent {
		t.Errorf("%d messages came in %d pages, want %d in more", len(bob.arrived[c]), pages, sent)
	}
	fresh := w.device("bob")
	if _, err := fresh.page(MaxPage); err != nil {
		t.Fatal(err)
	}
	for pages = 0; len(fresh.backfill) > 0; pages++ {
		p, err := backfill(fresh, fresh.backfill, MaxHistory)
		must(t, err)
		short("backfill", p)
		fresh.apply(p)
		fresh.backfill = p.Backfill
	}
	if pages < 5 || !slices.Equal(fresh.arrived[c], bob.arrived[c]) {
		t.Errorf("a new device got %d messages in %d pages, want %d in more", len(fresh.arrived[c]), pages, sent)
	}
}
