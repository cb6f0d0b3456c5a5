package store

import (
	"github.com/hongyan-im/hongyan"
)

// body is a message as it is kept: what its key does not say. appendBody writes it.
type body struct {
	ID       hongyan.MessageID    `cbor:"1,keyasint"`
	From     hongyan.UserID       `cbor:"2,keyasint"`
	FromName string               `cbor:"3,keyasint"`
	ClientID []byte               `cbor:"4,keyasint"`
	TimeMS   int64                `cbor:"5,keyasint"`
	Content  hongyan.Content      `cbor:"6,keyasint"`
	State    hongyan.MessageState `cbor:"7,keyasint,omitempty"`
}

// PutMessage writes the one body of a message. content is its content by Encode, which whoever sends it has made before
// it had to wait for its turn.
func PutMessage(tx *Tx, m *hongyan.Message, content []byte) {
	tx.w.scratch = appendBody(tx.w.scratch[:0], m, content)
	tx.set(bodyKey(m.Conversation, m.Ordinal), tx.w.scratch)
}

// appendBody appends what Encode makes of a body.
func appendBody(b []byte, m *hongyan.Message, content []byte) []byte {
	pairs := 6
	if m.State != 0 {
		pairs = 7
	}
	b = AppendMap(b, pairs)
	b = AppendUint(append(b, 1), uint64(m.ID))
	b = AppendUint(append(b, 2), uint64(m.From))
	b = AppendText(append(b, 3), m.FromName)
	b = AppendBytes(append(b, 4), m.ClientID[:])
	b = AppendInt(append(b, 5), m.TimeMS)
	b = append(append(b, 6), content...)
	if m.State != 0 {
		b = AppendUint(append(b, 7), uint64(m.State))
	}
	return b
}

// GetMessage reads a message, or nil.
func GetMessage(r Reader, c hongyan.ConversationID, o hongyan.Ordinal) (*hongyan.Message, error) {
	key := bodyKey(c, o)
	raw, err := r.get(key)
	if err != nil || raw == nil {
		return nil, err
	}
	return decodeMessage(c, o, key, raw)
}

func decodeMessage(c hongyan.ConversationID, o hongyan.Ordinal, key, raw []byte) (*hongyan.Message, error) {
	b, err := decode[body](key, raw)
	if err != nil {
		return nil, err
	}
	if len(b.ClientID) != len(hongyan.ClientID{}) {
		return nil, damaged(key, "its client id has a wrong length")
	}
	m := &hongyan.Message{
		ID: b.ID, Conversation: c, Ordinal: o, From: b.From, FromName: b.FromName, TimeMS: b.TimeMS,
		Content: b.Content, State: b.State,
	}
	copy(m.ClientID[:], b.ClientID)
	return m, nil
}

// ListMessages calls visit with the messages of c whose ordinals lie in [from, to], rising or falling, until visit
// returns false.
func ListMessages(r Reader, c hongyan.ConversationID, from, to hongyan.Ordinal, falling bool,
	visit func(m *hongyan.Message) bool) error {
	if from > to {
		return nil
	}
	return walk(r, bodyKey(c, from), after(bodyKey(c, to)), falling, func(key, value []byte) (bool, error) {
		o, err := lastNumber(key, bodySize)
		if err != nil {
			return false, err
		}
		m, err := decodeMessage(c, hongyan.Ordinal(o), key, value)
		return err == nil && visit(m), err
	})
}

// LastOrdinal is the ordinal of the newest message of c ever, 0 if there was none. A Tx does not see its own messages
// here: its owner counts.
func LastOrdinal(r Reader, c hongyan.ConversationID) (hongyan.Ordinal, error) {
	var last uint64
	err := walk(r, bodyKey(c, 0), after(bodyKey(c, maxOrdinal)), true, func(key, _ []byte) (_ bool, err error) {
		last, err = lastNumber(key, bodySize)
		return false, err
	})
	if err != nil || last != 0 {
		return hongyan.Ordinal(last), err
	}
	rest, err := Conversations.Get(r, c)
	if err != nil || rest == nil {
		return 0, err
	}
	return rest.Last, nil
}

const maxOrdinal = hongyan.Ordinal(1<<64 - 2)

// TrimMessages removes the bodies of c up to an ordinal and remembers how far the conversation had come.
func TrimMessages(tx *Tx, c hongyan.ConversationID, upTo, last hongyan.Ordinal) {
	Conversations.Put(tx, c, &Conversation{Last: last, Trimmed: upTo})
	tx.batch.DeleteRange(bodyKey(c, 0), after(bodyKey(c, upTo)))
}

// Hide notes that u deleted a message for itself.
func Hide(tx *Tx, u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal) {
	tx.set(hiddenKey(u, c, o), []byte{})
}

// Unhide forgets what u deleted of a conversation up to an ordinal, when the messages themselves are gone for u.
func Unhide(tx *Tx, u hongyan.UserID, c hongyan.ConversationID, upTo hongyan.Ordinal) {
	tx.batch.DeleteRange(hiddenKey(u, c, 0), after(hiddenKey(u, c, upTo)))
}

// Hidden returns which ordinals of [from, to] u deleted for itself.
func Hidden(r Reader, u hongyan.UserID, c hongyan.ConversationID, from, to hongyan.Ordinal) (map[hongyan.Ordinal]bool, error) {
	hidden := map[hongyan.Ordinal]bool{}
	err := walk(r, hiddenKey(u, c, from), after(hiddenKey(u, c, to)), false, func(key, _ []byte) (bool, error) {
		o, err := lastNumber(key, hiddenSize)
		hidden[hongyan.Ordinal(o)] = true
		return true, err
	})
	return hidden, err
}
