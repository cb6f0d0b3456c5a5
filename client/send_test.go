package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

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
	ctx, giveUp := context.WithCancel(within(t))
	s.on(wire.OpSend, func(*testSession, wire.Frame) verdict { return verdict{noAnswer: true, afterwards: giveUp} })
	_, err := alice.Send(ctx, ToName("bob"), hongyan.Text("first"))
	var queued *QueuedError
	if !errors.As(err, &queued) || !errors.Is(err, context.Canceled) {
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

// TestQueue: a message that is only stored waits for Run, in its turn, and Run sends it at once.
func TestQueue(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice, bob := register(t, s, "alice", Options{OnEvent: w.tell}), register(t, s, "bob", Options{})
	var ids []hongyan.ClientID
	queue := func(text string) {
		t.Helper()
		id, err := alice.Queue(within(t), ToName("bob"), hongyan.Text(text))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	queue("m0")
	queue("m1")
	s.do(func() {
		if n := s.requests[wire.OpSend]; n != 0 {
			t.Errorf("%d messages were sent", n)
		}
	})
	start(t, alice)
	w.untilText(t, "m1")
	queue("m2")
	w.untilText(t, "m2")
	if got := s.texts(alice, bob); !slices.Equal(got, numbered(3)) {
		t.Errorf("the server has %q", got)
	}
	w.until(t, "all sent", func(events []Event) bool {
		return !slices.ContainsFunc(ids, func(id hongyan.ClientID) bool {
			return !count(func(e OutboxEvent) bool { return e.Item.ID == id && e.Item.State == StateSent })(events)
		})
	})
	if _, err := alice.Queue(within(t), Target{}, hongyan.Text("x")); hongyan.CodeOf(err) != hongyan.Invalid {
		t.Errorf("a message to nobody: %v", err)
	}
	if _, err := alice.Queue(within(t), ToName("bob"), hongyan.Text("")); hongyan.CodeOf(err) != hongyan.Invalid {
		t.Errorf("a message without text: %v", err)
	}
}
