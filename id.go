package hongyan

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// UserID names an account. Drawn at random below 2^53, so that it survives a JSON number; zero is nobody.
type UserID uint64

// DeviceID names one device of an account. Drawn at random below 2^63; zero is no device.
type DeviceID uint64

// GroupID names a group. Drawn at random below 2^53; zero is no group.
type GroupID uint64

// MessageID names a message in the whole cluster. It is below 2^63 and grows within a shard, but order and
// completeness are told by Ordinal and Version, not by ids.
type MessageID uint64

// ClientID is the sender's own name for a message: 16 random bytes, unique per account and unchanged by retries. It is
// what makes a retry recognisable.
type ClientID [16]byte

// Ordinal is the dense number of a message in its conversation, from 1. Read marks and unread counts are ordinals.
type Ordinal uint64

// Version counts the changes of one account: below 2^53, strictly growing, never reused, with gaps. It is made of the
// writer's term in the bits above 32 and a counter below. Zero is before everything.
type Version uint64

// Terms of a Version must leave it below 2^53.
const (
	versionTermShift = 32
	MaxTerm          = 1<<(53-versionTermShift) - 1
)

// VersionAt is the n-th version of a term.
func VersionAt(term uint64, n uint32) Version { return Version(term<<versionTermShift | uint64(n)) }

// Term is the writer's term in which the version was given.
func (v Version) Term() uint64 { return uint64(v) >> versionTermShift }

// ConversationID names a conversation: of two accounts, or of a group. Both sides of a direct conversation derive the
// same id, so none has to be looked up. The zero value names none.
type ConversationID struct {
	low, high uint64 // the two accounts, smaller first; or zero and the group
}

// Direct is the conversation of two accounts, or of one with itself (its own notes). It does not matter who is first.
// Nobody, the zero account, has none.
func Direct(a, b UserID) ConversationID {
	if a == 0 || b == 0 {
		return ConversationID{} // and not the group whose number the other has
	}
	return ConversationID{uint64(min(a, b)), uint64(max(a, b))}
}

// GroupConversation is the conversation of a group.
func GroupConversation(g GroupID) ConversationID { return ConversationID{0, uint64(g)} }

// IsZero reports whether c names no conversation.
func (c ConversationID) IsZero() bool { return c == ConversationID{} }

// Group returns the group whose conversation this is, if it is one.
func (c ConversationID) Group() (GroupID, bool) { return GroupID(c.high), c.low == 0 && c.high != 0 }

// Members returns the two accounts of a direct conversation, equal for one's own notes.
func (c ConversationID) Members() (a, b UserID, direct bool) {
	return UserID(c.low), UserID(c.high), c.low != 0
}

// Peer returns the other account of a direct conversation of u, which is u in its own notes. It is false for groups
// and for conversations that u has no part in.
func (c ConversationID) Peer(u UserID) (UserID, bool) {
	switch {
	case c.low == 0:
		return 0, false
	case c.low == uint64(u):
		return UserID(c.high), true
	case c.high == uint64(u):
		return UserID(c.low), true
	}
	return 0, false
}

// ConversationSize is the length of a conversation id in bytes.
const ConversationSize = 16

// AppendBinary appends the 16 bytes of c: two big-endian numbers.
func (c ConversationID) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint64(b, c.low)
	return binary.BigEndian.AppendUint64(b, c.high), nil
}

// MarshalBinary returns the 16 bytes of c.
func (c ConversationID) MarshalBinary() ([]byte, error) {
	return c.AppendBinary(make([]byte, 0, ConversationSize))
}

// UnmarshalBinary reads what AppendBinary wrote.
func (c *ConversationID) UnmarshalBinary(b []byte) error {
	if len(b) != ConversationSize {
		return fmt.Errorf("conversation id of %d bytes, want %d", len(b), ConversationSize)
	}
	read := ConversationID{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
	if read.low > read.high {
		return fmt.Errorf("conversation id with the larger account first: %x", b)
	}
	*c = read
	return nil
}

// maxConversationText bounds the text form, in bytes: "d:", a number, ":", a number.
const maxConversationText = 2 + 20 + 1 + 20

// String is the text form that clients see: "d:17:42" for the direct conversation of accounts 17 and 42, "g:5" for
// group 5, "" for none.
func (c ConversationID) String() string {
	return string(c.appendText(make([]byte, 0, maxConversationText)))
}

func (c ConversationID) appendText(b []byte) []byte {
	switch {
	case c.low != 0:
		b = strconv.AppendUint(append(b, "d:"...), c.low, 10)
		return strconv.AppendUint(append(b, ':'), c.high, 10)
	case c.high != 0:
		return strconv.AppendUint(append(b, "g:"...), c.high, 10)
	}
	return b
}

// ParseConversation reads the text form. Only the exact output of String is accepted, so equal conversations have
// equal names.
func ParseConversation(s string) (ConversationID, error) {
	var c ConversationID
	kind, rest, _ := strings.Cut(s, ":")
	switch kind {
	case "d":
		low, high, _ := strings.Cut(rest, ":")
		c.low, _ = strconv.ParseUint(low, 10, 64)
		c.high, _ = strconv.ParseUint(high, 10, 64)
		if c.low == 0 || c.low > c.high {
			c = ConversationID{}
		}
	case "g":
		c.high, _ = strconv.ParseUint(rest, 10, 64)
	}
	if c.IsZero() || string(c.appendText(make([]byte, 0, maxConversationText))) != s {
		return ConversationID{}, Errorf(Invalid, "%q is no conversation", clip(s)).
			WithHint("a conversation is written d:<account>:<account> with the smaller account first, or g:<group>")
	}
	return c, nil
}

// clip shortens text that is quoted back in an error.
func clip(s string) string {
	const limit = 64
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
