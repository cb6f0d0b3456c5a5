package store

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// table is one kind of record: values of type V under keys made from K, encoded as CBOR with numbered fields, so that
// a field can be added and an unknown one is passed over.
type table[K, V any] struct {
	letter byte
	key    func(b []byte, k K) []byte // appends the key after the letter
}

func (t table[K, V]) keyOf(k K) []byte {
	return t.key(append(make([]byte, 0, 32), t.letter), k)
}

// Get returns the record of k, or nil. A record that came from a Tx is shared: change a copy and Put it.
func (t table[K, V]) Get(r Reader, k K) (*V, error) {
	key := t.keyOf(k)
	cache := r.records()
	if cache != nil {
		if v, ok := cache.Get(string(key)); ok {
			return v.(*V), nil
		}
	}
	raw, err := r.get(key)
	if err != nil {
		return nil, err
	}
	var v *V
	if raw != nil {
		if v, err = decode[V](key, raw); err != nil {
			return nil, err
		}
	}
	if cache != nil {
		cache.Add(string(key), v) // absence is worth remembering too
	}
	return v, nil
}

// Put writes the record of k. The record belongs to the store from then on.
func (t table[K, V]) Put(tx *Tx, k K, v *V) {
	key := t.keyOf(k)
	tx.set(key, encode(v))
	tx.w.cache.Add(string(key), v)
}

// Delete removes the record of k.
func (t table[K, V]) Delete(tx *Tx, k K) {
	key := t.keyOf(k)
	tx.delete(key)
	tx.w.cache.Add(string(key), (*V)(nil))
}

// list calls visit with the records whose keys begin with prefix and lie after `after`, in order of key, until visit
// returns false. The key is given without the letter and is valid during the call.
func (t table[K, V]) list(r Reader, prefix, from []byte, visit func(key []byte, v *V) bool) error {
	prefix = append([]byte{t.letter}, prefix...)
	it := r.scan(append(prefix[:len(prefix):len(prefix)], from...), after(prefix), false)
	for it.Next() {
		v, err := decode[V](it.Key(), it.Value())
		if err != nil {
			it.Close()
			return err
		}
		if !visit(it.Key()[1:], v) {
			break
		}
	}
	return it.Close()
}

// Records are read back by later versions for years: numbered fields, no floats for integers, canonical order, and
// limits on what a damaged record could make us allocate.
var (
	encMode = must(cbor.EncOptions{Sort: cbor.SortNone}.EncMode())
	decMode = must(cbor.DecOptions{MaxArrayElements: 1 << 16, MaxMapPairs: 1 << 10, MaxNestedLevels: 16}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Encode writes a value as records are written; the same value always gives the same bytes.
func Encode(v any) []byte { return encode(v) }

// Decode reads what Encode wrote.
func Decode(raw []byte, v any) error { return decMode.Unmarshal(raw, v) }

func encode(v any) []byte { return must(encMode.Marshal(v)) } // records hold nothing that cannot be encoded

func decode[V any](key, raw []byte) (*V, error) {
	v := new(V)
	if err := decMode.Unmarshal(raw, v); err != nil {
		return nil, damaged(key, err.Error())
	}
	return v, nil
}

// damaged is the error for a record that this program did not write.
func damaged(key []byte, why string) error {
	return fmt.Errorf("store: record %x is damaged: %s", key, why)
}
