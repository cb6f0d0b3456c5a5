package store

import (
	"encoding/binary"

	"github.com/hongyan-im/hongyan"
)

// The key layout, big-endian throughout. The first byte is the table; pebblekv's comparer knows which tables are read by
// a common prefix. Letters and layouts are for ever, see docs/ARCHITECTURE.md.
const (
	tabEntry        = 'i' // user, type, version           → what changed: a reference
	tabItem         = 's' // user, type, item              → version of the item's entry
	tabBody         = 'm' // conversation, ordinal         → message
	tabDedupe       = 'd' // hour, sender, client id       → original result
	tabCursor       = 'c' // user, device (0: any)         → acknowledged version
	tabView         = 'r' // user, conversation            → read mark and the rest of one's own view
	tabTrim         = 'h' // user                          → trim line
	tabAccount      = 'a' // user                          → account
	tabName         = 'n' // account name                  → user
	tabDevices      = 'v' // user                          → devices
	tabContact      = 'k' // user, other                   → contact
	tabGroup        = 'g' // group                         → group with its members
	tabLink         = 'l' // link code                     → group
	tabHidden       = 'x' // user, conversation, ordinal   → deleted for oneself
	tabSetting      = 'p' // user, setting name            → value
	tabConversation = 'b' // conversation                  → what is left of it when bodies are trimmed
	tabFilter       = 'f' // hour, chunk                   → dedupe filter
	tabAPIKey       = 'w' // id                            → server API key
	tabInvitation   = 'u' // code                          → invitation
	tabMedia        = 'o' // reference                     → uploaded object
	tabMediaUse     = 'q' // user (0: all)                 → how much it has uploaded
	tabTelling      = 't' // user                          → how far its contacts were told of its profile
	tabMeta         = 'z' // name                          → schema version, generation, clock, secrets
	// 'e' is the fence and belongs to the engine.
)

func entryKey(u hongyan.UserID, t hongyan.Type, v hongyan.Version) []byte {
	k := make([]byte, 0, entrySize)
	return num64(append(num64(append(k, tabEntry), uint64(u)), byte(t)), uint64(v))
}

func bodyKey(c hongyan.ConversationID, o hongyan.Ordinal) []byte {
	k := make([]byte, 0, bodySize)
	return num64(conversation(append(k, tabBody), c), uint64(o))
}

func dedupeKey(hour uint32, sender hongyan.UserID, id hongyan.ClientID) []byte {
	k := make([]byte, 0, 1+4+8+16)
	return append(num64(num32(append(k, tabDedupe), hour), uint64(sender)), id[:]...)
}

func hiddenKey(u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal) []byte {
	k := make([]byte, 0, hiddenSize)
	return num64(conversation(num64(append(k, tabHidden), uint64(u)), c), uint64(o))
}

func filterKey(hour, chunk uint32) []byte { return num32(num32([]byte{tabFilter}, hour), chunk) }

func metaKey(name string) []byte { return append([]byte{tabMeta}, name...) }

func num64(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

func num32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }

func conversation(b []byte, c hongyan.ConversationID) []byte {
	b, _ = c.AppendBinary(b) // never fails
	return b
}

// lastNumber reads the number that ends a key of a given size.
func lastNumber(key []byte, size int) (uint64, error) {
	if len(key) != size {
		return 0, damaged(key, "its key has a wrong length")
	}
	return binary.BigEndian.Uint64(key[size-8:]), nil
}

// Sizes of the keys that end in a number.
const (
	entrySize  = 1 + 8 + 1 + 8
	bodySize   = 1 + hongyan.ConversationSize + 8
	hiddenSize = 1 + 8 + hongyan.ConversationSize + 8
)

// after is the smallest key that does not begin with prefix: the end of a scan over it.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
