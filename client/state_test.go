package client

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
)

const me, peer = hongyan.UserID(10), hongyan.UserID(20)

// stored is a client on a state of its own, which the test writes.
type stored struct {
	*Client
	t       *testing.T
	version hongyan.Version
}

func newStored(t *testing.T) *stored {
	t.Helper()
	dir := t.TempDir()
	creds := credentials{Server: "127.0.0.1:1", User: me, Name: "me", DeviceToken: "t"}
	if err := creds.save(dir); err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &stored{Client: c, t: t}
}

// commit stores changes, and returns the events that they cause.
func (s *stored) commit(c core.Commit) string {
	s.t.Helper()
	state, err := s.openState()
	if err != nil {
		s.t.Fatal(err)
	}
	c.Previous = s.version
	s.version++
	c.State = core.State{Key: []byte("k"), Version: s.version}
	if err := state.commit(c); err != nil {
		s.t.Fatal(err)
	}
	events, err := state.unhanded()
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range events {
		names = append(names, strings.TrimPrefix(fmt.Sprintf("%T", e), "client."))
	}
	return strings.Join(names, " ")
}

func (s *stored) changes(list ...hongyan.Change) string {
	s.t.Helper()
	return s.commit(core.Commit{Changes: list, Derive: true})
}

// begin makes conversations that hold nothing.
func (s *stored) begin(ids ...hongyan.ConversationID) {
	s.t.Helper()
	var list []hongyan.Conversation
	for _, id := range ids {
		list = append(list, hongyan.Conversation{ID: id})
	}
	s.commit(core.Commit{Conversations: list})
}

func message(conv hongyan.ConversationID, n hongyan.Ordinal, from hongyan.UserID) hongyan.Change {
	group, _ := conv.Group()
	return hongyan.Change{Message: &hongyan.Message{
		ID: hongyan.MessageID(1000*uint64(group) + uint64(n)), Conversation: conv, Ordinal: n, From: from, FromName: fmt.Sprint("u", from),
		TimeMS: int64(1000 + n), Content: hongyan.Text(fmt.Sprint("m", n)),
	}}
}

func (s *stored) ordinals(conv hongyan.ConversationID) []hongyan.Ordinal {
	s.t.Helper()
	list, err := s.Messages(conv, 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	var ordinals []hongyan.Ordinal
	for _, m := range list {
		ordinals = append(ordinals, m.Ordinal)
	}
	return ordinals
}

func (s *stored) conv(id hongyan.ConversationID) hongyan.Conversation {
	s.t.Helper()
	c, ok, err := s.Conversation(id)
	if err != nil || !ok {
		s.t.Fatalf("conversation %s: %v, %v", id, ok, err)
	}
	return c
}

func expectEvents(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestApplyMessages(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	direct, group := hongyan.Direct(me, peer), hongyan.GroupConversation(5)
	s.begin(direct, group)
	expectEvents(t, s.changes(message(direct, 1, peer), message(direct, 2, me), message(group, 1, 77)),
		"MessageEvent MessageEvent MessageEvent ConversationEvent ConversationEvent")
	expectEvents(t, s.changes(message(direct, 1, peer)), "")
	if c := s.conv(direct); c.Last != 2 || c.Unread != 1 || c.LastMessage.Ordinal != 2 {
		t.Errorf("%+v", c)
	}
	if c := s.conv(group); c.Last != 1 || c.Unread != 1 {
		t.Errorf("%+v", c)
	}
	// A message that is only a stub on the server stays what it is here.
	stub := hongyan.Change{Message: &hongyan.Message{Conversation: direct, Ordinal: 2, State: hongyan.Expired}}
	expectEvents(t, s.changes(stub), "")
	stub.Message.Ordinal = 3
	expectEvents(t, s.changes(stub), "MessageEvent")
	list, err := s.Messages(direct, 0, 10)
	if err != nil || list[1].Content.Text != "m2" || list[2].State != hongyan.Expired {
		t.Errorf("%+v, %v", list, err)
	}

	recall := hongyan.Change{Recall: &hongyan.Recall{Conversation: direct, Ordinal: 1, ID: 1, By: peer}}
	expectEvents(t, s.changes(recall), "RecallEvent ConversationEvent")
	expectEvents(t, s.changes(recall), "RecallEvent")
	recall.Recall.Ordinal = 99 // not held
	expectEvents(t, s.changes(recall), "RecallEvent")
	if list, err = s.Messages(direct, 2, 1); err != nil || list[0].State != hongyan.Recalled || list[0].Content.Kind != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if c := s.conv(direct); c.Unread != 0 {
		t.Errorf("%+v", c)
	}

	expectEvents(t, s.changes(hongyan.Change{Removal: &hongyan.Removal{Conversation: direct, Ordinals: []hongyan.Ordinal{1, 3, 8}}}),
		"RemovalEvent")
	if got := s.ordinals(direct); !slices.Equal(got, []hongyan.Ordinal{2}) {
		t.Errorf("left are %v", got)
	}
}

// TestUnreadLimit: a count that has reached its limit stays there.
func TestUnreadLimit(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	conv := hongyan.Direct(me, peer)
	s.commit(core.Commit{Conversations: []hongyan.Conversation{{ID: conv, Last: 5000, Unread: hongyan.MaxUnread - 1}}})
	s.changes(message(conv, 5001, peer), message(conv, 5002, peer))
	if c := s.conv(conv); c.Unread != hongyan.MaxUnread {
		t.Errorf("%d unread", c.Unread)
	}
	s.changes(hongyan.Change{Recall: &hongyan.Recall{Conversation: conv, Ordinal: 5002}})
	if c := s.conv(conv); c.Unread != hongyan.MaxUnread {
		t.Errorf("%d unread", c.Unread)
	}
}

func TestApplyConversations(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	conv := hongyan.Direct(me, peer)
	s.begin(conv)
	for n := range hongyan.Ordinal(6) {
		s.changes(message(conv, n+1, peer))
	}
	view := hongyan.Conversation{ID: conv, Last: 4, Read: 4, Cleared: 2, Pinned: true, Title: "old friend"}
	expectEvents(t, s.changes(hongyan.Change{Conversation: &view}), "ConversationEvent ConversationEvent")
	if c := s.conv(conv); c.Last != 6 || c.Read != 4 || !c.Pinned || c.Title != "old friend" {
		t.Errorf("%+v", c)
	}
	if got := s.ordinals(conv); !slices.Equal(got, []hongyan.Ordinal{3, 4, 5, 6}) {
		t.Errorf("left are %v", got)
	}
	receipt := hongyan.Receipt{Conversation: conv, Reader: peer, Delivered: 5, Read: 3}
	expectEvents(t, s.changes(hongyan.Change{Receipt: &receipt}), "ReceiptEvent ConversationEvent")
	expectEvents(t, s.changes(hongyan.Change{Receipt: &receipt}), "ReceiptEvent")
	receipt.Reader = me
	expectEvents(t, s.changes(hongyan.Change{Receipt: &receipt}), "ReceiptEvent")
	c := s.conv(conv)
	if c.Delivered != 5 || c.PeerRead != 3 || StateOf(c, 3) != StateRead || StateOf(c, 5) != StateDelivered || StateOf(c, 6) != StateSent {
		t.Errorf("%+v", c)
	}
	last := message(conv, 9, peer).Message
	expectEvents(t, s.commit(core.Commit{Conversations: []hongyan.Conversation{{ID: conv, Last: 9, Cleared: 8, LastMessage: last}}}),
		"ConversationEvent")
	if got := s.ordinals(conv); !slices.Equal(got, []hongyan.Ordinal{9}) {
		t.Errorf("left are %v", got)
	}
	expectEvents(t, s.changes(message(conv, 9, peer)), "MessageEvent ConversationEvent")

	other := hongyan.Direct(me, 30)
	s.begin(other)
	s.changes(message(other, 10, 30))
	s.commit(core.Commit{Conversations: []hongyan.Conversation{{ID: hongyan.GroupConversation(1)}}})
	all, err := s.Conversations()
	if err != nil || len(all) != 3 || all[0].ID != other || all[1].ID != conv || all[2].LastMessage != nil {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestApplyStates(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	direct, group := hongyan.Direct(me, peer), hongyan.GroupConversation(5)
	s.begin(direct, group)
	s.changes(message(direct, 1, peer), message(group, 1, peer))
	contact := hongyan.Contact{
		Profile: hongyan.Profile{User: peer, Name: "bob", DisplayName: "Bob"}, State: hongyan.ContactAccepted, Remark: "Bobby",
	}
	expectEvents(t, s.changes(hongyan.Change{Contact: &contact}), "ContactEvent ConversationEvent")
	if c, ok, err := s.Contact(peer); err != nil || !ok || c != contact {
		t.Errorf("%+v, %v, %v", c, ok, err)
	}
	if title, name := s.conv(direct).Title, s.NameOf(peer); title != "Bobby" || name != "Bobby" {
		t.Errorf("called %q and %q", title, name)
	}
	contact.Remark, contact.State = "", hongyan.ContactNone
	s.changes(hongyan.Change{Contact: &contact})
	if all, err := s.Contacts(); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if title, name := s.conv(direct).Title, s.NameOf(peer); title != "Bob" || name != "Bob" {
		t.Errorf("called %q and %q", title, name)
	}
	contact.Blocked = true
	s.changes(hongyan.Change{Contact: &contact})
	if all, err := s.Contacts(); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}

	g := hongyan.Group{ID: 5, Title: "Family", MemberCount: 3, Role: hongyan.RoleMember}
	expectEvents(t, s.changes(hongyan.Change{Group: &g}), "GroupEvent ConversationEvent")
	expectEvents(t, s.changes(hongyan.Change{Group: &g}), "GroupEvent")
	if got, ok, err := s.Group(5); err != nil || !ok || got.Title != "Family" || s.conv(group).Title != "Family" {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	if all, err := s.Groups(); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}

	setting := hongyan.Setting{Name: "colour", Value: []byte("red")}
	expectEvents(t, s.changes(hongyan.Change{Setting: &setting}, hongyan.Change{Setting: &hongyan.Setting{Name: "size", Value: []byte("5")}}),
		"SettingEvent SettingEvent")
	if got, ok, err := s.Setting("colour"); err != nil || !ok || string(got.Value) != "red" {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	setting.Value = nil
	s.changes(hongyan.Change{Setting: &setting})
	if all, err := s.Settings(); err != nil || len(all) != 1 || all[0].Name != "size" {
		t.Errorf("%+v, %v", all, err)
	}
	expectEvents(t, s.changes(
		hongyan.Change{Profile: &hongyan.Profile{User: me, Name: "me", DisplayName: "Myself"}},
		hongyan.Change{Devices: &hongyan.Devices{List: []hongyan.Device{{ID: 1}}}},
		hongyan.Change{}), "ProfileEvent DevicesEvent")
	if name := s.NameOf(me); name != "Myself" {
		t.Errorf("called %q", name)
	}

	// A reset drops states, and messages only if the store is another one.
	trimmed, generation := core.ResetTrimmed, core.ResetGeneration
	expectEvents(t, s.commit(core.Commit{Reset: &trimmed}), "ResetEvent")
	contacts, _ := s.Contacts()
	groups, _ := s.Groups()
	settings, _ := s.Settings()
	conversations, _ := s.Conversations()
	if n := len(contacts) + len(groups) + len(settings) + len(conversations); n != 0 || len(s.ordinals(direct)) != 1 {
		t.Errorf("%d states and %d messages are left", n, len(s.ordinals(direct)))
	}
	s.commit(core.Commit{Reset: &generation})
	if len(s.ordinals(direct)) != 0 {
		t.Error("messages of another store are left")
	}
	expectEvents(t, s.changes(message(direct, 1, peer)), "")
	if len(s.ordinals(direct)) != 1 {
		t.Error("a message that was told once is not stored again")
	}
	other := message(direct, 1, peer)
	other.Message.TimeMS++
	expectEvents(t, s.changes(other), "MessageEvent")
}

func TestKnows(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	direct, group := hongyan.Direct(me, peer), hongyan.GroupConversation(5)
	s.begin(group)
	state, err := s.openState()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		changes []hongyan.Change
		want    bool
	}{
		{nil, true},
		{[]hongyan.Change{{Setting: &hongyan.Setting{Name: "n"}}, message(group, 1, peer)}, true},
		{[]hongyan.Change{message(group, 1, peer), message(direct, 1, peer)}, false},
	} {
		if known, err := state.knows(tt.changes); known != tt.want || err != nil {
			t.Errorf("%+v: known %v, %v", tt.changes, known, err)
		}
	}
}

func TestCommitComparesAndSets(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	s.changes(message(hongyan.Direct(me, peer), 1, peer))
	state, err := s.openState()
	if err != nil {
		t.Fatal(err)
	}
	c := core.Commit{Previous: 7, State: core.State{Version: 8}, Changes: []hongyan.Change{message(hongyan.Direct(me, peer), 2, peer)}}
	if err := state.commit(c); err == nil {
		t.Error("a commit on another version was accepted")
	}
	if held, err := state.held(); err != nil || held.Version != 1 || string(held.Key) != "k" || !held.Unhanded || len(s.ordinals(hongyan.Direct(me, peer))) != 1 {
		t.Errorf("%+v, %v", held, err)
	}
	if err := state.handed(); err != nil {
		t.Fatal(err)
	}
	if held, err := state.held(); err != nil || held.Unhanded {
		t.Errorf("%+v, %v", held, err)
	}
}

func TestProfileCache(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	state, err := s.openState()
	if err != nil {
		t.Fatal(err)
	}
	list := make([]hongyan.Profile, maxProfiles+500)
	for i := range list {
		list[i] = hongyan.Profile{User: hongyan.UserID(i+1) << 38, Name: "x"}
	}
	for range 2 {
		if err := state.keepProfiles(list, 1234); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err = state.db.View(func(tx *bbolt.Tx) error {
		n = tx.Bucket(bucketProfiles).Stats().KeyN
		return nil
	})
	if n != maxProfiles || err != nil {
		t.Errorf("%d profiles are cached, %v", n, err)
	}
}

// TestForeignState: a state of another account, or of a later version, is left alone.
func TestForeignState(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	s.changes()
	dir := s.dir
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if state, err := openState(dir, me+1); err == nil || !strings.Contains(err.Error(), "belongs to account 10, not to 11") {
		t.Errorf("got %v, %v", state, err)
	}
	state, err := openState(dir, me)
	if err != nil {
		t.Fatal(err)
	}
	err = state.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(metaFormat, be64(stateFormat+1)) })
	if err != nil {
		t.Fatal(err)
	}
	state.close()
	if state, err := openState(dir, me); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("got %v, %v", state, err)
	}
}

// TestOrderlyEnd: an end records as dealt with only what the program was told.
func TestOrderlyEnd(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	state, err := s.openState()
	if err != nil {
		t.Fatal(err)
	}
	f := follower{c: s.Client, state: state, sync: core.NewSync(core.State{Unhanded: true}, nil)}
	acts := []core.Action{
		core.Commit{State: core.State{Version: 1}, Changes: []hongyan.Change{message(hongyan.Direct(me, peer), 1, peer)}}, core.Deliver{},
	}
	for n, want := range []int{2, 0} { // events that another process would be told
		if err := f.carryOut(t.Context(), acts[n:n+1]); err != nil {
			t.Fatal(err)
		}
		if err := f.end(); err != nil {
			t.Fatal(err)
		}
		if events, err := state.unhanded(); err != nil || (len(events) > 0) != (want > 0) {
			t.Errorf("after %d actions %d events are left, %v", n+1, len(events), err)
		}
	}
}
