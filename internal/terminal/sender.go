package terminal

import (
	"context"

	"charm.land/bubbletea/v2"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// maxUnstored is how many messages may wait to be stored in the outbox.
const maxUnstored = 256

// sender stores messages in the client's outbox, which sends them, in the order in which they were written.
type sender struct {
	client *client.Client
	report func(tea.Msg)
	queue  chan sendText
}

func newSender(cl *client.Client, report func(tea.Msg)) *sender {
	return &sender{client: cl, report: report, queue: make(chan sendText, maxUnstored)}
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

// run works until ctx ends, and stores before it returns what was written by then: who quits has pressed enter first.
func (s *sender) run(ctx context.Context) {
	patient := context.WithoutCancel(ctx)
	for {
		select {
		case act := <-s.queue:
			s.store(patient, act)
		case <-ctx.Done():
			for len(s.queue) > 0 {
				s.store(patient, <-s.queue)
			}
			return
		}
	}
}

func (s *sender) store(ctx context.Context, act sendText) {
	if _, err := s.client.Queue(ctx, client.ToConversation(act.to), hongyan.Text(act.text)); err != nil {
		s.report(notStored{act.to, act.text, err})
	}
}
