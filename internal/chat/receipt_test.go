package chat

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// wantReceipt checks what a device knows of how far a reader is.
func (d *device) wantReceipt(what string, c hongyan.ConversationID, from *device, delivered, read hongyan.Ordinal) {
	d.w.t.Helper()
	d.sync()
	if r := d.receipts[reader{c, from.User}]; r.Delivered != delivered || r.Read != read {
		d.w.t.Errorf("%s: %s knows of %s delivered %d and read %d, want %d and %d", what, d.name, from.name,
			r.Delivered, r.Read, delivered, read)
	}
	peer, direct := c.Peer(d.User)
	if view := d.view(c); direct && peer != d.User && (view.Delivered != delivered || view.PeerRead != read) {
		d.w.t.Errorf("%s: the conversation of %s says delivered %d and read %d, want %d and %d", what, d.name,
			view.Delivered, view.PeerRead, delivered, read)
	}
}

func TestDeliveredIsWhatADeviceHasAcknowledged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	bob2 := w.device("bob")
	c := alice.with(bob)
	bob.sync()
	bob2.sync()
	alice.says(c, "one", "two")
	alice.wantReceipt("nothing pulled", c, bob, 0, 0)
	_, err := bob.page(1)
	must(t, err)
	alice.wantReceipt("pulled, not acknowledged", c, bob, 0, 0)
	bob.acknowledge()
	alice.wantReceipt("one acknowledged", c, bob, 1, 0)
	bob2.sync()
	alice.wantReceipt("two acknowledged by another device", c, bob, 2, 0)
	bob.sync()
	alice.wantReceipt("the first device follows", c, bob, 2, 0)
	must(t, bob.read(c, 1))
	alice.wantReceipt("one read", c, bob, 2, 1)
	alice.says(c, "three")
	must(t, bob.read(c, 3))
	alice.wantReceipt("read implies delivered", c, bob, 3, 3)
	must(t, bob.read(c, 2))
	alice.wantReceipt("a mark never falls", c, bob, 3, 3)
	must(t, bob.read(c, 1<<60))
	alice.wantReceipt("beyond the end is the end", c, bob, 3, 3)
}

func TestOnesOwnMessagesMakeNoReceipts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	alice2 := w.device("alice")
	c, notes := alice.with(bob), alice.with(alice)
	alice.says(c, "one", "two")
	alice.says(notes, "a note")
	alice2.sync()
	must(t, alice.read(c, 2))
	must(t, alice.read(notes, 1))
	for _, d := range []*device{alice, bob} {
		if d.sync(); len(d.receipts) != 0 {
			t.Errorf("%s was told %v", d.name, d.receipts)
		}
	}
	if v := alice.view(notes); v.Unread != 0 || v.Last != 1 {
		t.Errorf("one's own notes are %+v", v)
	}
}

// Clearing a history is not reading it, and what was never sent to a device was not delivered.
func TestClearingAHistoryTellsNobodyAnything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	bob.sync()
	alice.says(c, "one", "two", "three")
	must(t, bob.clear(c, 0))
	bob.sync()
	if got := bob.texts(c); len(got) != 0 {
		t.Errorf("what was cleared came all the same: %q", got)
	}
	if v := bob.view(c); v.Unread != 0 || v.Cleared != 3 || v.Read != 3 {
		t.Errorf("the cleared conversation is %+v", v)
	}
	alice.wantReceipt("cleared", c, bob, 0, 0)
	alice.says(c, "four")
	bob.sync()
	alice.wantReceipt("the next one delivered", c, bob, 4, 0)
	if v := bob.view(c); v.Unread != 1 {
		t.Errorf("%d messages are unread", v.Unread)
	}
}

func TestANewcomerHasReadNothingOfWhatWasBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "bob", "carol")
	alice, bob, carol := p[0], p[1], p[2]
	g := alice.founds("friends", bob)
	c := hongyan.GroupConversation(g)
	before := alice.says(c, "before")
	must(t, alice.invite(g, carol))
	carol.sync()
	if v := carol.view(c); v.Joined != before || v.Unread != 1 {
		t.Errorf("the newcomer's view is %+v", v)
	}
	alice.wantReceipt("joined", c, carol, 0, 0)
	after := bob.says(c, "after")
	carol.sync()
	alice.wantReceipt("somebody else's message delivered", c, carol, 0, 0)
	bob.wantReceipt("delivered", c, carol, after, 0)
	must(t, carol.read(c, before))
	bob.wantReceipt("read before one's time", c, carol, after, 0)
	must(t, carol.read(c, after))
	bob.wantReceipt("read", c, carol, after, after)
	n, err := alice.readers(c, before)
	must(t, err)
	if n.Delivered != 1 || n.Read != 0 { // bob
		t.Errorf("the message before was received by %d and read by %d", n.Delivered, n.Read)
	}
}

func TestReceiptsOfASmallGroupGoToThoseWhoWrote(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "bob", "carol", "dave")
	alice, bob, carol, dave := p[0], p[1], p[2], p[3]
	g := alice.founds("friends", bob, carol, dave)
	c := hongyan.GroupConversation(g)
	for _, d := range p {
		d.sync()
	}
	alice.sync()
	if len(alice.receipts) != 0 {
		t.Errorf("a notice has receipts: %v", alice.receipts)
	}
	bobs := bob.says(c, "of bob")
	carols := carol.says(c, "of carol")
	dave.sync()
	bob.wantReceipt("delivered", c, dave, carols, 0)
	carol.wantReceipt("delivered", c, dave, carols, 0)
	must(t, dave.read(c, bobs))
	bob.wantReceipt("one read", c, dave, carols, bobs)
	must(t, dave.read(c, carols))
	carol.wantReceipt("all read", c, dave, carols, carols)
	alice.sync()
	if len(alice.receipts) != 0 {
		t.Errorf("who wrote nothing was told %v", alice.receipts)
	}
	n, err := carol.readers(c, carols)
	must(t, err)
	if n.Delivered != 3 || n.Read != 1 || !slices.Equal(n.Names, []hongyan.UserID{dave.User}) {
		t.Errorf("the readers are %+v", n)
	}
	if n, err = alice.readers(c, carols); err != nil || n.Delivered != 3 || n.Read != 1 {
		t.Errorf("for another member the readers are %+v, %v", n, err)
	}
}

func TestALargeGroupHasCountsAndNoReceipts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice := w.people("alice")[0]
	names := make([]string, MaxReceiptGroup)
	for i := range names {
		names[i] = fmt.Sprint("other", i)
	}
	others := w.people(names...)
	g := alice.founds("many", others...)
	c := hongyan.GroupConversation(g)
	o := alice.says(c, "hello")
	for i, d := range others {
		if i < 20 {
			d.sync()
		}
		if i < 10 {
			must(t, d.read(c, o))
		}
	}
	alice.sync()
	if len(alice.receipts) != 0 {
		t.Errorf("%d receipts came", len(alice.receipts))
	}
	n, err := alice.readers(c, o)
	must(t, err)
	if n.Delivered != 20 || n.Read != 10 || len(n.Names) != 0 {
		t.Errorf("the readers are %+v", n)
	}
	must(t, alice.removeMembers(g, others[49]))
	must(t, others[11].read(c, o))
	alice.wantReceipt("the group has become small", c, others[11], o, o)
}

func TestReadersAreToldOfMessagesThatOneMayRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "bob", "carol", "eve")
	alice, bob, carol, eve := p[0], p[1], p[2], p[3]
	g := alice.founds("friends", bob)
	group, direct := hongyan.GroupConversation(g), alice.with(bob)
	alice.says(group, "before")
	must(t, alice.invite(g, carol))
	alice.says(direct, "hello")
	must(t, alice.removeMembers(g, bob))
	tests := []struct {
		name string
		who  *device
		c    hongyan.ConversationID
		o    hongyan.Ordinal
		code hongyan.Code
	}{
		{"one's own", alice, direct, 1, 0},
		{"the other's", bob, direct, 1, 0},
		{"none", alice, direct, 0, hongyan.NotFound},
		{"beyond the end", alice, direct, 2, hongyan.NotFound},
		{"before one's time", carol, group, 2, hongyan.NotFound},
		{"a member no more", bob, group, 2, hongyan.NotMember},
		{"never a member", eve, group, 2, hongyan.NotFound},
		{"of others", eve, direct, 1, hongyan.NotFound},
	}
	for _, tt := range tests {
		if n, err := tt.who.readers(tt.c, tt.o); hongyan.CodeOf(err) != tt.code || n.Read != 0 {
			t.Errorf("%s: %+v, %v", tt.name, n, err)
		}
	}
	must(t, alice.read(direct, 1))
	if n, err := bob.readers(direct, 1); err != nil || n.Read != 0 || n.Delivered != 0 {
		t.Errorf("who wrote it counts as a reader: %+v, %v", n, err)
	}
}

// A device that was away for long acknowledges much at once: the receipts come in pieces, and all of them.
func TestALongCatchUpIsDeliveredWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "bob", "carol")
	alice, bob, carol := p[0], p[1], p[2]
	bob.sync()
	last := alice.floods(alice.with(bob), "x", 3*scanReceipts+10)
	must(t, alice.read(alice.with(bob), last)) // which leaves little to count
	carol.says(carol.with(bob), "the last")
	bob.key = hongyan.KeyAt(w.chat.Generation(), bob.User, bob.beat(bob.key).Head)
	w.chat.Acknowledge(bob.Caller, bob.key)
	steps := 0
	for ; w.Waiting() > 0; steps++ {
		w.Step()
	}
	if steps != 4 {
		t.Errorf("it took %d rounds", steps)
	}
	alice.wantReceipt("all delivered", alice.with(bob), bob, last, 0)
	carol.wantReceipt("all delivered", carol.with(bob), bob, 1, 0)
}

// However much is read at once, everybody who wrote some of it is told.
func TestALongReadIsToldToAllWriters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "bob", "carol")
	alice, bob, carol := p[0], p[1], p[2]
	g := alice.founds("friends", bob, carol)
	c := hongyan.GroupConversation(g)
	alice.says(c, "long ago")
	last := bob.floods(c, "x", scanReceipts+10)
	must(t, carol.read(c, last))
	alice.wantReceipt("read", c, carol, last, last)
	bob.wantReceipt("read", c, carol, last, last)
}

func TestKeysThatAcknowledgeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	bob.sync()
	c := alice.with(bob)
	alice.says(c, "one")
	generation, head := w.chat.Generation(), bob.beat(bob.key).Head
	for name, key := range map[string]hongyan.SyncKey{
		"none": {}, "another account's": hongyan.KeyAt(generation, alice.User, head),
		"another store's": hongyan.KeyAt(generation+1, bob.User, head), "ahead": hongyan.KeyAt(generation, bob.User, head+1000),
	} {
		w.chat.Acknowledge(bob.Caller, key)
		w.Rest()
		alice.wantReceipt(name, c, bob, 0, 0)
	}
	bob.sync() // and such keys stand in the way of none
	alice.wantReceipt("a good one", c, bob, 1, 0)
}

// TestNobodyAcknowledgesNothing: a key that a caller without a device presents, as a stream of events does, takes no room
// in a round.
func TestNobodyAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	bob.sync()
	c := alice.with(bob)
	alice.says(c, "one")
	key := hongyan.KeyAt(w.chat.Generation(), bob.User, bob.beat(bob.key).Head)
	w.Rest()
	w.chat.Sync(Caller{User: bob.User}, SyncQuery{Key: key}, func(_ Page, err error) { must(t, err) })
	if n := w.Waiting(); n != 0 {
		t.Errorf("%d changes wait for a round", n)
	}
	w.Rest()
	alice.wantReceipt("nothing", c, bob, 0, 0)
}
