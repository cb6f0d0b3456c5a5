package chat

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

func TestSendReachesEveryDeviceOfBothSides(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	alice2 := w.device("alice")
	c := alice.with(bob)
	alice.says(c, "one", "two")
	bob.says(c, "three")
	want := []string{"one", "two", "three"}
	for _, d := range []*device{alice, alice2, bob} {
		d.sync()
		if got := d.texts(c); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", d.name, got, want)
		}
		if got := d.whole(c); !slices.Equal(got, want) {
			t.Errorf("%s reads %q, want %q", d.name, got, want)
		}
	}
	m := bob.messages[c][1]
	if m.From != alice.User || m.FromName != "alice" || m.TimeMS != w.Now().UnixMilli() || m.ID == 0 {
		t.Errorf("the message came as %+v", m)
	}
}

func TestSendOnceForEachClientID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	first := w.text(c, "hello")
	sent, err := alice.draft(first)
	must(t, err)
	byName := first
	byName.Conversation, byName.To = hongyan.ConversationID{}, "bob"
	otherText, elsewhere := first, first
	otherText.Content = hongyan.Text("hello!")
	elsewhere.Conversation = alice.with(alice)
	late := w.text(c, "late")
	late.FirstAttemptMS -= 7*24*3600_000 + 1
	early := w.text(c, "early")
	early.FirstAttemptMS += 3600_000 + 1
	nameless := w.text(c, "nameless")
	nameless.ClientID = hongyan.ClientID{}
	ofBob := first
	tests := []struct {
		name  string
		from  *device
		draft Draft
		code  hongyan.Code
	}{
		{"a retry", alice, first, 0},
		{"a retry to the name", alice, byName, 0},
		{"a retry from another device", w.device("alice"), first, 0},
		{"another text", alice, otherText, hongyan.Conflict},
		{"another conversation", alice, elsewhere, hongyan.Conflict},
		{"beyond the window", alice, late, hongyan.TooLate},
		{"in the future", alice, early, hongyan.ClockSkew},
		{"without an id", alice, nameless, hongyan.Invalid},
	}
	for _, tt := range tests {
		got, err := tt.from.draft(tt.draft)
		if hongyan.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.code)
		}
		if tt.code == 0 && got != sent {
			t.Errorf("%s: %+v, want the original %+v", tt.name, got, sent)
		}
	}
	if got, err := bob.draft(ofBob); err != nil || got.Ordinal != 2 {
		t.Errorf("another account's use of the same id: %+v, %v", got, err)
	}
	if got := bob.whole(c); !slices.Equal(got, []string{"hello", "hello"}) {
		t.Errorf("the conversation holds %q", got)
	}
}

func TestARetryIsRecognisedForTheWholeWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	first := w.text(alice.with(bob), "hello")
	sent, err := alice.draft(first)
	must(t, err)
	for _, wait := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 5*24*time.Hour + 22*time.Hour + 58*time.Minute} {
		w.Advance(wait)
		if got, err := alice.draft(first); err != nil || got != sent {
			t.Errorf("after %v more: %+v, %v", wait, got, err)
		}
	}
	w.Advance(2 * time.Minute)
	_, err = alice.draft(first)
	wantCode(t, err, hongyan.TooLate)
}

// A retry gets the answer of the first attempt even if it would not be allowed any more.
func TestARetryIsRecognisedBeforeAnythingElseIsJudged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	first := w.text(hongyan.ConversationID{}, "hello")
	first.To = "bob"
	sent, err := alice.draft(first)
	must(t, err)
	must(t, bob.block(alice, true))
	if got, err := alice.draft(first); err != nil || got != sent {
		t.Errorf("after a block: %+v, %v", got, err)
	}
	w.disable("bob", true)
	if got, err := alice.draft(first); err != nil || got != sent {
		t.Errorf("after the end of the other account: %+v, %v", got, err)
	}
	w.Engine().Refuse(hongyan.Errorf(hongyan.StorageLow, "no room"))
	if got, err := alice.draft(first); err != nil || got != sent {
		t.Errorf("on a full disk: %+v, %v", got, err)
	}
}

func TestNamesAreFoundInAnySpellingThatRegistersThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	for name, code := range map[string]hongyan.Code{
		"bob": 0, " Bob ": 0, "bobby": hongyan.NotFound, "": hongyan.NotFound, "-": hongyan.NotFound,
		strings.Repeat("b", 1<<20): hongyan.NotFound,
	} {
		d := w.text(hongyan.ConversationID{}, "hello")
		d.To = name
		sent, err := alice.draft(d)
		if hongyan.CodeOf(err) != code || code == 0 && sent.Conversation != alice.with(bob) {
			t.Errorf("to %.10q: %+v, %v", name, sent, err)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("to %.10q: the refusal has %d bytes", name, len(err.Error()))
		}
	}
}

func TestWhoMayWriteDirectly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		config  Config
		prepare func(w *world, alice, bob *device)
		code    hongyan.Code
	}{
		{"strangers", Config{}, nil, 0},
		{"blocked", Config{}, func(w *world, alice, bob *device) { must(w.t, bob.block(alice, true)) }, hongyan.Blocked},
		{"unblocked", Config{}, func(w *world, alice, bob *device) {
			must(w.t, bob.block(alice, true))
			must(w.t, bob.block(alice, false))
		}, 0},
		{"to whom one has blocked", Config{}, func(w *world, alice, bob *device) { must(w.t, alice.block(bob, true)) }, 0},
		{"to a disabled account", Config{}, func(w *world, _, _ *device) { w.disable("bob", true) }, hongyan.NotFound},
		{"strangers, contacts only", Config{ContactsOnly: true}, nil, hongyan.ContactRequired},
		{"asked, contacts only", Config{ContactsOnly: true}, func(w *world, alice, bob *device) { must(w.t, alice.ask(bob)) },
			hongyan.ContactRequired},
		{"contacts, contacts only", Config{ContactsOnly: true}, func(w *world, alice, bob *device) { w.befriend(alice, bob) }, 0},
		{"no longer, contacts only", Config{ContactsOnly: true}, func(w *world, alice, bob *device) {
			w.befriend(alice, bob)
			must(w.t, bob.unfriend(alice))
		}, hongyan.ContactRequired},
		{"blocked contacts", Config{ContactsOnly: true}, func(w *world, alice, bob *device) {
			w.befriend(alice, bob)
			must(w.t, bob.block(alice, true))
		}, hongyan.Blocked},
	}
	for _, tt := range tests {
		w := newWorld(t, tt.config)
		alice, bob := w.pair("alice", "bob")
		if tt.prepare != nil {
			tt.prepare(w, alice, bob)
		}
		if _, err := alice.send(alice.with(bob), "hello"); hongyan.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.code)
		}
		if _, err := alice.send(alice.with(alice), "a note"); err != nil {
			t.Errorf("%s: a note to oneself: %v", tt.name, err)
		}
	}
}

func TestWhereNobodyMayWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "bob", "eve")
	alice, bob, eve := p[0], p[1], p[2]
	g := alice.founds("friends", bob)
	tests := []struct {
		name  string
		draft Draft
		code  hongyan.Code
	}{
		{"between others", w.text(alice.with(bob), "x"), hongyan.NotMember},
		{"to nobody", w.text(hongyan.Direct(eve.User, 4711), "x"), hongyan.NotFound},
		{"into a foreign group", w.text(hongyan.GroupConversation(g), "x"), hongyan.NotMember},
		{"into no group", w.text(hongyan.GroupConversation(4711), "x"), hongyan.NotFound},
		{"nowhere", w.text(hongyan.ConversationID{}, "x"), hongyan.NotFound},
		{"nothing", w.text(alice.with(eve), ""), hongyan.Invalid},
		{"too much", w.text(alice.with(eve), strings.Repeat("x", hongyan.MaxText+1)), hongyan.TooLarge},
	}
	for _, tt := range tests {
		if _, err := eve.draft(tt.draft); hongyan.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.code)
		}
	}
	w.Engine().Refuse(hongyan.Errorf(hongyan.StorageLow, "no room"))
	_, err := eve.send(eve.with(alice), "x")
	wantCode(t, err, hongyan.StorageLow)
}

// Permission is a matter of the order in which things are committed, also within one round.
func TestAPermissionThatEndedInTheSameRoundHasEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "bob", "carol")
	alice, bob, carol := p[0], p[1], p[2]
	g := alice.founds("friends", bob)
	c := hongyan.GroupConversation(g)
	code := func(want hongyan.Code) func(Sent, error) {
		return func(_ Sent, err error) { wantCode(t, err, want) }
	}
	ok := func(err error) { must(t, err) }
	blocked := true
	w.chat.Send(bob.Caller, w.text(c, "before"), code(0))
	w.chat.RemoveMembers(alice.Caller, g, []hongyan.UserID{bob.User}, ok)
	w.chat.Send(bob.Caller, w.text(c, "after"), code(hongyan.NotMember))
	w.chat.Send(carol.Caller, w.text(carol.with(alice), "before"), code(0))
	w.chat.SetContact(alice.Caller, carol.User, ContactChange{Blocked: &blocked}, func(_ hongyan.Contact, err error) { ok(err) })
	w.chat.Send(carol.Caller, w.text(carol.with(alice), "after"), code(hongyan.Blocked))
	w.Step()
	if w.Waiting() != 0 {
		t.Fatal("this took more than one round")
	}
	if got := alice.whole(c); !slices.Equal(got, []string{"created", "before", "removed"}) {
		t.Errorf("the group holds %q", got)
	}
	if got := bob.whole(c); !slices.Equal(got, []string{"created", "before"}) {
		t.Errorf("who was removed reads %q", got)
	}
}

// TestSentEncoding holds the bytes against those that reflection makes.
func TestSentEncoding(t *testing.T) {
	t.Parallel()
	for _, s := range []Sent{
		{}, {ID: 1 << 62, Conversation: hongyan.Direct(1, 1<<53-1), Ordinal: 300, TimeMS: 1 << 40},
		{ID: 23, Conversation: hongyan.GroupConversation(7), Ordinal: 24, TimeMS: -1},
	} {
		got, want := s.encode(), store.Encode(s)
		var back Sent
		if err := store.Decode(got, &back); err != nil || back != s || !bytes.Equal(got, want) {
			t.Errorf("%+v is written as %x, want %x, and read as %+v, %v", s, got, want, back, err)
		}
	}
}
