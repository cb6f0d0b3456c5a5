package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hongyan-im/hongyan"
)

// Entry is one line of an account's log: a reference to what changed.
type Entry struct {
	Version hongyan.Version
	Type    hongyan.Type
	Ref     Ref
}

// RefKind says what a Ref of a message entry refers to.
type RefKind uint8

const (
	RefMessage RefKind = 1 // a new message
	RefRecall  RefKind = 2 // a message was recalled
	RefRemoval RefKind = 3 // messages were deleted for oneself
	RefItem    RefKind = 4 // the item of a state type
	RefOwn     RefKind = 5 // a new message, written by the account itself
)

// Ref is what an entry refers to: a place in a conversation, or the item of a state.
type Ref struct {
	Kind         RefKind
	Conversation hongyan.ConversationID
	Ordinals     []hongyan.Ordinal // one, or several for a removal
	By           hongyan.UserID    // who recalled
	Item         []byte            // of a state
}

// MessageRef refers to one message.
func MessageRef(kind RefKind, c hongyan.ConversationID, o hongyan.Ordinal) Ref {
	return Ref{Kind: kind, Conversation: c, Ordinals: []hongyan.Ordinal{o}}
}

// appendRef appends: kind 1 byte, then the item; or the conversation 16 and the ordinals 8 each; who recalled follows as one
// number more.
func appendRef(b []byte, r Ref) []byte {
	b = append(b, byte(r.Kind))
	if r.Kind == RefItem {
		return append(b, r.Item...)
	}
	b = conversation(b, r.Conversation)
	for _, o := range r.Ordinals {
		b = num64(b, uint64(o))
	}
	if r.Kind == RefRecall {
		b = num64(b, uint64(r.By))
	}
	return b
}

func decodeRef(b []byte) (Ref, error) {
	if len(b) == 0 {
		return Ref{}, errors.New("empty log entry")
	}
	r := Ref{Kind: RefKind(b[0])}
	place := b[1:]
	if r.Kind == RefItem {
		r.Item = append([]byte(nil), place...)
		return r, nil
	}
	if len(place) < hongyan.ConversationSize || len(place)%8 != 0 {
		return Ref{}, fmt.Errorf("log entry of %d bytes", len(b))
	}
	if err := r.Conversation.UnmarshalBinary(place[:hongyan.ConversationSize]); err != nil {
		return Ref{}, err
	}
	numbers := place[hongyan.ConversationSize:]
	r.Ordinals = make([]hongyan.Ordinal, 0, len(numbers)/8)
	for ; len(numbers) > 0; numbers = numbers[8:] {
		r.Ordinals = append(r.Ordinals, hongyan.Ordinal(binary.BigEndian.Uint64(numbers)))
	}
	n := len(r.Ordinals)
	switch {
	case r.Kind == RefRecall && n == 2:
		r.By, r.Ordinals = hongyan.UserID(r.Ordinals[1]), r.Ordinals[:1]
	case (r.Kind == RefMessage || r.Kind == RefOwn) && n == 1, r.Kind == RefRemoval && n > 0:
	default:
		return Ref{}, fmt.Errorf("log entry of kind %d with %d numbers", r.Kind, n)
	}
	return r, nil
}

// AddEntry appends to u's log. Versions are the caller's business.
func AddEntry(tx *Tx, u hongyan.UserID, e Entry) {
	tx.w.scratch = appendRef(tx.w.scratch[:0], e.Ref)
	tx.add(entryKey(u, e.Type, e.Version), tx.w.scratch)
}

// Items of the setting type: the first byte tells what it is.
const (
	ItemProfile = 'p'
	ItemDevices = 'd'
	ItemSetting = 's' // the setting's name follows
)

// item names the current entry of a state.
type item struct {
	user hongyan.UserID
	typ  hongyan.Type
	item string
}

var items = table[item, hongyan.Version]{tabItem, func(b []byte, i item) []byte {
	return append(append(num64(b, uint64(i.user)), byte(i.typ)), i.item...)
}}

// MoveItem gives the item of a state a new entry and takes its old one away.
func MoveItem(tx *Tx, u hongyan.UserID, t hongyan.Type, name []byte, v hongyan.Version) error {
	k := item{u, t, string(name)}
	old, err := items.Get(tx, k)
	if err != nil {
		return err
	}
	if old != nil {
		tx.batch.Delete(entryKey(u, t, *old))
	}
	items.Put(tx, k, &v)
	AddEntry(tx, u, Entry{v, t, Ref{Kind: RefItem, Item: name}})
	return nil
}

// ListEntries calls visit with u's entries of one type whose versions lie in (above, upTo], rising or falling, until
// visit returns false.
func ListEntries(r Reader, u hongyan.UserID, t hongyan.Type, above, upTo hongyan.Version, falling bool,
	visit func(e Entry) bool) error {
	if above >= upTo {
		return nil
	}
	return walk(r, entryKey(u, t, above+1), after(entryKey(u, t, upTo)), falling, func(key, value []byte) (bool, error) {
		v, err := lastNumber(key, entrySize)
		if err != nil {
			return false, err
		}
		ref, err := decodeRef(value)
		if err != nil {
			return false, damaged(key, err.Error())
		}
		return visit(Entry{hongyan.Version(v), t, ref}), nil
	})
}

// MaxVersion is above every version.
const MaxVersion hongyan.Version = 1<<53 - 1

// Head is the version of u's newest entry ever, 0 if there was none.
func Head(r Reader, u hongyan.UserID) (hongyan.Version, error) {
	var head hongyan.Version
	for _, t := range hongyan.Types {
		err := ListEntries(r, u, t, 0, MaxVersion, true, func(e Entry) bool {
			head = max(head, e.Version)
			return false
		})
		if err != nil {
			return 0, err
		}
	}
	line, err := TrimLines.Get(r, u)
	if line != nil {
		head = max(head, line.Head)
	}
	return head, err
}

// TrimEntries removes u's message entries above `from` and up to to.Line, and makes to the account's line; from is what
// its line was before. State entries stay: they are the present.
func TrimEntries(tx *Tx, u hongyan.UserID, from hongyan.Version, to TrimLine) {
	if from < to.Line {
		tx.batch.DeleteRange(entryKey(u, hongyan.TypeMessage, from), entryKey(u, hongyan.TypeMessage, to.Line+1))
	}
	to.Head = max(to.Head, to.Line)
	TrimLines.Put(tx, u, &to)
}
