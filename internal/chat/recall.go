package chat

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Recall takes a message back: its sender within the recall window, or owner and admins of a group at any time. The
// content is gone for good; everybody in the conversation who may see the message learns it.
func (s *Service) Recall(c Caller, conversation hongyan.ConversationID, o hongyan.Ordinal, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		m, err := store.GetMessage(tx, conversation, o)
		if err != nil {
			return none{}, err
		}
		if err := s.mayRecall(tx, c.User, conversation, m); err != nil || m.State == hongyan.Recalled {
			return none{}, err
		}
		seers, err := seersOf(tx, conversation, o)
		if err != nil {
			return none{}, err
		}
		m.State, m.Content = hongyan.Recalled, hongyan.Content{}
		store.PutMessage(tx.Tx, m, store.Encode(m.Content))
		ref := store.MessageRef(store.RefRecall, conversation, o)
		ref.By = c.User
		change := &hongyan.Change{Recall: &hongyan.Recall{Conversation: conversation, Ordinal: o, ID: m.ID, By: c.User}}
		if m.TimeMS == tx.NowMS() {
			// The message may be of this very round, and on its way out with the round's hints. When they lack one
			// change they bring none.
			change = nil
		}
		for _, u := range seers {
			tx.AddEntry(u, ref, change)
		}
		return none{}, nil
	}, finish(done))
}

// seersOf are those in a conversation who may see a message of it.
func seersOf(tx *inbox.Tx, c hongyan.ConversationID, o hongyan.Ordinal) ([]hongyan.UserID, error) {
	members, err := membersOf(tx, c)
	if err != nil {
		return nil, err
	}
	var seers []hongyan.UserID
	for _, u := range members {
		v, err := store.Views.Get(tx, store.Part{User: u, Conversation: c})
		if err != nil {
			return nil, err
		}
		if v != nil && v.Joined < o {
			seers = append(seers, u)
		}
	}
	return seers, nil
}

// mayRecall says why u may not take the message back, which may be nil.
func (s *Service) mayRecall(tx *inbox.Tx, u hongyan.UserID, c hongyan.ConversationID, m *hongyan.Message) error {
	ruler := false
	if id, ok := c.Group(); ok {
		g, err := liveGroup(tx, id, u)
		if err != nil {
			return err
		}
		ruler = g.Find(u).Role >= hongyan.RoleAdmin
	} else if _, ok := c.Peer(u); !ok {
		return hongyan.Errorf(hongyan.NotMember, "conversation %s is not this account's", c)
	}
	switch {
	case m == nil || m.State == hongyan.Expired:
		return hongyan.Errorf(hongyan.NotFound, "there is no such message in %s", c)
	case m.Content.Kind == hongyan.KindNotice:
		return hongyan.Errorf(hongyan.Forbidden, "notices cannot be recalled")
	case ruler:
		return nil
	case m.From != u:
		return hongyan.Errorf(hongyan.Forbidden, "only its sender may recall a message")
	case m.State == hongyan.Present && tx.NowMS()-m.TimeMS >= s.config.RecallWindow.Milliseconds():
		return hongyan.Errorf(hongyan.TooLate, "a message can be recalled for %v", s.config.RecallWindow)
	}
	return nil
}

// Remove deletes messages for the caller's own devices.
func (s *Service) Remove(c Caller, conversation hongyan.ConversationID, ordinals []hongyan.Ordinal, done func(error)) {
	if len(ordinals) == 0 || len(ordinals) > MaxRemovals {
		done(hongyan.Errorf(hongyan.Invalid, "name 1 to %d messages", MaxRemovals))
		return
	}
	write(s, c, func(tx *inbox.Tx) (none, error) {
		_, from, to, err := visible(tx, c.User, conversation)
		if err != nil {
			return none{}, err
		}
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
