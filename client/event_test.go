package client

import (
	"errors"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// TestUnwillingProgram: an error of OnEvent ends Sync and Run, and the event comes again.
func TestUnwillingProgram(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice := register(t, s, "alice", Options{})
	w := newWitness()
	full := errors.New("the disk of the program is full")
	refuse := func(Event) error { return nil }
	bob := register(t, s, "bob", Options{OnEvent: func(e Event) error {
		if err := refuse(e); err != nil {
			return err
		}
		return w.tell(e)
	}})
	for _, text := range numbered(testPage) {
		send(t, alice, "bob", text)
	}
	refuse = func(e Event) error {
		if m, ok := e.(MessageEvent); ok && m.Message.Content.Text == "m1" {
			return full
		}
		return nil
	}
	if err := bob.Sync(within(t)); err != full {
		t.Fatalf("Sync ended with %v", err)
	}
	if err := bob.Run(within(t)); err != full {
		t.Fatalf("Run ended with %v", err)
	}
	refuse = func(e Event) error {
		if _, ok := e.(LinkEvent); ok {
			return full
		}
		return nil
	}
	if err := bob.Sync(within(t)); err != full {
		t.Fatalf("Sync ended with %v", err)
	}
	refuse = func(Event) error { return nil }
	if err := bob.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	got := w.texts()
	if !slices.Equal(slices.Compact(slices.Sorted(slices.Values(got))), numbered(testPage)) || got[len(got)-1] != "m2" {
		t.Errorf("bob was told %q", got)
	}
	before := len(got)
	if err := bob.Sync(within(t)); err != nil || len(w.texts()) != before {
		t.Errorf("bob was told %q again, %v", w.texts()[before:], err)
	}
}

// TestAnswersInTheCallback: a program may send from the callback, as a bot does.
func TestAnswersInTheCallback(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice := register(t, s, "alice", Options{OnEvent: w.tell})
	var bot *Client
	bot = register(t, s, "bot", Options{OnEvent: func(e Event) error {
		m, ok := e.(MessageEvent)
		if !ok || m.Message.From == bot.User() {
			return nil
		}
		_, err := bot.Send(within(t), ToConversation(m.Message.Conversation), hongyan.Text("re: "+m.Message.Content.Text))
		return err
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
