package pebblekv

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// Get implements kv.Reader.
func (s *Store) Get(key []byte) ([]byte, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.life.Leave()
	return s.get(s.db, key)
}

// Scan implements kv.Reader.
func (s *Store) Scan(from, to []byte, reverse bool) kv.Iterator {
	if err := s.enter(); err != nil {
		return kv.FailedIterator(err)
	}
	return s.scan(s.db, from, to, reverse, s.life.Leave)
}

// Snapshot implements kv.Store.
func (s *Store) Snapshot() kv.Snapshot {
	if err := s.enter(); err != nil {
		return kv.FailedSnapshot(err)
	}
	return &snapshot{store: s, view: s.db.NewSnapshot()}
}

func (s *Store) get(r pebble.Reader, key []byte) ([]byte, error) {
	if len(key) == 0 || len(key) > kv.MaxKey {
		return nil, kv.ErrNotFound
	}
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, kv.ErrNotFound
	}
	if err == nil {
		value = bytes.Clone(value)
		err = closer.Close()
	}
	if err := s.readError(err); err != nil {
		return nil, err
	}
	return value, nil
}

// readError returns what a read ended with. Damage fails the store, whoever met it.
func (s *Store) readError(err error) error {
	if pebble.IsCorruptionError(err) {
		s.stop.failOrDamaged(err)
	}
	if failure := s.stop.err(); failure != nil {
		return failure
	}
	if err != nil {
		return fmt.Errorf("pebblekv: reading the store in %s: %w", s.dir, err)
	}
	return nil
}

// scan walks over the range and calls leave, if it is not nil, when the walk is closed.
func (s *Store) scan(r pebble.Reader, from, to []byte, reverse bool, leave func()) kv.Iterator {
	it := &iterator{store: s, leave: leave, reverse: reverse}
	if to == nil || bytes.Compare(to, ownKeys) > 0 {
		to = ownKeys
	}
	if len(from) == 0 {
		from = firstKey
	}
	if bytes.Compare(from, to) >= 0 {
		return it
	}
	// The filters of the lowest level are as large as the rest together; Pebble reads them only if it is told to.
	prefix := !reverse && withinPrefix(from, to)
	it.walk, it.err = r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to, UseL6Filters: prefix})
	switch {
	case it.err != nil:
	case prefix:
		it.first = it.walk.SeekPrefixGE(from)
	case reverse:
		it.first = it.walk.Last()
	default:
		it.first = it.walk.First()
	}
	return it
}

// iterator is a walk of Pebble's, nil over an empty range. It stands on the first key from the start.
type iterator struct {
	store   *Store
	walk    *pebble.Iterator
	err     error
	first   bool // on the first key, which Next has not shown yet
	begun   bool
	reverse bool
	leave   func()
}

func (it *iterator) Next() bool {
	switch {
	case it.walk == nil:
		return false
	case !it.begun:
		it.begun = true
		return it.first
	case it.reverse:
		return it.walk.Prev()
	default:
		return it.walk.Next()
	}
}

func (it *iterator) Key() []byte   { return it.walk.Key() }
func (it *iterator) Value() []byte { return it.walk.Value() }

func (it *iterator) Close() error {
	if it.walk != nil {
		it.err = it.walk.Close()
		it.walk = nil
	}
	if it.leave != nil {
		it.leave()
		it.leave = nil
	}
	return it.store.readError(it.err)
}

// snapshot is a view of Pebble's. It keeps the store from closing, so its iterators need not.
type snapshot struct {
	store  *Store
	view   *pebble.Snapshot
	closed atomic.Bool
}

func (s *snapshot) check() error {
	if s.closed.Load() {
		return kv.ErrClosed
	}
	return s.store.stop.err()
}

func (s *snapshot) Get(key []byte) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.store.get(s.view, key)
}

func (s *snapshot) Scan(from, to []byte, reverse bool) kv.Iterator {
	if err := s.check(); err != nil {
		return kv.FailedIterator(err)
	}
	return s.store.scan(s.view, from, to, reverse, nil)
}

func (s *snapshot) Close() error {
	if s.closed.Swap(true) {
		return kv.ErrClosed
	}
	err := s.view.Close()
	s.store.life.Leave()
	return s.store.readError(err)
}
