package store

import (
	"fmt"

	"github.com/hongyan-im/hongyan"
)

// Original is what the first attempt of a request led to.
type Original struct {
	Digest [16]byte // of the request's content
	Result []byte   // encoded by its owner
}

// PutOriginal remembers the outcome of a request under its client id, in the hour in which it was committed.
func PutOriginal(tx *Tx, hour uint32, sender hongyan.UserID, id hongyan.ClientID, o Original) {
	tx.set(dedupeKey(hour, sender, id), append(o.Digest[:len(o.Digest):len(o.Digest)], o.Result...))
}

// GetOriginal reads what PutOriginal remembered, or nil.
func GetOriginal(r Reader, hour uint32, sender hongyan.UserID, id hongyan.ClientID) (*Original, error) {
	raw, err := r.get(dedupeKey(hour, sender, id))
	if err != nil || raw == nil {
		return nil, err
	}
	var o Original
	if len(raw) < len(o.Digest) {
		return nil, fmt.Errorf("store: deduplication record of %d bytes is damaged", len(raw))
	}
	o.Result = raw[copy(o.Digest[:], raw):]
	return &o, nil
}

// ListOriginals calls visit with the sender and client id, as the 24 bytes of the key, of everything remembered in an
// hour, until visit returns false.
func ListOriginals(r Reader, hour uint32, visit func(id []byte) bool) error {
	prefix := num32([]byte{tabDedupe}, hour)
	it := r.scan(prefix, after(prefix), false)
	for it.Next() && visit(it.Key()[len(prefix):]) {
	}
	return it.Close()
}

// ForgetOriginals removes all hours before `before`, and their filters.
func ForgetOriginals(tx *Tx, before uint32) {
	tx.batch.DeleteRange([]byte{tabDedupe}, num32([]byte{tabDedupe}, before))
	tx.batch.DeleteRange([]byte{tabFilter}, num32([]byte{tabFilter}, before))
}

// filterChunk is how many bytes of a filter stand in one value.
const filterChunk = 1 << 20

// PutFilter writes the filter of an hour.
func PutFilter(tx *Tx, hour uint32, filter []byte) {
	for chunk := uint32(0); len(filter) > 0; chunk++ {
		n := min(len(filter), filterChunk)
		tx.add(filterKey(hour, chunk), filter[:n])
		filter = filter[n:]
	}
}

// GetFilter reads the filter of an hour, or nil.
func GetFilter(r Reader, hour uint32) ([]byte, error) {
	var filter []byte
	prefix := num32([]byte{tabFilter}, hour)
	it := r.scan(prefix, after(prefix), false)
	for it.Next() {
		filter = append(filter, it.Value()...)
	}
	return filter, it.Close()
}
