package inbox

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Tx is what a round's commands write through: the store's transaction, and places in the logs of accounts.
type Tx struct {
	*store.Tx
	e       *Engine
	nowMS   int64
	touched []touched
	after   []func()
}

// NowMS is the time of the round, in Unix milliseconds. It never goes back, not even over a restart.
func (tx *Tx) NowMS() int64 { return tx.nowMS }

// AfterDurable calls f when the round is durable, on the goroutine that settles rounds. f must not block.
func (tx *Tx) AfterDurable(f func()) { tx.after = append(tx.after, f) }

// NewMessageID gives a message id.
func (tx *Tx) NewMessageID() hongyan.MessageID {
	e := tx.e
	e.ids++
	return hongyan.MessageID(uint64(e.shard)<<53 | uint64(hongyan.VersionAt(e.term, e.ids)))
}

// Newest is the newest version that was given to any account so far.
func (tx *Tx) Newest() hongyan.Version { return hongyan.VersionAt(tx.e.term, tx.e.count) }

// MaxShard keeps message ids below 2^63.
const MaxShard = 1<<10 - 1

// Accepting returns nil, or why new content is refused at present.
func (tx *Tx) Accepting() error { return tx.e.Accepting() }

// LastOrdinal is the ordinal of the newest message of c, with those of this round.
func (tx *Tx) LastOrdinal(c hongyan.ConversationID) (hongyan.Ordinal, error) {
	if o, ok := tx.e.ordinals.Get(c); ok {
		return o, nil
	}
	o, err := store.LastOrdinal(tx, c)
	if err == nil {
		tx.e.ordinals.Add(c, o)
	}
	return o, err
}

// AddMessage writes the message's body as the next of its conversation, and an entry in the log of each member. It sets
// the message's ordinal. content is m.Content by store.Encode.
func (tx *Tx) AddMessage(m *hongyan.Message, content []byte, members []hongyan.UserID) error {
	last, err := tx.LastOrdinal(m.Conversation)
	if err != nil {
		return err
	}
	m.Ordinal = last + 1
	tx.e.ordinals.Add(m.Conversation, m.Ordinal)
	store.PutMessage(tx.Tx, m, content)
	change := &hongyan.Change{Message: m}
	for _, u := range members {
		kind := store.RefMessage
		if u == m.From {
			kind = store.RefOwn
		}
		tx.AddEntry(u, store.MessageRef(kind, m.Conversation, m.Ordinal), change)
	}
	return nil
}

// AddEntry appends an entry of the message type to u's log. The change, if given, may be told to u's devices at once.
func (tx *Tx) AddEntry(u hongyan.UserID, ref store.Ref, change *hongyan.Change) {
	v := tx.e.nextVersion()
	store.AddEntry(tx.Tx, u, store.Entry{Version: v, Type: hongyan.TypeMessage, Ref: ref})
	tx.touch(u, v, change)
}

// SetItem says that the item of a state has changed for u: it moves to the end of u's log.
func (tx *Tx) SetItem(u hongyan.UserID, t hongyan.Type, item []byte, change *hongyan.Change) error {
	v := tx.e.nextVersion()
	if err := store.MoveItem(tx.Tx, u, t, item, v); err != nil {
		return err
	}
	tx.touch(u, v, change)
	return nil
}

func (tx *Tx) touch(u hongyan.UserID, v hongyan.Version, change *hongyan.Change) {
	i, ok := tx.e.touched[u]
	if !ok {
		i = len(tx.touched)
		tx.e.touched[u] = i
		tx.touched = append(tx.touched, touched{user: u})
	}
	t := &tx.touched[i]
	t.version = v
	t.entries++
	if change != nil && len(t.changes) < MaxInline {
		c := *change
		c.Version = v
		t.changes = append(t.changes, c)
	}
}
