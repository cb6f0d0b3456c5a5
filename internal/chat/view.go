package chat

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// updateView changes u's view of a conversation, making one if there is none, and tells u's devices.
func updateView(tx *inbox.Tx, u hongyan.UserID, c hongyan.ConversationID, change func(v *store.ConversationView)) error {
	part := store.Part{User: u, Conversation: c}
	old, err := store.Views.Get(tx, part)
	if err != nil {
		return err
	}
	var v store.ConversationView
	if old != nil {
		v = *old
	}
	change(&v)
	if old != nil && *old == v {
		return nil
	}
	store.Views.Put(tx.Tx, part, &v)
	item, _ := c.MarshalBinary()
	return tx.SetItem(u, hongyan.TypeConversation, item, nil)
}

// partOf reads u's view of a conversation in which u has, or had, a part.
func partOf(r store.Reader, u hongyan.UserID, c hongyan.ConversationID) (*store.ConversationView, error) {
	v, err := store.Views.Get(r, store.Part{User: u, Conversation: c})
	if err == nil && v == nil {
		return nil, hongyan.Errorf(hongyan.NotFound, "this account has no conversation %s", c)
	}
	return v, err
}

// bounds are the ordinals of a conversation that a view lets its owner see, given the newest one.
func bounds(v *store.ConversationView, last hongyan.Ordinal) (from, to hongyan.Ordinal) {
	if v.Left != 0 {
		last = min(last, v.Left)
	}
	return max(v.Joined, v.Cleared, v.Trimmed) + 1, last
}

// visible reads u's view of a conversation, and the ordinals that it lets u see in this round.
func visible(tx *inbox.Tx, u hongyan.UserID, c hongyan.ConversationID) (v *store.ConversationView, from, to hongyan.Ordinal, err error) {
	if v, err = partOf(tx, u, c); err != nil {
		return nil, 0, 0, err
	}
	last, err := tx.LastOrdinal(c)
	if err != nil {
		return nil, 0, 0, err
	}
	from, to = bounds(v, last)
	return v, from, to, nil
}

// MarkRead raises the caller's read mark, on all its devices, and tells the writers of what was read.
func (s *Service) MarkRead(c Caller, conversation hongyan.ConversationID, upTo hongyan.Ordinal, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		v, _, end, err := visible(tx, c.User, conversation)
		if err != nil {
			return none{}, err
		}
		from := max(v.Read, v.Joined)
		if upTo = min(upTo, end); upTo <= from {
			return none{}, nil
		}
		err = updateView(tx, c.User, conversation, func(v *store.ConversationView) {
			v.Read, v.Delivered = upTo, max(v.Delivered, upTo)
		})
		if err != nil {
			return none{}, err
		}
		return none{}, tellWriters(tx, conversation, c.User, from, upTo)
	}, finish(done))
}

// ClearHistory hides the caller's past of a conversation up to an ordinal, 0 for all of it. To the caller it counts as
// read from then on. Nobody else is told so: what is cleared may never have been looked at.
func (s *Service) ClearHistory(c Caller, conversation hongyan.ConversationID, upTo hongyan.Ordinal, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		_, _, end, err := visible(tx, c.User, conversation)
		if err != nil {
			return none{}, err
		}
		if upTo == 0 {
			upTo = end
		}
		return none{}, updateView(tx, c.User, conversation, func(v *store.ConversationView) {
			v.Cleared = max(v.Cleared, min(upTo, end))
		})
	}, finish(done))
}

// ViewChange is what one sets about a conversation for oneself; nil fields stay as they are.
type ViewChange struct{ Pinned, Muted, Hidden *bool }

// SetConversation pins, mutes or hides a conversation for the caller.
func (s *Service) SetConversation(c Caller, conversation hongyan.ConversationID, change ViewChange, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		if _, err := partOf(tx, c.User, conversation); err != nil {
			return none{}, err
		}
		last, err := tx.LastOrdinal(conversation)
		if err != nil {
			return none{}, err
		}
		return none{}, updateView(tx, c.User, conversation, func(v *store.ConversationView) {
			if change.Pinned != nil {
				v.Pinned = *change.Pinned
			}
			if change.Muted != nil {
				v.Muted = *change.Muted
			}
			if change.Hidden != nil {
				if v.Hidden, v.HiddenAt = *change.Hidden, 0; v.Hidden {
					v.HiddenAt = last
				}
			}
		})
	}, finish(done))
}
