// Package kv is the contract between Hongyan's records and the engine that keeps them: a small ordered
// key-value store with atomic batches, snapshots, a fence against former owners, and a separate wait for
// durability.
//
// Keys are 1 to MaxKey bytes and order bytewise; values may be empty. The terms of the shards (see Store.Claim) live
// outside the key space: no scan shows them and no write reaches them.
//
// The contract fits an embedded log-structured engine (pebblekv), one SQL table with a binary key, and the
// transactional distributed stores; kvtest holds the suite that every implementation passes. Memory is the reference
// implementation. Lifetime, FailedIterator and FailedSnapshot are what engines share.
package kv

import (
	"errors"
	"fmt"
)

// Limits that every engine keeps. A batch or record beyond them is refused with an *OversizeError before any of it
// is written; nothing is ever cut or dropped silently.
const (
	MaxKey   = 256      // bytes of one key
	MaxValue = 4 << 20  // bytes of one value
	MaxBatch = 64 << 20 // bytes of one batch, keys and values together
)

var (
	// ErrNotFound is what Get returns for a key that has no value.
	ErrNotFound = errors.New("kv: not found")
	// ErrEmptyKey is what Apply returns for a batch that sets or deletes the key of no bytes.
	ErrEmptyKey = errors.New("kv: empty key")
	// ErrFenced is what Apply returns when the batch's term is not the one that its shard was last claimed at, which
	// means that there is a later owner. The batch has left no trace. The caller must stop: it is not the owner any more.
	ErrFenced = errors.New("kv: shard claimed by a later owner")
	// ErrClosed is what every call returns after Close.
	ErrClosed = errors.New("kv: store is closed")
)

// OversizeError says which limit a write broke.
type OversizeError struct {
	What        string // "key", "value" or "batch"
	Size, Limit int    // bytes
}

func (e *OversizeError) Error() string {
	return fmt.Sprintf("kv: %s of %d bytes is over the limit of %d", e.What, e.Size, e.Limit)
}

// Reader reads one state of the store. Its methods may be called from several goroutines.
type Reader interface {
	// Get returns the value of key, which the caller may keep and change, or ErrNotFound.
	Get(key []byte) ([]byte, error)
	// Scan returns an iterator over the keys in [from, to) in bytewise order, descending if reverse, as they are at
	// the time of the call. An empty from means the start of the store, a nil to its end; a range that is empty or
	// inverted holds nothing. The slices are not used after the call.
	Scan(from, to []byte, reverse bool) Iterator
}

// Iterator walks over a range. It belongs to one goroutine and must be closed; Close returns the first error that
// ended the walk early, so a loop over Next needs one check, after it.
//
//	it := r.Scan(from, to, false)
//	for it.Next() { use(it.Key(), it.Value()) }
//	return it.Close()
type Iterator interface {
	// Next moves to the first or the following key and reports whether there is one.
	Next() bool
	// Key and Value are valid until the following Next or Close; the caller must not change them.
	Key() []byte
	Value() []byte
	Close() error
}

// Snapshot is a Reader over the state at the time it was taken. It must be closed, after its iterators.
type Snapshot interface {
	Reader
	Close() error
}

// Commit is an applied batch on its way to the disk.
type Commit interface {
	// Wait returns when the batch, and with it every batch applied before it, is durable: it survives the loss of
	// power. After an error its fate is unknown and the store is unusable. Wait is called exactly once, at any time,
	// even after Close.
	Wait() error
}

// Store is an open engine. Readers see a batch as soon as Apply has returned, before it is durable: whoever shows
// what was read to anyone must first wait for the batches that were applied before the read.
type Store interface {
	Reader
	// Snapshot takes a consistent view of everything applied so far.
	Snapshot() Snapshot
	// Claim raises the term of the shard, durably, and returns the new one (the first is 1). Batches fenced with any
	// other term of the shard fail from then on.
	Claim(shard uint32) (term uint64, err error)
	// Apply makes the batch visible, all or nothing, in the order of the calls; durability follows (see Commit).
	// The batch and its slices may be reused once Wait has returned. A batch without writes changes nothing, and its
	// Wait is a barrier for the batches before it. Errors: ErrFenced, *OversizeError, ErrEmptyKey, ErrClosed; any
	// other error means that the engine has failed and must be given up.
	Apply(b *Batch) (Commit, error)
	// Close ends the store: it refuses new calls at once, waits for the calls, iterators and snapshots under way, and
	// lets go of the engine. Batches that were not waited for may be lost. A second Close returns ErrClosed.
	Close() error
}
