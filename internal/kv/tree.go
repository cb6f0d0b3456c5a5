package kv

import (
	"bytes"
	"hash/maphash"
)

// node is a treap: a search tree by key and a heap by priority. Nodes never change once they are linked: a write copies
// the path to its place, O(log n) nodes, and shares the rest, so that an old root remains a complete view of the past.
//
// The priority is a hash of the key. So a key has the same priority in every tree, and one that is higher than a node's
// proves that the key is not below that node.
type node struct {
	key, value  []byte
	priority    uint64
	left, right *node
}

var prioritySeed = maphash.MakeSeed()

// set returns the tree with key holding value. It keeps both slices.
func (n *node) set(key, value []byte) *node {
	return n.put(&node{key: key, value: value, priority: maphash.Bytes(prioritySeed, key)})
}

func (n *node) put(in *node) *node {
	if n == nil {
		return in
	}
	if in.priority > n.priority {
		in.left, in.right = n.split(in.key)
		return in
	}
	c := *n
	switch bytes.Compare(in.key, n.key) {
	case -1:
		c.left = n.left.put(in)
	case 1:
		c.right = n.right.put(in)
	default:
		c.value = in.value
	}
	return &c
}

// remove returns the tree without key.
func (n *node) remove(key []byte) *node {
	if n == nil {
		return nil
	}
	switch bytes.Compare(key, n.key) {
	case -1:
		if l := n.left.remove(key); l != n.left {
			c := *n
			c.left = l
			return &c
		}
	case 1:
		if r := n.right.remove(key); r != n.right {
			c := *n
			c.right = r
			return &c
		}
	default:
		return join(n.left, n.right)
	}
	return n
}

// removeRange returns the tree without the keys in [from, to).
func (n *node) removeRange(from, to []byte) *node {
	if bytes.Compare(from, to) >= 0 {
		return n
	}
	below, rest := n.split(from)
	_, above := rest.split(to)
	return join(below, above)
}

// get returns the node of key, or nil.
func (n *node) get(key []byte) *node {
	for n != nil {
		switch bytes.Compare(key, n.key) {
		case -1:
			n = n.left
		case 1:
			n = n.right
		default:
			return n
		}
	}
	return nil
}

// split returns the keys below key and the others.
func (n *node) split(key []byte) (below, rest *node) {
	if n == nil {
		return nil, nil
	}
	c := *n
	if bytes.Compare(n.key, key) < 0 {
		c.right, rest = n.right.split(key)
		return &c, rest
	}
	below, c.left = n.left.split(key)
	return below, &c
}

// join returns one tree of two; every key of a is below every key of b.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		c := *a
		c.right = join(a.right, b)
		return &c
	default:
		c := *b
		c.left = join(a, b.left)
		return &c
	}
}
