package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

func (w *witness) tell(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	close(w.changed)
	w.changed = make(chan struct{})
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

// TestAnswersInTheCallback: a program may send from the callback, as a bot does.
func TestAnswersInTheCallback(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice := register(t, s, "alice", Options{OnEvent: w.tell})
	var bot *Client
	bot = register(t, s, "bot", Options{OnEvent: func(e Event) {
		if m, ok := e.(MessageEvent); ok && m.Message.From != bot.User() {
			if _, err := bot.Send(within(t), ToConversation(m.Message.Conversation), hongyan.Text("re: "+m.Message.Content.Text)); err != nil {
				t.Error(err)
			}
		}
	}})
	start(t, bot)
	start(t, alice)
	w.untilOnline(t)
	for _, text := range numbered(5) {
		send(t, alice, "bot", text)
	}
	for _, text := range numbered(5) {
		w.untilText(t, "re: "+text)
	}
}

// TestConcurrentSends: many goroutines may send at once; each gets its own acknowledgement.
func TestConcurrentSends(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{})
	start(t, alice)
	var all sync.WaitGroup
	var mu sync.Mutex
	ordinals := map[hongyan.Ordinal]string{}
	for g := range 4 {
		all.Go(func() {
			for i := range 10 {
				text := fmt.Sprint(g, "-", i)
				sent := send(t, alice, "bob", text)
				mu.Lock()
				ordinals[sent.Ordinal] = text
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for i, text := range s.texts(alice, bob) {
		if ordinals[hongyan.Ordinal(i+1)] != text {
			t.Errorf("message %d is %q, acknowledged as %q", i+1, text, ordinals[hongyan.Ordinal(i+1)])
		}
	}
	if len(ordinals) != 40 {
		t.Errorf("%d messages were acknowledged", len(ordinals))
	}
}

// TestSendOverABadNetwork: requests and answers are lost, connections are cut and the server is busy; every message
// arrives once and in order.
func TestSendOverABadNetwork(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprint("running=", running), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			w := newWitness()
			alice, bob := register(t, s, "alice", Options{OnEvent: w.tell}), register(t, s, "bob", Options{})
			if running {
				start(t, alice)
				w.untilOnline(t)
			}
			n := 0
			s.on(wire.OpSend, func(*testSession, wire.Frame) verdict {
				n++
				switch n % 4 {
				case 1:
					return verdict{cutBefore: true}
				case 2:
					return verdict{cutAfter: true}
				case 3:
					return verdict{err: hongyan.Errorf(hongyan.Busy, "not now")}
				}
				return verdict{}
			})
			for _, text := range numbered(5) {
				send(t, alice, "bob", text)
			}
			if got := s.texts(alice, bob); !slices.Equal(got, numbered(5)) {
				t.Errorf("the server has %v", got)
			}
			if items, err := alice.Outbox(within(t)); err != nil || len(items) != 0 {
				t.Errorf("left in the outbox: %+v, %v", items, err)
			}
		})
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

// TestRefusedForGood: a refused message stands failed, later ones go on, and it can be sent again or discarded.
func TestRefusedForGood(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{OnEvent: w.tell}), register(t, s, "bob", Options{})
	start(t, alice)
	w.untilOnline(t)
	muted := true
	s.on(wire.OpSend, func(_ *testSession, f wire.Frame) verdict {
		if muted && strings.Contains(string(f.Body), "bad") {
			return verdict{err: hongyan.Errorf(hongyan.Muted, "you are muted").WithHint("wait")}
		}
		return verdict{}
	})
	sent, err := alice.Send(within(t), ToName("bob"), hongyan.Text("bad"))
	if hongyan.CodeOf(err) != hongyan.Muted || sent.ClientID == (hongyan.ClientID{}) {
		t.Fatalf("got %+v, %v", sent, err)
	}
	w.until(t, "failed", count(func(e OutboxEvent) bool { return e.Item.State == StateFailed && e.Item.ID == sent.ClientID }))
	other, _ := alice.Send(within(t), ToName("bob"), hongyan.Text("bad too"))
	send(t, alice, "bob", "good")
	items, err := alice.Outbox(within(t))
	if err != nil || len(items) != 2 || items[0].ID != sent.ClientID || hongyan.CodeOf(items[0].Err()) != hongyan.Muted {
		t.Fatalf("the outbox holds %+v, %v", items, err)
	}
	if _, err := alice.Resend(within(t), sent.ClientID); hongyan.CodeOf(err) != hongyan.Muted {
		t.Errorf("sent again: %v", err)
	}
	s.do(func() { muted = false })
	again, err := alice.Resend(within(t), sent.ClientID)
	if err != nil || again.ClientID != sent.ClientID || again.Ordinal != 2 {
		t.Errorf("sent again: %+v, %v", again, err)
	}
	if _, err := alice.Resend(within(t), sent.ClientID); hongyan.CodeOf(err) != hongyan.Conflict {
		t.Errorf("sent a third time: %v", err)
	}
	if err := alice.Discard(within(t), other.ClientID); err != nil {
		t.Error(err)
	}
	if err := alice.Discard(within(t), other.ClientID); hongyan.CodeOf(err) != hongyan.NotFound {
		t.Errorf("discarded twice: %v", err)
	}
	if got := s.texts(alice, bob); !slices.Equal(got, []string{"good", "bad"}) {
		t.Errorf("the server has %v", got)
	}
	if items, err := alice.Outbox(within(t)); err != nil || len(items) != 0 {
		t.Errorf("the outbox holds %+v, %v", items, err)
	}
}

// TestTooLate: a message that may have arrived long ago is not sent again but on a person's word.
func TestTooLate(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{})
	s.on(wire.OpSend, func(ts *testSession, f wire.Frame) verdict {
		var q wire.SendRequest
		if err := wire.Unmarshal(f.Body, &q); err != nil {
			t.Error(err)
		}
		return verdict{err: hongyan.Errorf(hongyan.TooLate, "first attempted too long ago")}
	})
	sent, err := alice.Send(within(t), ToName("bob"), hongyan.Text("old"))
	if hongyan.CodeOf(err) != hongyan.TooLate {
		t.Fatal(err)
	}
	if _, err := alice.Resend(within(t), sent.ClientID); hongyan.CodeOf(err) != hongyan.TooLate {
		t.Errorf("sent again: %v", err)
	}
	s.do(func() { s.intercept = nil })
	anew, err := alice.ResendAsNew(within(t), sent.ClientID)
	if err != nil || anew.ClientID == sent.ClientID {
		t.Errorf("sent as a new one: %+v, %v", anew, err)
	}
	if _, err := alice.ResendAsNew(within(t), sent.ClientID); hongyan.CodeOf(err) != hongyan.NotFound {
		t.Errorf("sent as a new one again: %v", err)
	}
	if got := s.texts(alice, bob); !slices.Equal(got, []string{"old"}) {
		t.Errorf("the server has %v", got)
	}
}

// TestClockSkew: a stamp from the server's future is made anew on a new connection.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{})
	send(t, alice, "bob", "first")
	alice.setClock(time.Now().Add(48 * time.Hour).UnixMilli()) // as if the server's clock was set back
	send(t, alice, "bob", "second")
	if got := s.texts(alice, bob); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("the server has %v", got)
	}
}

// TestQueued: a message that cannot be sent in time stays, and goes before later ones.
func TestQueued(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{})
	s.on(wire.OpSend, func(*testSession, wire.Frame) verdict { return verdict{noAnswer: true} })
	ctx, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
	defer cancel()
	_, err := alice.Send(ctx, ToName("bob"), hongyan.Text("first"))
	var queued *QueuedError
	if !errors.As(err, &queued) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	items, err := alice.Outbox(within(t))
	if err != nil || len(items) != 1 || items[0].ID != queued.ID || items[0].State != StateWaiting {
		t.Errorf("the outbox holds %+v, %v", items, err)
	}
	s.do(func() { s.intercept = nil })
	send(t, alice, "bob", "second")
	if got := s.texts(alice, bob); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("the server has %v", got)
	}
	s.do(func() {
		if n := s.accounts[alice.User()].sends; n != 3 {
			t.Errorf("%d requests for two messages, one of them repeated", n)
		}
	})
}

// TestSyncSendsWhatWaits: Sync works the outbox off too.
func TestSyncSendsWhatWaits(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{OnEvent: w.tell}), register(t, s, "bob", Options{})
	s.on(wire.OpSend, func(*testSession, wire.Frame) verdict { return verdict{cutBefore: true} })
	ctx, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
	defer cancel()
	if _, err := alice.Send(ctx, ToName("bob"), hongyan.Text("late")); err == nil {
		t.Fatal("sent over a dead connection")
	}
	s.do(func() { s.intercept = nil })
	if err := alice.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	if got := s.texts(alice, bob); !slices.Equal(got, []string{"late"}) {
		t.Errorf("the server has %v", got)
	}
}

func TestBadSends(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice := register(t, s, "alice", Options{})
	for _, tt := range []struct {
		to      Target
		content hongyan.Content
	}{
		{ToName("bob"), hongyan.Text("")},
		{Target{}, hongyan.Text("x")},
		{Target{Name: "bob", Conversation: hongyan.Direct(1, 2)}, hongyan.Text("x")},
	} {
		if _, err := alice.Send(within(t), tt.to, tt.content); hongyan.CodeOf(err) != hongyan.Invalid {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	if _, err := alice.Send(within(t), ToName("nobody"), hongyan.Text("x")); hongyan.CodeOf(err) != hongyan.NotFound {
		t.Errorf("to nobody: %v", err)
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

// TestEndOfTheDevice: a final close ends Run, and a revoked token the next one.
func TestEndOfTheDevice(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice := register(t, s, "alice", Options{OnEvent: w.tell})
	s.on(wire.OpHeartbeat, func(*testSession, wire.Frame) verdict {
		return verdict{close: &wire.Close{Reason: wire.CloseKicked, Message: "by the tablet", Final: true}}
	})
	err := <-start(t, alice)
	var closed *ClosedError
	if !errors.As(err, &closed) || closed.Reason != wire.CloseKicked || !closed.Final {
		t.Errorf("Run ended with %v", err)
	}
	s.do(func() { clear(s.accounts[alice.User()].tokens) })
	s.cutAll()
	if err := alice.Run(within(t)); hongyan.CodeOf(err) != hongyan.Revoked {
		t.Errorf("Run ended with %v", err)
	}
	if err := alice.Sync(within(t)); hongyan.CodeOf(err) != hongyan.Revoked {
		t.Errorf("Sync ended with %v", err)
	}
	if _, err := alice.Send(within(t), ToName("x"), hongyan.Text("x")); hongyan.CodeOf(err) != hongyan.Revoked {
		t.Errorf("Send ended with %v", err)
	}
}

// TestAnothersToken: a device that turns out to be another account's does not mix the two.
func TestAnothersToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{})
	bob.Close()
	creds := alice.credentials()
	creds.User = bob.User()
	if err := creds.save(bob.dir); err != nil {
		t.Fatal(err)
	}
	mixed, err := Open(bob.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer mixed.Close()
	for _, err := range []error{mixed.Run(within(t)), mixed.Recall(within(t), hongyan.Direct(1, 2), 1)} {
		if err == nil || !strings.Contains(err.Error(), "log in again") {
			t.Errorf("got %v", err)
		}
	}
}

// TestBadProfiles: files that are damaged are named.
func TestBadProfiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no JSON": "{", "empty": "{}", "no token": `{"server":"a","user":1}`, "another type": `{"server":1}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, credentialsFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), credentialsFile) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	s := newServer(t)
	alice := register(t, s, "alice", Options{})
	for _, file := range []string{stateFile, outboxFile} {
		if err := os.WriteFile(filepath.Join(alice.dir, file), []byte("not a database"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := alice.Sync(within(t)); err == nil || !strings.Contains(err.Error(), stateFile) {
		t.Errorf("synced: %v", err)
	}
	if _, err := alice.Send(within(t), ToName("bob"), hongyan.Text("x")); err == nil || !strings.Contains(err.Error(), outboxFile) {
		t.Errorf("sent: %v", err)
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"process 17 is keeping /p/state.db: end it first, or use a profile in another directory":      &LockedError{"/p/state.db", 17},
		"another process is keeping /p/state.db: end it first, or use a profile in another directory": &LockedError{"/p/state.db", 0},
		"process 17 is sending from /p/outbox.db: try again when it has finished":                     &LockedError{"/p/outbox.db", 17},
		"another part of this process is sending from /p/outbox.db: try again when it has finished":   &LockedError{"/p/outbox.db", os.Getpid()},
		"the server closed the connection (IDLE)":                                                     &ClosedError{Reason: wire.CloseIdle},
		"the server closed the connection (DRAINING): upgrade":                                        &ClosedError{Reason: wire.CloseDraining, Message: "upgrade"},
		"the message waits in the outbox: closed":                                                     &QueuedError{Err: ErrClosed},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

// TestReconnectHint: a server that leaves is not asked before the time it gave.
func TestReconnectHint(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice := register(t, s, "alice", Options{OnEvent: w.tell})
	s.on(wire.OpHeartbeat, func(*testSession, wire.Frame) verdict {
		return verdict{close: &wire.Close{Reason: wire.CloseDraining, ReconnectAfterMs: 3_600_000}}
	})
	start(t, alice)
	w.until(t, "down", count(func(e LinkEvent) bool {
		var closed *ClosedError
		return errors.As(e.Link.Err, &closed) && closed.Reason == wire.CloseDraining && time.Until(e.Link.RetryAt) > 50*time.Minute
	}))
	if l := alice.Link(); l.Online || l.Err == nil {
		t.Errorf("the link is %+v", l)
	}
	if err := alice.MarkRead(within(t), hongyan.Direct(1, 2), 1); err == nil || !strings.Contains(err.Error(), "not connected") {
		t.Errorf("a request went somewhere: %v", err)
	}
}

// TestTLSDemand: the client comes back encrypted at once, and remembers that and the certificate it was told to trust.
func TestTLSDemand(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	asked := 0
	o := Options{OnEvent: w.tell, Dial: DialOptions{TrustFirst: func(string) error { asked++; return nil }}}
	alice := register(t, s, "alice", o)
	start(t, alice)
	w.untilOnline(t)
	s.do(func() { s.needTLS = true })
	w.until(t, "the demand", count(func(e LinkEvent) bool { return e.Link.Err != nil }))
	if err := alice.Do(within(t), wire.OpAck, nil, new(wire.AckReply)); err != nil {
		t.Log(err) // the moment between the connections
	}
	send(t, alice, "alice", "secret")
	if asked != 1 {
		t.Errorf("asked %d times about the certificate", asked)
	}
	alice.Close()
	var before int
	s.do(func() { before = s.plain })
	again, err := Open(alice.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	send(t, again, "alice", "secret too")
	s.do(func() {
		if s.plain != before {
			t.Error("the next connection was plain")
		}
	})
}

func TestLoginOverTLS(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.needTLS = true
	dir := filepath.Join(t.TempDir(), "alice")
	r := Registration{Name: "alice", Password: "password"}
	if _, err := Register(within(t), dir, s.addr(), r, Options{}); err == nil {
		t.Fatal("an unknown certificate was accepted")
	}
	c, err := Register(within(t), dir, s.addr(), r, Options{Dial: DialOptions{Pin: s.pin()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, "alice", "note to self")
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir := filepath.Join(t.TempDir(), "deep", "alice")
	if _, err := Open(dir, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opened nothing: %v", err)
	}
	if _, err := Login(within(t), dir, s.addr(), "alice", "password", Options{}); hongyan.CodeOf(err) != hongyan.BadCredentials {
		t.Errorf("logged in as nobody: %v", err)
	}
	register(t, s, "bob", Options{})
	alice, err := Register(within(t), dir, s.addr(), Registration{Name: "alice", Password: "password"},
		Options{Device: hongyan.Device{Name: "phone", Class: hongyan.ClassPhone}})
	if err != nil {
		t.Fatal(err)
	}
	device := alice.Device()
	alice.Close()
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, credentialsFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
	if alice, err = Login(within(t), dir, s.addr(), "alice", "password", Options{}); err != nil {
		t.Fatal(err)
	}
	if alice.Device() != device || alice.Name() != "alice" || alice.Server() != s.addr() {
		t.Errorf("logged in again as device %d of %s at %s, was %d", alice.Device(), alice.Name(), alice.Server(), device)
	}
	token := alice.credentials().DeviceToken
	alice.Close()
	if _, err := Login(within(t), dir, s.addr(), "bob", "password", Options{}); hongyan.CodeOf(err) != hongyan.Exists {
		t.Errorf("another account took the profile: %v", err)
	}
	bot, err := LoginToken(within(t), filepath.Join(t.TempDir(), "bot"), s.addr(), token, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if bot.Name() != "alice" || bot.Device() != device {
		t.Errorf("the token is device %d of %s", bot.Device(), bot.Name())
	}
	send(t, bot, "bob", "hello")
	bot.Close()
	if _, err := bot.Send(within(t), ToName("bob"), hongyan.Text("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("sent after Close: %v", err)
	}
	if _, err := bot.Conversations(); err != ErrClosed {
		t.Errorf("read after Close: %v", err)
	}
	if err := bot.Sync(within(t)); err != ErrClosed {
		t.Errorf("synced after Close: %v", err)
	}
}

// TestProfileLock: one Client at a time keeps the state, and another says who it is; sending takes turns.
func TestProfileLock(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{OnEvent: w.tell}), register(t, s, "bob", Options{})
	start(t, alice)
	w.untilOnline(t)
	if err := alice.Sync(within(t)); err != ErrRunning {
		t.Errorf("ran twice: %v", err)
	}
	if err := alice.StartOver(); err != ErrRunning {
		t.Errorf("started over while running: %v", err)
	}
	other, err := Open(alice.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var locked *LockedError
	if err := other.Sync(within(t)); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("two kept the profile: %v", err)
	}
	send(t, other, "bob", "m0")
	send(t, alice, "bob", "m1")
	send(t, other, "bob", "m2")
	if got := s.texts(alice, bob); !slices.Equal(got, numbered(3)) {
		t.Errorf("the server has %v", got)
	}
	if err := other.box.acquire(within(t)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
	defer cancel()
	if _, err := alice.Send(ctx, ToName("bob"), hongyan.Text("x")); !errors.As(err, &locked) {
		t.Errorf("two kept the outbox: %v", err)
	}
	other.box.release()
	send(t, alice, "bob", "m3")
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
