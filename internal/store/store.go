// Package store keeps Hongyan's records: it owns the key layout, the encoding of every record, the schema version and
// the identity of a store. Above it nobody knows keys, below it nobody knows records.
//
// Everything is read through a Reader: the writer's Tx, which sees its own unapplied writes, or a View, a snapshot that
// sees nothing later. Everything is written through a Tx, which becomes one atomic kv batch.
package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// Schema is the version of the layout that this program writes.
const Schema = 1

// NewerSchemaError is returned by Open for a store that a later version of the program has written.
type NewerSchemaError struct{ Found uint64 }

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("the store has schema %d and this program knows schemas up to %d: "+
		"start it with the version that wrote it, or a later one", e.Found, Schema)
}

// ForeignError is returned by Open for a store that holds data but was not written by this program.
type ForeignError struct{ What string }

func (e *ForeignError) Error() string {
	return "the store is damaged or not Hongyan's: " + e.What + ": restore it from a backup, or give another data directory"
}

// Store is an open store.
type Store struct {
	kv         kv.Store
	generation uint64
}

const (
	metaSchema     = "schema"
	metaGeneration = "generation"
)

// Open checks the schema of s and reads its identity; an empty store gets both. Random numbers come from random.
func Open(s kv.Store, random io.Reader) (*Store, error) {
	schema, err := number(s, metaKey(metaSchema))
	switch {
	case errors.Is(err, kv.ErrNotFound):
		return create(s, random)
	case err != nil:
		return nil, err
	case schema > Schema:
		return nil, &NewerSchemaError{schema}
	}
	generation, err := number(s, metaKey(metaGeneration))
	if errors.Is(err, kv.ErrNotFound) {
		return nil, &ForeignError{"it has a schema but no generation"}
	}
	return &Store{s, generation}, err
}

// create writes the identity of a new store. A store that holds anything already is not new.
func create(s kv.Store, random io.Reader) (*Store, error) {
	it := s.Scan(nil, nil, false)
	used := it.Next()
	if err := it.Close(); err != nil {
		return nil, err
	}
	if used {
		return nil, &ForeignError{"it holds records but no schema version"}
	}
	if random == nil {
		random = rand.Reader
	}
	var g [8]byte
	if _, err := io.ReadFull(random, g[:]); err != nil {
		return nil, err
	}
	var b kv.Batch
	b.Set(metaKey(metaSchema), num64(nil, Schema))
	b.Set(metaKey(metaGeneration), g[:])
	c, err := s.Apply(&b)
	if err != nil {
		return nil, err
	}
	return &Store{s, binary.BigEndian.Uint64(g[:])}, c.Wait()
}

func number(r kv.Reader, key []byte) (uint64, error) {
	v, err := r.Get(key)
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, &ForeignError{fmt.Sprintf("record %q has %d bytes", key, len(v))}
	}
	return binary.BigEndian.Uint64(v), nil
}

// Generation is the random id that was drawn when the store was created.
func (s *Store) Generation() uint64 { return s.generation }

// Claim makes the caller the owner of the shard and returns its term: writes of earlier owners are refused from now on.
func (s *Store) Claim(shard uint32) (term uint64, err error) { return s.kv.Claim(shard) }

// View takes a snapshot. It must be closed.
func (s *Store) View() *View {
	snap := s.kv.Snapshot()
	return &View{reader{snap}, snap}
}

// View is what the store held at one moment, applied but perhaps not yet durable. Safe for several goroutines.
type View struct {
	reader
	snap kv.Snapshot
}

// Close gives the snapshot back.
func (v *View) Close() error { return v.snap.Close() }

// Close closes the engine.
func (s *Store) Close() error { return s.kv.Close() }

// RandomID draws an id for an account or a group: not zero, below 2^53, so that it survives a JSON number.
func RandomID(random io.Reader) (uint64, error) {
	for {
		var b [8]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, err
		}
		if id := binary.BigEndian.Uint64(b[:]) >> 11; id != 0 {
			return id, nil
		}
	}
}
