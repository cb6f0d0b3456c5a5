package store

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// table is one kind of record: values of type V under keys made from K, encoded as CBOR with numbered fields, so that
// a field can be added and an unknown one is passed over.
type table[K, V any] struct {
	letter byte
	key    func(b []byte, k K) []byte // appends the key after the letter
}

func (t table[K, V]) appendKey(b []byte, k K) []byte { return t.key(append(b, t.letter), k) }

// Get returns the record of k, or nil. A record that came from a Tx is shared: change a copy and Put it.
func (t table[K, V]) Get(r Reader, k K) (*V, error) {
	key := t.appendKey(r.keyRoom(), k)
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
	key := t.appendKey(tx.keyRoom(), k)
	tx.set(key, encode(v))
	tx.w.cache.Add(string(key), v)
}

// Delete removes the record of k.
func (t table[K, V]) Delete(tx *Tx, k K) {
	key := t.appendKey(tx.keyRoom(), k)
	tx.delete(key)
	tx.w.cache.Add(string(key), (*V)(nil))
}

// list calls visit with the records whose keys begin with prefix, from prefix and from together on, in order of key, until
// visit returns false or an error. The key is given without the letter and is valid during the call.
func (t table[K, V]) list(r Reader, prefix, from []byte, visit func(key []byte, v *V) (more bool, err error)) error {
	prefix = append([]byte{t.letter}, prefix...)
	return walk(r, append(prefix[:len(prefix):len(prefix)], from...), after(prefix), false, func(key, value []byte) (bool, error) {
		v, err := decode[V](key, value)
		if err != nil {
			return false, err
		}
		return visit(key[1:], v)
	})
}

// walk calls visit with what [from, to) holds, rising or falling, until visit returns false or an error. The slices are
// valid during the call.
func walk(r Reader, from, to []byte, falling bool, visit func(key, value []byte) (more bool, err error)) error {
	it := r.scan(from, to, falling)
	for it.Next() {
		if more, err := visit(it.Key(), it.Value()); err != nil || !more {
			return errors.Join(err, it.Close())
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
