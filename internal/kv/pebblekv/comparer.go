package pebblekv

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
)

// comparerName stands in every table and manifest. Order, Split and name belong together for ever: a store cannot be
// opened under another name, and would lose records under the same name with another Split, because the filters in its
// tables hold prefixes cut the old way.
const comparerName = "hongyan.v1"

// Lengths of the prefixes that the filters hold, of keys that belong to an account and to a conversation.
const (
	accountPrefix      = 1 + 8
	conversationPrefix = 1 + 16
	longestPrefix      = conversationPrefix
)

// prefixLength returns where the keys of a letter are split, or 0 for those that are not.
func prefixLength(letter byte) int {
	switch letter {
	case 'i', 's', 'c', 'r', 'x', 'p': // letter, account, and what of it
		return accountPrefix
	case 'm': // letter, conversation, and which message
		return conversationPrefix
	}
	return 0
}

// split returns the length of the key's prefix. Pebble wants that order by prefix first and then by the rest is the
// order of the keys. That holds for any split at a length that depends on the first byte alone, if a key that is
// shorter is all prefix: two keys with the same first byte are cut at the same place, and others differ before it.
func split(key []byte) int {
	if len(key) == 0 {
		return 0
	}
	if n := prefixLength(key[0]); n != 0 && n < len(key) {
		return n
	}
	return len(key)
}

// prefixEnd appends the first key behind all that share the prefix. The prefix begins with a letter, so there is one.
func prefixEnd(dst, prefix []byte) []byte {
	n := len(prefix)
	for prefix[n-1] == 0xff {
		n--
	}
	dst = append(dst, prefix[:n]...)
	dst[len(dst)-1]++
	return dst
}

// withinPrefix reports whether every key in [from, to) has the prefix of from, so that a filter may answer for all.
func withinPrefix(from, to []byte) bool {
	if len(from) == 0 {
		return false
	}
	n := prefixLength(from[0])
	if n == 0 || len(from) < n {
		return false
	}
	var end [longestPrefix]byte
	return bytes.Compare(to, prefixEnd(end[:0], from[:n])) <= 0
}

func newComparer() *pebble.Comparer {
	c := *pebble.DefaultComparer // orders bytewise
	c.Name = comparerName
	c.Split = split
	c.ImmediateSuccessor = func(dst, prefix []byte) []byte {
		if len(prefix) > 0 && len(prefix) == prefixLength(prefix[0]) {
			return prefixEnd(dst, prefix)
		}
		return append(append(dst, prefix...), 0)
	}
	return &c
}
