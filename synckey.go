package hongyan

import (
	"encoding/binary"
	"hash/crc32"
)

// Type sorts the changes of an account. A SyncKey holds one version per type.
type Type uint8

const (
	TypeMessage      Type = 1 // messages, recalls, deletions for oneself: all are kept until trimmed
	TypeContact      Type = 2 // this and the following are states: the latest version of an item counts
	TypeGroup        Type = 3
	TypeConversation Type = 4 // one's own view of a conversation: read mark, pin, mute, membership
	TypeReceipt      Type = 5
	TypeSetting      Type = 6 // one's own profile, devices and settings

	typeEnd = 7
)

// Types lists all types in order.
var Types = [...]Type{TypeMessage, TypeContact, TypeGroup, TypeConversation, TypeReceipt, TypeSetting}

// SyncKey says which changes of an account a device has applied. Devices hold its encoding as an opaque token, store it
// together with the changes it stands for, and present it to get what is newer. The zero key has seen nothing.
type SyncKey struct {
	Generation uint64 // of the store that gave it; another generation's keys mean nothing here
	User       UserID
	seen       [typeEnd]Version
}

// KeyAt is the key of a device that has seen everything up to v.
func KeyAt(generation uint64, u UserID, v Version) SyncKey {
	k := SyncKey{Generation: generation, User: u}
	for _, t := range Types {
		k.seen[t] = v
	}
	return k
}

// Seen is the version of t up to which everything was applied.
func (k SyncKey) Seen(t Type) Version { return k.seen[t] }

// Advance raises the version of t. It never lowers one.
func (k *SyncKey) Advance(t Type, v Version) { k.seen[t] = max(k.seen[t], v) }

// Version is what the whole key has seen: the smallest of its versions. Clients compare it with the version of a
// notification.
func (k SyncKey) Version() Version {
	v := k.seen[Types[0]]
	for _, t := range Types[1:] {
		v = min(v, k.seen[t])
	}
	return v
}

// Newest is the largest of the key's versions.
func (k SyncKey) Newest() Version {
	var v Version
	for _, t := range Types {
		v = max(v, k.seen[t])
	}
	return v
}

// IsZero reports whether the key has seen nothing: the first sync of a device.
func (k SyncKey) IsZero() bool { return k == SyncKey{} }

// MaxSyncKey bounds the encoding of a key, in bytes, for all versions of the protocol.
const MaxSyncKey = 2048

// Layout of the encoding: format 1 byte, generation 8, user 8, then one (type 1, version 8) per non-zero version in
// rising order of type, then CRC-32C 4 of all before. Numbers are big-endian. The zero key is the empty string.
const (
	syncKeyFormat = 1
	syncKeyHead   = 1 + 8 + 8
	syncKeyItem   = 1 + 8
	syncKeySum    = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendBinary appends the token form of k.
func (k SyncKey) AppendBinary(b []byte) ([]byte, error) {
	if k.IsZero() {
		return b, nil
	}
	start := len(b)
	b = append(b, syncKeyFormat)
	b = binary.BigEndian.AppendUint64(b, k.Generation)
	b = binary.BigEndian.AppendUint64(b, uint64(k.User))
	for _, t := range Types {
		if v := k.seen[t]; v != 0 {
			b = append(b, byte(t))
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		}
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli)), nil
}

// Token is the encoding that devices hold.
func (k SyncKey) Token() []byte {
	b, _ := k.AppendBinary(nil)
	return b
}

// ParseSyncKey reads a token. The empty token is the zero key; what is damaged, foreign in form or written differently
// from AppendBinary is KeyInvalid.
func ParseSyncKey(token []byte) (SyncKey, error) {
	var k SyncKey
	if len(token) == 0 {
		return k, nil
	}
	body := len(token) - syncKeySum
	bad := func(why string) (SyncKey, error) {
		return SyncKey{}, Errorf(KeyInvalid, "the sync key %s", why).
			WithHint("present the key exactly as it was received, or none to start over")
	}
	switch {
	case body < syncKeyHead || len(token) > MaxSyncKey || (body-syncKeyHead)%syncKeyItem != 0:
		return bad("has a wrong length")
	case binary.BigEndian.Uint32(token[body:]) != crc32.Checksum(token[:body], castagnoli):
		return bad("is damaged: its checksum does not match")
	case token[0] != syncKeyFormat:
		return bad("is of an unknown format")
	}
	k.Generation = binary.BigEndian.Uint64(token[1:])
	k.User = UserID(binary.BigEndian.Uint64(token[9:]))
	last := Type(0)
	for item := token[syncKeyHead:body]; len(item) > 0; item = item[syncKeyItem:] {
		t, v := Type(item[0]), Version(binary.BigEndian.Uint64(item[1:]))
		if t <= last || t >= typeEnd || v == 0 {
			return bad("holds an item that is out of order")
		}
		k.seen[t], last = v, t
	}
	if k.IsZero() {
		return bad("is empty")
	}
	return k, nil
}
