package chat

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Acknowledge notes that the caller's device has applied everything that a key stands for. It serves delivered receipts
// and retention; what the device gets next depends on the key that it presents, not on this. Nobody waits for it, and
// when it is lost the next key says the same. A caller without a device, such as a stream of events, acknowledges nothing
// by what it presents, and costs the writer nothing either.
func (s *Service) Acknowledge(c Caller, key hongyan.SyncKey) {
	v := key.Seen(hongyan.TypeMessage)
	if c.Device == 0 || v == 0 || key.User != c.User || key.Generation != s.shard.Engine().Generation() {
		return
	}
	if known, ok := s.acked.Get(c); ok && known >= v {
		return
	}
	s.acknowledge(c, v)
}

func (s *Service) acknowledge(c Caller, v hongyan.Version) {
	write(s, c, func(tx *inbox.Tx) (bool, error) { return acknowledge(tx, c, v) }, func(more bool, err error) {
		switch {
		case err != nil:
		case more:
			s.acknowledge(c, v) // a long way was acknowledged at once: it is gone piece by piece
		default:
			s.acked.Add(c, v)
		}
	})
}

// acknowledge moves the device's cursor to v and gives receipts for a piece of what came within its account's reach by
// that. It reports whether more pieces are left.
func acknowledge(tx *inbox.Tx, c Caller, v hongyan.Version) (more bool, err error) {
	if v > tx.Newest() {
		return false, hongyan.Errorf(hongyan.KeyAhead, "the key is at version %d, the store at %d", v, tx.Newest())
	}
	device := store.Holder{User: c.User, Device: c.Device}
	cursor, err := store.Cursors.Get(tx, device)
	if err != nil {
		return false, err
	}
	if cursor == nil || cursor.Version < v {
		store.Cursors.Put(tx.Tx, device, &store.Cursor{Version: v})
	}
	account := store.Holder{User: c.User}
	if cursor, err = store.Cursors.Get(tx, account); err != nil {
		return false, err
	}
	var from hongyan.Version
	if cursor != nil {
		from = cursor.Version
	}
	if from >= v {
		return false, nil
	}
	reached, upTo, more, err := delivered(tx, c.User, from, v)
	if err != nil {
		return false, err
	}
	for _, r := range reached {
		if err := deliver(tx, c.User, r.conversation, r.ordinal); err != nil {
			return false, err
		}
	}
	store.Cursors.Put(tx.Tx, account, &store.Cursor{Version: upTo})
	return more, nil
}

// reached is how far a conversation has come to an account.
type reached struct {
	conversation hongyan.ConversationID
	ordinal      hongyan.Ordinal
}

// delivered looks through the log of u for messages of others in (from, v]: at most scanReceipts entries, up to upTo.
func delivered(tx *inbox.Tx, u hongyan.UserID, from, v hongyan.Version) (list []reached, upTo hongyan.Version, more bool, err error) {
	upTo = v
	index := map[hongyan.ConversationID]int{}
	n := 0
	err = store.ListEntries(tx, u, hongyan.TypeMessage, from, v, false, func(e store.Entry) bool {
		if n++; n > scanReceipts {
			more = true
			return false
		}
		upTo = e.Version
		if e.Ref.Kind != store.RefMessage {
			return true
		}
		i, ok := index[e.Ref.Conversation]
		if !ok {
			i = len(list)
			index[e.Ref.Conversation] = i
			list = append(list, reached{conversation: e.Ref.Conversation})
		}
		list[i].ordinal = e.Ref.Ordinals[0]
		return true
	})
	if !more {
		upTo = v
	}
	return list, upTo, more, err
}

// deliver raises u's delivered mark of a conversation and tells the writers. What was cleared before it could be sent to
// a device never was.
func deliver(tx *inbox.Tx, u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal) error {
	part := store.Part{User: u, Conversation: c}
	old, err := store.Views.Get(tx, part)
	if err != nil || old == nil || old.Delivered >= o || old.Cleared >= o {
		return err
	}
	v := *old
	v.Delivered = o
	store.Views.Put(tx.Tx, part, &v)
	return tellWriters(tx, c, u, max(old.Delivered, old.Joined), o)
}

// Beat is what a heartbeat is answered with.
type Beat struct {
	Head  hongyan.Version // of the caller's newest change
	Newer bool            // a pull with the key would not be answered with the same key
}

// Beat takes a key as an acknowledgement and says whether it is the last that there is. It is cheap for accounts that
// changed lately.
func (s *Service) Beat(c Caller, key hongyan.SyncKey, done func(Beat, error)) {
	s.Acknowledge(c, key)
	inbox.Look(s.shard, c.User, func(r *inbox.Read) (Beat, error) {
		head, err := r.Head(c.User)
		return Beat{head, key != hongyan.KeyAt(s.Generation(), c.User, head)}, err
	}, done)
}
