package client

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// witness notes the events of a client.
type witness struct {
	mu      sync.Mutex
	events  []Event
	changed chan struct{}
}

func newWitness() *witness { return &witness{changed: make(chan struct{})} }

func (w *witness) tell(e Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	close(w.changed)
	w.changed = make(chan struct{})
	return nil
}

// texts returns the texts of the messages that were told, in order.
func (w *witness) texts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var texts []string
	for _, e := range w.events {
		if m, ok := e.(MessageEvent); ok {
			texts = append(texts, m.Message.Content.Text)
		}
	}
	return texts
}

// until waits until something is true of the events.
func (w *witness) until(t *testing.T, what string, is func([]Event) bool) {
	t.Helper()
	limit := time.After(hang)
	for {
		w.mu.Lock()
		ok, changed := is(w.events), w.changed
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit:
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Fatalf("%s: still not after %v; the events were %+v", what, hang, w.events)
		}
	}
}

func count[E Event](is func(E) bool) func([]Event) bool {
	return func(events []Event) bool {
		return slices.ContainsFunc(events, func(e Event) bool {
			typed, ok := e.(E)
			return ok && is(typed)
		})
	}
}

func (w *witness) untilOnline(t *testing.T) {
	t.Helper()
	w.until(t, "online", count(func(e LinkEvent) bool { return e.Link.Online }))
}

func (w *witness) untilText(t *testing.T, text string) {
	t.Helper()
	w.until(t, text, count(func(e MessageEvent) bool { return e.Message.Content.Text == text }))
}

// register makes an account and a client of it.
func register(t *testing.T, s *testServer, name string, o Options) *Client {
	t.Helper()
	c, err := Register(within(t), filepath.Join(t.TempDir(), name), s.addr(), Registration{Name: name, Password: "password"}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// start runs a client until the test ends, and returns how Run ended.
func start(t *testing.T, c *Client) <-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	end := make(chan error, 1)
	var done sync.WaitGroup
	done.Go(func() { end <- c.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return end
}

func send(t *testing.T, c *Client, to, text string) Sent {
	t.Helper()
	sent, err := c.Send(within(t), ToName(to), hongyan.Text(text))
	if err != nil {
		t.Fatalf("sending %q: %v", text, err)
	}
	return sent
}

// history is what the server has of the conversation of two accounts.
func (s *testServer) texts(a, b *Client) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var texts []string
	for _, m := range s.messages[hongyan.Direct(a.User(), b.User())] {
		texts = append(texts, m.Content.Text)
	}
	return texts
}

func numbered(n int) []string {
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprint("m", i))
	}
	return texts
}

// TestSendAndSync: what one account sends, the other finds by a sync, once, in order, and in its store afterwards.
func TestSendAndSync(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{OnEvent: w.tell})
	conv := hongyan.Direct(alice.User(), bob.User())
	for i, text := range numbered(8) {
		sent := send(t, alice, "bob", text)
		if sent.Ordinal != hongyan.Ordinal(i+1) || sent.Conversation != conv || sent.ID == 0 || sent.ClientID == (hongyan.ClientID{}) {
			t.Errorf("sent %+v", sent)
		}
	}
	for range 2 {
		if err := bob.Sync(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.texts(); !slices.Equal(got, numbered(8)) {
		t.Errorf("told %v", got)
	}
	list, err := bob.Messages(conv, 0, 5)
	if err != nil || len(list) != 5 || list[4].Content.Text != "m7" || list[0].Ordinal != 4 {
		t.Errorf("the newest messages are %+v, %v", list, err)
	}
	if list, err = bob.Messages(conv, 4, 5); err != nil || len(list) != 3 || list[0].Ordinal != 1 || list[2].Ordinal != 3 {
		t.Errorf("the messages before are %+v, %v", list, err)
	}
	c, ok, err := bob.Conversation(conv)
	if err != nil || !ok || c.Unread != 8 || c.Last != 8 || c.Title != "alice" || c.LastMessage.Content.Text != "m7" {
		t.Errorf("the conversation is %+v, %v, %v", c, ok, err)
	}
	s.do(func() {
		if a := s.accounts[bob.User()]; a.acked != a.version {
			t.Errorf("acknowledged %d of %d", a.acked, a.version)
		}
	})
}

// TestRun: a running client is told at once, inline and by pulls, acknowledges, and has the same in its store.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"inline", "bare", "silent"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.bare, s.silent = how == "bare", how == "silent"
			w := newWitness()
			alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{OnEvent: w.tell})
			end := start(t, bob)
			w.untilOnline(t)
			for _, text := range numbered(20) {
				send(t, alice, "bob", text)
			}
			w.untilText(t, "m19") // where the server is silent, a heartbeat tells
			conv := hongyan.Direct(alice.User(), bob.User())
			send(t, bob, "alice", "thanks")
			w.untilText(t, "thanks")
			if got := w.texts(); !slices.Equal(got, append(numbered(20), "thanks")) {
				t.Errorf("told %v", got)
			}
			if err := bob.MarkRead(within(t), conv, 20); err != nil {
				t.Fatal(err)
			}
			w.until(t, "read", count(func(e ConversationEvent) bool { return e.Conversation.Read == 20 && e.Conversation.Unread == 0 }))
			acked := func() (ok bool) {
				s.do(func() { a := s.accounts[bob.User()]; ok = a.acked == a.version })
				return ok
			}
			for limit := time.Now().Add(hang); !acked(); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(limit) {
					t.Fatal("not acknowledged")
				}
			}
			bob.Close()
			if err := <-end; err != ErrClosed {
				t.Errorf("Run ended with %v", err)
			}
		})
	}
}

// TestInlineState: what is derived from inline changes is what a pull would have brought.
func TestInlineState(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{OnEvent: w.tell})
	conv := hongyan.Direct(alice.User(), bob.User())
	start(t, bob)
	w.untilOnline(t)
	send(t, alice, "bob", "m0") // brings the conversation by a pull
	w.until(t, "m0", count(func(e ConversationEvent) bool { return e.Conversation.Title == "alice" }))
	check := func(what string, is func(c hongyan.Conversation) bool) {
		t.Helper()
		w.until(t, what, count(func(e ConversationEvent) bool { return is(e.Conversation) }))
		var want *wire.Conversation
		s.do(func() { want = s.conversation(s.accounts[bob.User()], conv, true) })
		c, _, err := bob.Conversation(conv)
		if got := wire.FromConversation(c); err != nil || got.Last != want.Last || got.Unread != want.Unread || got.Read != want.Read ||
			got.LastMessage.GetId() != want.LastMessage.GetId() || got.LastMessage.GetState() != want.LastMessage.GetState() {
			t.Errorf("%s: %v\nthe server has %v", what, got, want)
		}
	}
	for i := range 2 {
		send(t, alice, "bob", fmt.Sprint("m", i+1))
	}
	check("three messages", func(c hongyan.Conversation) bool { return c.Unread == 3 })
	if err := alice.Recall(within(t), conv, 3); err != nil {
		t.Fatal(err)
	}
	check("one recalled", func(c hongyan.Conversation) bool { return c.Last == 3 && c.Unread == 2 })
	send(t, bob, "alice", "mine")
	check("one's own", func(c hongyan.Conversation) bool { return c.Last == 4 && c.Unread == 2 })
	if err := bob.MarkRead(within(t), conv, 1); err != nil {
		t.Fatal(err)
	}
	check("one read", func(c hongyan.Conversation) bool { return c.Read == 1 && c.Unread == 1 })
	if err := alice.MarkRead(within(t), conv, 4); err != nil {
		t.Fatal(err)
	}
	w.until(t, "the receipt", count(func(e ConversationEvent) bool { return e.Conversation.PeerRead == 4 && e.Conversation.Delivered == 4 }))
	w.until(t, "the receipt", count(func(e ReceiptEvent) bool { return e.Receipt.Reader == alice.User() && e.Receipt.Read == 4 }))
	w.until(t, "the recall", count(func(e RecallEvent) bool { return e.Recall.Ordinal == 3 }))
}

// TestBackfilled: what a new device fetches of the past is told as such.
func TestBackfilled(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{OnEvent: w.tell})
	send(t, alice, "bob", "old")
	start(t, bob)
	w.untilText(t, "old")
	send(t, alice, "bob", "new")
	w.untilText(t, "new")
	for text, want := range map[string]bool{"old": true, "new": false} {
		w.until(t, text, count(func(e MessageEvent) bool { return e.Message.Content.Text == text && e.Backfilled == want }))
	}
}

// TestReceiveOverABadNetwork: answers are lost and connections cut, at every kind of request.
func TestReceiveOverABadNetwork(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{OnEvent: w.tell})
	n := 0
	s.do(func() {
		s.intercept = func(ts *testSession, f wire.Frame) verdict {
			if ts.account == nil || ts.account.name != "bob" || f.Op == wire.OpAuth {
				return verdict{}
			}
			n++
			return verdict{cutBefore: n%5 == 1, cutAfter: n%5 == 3}
		}
	})
	start(t, bob)
	for _, text := range numbered(30) {
		send(t, alice, "bob", text)
	}
	w.untilText(t, "m29")
	if got := w.texts(); !slices.Equal(got, numbered(30)) {
		t.Errorf("told %v", got)
	}
}

// TestResets: a device is brought to the server's present state after each kind of reset, and is told no message twice.
func TestResets(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{OnEvent: w.tell})
	conv := hongyan.Direct(alice.User(), bob.User())
	sync := func(why wire.ResetReason) {
		t.Helper()
		if err := bob.Sync(within(t)); err != nil {
			t.Fatal(err)
		}
		w.until(t, why.String(), count(func(e ResetEvent) bool { return e.Reason == why }))
	}
	for i := range 5 {
		send(t, alice, "bob", fmt.Sprint("m", i))
	}
	sync(wire.ResetFirst)

	for i := range 8 {
		send(t, alice, "bob", fmt.Sprint("m", i+5))
	}
	s.do(func() { a := s.accounts[bob.User()]; a.trim = a.log[9].Version })
	sync(wire.ResetTrimmed)
	want := append(numbered(5), numbered(13)[10:]...)
	if got := w.texts(); !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	list, _, err := bob.History(within(t), conv, 11, 0, 20)
	if err != nil || len(list) != 10 {
		t.Errorf("history: %d messages, %v", len(list), err)
	}
	if list, err = bob.Messages(conv, 0, 20); err != nil || len(list) != 13 {
		t.Errorf("%d messages are stored, %v", len(list), err)
	}

	// The server is restored from a backup: two messages are lost, and their ordinals are given anew.
	s.do(func() {
		s.generation++
		s.messages[conv] = s.messages[conv][:11]
		for _, a := range s.accounts {
			a.log = a.log[:11]
			a.version, a.trim = a.log[10].Version, 0
		}
	})
	send(t, alice, "bob", "anew")
	sync(wire.ResetGeneration)
	want = append(want, numbered(10)[5:]...) // they were trimmed before bob could be told
	if got := w.texts(); !slices.Equal(got, append(want, "anew")) {
		t.Errorf("told %v, want %v", got, append(want, "anew"))
	}
	list, err = bob.Messages(conv, 0, 20)
	if err != nil || len(list) != 12 || list[11].Content.Text != "anew" || list[10].Content.Text != "m10" {
		t.Errorf("stored are %+v, %v", list, err)
	}
}

// TestKeyAhead: a server that has lost data is reported, and asked anew only on a person's word.
func TestKeyAhead(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{OnEvent: w.tell})
	conv := hongyan.Direct(alice.User(), bob.User())
	for _, text := range numbered(4) {
		send(t, alice, "bob", text)
	}
	if err := bob.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	s.do(func() {
		s.messages[conv] = s.messages[conv][:2]
		a := s.accounts[bob.User()]
		a.log = a.log[:2]
		a.version = a.log[1].Version
	})
	ctx, cancel := context.WithCancel(within(t))
	end := make(chan error, 1)
	go func() { end <- bob.Sync(ctx) }()
	w.until(t, "trouble", count(func(e TroubleEvent) bool { return hongyan.CodeOf(e.Err) == hongyan.KeyAhead }))
	cancel()
	if err := <-end; !errors.Is(err, context.Canceled) {
		t.Errorf("Sync ended with %v", err)
	}
	if list, err := bob.Messages(conv, 0, 10); err != nil || len(list) != 4 {
		t.Errorf("%d messages are left, %v", len(list), err)
	}
	if err := bob.StartOver(); err != nil {
		t.Fatal(err)
	}
	if err := bob.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	if list, err := bob.Messages(conv, 0, 10); err != nil || len(list) != 2 {
		t.Errorf("%d messages are left, %v", len(list), err)
	}
	if got := w.texts(); !slices.Equal(got, numbered(4)) {
		t.Errorf("told %v", got)
	}
}

// TestNames: profiles are asked for once and cached.
func TestNames(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{})
	if name := alice.NameOf(bob.User()); name != fmt.Sprint("#", uint64(bob.User())) {
		t.Errorf("an unknown account is called %q", name)
	}
	for range 2 {
		found, err := alice.Profiles(within(t), bob.User(), 999)
		if err != nil || len(found) != 1 || found[bob.User()].Name != "bob" {
			t.Errorf("found %v, %v", found, err)
		}
		if _, err = alice.Profiles(within(t), bob.User()); err != nil {
			t.Error(err)
		}
	}
	if name := alice.NameOf(bob.User()); name != "Display of bob" {
		t.Errorf("bob is called %q", name)
	}
	s.do(func() {
		if n := s.requests[wire.OpProfiles]; n != 2 { // 999 is asked for each time
			t.Errorf("asked %d times", n)
		}
	})
}
