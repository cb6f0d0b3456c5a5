package kv

import (
	"bytes"
	"sync"
	"sync/atomic"
)

// Memory is a Store that lives in memory and dies with the process: the reference implementation of the contract. A
// snapshot costs one pointer, and readers never wait for writers.
type Memory struct {
	life *Lifetime
	root atomic.Pointer[node]

	mu    sync.Mutex // orders the writers
	terms map[uint32]uint64
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{life: NewLifetime(), terms: make(map[uint32]uint64)}
}

// Get implements Reader.
func (m *Memory) Get(key []byte) ([]byte, error) {
	if err := m.life.Enter(); err != nil {
		return nil, err
	}
	defer m.life.Leave()
	return valueOf(m.root.Load(), key)
}

// Scan implements Reader.
func (m *Memory) Scan(from, to []byte, reverse bool) Iterator {
	if err := m.life.Enter(); err != nil {
		return FailedIterator(err)
	}
	return newMemoryIterator(m.root.Load(), from, to, reverse, m.life)
}

// Snapshot implements Store.
func (m *Memory) Snapshot() Snapshot {
	if err := m.life.Enter(); err != nil {
		return FailedSnapshot(err)
	}
	return &memorySnapshot{root: m.root.Load(), life: m.life}
}

// Claim implements Store.
func (m *Memory) Claim(shard uint32) (uint64, error) {
	if err := m.life.Enter(); err != nil {
		return 0, err
	}
	defer m.life.Leave()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.terms[shard]++
	return m.terms[shard], nil
}

// Apply implements Store.
func (m *Memory) Apply(b *Batch) (Commit, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	if err := m.life.Enter(); err != nil {
		return nil, err
	}
	defer m.life.Leave()
	m.mu.Lock()
	defer m.mu.Unlock()
	if shard, term := b.Fenced(); term != 0 && term != m.terms[shard] {
		return nil, ErrFenced
	}
	root := m.root.Load()
	for _, op := range b.Ops() {
		switch op.Kind {
		case OpSet:
			root = root.set(bytes.Clone(op.Key), bytes.Clone(op.Value))
		case OpDelete:
			root = root.remove(op.Key)
		case OpDeleteRange:
			root = root.removeRange(op.Key, op.Value)
		}
	}
	m.root.Store(root)
	return applied{}, nil
}

// Close implements Store.
func (m *Memory) Close() error { return m.life.End() }

// applied is the Commit of a store that has no disk to wait for.
type applied struct{}

func (applied) Wait() error { return nil }

type memorySnapshot struct {
	root   *node
	life   *Lifetime
	closed atomic.Bool
}

func (s *memorySnapshot) Get(key []byte) ([]byte, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	return valueOf(s.root, key)
}

func (s *memorySnapshot) Scan(from, to []byte, reverse bool) Iterator {
	if s.closed.Load() {
		return FailedIterator(ErrClosed)
	}
	return newMemoryIterator(s.root, from, to, reverse, nil)
}

func (s *memorySnapshot) Close() error {
	if s.closed.Swap(true) {
		return ErrClosed
	}
	s.life.Leave()
	return nil
}

func valueOf(root *node, key []byte) ([]byte, error) {
	n := root.get(key)
	if n == nil {
		return nil, ErrNotFound
	}
	return bytes.Clone(n.value), nil
}

// memoryIterator holds the nodes whose key is still to come, the following one on top; what lies beyond a node on its
// far side is pushed when the node is passed.
type memoryIterator struct {
	path    []*node
	at      *node
	end     []byte // where the walk stops: to, exclusive; going down, from, inclusive
	reverse bool
	life    *Lifetime // left at Close; nil if a snapshot holds it
}

func newMemoryIterator(root *node, from, to []byte, reverse bool, life *Lifetime) *memoryIterator {
	it := &memoryIterator{reverse: reverse, life: life}
	switch {
	case to != nil && bytes.Compare(from, to) >= 0:
		return it
	case !reverse:
		it.end = bytes.Clone(to)
		for n := root; n != nil; {
			if bytes.Compare(n.key, from) < 0 {
				n = n.right
				continue
			}
			it.path = append(it.path, n)
			n = n.left
		}
	default:
		it.end = bytes.Clone(from)
		for n := root; n != nil; {
			if to != nil && bytes.Compare(n.key, to) >= 0 {
				n = n.left
				continue
			}
			it.path = append(it.path, n)
			n = n.right
		}
	}
	return it
}

func (it *memoryIterator) Next() bool {
	it.at = nil
	if len(it.path) == 0 {
		return false
	}
	n := it.path[len(it.path)-1]
	if it.passed(n.key) {
		it.path = nil
		return false
	}
	it.path = it.path[:len(it.path)-1]
	it.at = n
	if it.reverse {
		for n = n.left; n != nil; n = n.right {
			it.path = append(it.path, n)
		}
	} else {
		for n = n.right; n != nil; n = n.left {
			it.path = append(it.path, n)
		}
	}
	return true
}

func (it *memoryIterator) passed(key []byte) bool {
	if it.reverse {
		return bytes.Compare(key, it.end) < 0
	}
	return it.end != nil && bytes.Compare(key, it.end) >= 0
}

func (it *memoryIterator) Key() []byte   { return it.at.key }
func (it *memoryIterator) Value() []byte { return it.at.value }

func (it *memoryIterator) Close() error {
	it.path, it.at = nil, nil
	if it.life != nil {
		it.life.Leave()
		it.life = nil
	}
	return nil
}
