package terminal

import (
	"context"
	"sync"

	"charm.land/bubbletea/v2"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

const (
	maxUnstored = 256 // messages that wait to be stored in the outbox
	maxSeen     = 256 // events of the outbox that the sender has not looked at
)

// sender hands messages to the client in the order in which they were written. Client.Send returns when the server has
// the message, which may be much later; the next one may go as soon as the one before is stored in the outbox, which
// keeps the order from then on.
type sender struct {
	client *client.Client
	report func(tea.Msg)
	queue  chan sendText
	seen   chan client.OutboxItem
	last   hongyan.ClientID // of the message stored last
	sends  sync.WaitGroup
}

func newSender(cl *client.Client, report func(tea.Msg)) *sender {
	return &sender{
		client: cl,
		report: report,
		queue:  make(chan sendText, maxUnstored),
		seen:   make(chan client.OutboxItem, maxSeen),
	}
}

// add takes a message to be sent. It reports whether there was room for it.
func (s *sender) add(act sendText) bool {
	select {
	case s.queue <- act:
		return true
	default:
		return false
	}
}

// see takes an event of the outbox. If there are too many, the sender waits for acknowledgements instead.
func (s *sender) see(it client.OutboxItem) {
	select {
	case s.seen <- it:
	default:
	}
}

// run works until ctx ends.
func (s *sender) run(ctx context.Context) {
	defer s.sends.Wait()
	for {
		select {
		case act := <-s.queue:
			s.start(ctx, act)
		case <-ctx.Done():
			return
		}
	}
}

// start begins to send a message and returns when it is stored, or has failed to be.
func (s *sender) start(ctx context.Context, act sendText) {
	returned := make(chan struct{})
	s.sends.Go(func() {
		defer close(returned)
		sent, err := s.client.Send(ctx, client.ToConversation(act.to), hongyan.Text(act.text))
		// What is stored has its say in the events of the outbox.
		if err != nil && sent.ClientID == (hongyan.ClientID{}) {
			s.report(notStored{act.to, act.text, err})
		}
	})
	for {
		select {
		case it := <-s.seen:
			if it.ID != s.last && it.Target.Conversation == act.to && it.Content.Text == act.text {
				s.last = it.ID
				return
			}
		case <-returned:
			return
		case <-ctx.Done():
			return
		}
	}
}
