package terminal

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

func TestSending(t *testing.T) {
	t.Parallel()
	s := sample(t, &english, 80, 24)
	openAlice(t, s)
	talk := hongyan.Direct(me, alice)
	acts := press(s, "h", "i", " ", "enter")
	text, ok := actionOf[sendText](acts)
	if !ok || text.to != talk || text.text != "hi " {
		t.Fatalf("enter sends %+v, %v", text, ok)
	}
	if _, empty := actionOf[sendText](press(s, "enter", " ", "enter")); empty {
		t.Error("an empty text is sent")
	}
	press(s, "backspace")
	line := func(words string) string {
		f := s.draw()
		for _, l := range f.lines {
			if _, talk, ok := strings.Cut(ansi.Strip(l), "│"); ok && strings.Contains(talk, words) {
				return strings.TrimSpace(talk)
			}
		}
		return ""
	}
	item := client.OutboxItem{ID: hongyan.ClientID{5}, Target: client.ToConversation(talk), Content: hongyan.Text("hi there"), State: client.StateWaiting, QueuedMS: at(4, 12, 0)}
	hear(s, client.OutboxEvent{Item: item})
	if got := line("hi there"); got != "◌  hi there" {
		t.Errorf("waiting: %q", got)
	}
	item.State, item.Content = client.StateSent, hongyan.Content{}
	item.Result.Conversation, item.Result.Ordinal, item.Result.TimeMS = talk, 10, at(4, 12, 0)
	hear(s, client.OutboxEvent{Item: item})
	if got := line("hi there"); got != "✓  hi there" {
		t.Errorf("sent: %q", got)
	}
	m := message(talk, 10, me, at(4, 12, 0), "hi there")
	m.ClientID = item.ID
	hear(s, client.MessageEvent{Message: m})
	f := s.draw()
	if n := strings.Count(ansi.Strip(f.text()), "  hi there"); n != 1 {
		t.Errorf("shown %d times:\n%s", n, ansi.Strip(f.text()))
	}
	hear(s, client.ReceiptEvent{Receipt: hongyan.Receipt{Conversation: talk, Reader: alice, Delivered: 10}})
	if got := line("hi there"); got != "✓✓ hi there" {
		t.Errorf("delivered: %q", got)
	}
	plain := s.draw()
	hear(s, client.ReceiptEvent{Receipt: hongyan.Receipt{Conversation: talk, Reader: alice, Delivered: 10, Read: 10}})
	if got := line("hi there"); got != "✓✓ hi there" {
		t.Errorf("read: %q", got)
	}
	if coloured := s.draw(); slices.Equal(coloured.lines, plain.lines) {
		t.Error("read looks like delivered")
	}
	// The acknowledgement may come after the message itself.
	other := item
	other.ID = hongyan.ClientID{6}
	other.Result.Ordinal = 10
	hear(s, client.OutboxEvent{Item: other})
	if len(s.outbox) != 0 {
		t.Errorf("the outbox holds %v", s.outbox)
	}
}

func TestFailedMessages(t *testing.T) {
	t.Parallel()
	s := sample(t, &english, 80, 24)
	openAlice(t, s)
	talk := client.ToConversation(hongyan.Direct(me, alice))
	if acts := press(s, "ctrl+r", "ctrl+x"); len(acts) != 0 {
		t.Errorf("without a failed message: %v", acts)
	}
	id := hongyan.ClientID{7}
	hear(s, client.OutboxEvent{Item: client.OutboxItem{ID: id, Target: talk, Content: hongyan.Text("lost"), State: client.StateFailed, Message: "blocked"}})
	if again, ok := actionOf[resend](press(s, "ctrl+r")); !ok || again != (resend{id, false}) {
		t.Errorf("ctrl+r gives %+v, %v", again, ok)
	}
	s.handle(notResent{id, hongyan.Errorf(hongyan.TooLate, "first attempted long ago")})
	if again, ok := actionOf[resend](press(s, "ctrl+r")); !ok || again != (resend{id, true}) {
		t.Errorf("ctrl+r after too_late gives %+v, %v", again, ok)
	}
	s.handle(resent{id, hongyan.ClientID{8}})
	if len(s.outbox) != 0 {
		t.Errorf("the outbox holds %v", s.outbox)
	}
	hear(s, client.OutboxEvent{Item: client.OutboxItem{ID: id, Target: talk, Content: hongyan.Text("lost"), State: client.StateFailed, Message: "blocked"}})
	if gone, ok := actionOf[discard](press(s, "ctrl+x")); !ok || gone.id != id || len(s.outbox) != 0 {
		t.Errorf("ctrl+x gives %+v, %v, leaves %v", gone, ok, s.outbox)
	}
	// A text that could not even be stored comes back, unless something else is being written.
	s.handle(notStored{hongyan.Direct(me, alice), "precious", errors.New("the disk is full")})
	if got := s.open.draft.text(); got != "precious" {
		t.Errorf("the draft is %q", got)
	}
	s.handle(notStored{hongyan.Direct(me, alice), "other", errors.New("the disk is full")})
	if got := s.open.draft.text(); got != "precious" {
		t.Errorf("the draft is %q", got)
	}
}

func TestNewConversation(t *testing.T) {
	t.Parallel()
	s := sample(t, &english, 80, 24)
	ask, ok := actionOf[findAccount](press(s, "n", "d", "a", "n", "enter"))
	if !ok || ask.name != "dan" {
		t.Fatalf("enter asks for %+v, %v", ask, ok)
	}
	acts := s.handle(found{profile: hongyan.Profile{User: 9, Name: "dan"}})
	if older, ok := actionOf[fetchOlder](acts); !ok || older.conv.ID != hongyan.Direct(me, 9) {
		t.Errorf("the new conversation fetches %+v, %v", older, ok)
	}
	s.handle(fetched{id: hongyan.Direct(me, 9)})
	if f := s.draw(); !strings.Contains(ansi.Strip(f.text()), "Nothing was said yet") || !f.cursor {
		t.Errorf("the new conversation shows\n%s", ansi.Strip(f.text()))
	}
	if text, ok := actionOf[sendText](press(s, "y", "o", "enter")); !ok || text.to != hongyan.Direct(me, 9) {
		t.Errorf("enter sends %+v, %v", text, ok)
	}
	// Who changes the mind in the meantime is not torn away.
	press(s, "ctrl+n", "x", "enter", "esc")
	before := s.open
	s.handle(found{profile: hongyan.Profile{User: 10, Name: "x"}})
	if s.open != before {
		t.Error("an answer that came too late opened a conversation")
	}
}

func TestDrafts(t *testing.T) {
	t.Parallel()
	s := sample(t, &english, 80, 24)
	openAlice(t, s)
	press(s, "h", "m", "alt+down")
	if s.open.conv.ID != flock || !s.open.draft.empty() {
		t.Fatalf("alt+down opens %v with draft %q", s.open.conv.ID, s.open.draft.text())
	}
	if f := s.draw(); !strings.Contains(ansi.Strip(f.text()), "[draft] hm") {
		t.Errorf("the draft is not in the list:\n%s", ansi.Strip(f.text()))
	}
	press(s, "alt+up")
	if got := s.open.draft.text(); got != "hm" {
		t.Errorf("the draft is %q", got)
	}
	press(s, "alt+enter", "x")
	if got := s.open.draft.text(); got != "hm\nx" {
		t.Errorf("alt+enter gives %q", got)
	}
}
