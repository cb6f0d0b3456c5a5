package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// inbound records the messages that a client was told, in the order in which it was told them.
type inbound struct {
	mu   sync.Mutex
	list []hongyan.Message
	ids  map[hongyan.MessageID]bool
}

func (in *inbound) on(e client.Event) {
	m, ok := e.(client.MessageEvent)
	if !ok || m.Message.Content.Kind != hongyan.KindText {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ids == nil {
		in.ids = map[hongyan.MessageID]bool{}
	}
	in.ids[m.Message.ID] = true
	in.list = append(in.list, m.Message)
}

func (in *inbound) messages() []hongyan.Message {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.list)
}

// waitFor returns when every one of the acknowledged messages was told.
func (in *inbound) waitFor(t *testing.T, acked []client.Sent) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		in.mu.Lock()
		missing := 0
		for _, s := range acked {
			if !in.ids[s.ID] {
				missing++
			}
		}
		in.mu.Unlock()
		if missing == 0 {
			return
		}
		if time.Since(begin) > hang {
			t.Fatalf("%d of %d acknowledged messages never came", missing, len(acked))
		}
	}
}

// outbound records what was acknowledged.
type outbound struct {
	mu   sync.Mutex
	list []client.Sent
}

func (out *outbound) add(s client.Sent) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.list = append(out.list, s)
}

func (out *outbound) sent() []client.Sent {
	out.mu.Lock()
	defer out.mu.Unlock()
	return slices.Clone(out.list)
}

// checkHistory holds what one device was told against what was acknowledged: nothing lost, nothing doubled, everything
// in the order of the conversation, and each sender's messages, numbered in its texts, in the order it sent them.
func checkHistory(t *testing.T, who string, got []hongyan.Message, acked []client.Sent) {
	t.Helper()
	ids := map[hongyan.MessageID]int{}
	ordinals := map[hongyan.ConversationID]hongyan.Ordinal{}
	numbers := map[string]int{}
	for _, m := range got {
		ids[m.ID]++
		if m.Ordinal <= ordinals[m.Conversation] {
			t.Errorf("%s: ordinal %d of %s came after %d", who, m.Ordinal, m.Conversation, ordinals[m.Conversation])
		}
		ordinals[m.Conversation] = m.Ordinal
		from, n := parseNumbered(t, m.Content.Text)
		lane := from + " " + m.Conversation.String()
		if n <= numbers[lane] {
			t.Errorf("%s: message %d of %s came after its %d", who, n, lane, numbers[lane])
		}
		numbers[lane] = n
	}
	lost, doubled := 0, 0
	for _, n := range ids {
		if n > 1 {
			doubled++
		}
	}
	for _, s := range acked {
		if ids[s.ID] == 0 {
			lost++
		}
	}
	if lost > 0 || doubled > 0 {
		t.Errorf("%s: of %d acknowledged messages %d are lost; of %d that came %d are doubled", who, len(acked), lost, len(got), doubled)
	}
}

// numbered is the text of the n-th message of a sender.
func numbered(from string, n int) string { return fmt.Sprintf("%s %d", from, n) }

func parseNumbered(t *testing.T, text string) (from string, n int) {
	t.Helper()
	from, _, _ = strings.Cut(text, " ")
	if _, err := fmt.Sscanf(text, from+" %d", &n); err != nil {
		t.Fatalf("strange message %q", text)
	}
	return from, n
}
