package terminal

import (
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// TestStrangersAreNamed: who is not known is asked for once, shown by the account name until there is an answer, and
// asked for again when a connection comes back.
func TestStrangersAreNamed(t *testing.T) {
	t.Parallel()
	const ming, fang hongyan.UserID = 50, 51
	fresh := newScreen(&english, me, "goose", noon)
	acts := fresh.handle(loaded{conversations: []hongyan.Conversation{conversation(flock, "Geese", new(message(flock, 1, lihua, at(3, 22, 10), "x")))}})
	if f, ok := actionOf[findNames](acts); !ok || !slices.Equal(f.users, []hongyan.UserID{lihua}) {
		t.Errorf("asked for %v at the beginning", acts)
	}

	s := sample(t, &english, 80, 24)
	asked := func(acts []any) (users []hongyan.UserID) {
		for _, act := range acts {
			if f, ok := act.(findNames); ok {
				users = append(users, f.users...)
			}
		}
		return users
	}
	s.handle(fetched{id: flock, messages: []hongyan.Message{message(flock, 40, lihua, at(3, 22, 10), "x")}})
	press(s, "down", "enter")
	m := message(flock, 41, ming, at(4, 11, 0), "who am I?")
	m.FromName = "ming"
	m.Content.Quote = &hongyan.Quote{Ordinal: 40, From: lihua, Excerpt: "x"}
	joined := hongyan.Message{Conversation: flock, Ordinal: 42, From: ming, FromName: "ming", TimeMS: at(4, 11, 1), Content: hongyan.Content{
		Kind: hongyan.KindNotice, Notice: &hongyan.Notice{Event: hongyan.NoticeJoined, Users: []hongyan.UserID{fang, me}},
	}}
	acts = s.handle(told{client.MessageEvent{Message: m}, client.MessageEvent{Message: joined}, client.MessageEvent{Message: m}})
	if got := asked(acts); !slices.Equal(got, []hongyan.UserID{ming, fang}) {
		t.Errorf("asked for %d, want each stranger once", got)
	}
	shows := func(want string) {
		t.Helper()
		f := s.draw()
		if text := ansi.Strip(f.text()); !strings.Contains(text, want) {
			t.Errorf("%q is not shown:\n%s", want, text)
		}
	}
	shows("ming 11:00")
	s.handle(named{ming: "王小明", fang: "方芳"})
	shows("王小明 11:00")
	shows("方芳")

	s.handle(told{client.ConversationEvent{Conversation: conversation(hongyan.Direct(me, fang), "小方", nil)}})
	shows("小方") // the remark is the title of the conversation

	other := message(flock, 43, 60, at(4, 11, 2), "x")
	if got := asked(s.handle(told{client.MessageEvent{Message: other}})); len(got) != 1 {
		t.Errorf("asked for %d", got)
	}
	s.handle(told{client.LinkEvent{Link: client.Link{Online: true}}})
	other.Ordinal = 44
	if got := asked(s.handle(told{client.MessageEvent{Message: other}})); len(got) != 1 {
		t.Errorf("asked for %d after a reconnection", got)
	}
}
