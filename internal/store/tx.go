package store

import (
	"errors"

	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/recent"
)

// Reader reads records: a Tx or a View.
type Reader interface {
	get(key []byte) ([]byte, error) // nil without an error: no such record
	scan(from, to []byte, reverse bool) kv.Iterator
	records() *recent.Cache[string, any] // decoded records by key, nil without a cache
	keyRoom() []byte                     // empty, for a key that is needed until the next call
}

// reader reads an engine or a snapshot of it.
type reader struct{ kv kv.Reader }

func (r reader) get(key []byte) ([]byte, error) {
	v, err := r.kv.Get(key)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	return v, err
}

func (r reader) scan(from, to []byte, reverse bool) kv.Iterator { return r.kv.Scan(from, to, reverse) }

func (r reader) records() *recent.Cache[string, any] { return nil }

func (r reader) keyRoom() []byte { return make([]byte, 0, 32) }

// CachedRecords bounds the records that a Writer remembers, decoded, between its batches.
const CachedRecords = 1 << 17

// Writer makes the Txs of one shard. It remembers the records that it read and wrote, which is sound because nobody else
// writes them: one Writer per shard, one Tx at a time, one goroutine. A Tx that is sealed may be applied by another, while
// the next one is filled.
type Writer struct {
	store   *Store
	shard   uint32
	term    uint64
	cache   *recent.Cache[string, any]
	sealed  <-chan struct{} // of the Tx that was sealed last: closed when it was applied or given up
	scratch []byte          // for what is copied at once
	free    chan *Tx        // released ones, to be used again
}

// freeTxs bounds the Txs that wait to be used again: as many as are under way at a time.
const freeTxs = 4

// NewWriter makes the Writer of a shard that was claimed at term.
func (s *Store) NewWriter(shard uint32, term uint64) *Writer {
	return &Writer{
		store: s, shard: shard, term: term, cache: recent.New[string, any](CachedRecords),
		scratch: make([]byte, 0, 512), free: make(chan *Tx, freeTxs),
	}
}

// Begin starts a Tx.
func (w *Writer) Begin() *Tx {
	var tx *Tx
	select {
	case tx = <-w.free:
	default:
		tx = &Tx{reader: reader{w.store.kv}, w: w, pending: map[string][]byte{}}
	}
	tx.ended = make(chan struct{})
	tx.batch.Fence(w.shard, w.term)
	return tx
}

// Tx collects writes and sees them in what it gets. Scans see only the Txs before it. What neither it nor the Writer
// remembers is looked up in the store, once the Txs before it are there.
type Tx struct {
	reader
	w       *Writer
	batch   kv.Batch
	pending map[string][]byte // unapplied values by key; nil: deleted
	ended   chan struct{}     // closed when the Tx was applied or given up
	chunk   []byte            // where keys and values are copied to
}

// chunkSize is the size in bytes of a chunk, unless a value is larger.
const chunkSize = 64 << 10

// Commit is an applied Tx on its way to the disk.
type Commit = kv.Commit

// Seal says that tx is complete and that Apply or GiveUp follows: the next Tx may begin. Txs are applied in the order in
// which they were sealed.
func (tx *Tx) Seal() { tx.w.sealed = tx.ended }

// Apply makes the Tx visible, all or nothing; durability is told by the Commit.
func (tx *Tx) Apply() (Commit, error) {
	defer close(tx.ended)
	return tx.w.store.kv.Apply(&tx.batch)
}

// GiveUp ends a sealed Tx that cannot be applied. No later one can be applied either, as they may have seen it.
func (tx *Tx) GiveUp() { close(tx.ended) }

// Release lets a later Tx have the memory of tx, which must not be used any more. It is for a Tx without writes, and for one
// that is durable.
func (tx *Tx) Release() {
	tx.batch.Reset()
	clear(tx.pending)
	select {
	case tx.w.free <- tx:
	default:
	}
}

// Quiesce returns when every sealed Tx was applied or given up.
func (w *Writer) Quiesce() {
	if w.sealed != nil {
		<-w.sealed
		w.sealed = nil
	}
}

// Len and Size are the number of writes so far and their bytes.
func (tx *Tx) Len() int  { return tx.batch.Len() }
func (tx *Tx) Size() int { return tx.batch.Size() }

func (tx *Tx) records() *recent.Cache[string, any] { return tx.w.cache }

func (tx *Tx) get(key []byte) ([]byte, error) {
	if v, ok := tx.pending[string(key)]; ok {
		return v, nil
	}
	tx.w.Quiesce()
	return tx.reader.get(key)
}

func (tx *Tx) scan(from, to []byte, reverse bool) kv.Iterator {
	tx.w.Quiesce()
	return tx.reader.scan(from, to, reverse)
}

func (tx *Tx) keyRoom() []byte { return tx.w.scratch[:0] }

// set writes a copy of key and value.
func (tx *Tx) set(key, value []byte) {
	value = tx.add(key, value)
	tx.pending[string(key)] = value
}

func (tx *Tx) delete(key []byte) {
	tx.batch.Delete(tx.keep(key))
	tx.pending[string(key)] = nil
}

// add is set for what this Tx will not read again. It returns the copy of the value.
func (tx *Tx) add(key, value []byte) []byte {
	key, value = tx.keep(key), tx.keep(value)
	tx.batch.Set(key, value)
	return value
}

// keep copies b, which is never nil then. Chunks are not used again, only their room that is left: what was read may
// refer to them.
func (tx *Tx) keep(b []byte) []byte {
	if tx.chunk == nil || len(b) > cap(tx.chunk)-len(tx.chunk) {
		tx.chunk = make([]byte, 0, max(len(b), chunkSize))
	}
	at := len(tx.chunk)
	tx.chunk = append(tx.chunk, b...)
	return tx.chunk[at:len(tx.chunk):len(tx.chunk)]
}

// SetTerm makes later Txs carry another term, after a further Claim by the same owner.
func (w *Writer) SetTerm(term uint64) { w.term = term }
