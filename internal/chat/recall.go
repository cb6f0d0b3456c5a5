package chat

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Recall takes a message back: its sender within the recall window, or owner and admins of a group at any time. The
// content is gone for good; everybody in the conversation learns it.
func (s *Service) Recall(c Caller, conversation hongyan.ConversationID, o hongyan.Ordinal, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		m, err := store.GetMessage(tx, conversation, o)
		if err != nil {
			return none{}, err
		}
		members, err := s.mayRecall(tx, c.User, conversation, m)
		if err != nil || m.State == hongyan.Recalled {
			return none{}, err
		}
		m.State, m.Content = hongyan.Recalled, hongyan.Content{}
		store.PutMessage(tx.Tx, m)
		ref := store.MessageRef(store.RefRecall, conversation, o)
		ref.By = c.User
		for _, u := range members {
			tx.AddEntry(u, ref, &hongyan.Change{Recall: &hongyan.Recall{
				Conversation: conversation, Ordinal: o, ID: m.ID, By: c.User,
			}})
		}
		return none{}, nil
	}, finish(done))
}

// mayRecall returns who learns of a recall, or why u may not take the message back.
func (s *Service) mayRecall(tx *inbox.Tx, u hongyan.UserID, c hongyan.ConversationID, m *hongyan.Message) ([]hongyan.UserID, error) {
	ruler := false
	var members []hongyan.UserID
	if id, ok := c.Group(); ok {
		g, err := liveGroup(tx, id, u)
		if err != nil {
			return nil, err
		}
		ruler = g.Find(u).Role >= hongyan.RoleAdmin
		members = memberIDs(g)
	} else {
		peer, ok := c.Peer(u)
		if !ok {
			return nil, hongyan.Errorf(hongyan.NotMember, "conversation %s is not this account's", c)
		}
		members = []hongyan.UserID{u}
		if peer != u {
			members = append(members, peer)
		}
	}
	switch {
	case m == nil || m.State == hongyan.Expired:
		return nil, hongyan.Errorf(hongyan.NotFound, "there is no such message in %s", c)
	case m.Content.Kind == hongyan.KindNotice:
		return nil, hongyan.Errorf(hongyan.Forbidden, "notices cannot be recalled")
	case ruler:
		return members, nil
	case m.From != u:
		return nil, hongyan.Errorf(hongyan.Forbidden, "only its sender may recall a message")
	case m.State == hongyan.Present && tx.NowMS()-m.TimeMS > s.config.RecallWindow.Milliseconds():
		return nil, hongyan.Errorf(hongyan.TooLate, "a message can be recalled for %v", s.config.RecallWindow)
	}
	return members, nil
}

// Remove deletes messages for the caller's own devices.
func (s *Service) Remove(c Caller, conversation hongyan.ConversationID, ordinals []hongyan.Ordinal, done func(error)) {
	if len(ordinals) == 0 || len(ordinals) > MaxRemovals {
		done(hongyan.Errorf(hongyan.Invalid, "name 1 to %d messages", MaxRemovals))
		return
	}
	write(s, c, func(tx *inbox.Tx) (none, error) {
		v, err := partOf(tx, c.User, conversation)
		if err != nil {
			return none{}, err
		}
		last, err := tx.LastOrdinal(conversation)
		if err != nil {
			return none{}, err
		}
		from, to := bounds(v, last)
		for _, o := range ordinals {
			if o < from || o > to {
				return none{}, hongyan.Errorf(hongyan.NotFound, "there is no message %d in %s for this account", o, conversation)
			}
		}
		for _, o := range ordinals {
			store.Hide(tx.Tx, c.User, conversation, o)
		}
		removal := &hongyan.Removal{Conversation: conversation, Ordinals: ordinals}
		ref := store.Ref{Kind: store.RefRemoval, Conversation: conversation, Ordinals: ordinals}
		tx.AddEntry(c.User, ref, &hongyan.Change{Removal: removal})
		return none{}, nil
	}, finish(done))
}
