package store

import (
	"encoding/binary"

	"github.com/hongyan-im/hongyan"
)

// sender is the part of a body that counting needs. Contents are passed over without being decoded.
type sender struct {
	From  hongyan.UserID       `cbor:"2,keyasint"`
	State hongyan.MessageState `cbor:"7,keyasint,omitempty"`
}

// ListSenders is ListMessages for those who ask only who wrote a message and whether it is still there. It goes from
// the newest to the oldest.
func ListSenders(r Reader, c hongyan.ConversationID, from, to hongyan.Ordinal,
	visit func(o hongyan.Ordinal, from hongyan.UserID, s hongyan.MessageState) bool) error {
	if from > to {
		return nil
	}
	it := r.scan(bodyKey(c, from), after(bodyKey(c, to)), true)
	for it.Next() {
		key := it.Key()
		s, err := decode[sender](key, it.Value())
		if err != nil {
			it.Close()
			return err
		}
		if !visit(hongyan.Ordinal(binary.BigEndian.Uint64(key[len(key)-8:])), s.From, s.State) {
			break
		}
	}
	return it.Close()
}
