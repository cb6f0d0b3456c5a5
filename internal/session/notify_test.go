package session

import (
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/wire"
)

// version is what a key stands for.
func version(t *testing.T, token []byte) uint64 {
	t.Helper()
	key, err := hongyan.ParseSyncKey(token)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(key.Version())
}

// onePush returns the only notification since the last call.
func (c *conn) onePush(what string) *wire.Notify {
	c.r.t.Helper()
	list := c.pushed()
	if len(list) != 1 {
		c.r.t.Fatalf("%s: %d notifications came", what, len(list))
	}
	return list[0]
}

func TestChangesComeInlineWhereTheDeviceStands(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice, bob := r.account("alice"), r.account("bob")
	bob.sync()
	bob.pushed()
	stands := version(t, bob.key)
	for _, text := range []string{"one", "two", "three"} {
		alice.says(bob, text)
		n := bob.onePush(text)
		if n.Previous != stands || len(n.Changes) != 1 || n.Changes[0].GetMessage().GetContent().GetText() != text ||
			n.Changes[0].Version != n.Version || version(t, n.Key) != n.Version {
			t.Errorf("%s: at version %d came %v", text, stands, n)
		}
		stands, bob.key = n.Version, n.Key
	}
	page := new(wire.SyncReply)
	bob.must(wire.OpSync, &wire.SyncRequest{Key: bob.key}, page)
	if len(page.Changes) != 0 || page.More || page.Version != stands {
		t.Errorf("a pull with the key of the last notification brought %v", page)
	}
	// What a device does itself it learns in the same way, on all its connections.
	bob2 := bob.again()
	bob2.sync()
	bob.pushed()
	bob2.pushed()
	bob.says(alice, "four")
	for _, c := range []*conn{bob, bob2} {
		if n := c.onePush("of oneself"); n.Previous != stands || len(n.Changes) != 1 {
			t.Errorf("of oneself came %v", n)
		}
	}
}

func TestADeviceThatIsNotAtThePlaceIsToldWithoutChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice, bob := r.account("alice"), r.account("bob")
	bob.must(wire.OpHeartbeat, nil, nil)
	bob.pushed()
	alice.says(bob, "one") // bob has never pulled
	n := bob.onePush("the first")
	if len(n.Changes) != 0 || n.Previous != 0 || len(n.Key) != 0 || n.Version == 0 {
		t.Errorf("came %v", n)
	}
	// Told again though it has said nothing here since: it may have pulled by HTTP.
	alice.says(bob, "two")
	if again := bob.onePush("the second"); len(again.Changes) != 0 || again.Version <= n.Version {
		t.Errorf("after %v came %v", n, again)
	}
	bob.sync()
	alice.says(bob, "five")
	if n = bob.onePush("after a pull"); len(n.Changes) != 1 || n.Previous != version(t, bob.key) {
		t.Errorf("came %v", n)
	}
	bob.key = n.Key
	alice.says(bob, strings.Repeat("x", hongyan.MaxText))
	if n = bob.onePush("a large one"); len(n.Changes) != 0 || n.Version <= version(t, bob.key) {
		t.Errorf("a large change came as %d changes", len(n.Changes))
	}
	bob.sync()
	bob.pushed()
	// A change that cannot come along: the mark of another device.
	bob2 := bob.again()
	bob2.must(wire.OpMarkRead, &wire.MarkReadRequest{Conversation: hongyan.Direct(alice.user, bob.user).String(), Ordinal: 1}, nil)
	if n = bob.onePush("a state"); len(n.Changes) != 0 {
		t.Errorf("came %v", n)
	}
	bob.must(wire.OpHeartbeat, nil, nil) // and it does not pull
	alice.says(bob, "six")
	if n = bob.onePush("a change that does not continue what it has"); len(n.Changes) != 0 {
		t.Errorf("came %v", n)
	}
}

// A notification that crosses the answer of a pull tells nothing that the answer does not: the device ignores it and
// asks for nothing. The next change must reach it all the same.
func TestANotificationThatAPullOvertookSilencesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice, bob := r.account("alice"), r.account("bob")
	bob.sync()
	other := bob.again() // its session has seen no pull yet
	seq := other.post(wire.OpSync, &wire.SyncRequest{Key: other.key, WaitMs: 10_000})
	alice.says(bob, "one")
	n := other.onePush("while a pull is held")
	page := new(wire.SyncReply)
	if err := other.result(seq, wire.OpSync, page); err != nil || len(n.Changes) != 0 || page.Version != n.Version {
		t.Fatalf("told was %v, the pull brought %v, %v", n, page, err)
	}
	other.key = page.Key
	alice.says(bob, "two")
	if n = other.onePush("the next change"); len(n.Changes) != 1 || n.Previous != version(t, other.key) {
		t.Errorf("came %v", n)
	}
}

// A pull that waits for the disk together with a change is answered before the hint of that change is given.
func TestAHintThatAnAnswerOvertookTellsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice, bob := r.account("alice"), r.account("bob")
	bob.sync()
	bob.pushed()
	var late []inbox.Hint
	r.OnHint = func(h inbox.Hint) { late = append(late, h) }
	alice.says(bob, "one")
	bob.sync()
	r.OnHint = r.hub.Hint
	for _, h := range late {
		r.hub.Hint(h)
	}
	if list := bob.pushed(); len(list) != 0 {
		t.Errorf("told of what it has: %v", list)
	}
	alice.says(bob, "two")
	if n := bob.onePush("the next change"); len(n.Changes) != 1 || n.Previous != version(t, bob.key) {
		t.Errorf("came %v", n)
	}
}

// An answer goes out before the notification that continues it.
func TestANotificationFollowsTheAnswerThatItContinues(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice, bob := r.account("alice"), r.account("bob")
	bob.sync()
	for range 3 {
		alice.says(bob, "x")
	}
	at := uint64(0)
	for _, f := range bob.frames {
		switch f.Op {
		case wire.OpSync.Reply():
			page := new(wire.SyncReply)
			if err := wire.Unmarshal(f.Body, page); err != nil {
				t.Fatal(err)
			}
			at = page.Version
		case wire.OpNotify:
			n := new(wire.Notify)
			if err := wire.Unmarshal(f.Body, n); err != nil {
				t.Fatal(err)
			}
			if len(n.Changes) > 0 && n.Previous != at {
				t.Errorf("at version %d came changes after %d", at, n.Previous)
			}
			at = n.Version
		}
	}
}

func TestASlowLinkIsToldWhenItHasDrained(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice, bob := r.account("alice"), r.account("bob")
	bob.sync()
	bob.pushed()
	bob.full = true
	for range 3 {
		alice.says(bob, "x")
	}
	if len(bob.pushed()) != 0 {
		t.Fatal("a full link took a notification")
	}
	// It drains, and fills again before the session gets its turn.
	f := bob.drained
	bob.drained = nil
	f()
	if bob.drained == nil {
		t.Fatal("what was refused a second time is forgotten")
	}
	bob.must(wire.OpHeartbeat, nil, nil) // a sign of life does not make up for what it was never told
	alice.says(bob, "y")
	bob.drain()
	n := bob.onePush("drained")
	page := new(wire.SyncReply)
	bob.must(wire.OpSync, &wire.SyncRequest{Key: bob.key}, page)
	if len(n.Changes) != 0 || n.Version != page.Version {
		t.Errorf("told was %v, and there is %d", n, page.Version)
	}
	bob.key = page.Key
	alice.says(bob, "z")
	if n = bob.onePush("after all that"); len(n.Changes) != 1 {
		t.Errorf("came %v", n)
	}

	// A pull that gets there first makes the notification needless.
	bob.key = n.Key
	bob.full = true
	alice.says(bob, "x")
	bob.sync()
	bob.drain()
	if list := bob.pushed(); len(list) != 0 {
		t.Errorf("told was %v", list)
	}
	// And a link that closes is told nothing any more.
	bob.full = true
	alice.says(bob, "x")
	bob.s.Drain(0)
	bob.drain()
	if list := bob.pushed(); len(list) != 0 {
		t.Errorf("told was %v", list)
	}
}

// signals returns what was told of the moment since the beginning.
func (c *conn) signals() (list []*wire.Typing) {
	c.r.t.Helper()
	for _, f := range c.frames {
		if f.Op != wire.OpSignal {
			continue
		}
		s := new(wire.Signal)
		if err := wire.Unmarshal(f.Body, s); err != nil || f.Seq != 0 {
			c.r.t.Fatalf("a signal that cannot be read: %v", err)
		}
		list = append(list, s.GetTyping())
	}
	return list
}

func TestSignalsReachWhoIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice, bob, carl := r.account("alice"), r.account("bob"), r.account("carl")
	bob2 := bob.again()
	alice.says(bob, "hello")
	var heard []*wire.Signal
	cancel := r.hub.Listen(bob.user, func(s *wire.Signal) { heard = append(heard, s) })
	c := hongyan.Direct(alice.user, bob.user).String()
	alice.must(wire.OpTyping, &wire.TypingRequest{Conversation: c}, nil)
	for _, who := range []*conn{bob, bob2} {
		if got := who.signals(); len(got) != 1 || got[0].User != uint64(alice.user) || got[0].Conversation != c {
			t.Errorf("told is %v", got)
		}
	}
	if len(heard) != 1 || len(alice.signals()) != 0 || len(carl.signals()) != 0 {
		t.Errorf("a listener heard %v, the writer %v, somebody else %v", heard, alice.signals(), carl.signals())
	}
	cancel()
	r.Advance(time.Minute)
	bob.full = true
	alice.must(wire.OpTyping, &wire.TypingRequest{Conversation: c}, nil)
	if len(heard) != 1 || len(bob.signals()) != 1 || len(bob2.signals()) != 2 {
		t.Errorf("then a listener that left heard %v, a full link got %v, the other %v", heard, bob.signals(), bob2.signals())
	}
	if n := len(r.hub.part(bob.user).listeners); n != 0 {
		t.Errorf("%d listeners are kept", n)
	}
}
