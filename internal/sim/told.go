package sim

import (
	"fmt"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// told is a message as a trace tells it.
type told struct{ *hongyan.Message }

func (m told) String() string {
	says := fmt.Sprintf("%q", m.Content.Text)
	switch {
	case m.State == hongyan.Recalled:
		says = "a message that was recalled"
	case m.State == hongyan.Expired:
		says = "a message that has expired"
	case m.Content.Notice != nil:
		says = fmt.Sprintf("the notice %v %v", wire.FromContent(m.Content).GetNotice().GetEvent(), m.Content.Notice.Users)
	}
	return fmt.Sprintf("%s, %s/%d", says, m.Conversation, m.Ordinal)
}

// wish is a request that is not repeated, as a trace tells it.
type wish struct{ *history.Op }

func (o wish) String() string {
	text := fmt.Sprint(o.Kind)
	if len(o.Users) > 0 {
		text += fmt.Sprint(" ", o.Users)
	}
	if o.Conversation != (hongyan.ConversationID{}) {
		text += fmt.Sprint(" ", o.Conversation)
	}
	if o.Ordinal != 0 {
		text += fmt.Sprint("/", o.Ordinal)
	}
	if o.Text != "" {
		text += fmt.Sprintf(" %s %q", o.Name, o.Text)
	}
	return text
}
