package chat

import (
	"encoding/binary"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

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

// writersOf returns who is to learn that reader got the messages in (from, upTo]: who wrote one of them, or, if they are
// too many to look through, everybody.
func writersOf(tx *inbox.Tx, c hongyan.ConversationID, reader hongyan.UserID, from, upTo hongyan.Ordinal) ([]hongyan.UserID, error) {
	others, err := othersIn(tx, c, reader)
	if err != nil || len(others) >= MaxReceiptGroup || from >= upTo {
		return nil, err
	}
	if upTo-from > scanReceipts {
		return others, nil
	}
	wrote := map[hongyan.UserID]bool{}
	for _, u := range others {
		wrote[u] = false
	}
	var writers []hongyan.UserID
	err = store.ListMessages(tx, c, from+1, upTo, false, func(m *hongyan.Message) bool {
		if done, present := wrote[m.From]; present && !done && m.Content.Kind != hongyan.KindNotice {
			wrote[m.From] = true
			writers = append(writers, m.From)
		}
		return len(writers) < len(others)
	})
	return writers, err
}

// othersIn returns the members of a conversation but u.
func othersIn(r store.Reader, c hongyan.ConversationID, u hongyan.UserID) ([]hongyan.UserID, error) {
	members, err := membersOf(r, c)
	return slices.DeleteFunc(members, func(m hongyan.UserID) bool { return m == u }), err
}

// membersOf returns the members of a conversation, once each; none of one that does not exist.
func membersOf(r store.Reader, c hongyan.ConversationID) ([]hongyan.UserID, error) {
	if a, b, direct := c.Members(); direct {
		return slices.Compact([]hongyan.UserID{a, b}), nil
	}
	id, _ := c.Group()
	g, err := store.Groups.Get(r, id)
	if err != nil || g == nil {
		return nil, err
	}
	return memberIDs(g), nil
}

// Readers counts who has received and read a message.
type Readers struct {
	Delivered, Read int
	Names           []hongyan.UserID // who has read, in groups small enough for receipts
}

// Readers tells a member how many, besides its writer, have received and read a message that the member may read.
func (s *Service) Readers(c Caller, conversation hongyan.ConversationID, o hongyan.Ordinal, done func(Readers, error)) {
	inbox.Look(s.shard, c.User, func(r *inbox.Read) (Readers, error) {
		m, err := readable(r, c.User, conversation, o)
		if err != nil {
			return Readers{}, err
		}
		members, err := membersOf(r, conversation)
		if err != nil {
			return Readers{}, err
		}
		var n Readers
		for _, u := range members {
			v, err := store.Views.Get(r, store.Part{User: u, Conversation: conversation})
			if err != nil {
				return n, err
			}
			if v == nil || u == m.From || v.Joined >= o {
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

// readable reads a message of a conversation that u is in at present and that u may see.
func readable(r store.Reader, u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal) (*hongyan.Message, error) {
	v, err := partOf(r, u, c)
	if err != nil {
		return nil, err
	}
	if id, ok := c.Group(); ok {
		if _, err := memberGroup(r, id, u); err != nil {
			return nil, err
		}
	}
	last, err := store.LastOrdinal(r, c)
	if err != nil {
		return nil, err
	}
	var m *hongyan.Message
	if from, to := bounds(v, last); from <= o && o <= to {
		m, err = store.GetMessage(r, c, o)
	}
	if err == nil && m == nil {
		err = hongyan.Errorf(hongyan.NotFound, "there is no message %d in %s for this account", o, c)
	}
	return m, err
}
