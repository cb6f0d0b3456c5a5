package chat

import (
	"encoding/binary"

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
	return max(v.Joined, v.Cleared) + 1, last
}

// MarkRead raises the caller's read mark, on all its devices, and tells the writers of what was read.
func (s *Service) MarkRead(c Caller, conversation hongyan.ConversationID, upTo hongyan.Ordinal, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		v, err := partOf(tx, c.User, conversation)
		if err != nil {
			return none{}, err
		}
		last, err := tx.LastOrdinal(conversation)
		if err != nil {
			return none{}, err
		}
		from := v.Read
		_, end := bounds(v, last)
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

// tellWriters gives a new receipt of the reader to everybody who wrote one of the messages above from, up to upTo. In
// large groups nobody is told: they can ask for counts.
func tellWriters(tx *inbox.Tx, c hongyan.ConversationID, reader hongyan.UserID, from, upTo hongyan.Ordinal) error {
	writers, err := writersOf(tx, c, reader, from, upTo)
	if err != nil || len(writers) == 0 {
		return err
	}
	v, err := store.Views.Get(tx, store.Part{User: reader, Conversation: c})
	if err != nil {
		return err
	}
	item, _ := c.MarshalBinary()
	item = binary.BigEndian.AppendUint64(item, uint64(reader))
	receipt := &hongyan.Receipt{Conversation: c, Reader: reader, Delivered: v.Delivered, Read: v.Read}
	for _, w := range writers {
		if err := tx.SetItem(w, hongyan.TypeReceipt, item, &hongyan.Change{Receipt: receipt}); err != nil {
			return err
		}
	}
	return nil
}

// writersOf returns who is to learn that reader got the messages in (from, upTo].
func writersOf(tx *inbox.Tx, c hongyan.ConversationID, reader hongyan.UserID, from, upTo hongyan.Ordinal) ([]hongyan.UserID, error) {
	if peer, direct := c.Peer(reader); direct {
		if peer == reader {
			return nil, nil
		}
		return []hongyan.UserID{peer}, nil
	}
	id, _ := c.Group()
	g, err := store.Groups.Get(tx, id)
	if err != nil || g == nil || len(g.Members) > MaxReceiptGroup {
		return nil, err
	}
	if upTo-from > scanReceipts {
		from = upTo - scanReceipts
	}
	wrote := map[hongyan.UserID]bool{}
	var writers []hongyan.UserID
	err = store.ListMessages(tx, c, from+1, upTo, false, func(m *hongyan.Message) bool {
		if m.From != reader && !wrote[m.From] && g.Find(m.From) != nil {
			wrote[m.From] = true
			writers = append(writers, m.From)
		}
		return true
	})
	return writers, err
}

// ClearHistory hides the caller's past of a conversation up to an ordinal, 0 for all of it.
func (s *Service) ClearHistory(c Caller, conversation hongyan.ConversationID, upTo hongyan.Ordinal, done func(error)) {
	write(s, c, func(tx *inbox.Tx) (none, error) {
		v, err := partOf(tx, c.User, conversation)
		if err != nil {
			return none{}, err
		}
		last, err := tx.LastOrdinal(conversation)
		if err != nil {
			return none{}, err
		}
		_, end := bounds(v, last)
		if upTo == 0 {
			upTo = end
		}
		return none{}, updateView(tx, c.User, conversation, func(v *store.ConversationView) {
			v.Cleared = max(v.Cleared, min(upTo, end))
			v.Read = max(v.Read, v.Cleared)
			v.Delivered = max(v.Delivered, v.Read)
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
				v.Hidden, v.HiddenAt = *change.Hidden, last
			}
		})
	}, finish(done))
}

// Readers counts who has received and read a message.
type Readers struct {
	Delivered, Read int
	Names           []hongyan.UserID // who has read, in groups small enough for receipts
}

// Readers tells a member how many of the others have received and read a message.
func (s *Service) Readers(c Caller, conversation hongyan.ConversationID, o hongyan.Ordinal, done func(Readers, error)) {
	inbox.Look(s.shard, func(r *inbox.Read) (Readers, error) {
		var n Readers
		if _, err := partOf(r, c.User, conversation); err != nil {
			return n, err
		}
		var members []hongyan.UserID
		if id, ok := conversation.Group(); ok {
			g, err := memberGroup(r, id, c.User)
			if err != nil {
				return n, err
			}
			members = memberIDs(g)
		} else if peer, _ := conversation.Peer(c.User); peer != c.User {
			members = []hongyan.UserID{peer}
		}
		for _, u := range members {
			v, err := store.Views.Get(r, store.Part{User: u, Conversation: conversation})
			if err != nil {
				return n, err
			}
			if v == nil || u == c.User || v.Joined >= o {
				continue
			}
			if v.Delivered >= o {
				n.Delivered++
			}
			if v.Read >= o {
				n.Read++
				if len(members) <= MaxReceiptGroup {
					n.Names = append(n.Names, u)
				}
			}
		}
		return n, nil
	}, done)
}
