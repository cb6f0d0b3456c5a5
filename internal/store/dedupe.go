package store

import (
	"encoding/binary"

	"github.com/hongyan-im/hongyan"
)

// Original is what the first attempt of a request led to.
type Original struct {
	Digest [16]byte // of the request's content
	Result []byte   // encoded by its owner
}

// PutOriginal remembers the outcome of a request under its client id, in the hour in which it was committed.
func PutOriginal(tx *Tx, hour uint32, sender hongyan.UserID, id hongyan.ClientID, o Original) {
	tx.w.scratch = append(append(tx.w.scratch[:0], o.Digest[:]...), o.Result...)
	tx.set(dedupeKey(hour, sender, id), tx.w.scratch)
}

// GetOriginal reads what PutOriginal remembered, or nil.
func GetOriginal(r Reader, hour uint32, sender hongyan.UserID, id hongyan.ClientID) (*Original, error) {
	raw, err := r.get(dedupeKey(hour, sender, id))
	if err != nil || raw == nil {
		return nil, err
	}
	var o Original
	if len(raw) < len(o.Digest) {
		return nil, damaged(dedupeKey(hour, sender, id), "it is cut short")
	}
	o.Result = raw[copy(o.Digest[:], raw):]
	return &o, nil
}

// ListOriginals calls visit with the sender and client id of everything remembered in an hour, until visit returns false.
func ListOriginals(r Reader, hour uint32, visit func(sender hongyan.UserID, id hongyan.ClientID) bool) error {
	prefix := num32([]byte{tabDedupe}, hour)
	return walk(r, prefix, after(prefix), false, func(key, _ []byte) (bool, error) {
		var id hongyan.ClientID
		of := key[len(prefix):]
		if len(of) != 8+len(id) {
			return false, damaged(key, "its key has a wrong length")
		}
		copy(id[:], of[8:])
		return visit(hongyan.UserID(binary.BigEndian.Uint64(of)), id), nil
	})
}

// ForgetOriginals removes all hours before `before`, and their filters.
func ForgetOriginals(tx *Tx, before uint32) {
	tx.batch.DeleteRange([]byte{tabDedupe}, num32([]byte{tabDedupe}, before))
	tx.batch.DeleteRange([]byte{tabFilter}, num32([]byte{tabFilter}, before))
}

// MaxFilterPiece bounds a piece of a filter, in bytes.
const MaxFilterPiece = 1 << 20

// PutFilter writes a piece of the filter of an hour. Pieces are numbered from 0.
func PutFilter(tx *Tx, hour, piece uint32, b []byte) { tx.add(filterKey(hour, piece), b) }

// GetFilter reads all pieces of the filter of an hour that there are, in order, as one, or nil. Whether the last ones are
// missing must show in the content.
func GetFilter(r Reader, hour uint32) ([]byte, error) {
	var filter []byte
	prefix := num32([]byte{tabFilter}, hour)
	err := walk(r, prefix, after(prefix), false, func(_, value []byte) (bool, error) {
		filter = append(filter, value...)
		return true, nil
	})
	return filter, err
}
