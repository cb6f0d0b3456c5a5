package sim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// expectHas compares the texts that a device holds, in the order in which they were written; of recalled messages it
// holds none.
func (s *stage) expectHas(a []string) error {
	d, err := s.device(a[0])
	if err != nil {
		return err
	}
	held := slices.DeleteFunc(d.store.held(), func(m hongyan.Message) bool { return m.Content.Notice != nil })
	slices.SortFunc(held, func(a, b hongyan.Message) int { return cmp.Compare(a.ID, b.ID) })
	var texts []string
	for i, m := range held {
		if i > 0 && m.TimeMS < held[i-1].TimeMS {
			return fmt.Errorf("%q was written before what stands before it", m.Content.Text)
		}
		if m.State == hongyan.Present {
			texts = append(texts, m.Content.Text)
		}
	}
	if !slices.Equal(texts, a[1:]) {
		return fmt.Errorf("it has %q", texts)
	}
	return nil
}

func (s *stage) expectItem(name, text string, state core.ItemState, code string) error {
	d, err := s.device(name)
	if err != nil {
		return err
	}
	for _, it := range d.store.items {
		switch {
		case it.Content.Text != text:
		case it.State != state:
			return fmt.Errorf("it is in state %d: %v", it.State, it.Err())
		case code != "" && it.Code.String() != code:
			return it.Err()
		default:
			return nil
		}
	}
	return errors.New("it was never sent")
}

// expectUnread asks the server how much is unread.
func (s *stage) expectUnread(a []string) error {
	r, err := s.online(a[1])
	if err != nil {
		return err
	}
	place, err := s.place(r.d, a[2])
	if err != nil {
		return err
	}
	reply := new(wire.ConversationsReply)
	if err := r.d.wait(wire.OpConversations, &wire.ConversationsRequest{Ids: []string{place.String()}}, reply); err != nil {
		return err
	}
	if len(reply.Conversations) != 1 || fmt.Sprint(reply.Conversations[0].Unread) != a[0] {
		return fmt.Errorf("the server says %v", reply.Conversations)
	}
	return nil
}
