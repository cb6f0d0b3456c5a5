package webwx

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/hongyan-im/hongyan"
)

// Names that stand for something without a number. Clients know them by heart.
const (
	fileHelper = "filehelper" // one's own notes
	friendAsks = "fmessage"   // who asks to become a contact seems to come from it
)

// nameDigits is how many lower-case hexadecimal digits a name has. Clients expect 32 or 64, and cut the sender off a
// message in a group by the pattern (@[0-9a-z]*?):<br/>.
const nameDigits = 32

// userName is what a client calls an account.
func userName(u hongyan.UserID) string { return fmt.Sprintf("@%0*x", nameDigits, uint64(u)) }

// groupName is what a client calls a group.
func groupName(g hongyan.GroupID) string { return fmt.Sprintf("@@%0*x", nameDigits, uint64(g)) }

// conversationName is what a client of u calls a conversation.
func conversationName(c hongyan.ConversationID, u hongyan.UserID) string {
	if g, ok := c.Group(); ok {
		return groupName(g)
	}
	if peer, _ := c.Peer(u); peer != u {
		return userName(peer)
	}
	return fileHelper
}

// parseNumber reads the number of a name behind its prefix; zero if that is none.
func parseNumber(name, prefix string) uint64 {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) != nameDigits || digits != strings.ToLower(digits) {
		return 0
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0 // as no account is
	}
	return n
}

// parseUser reads the name of an account; zero if it is none.
func parseUser(name string) hongyan.UserID { return hongyan.UserID(parseNumber(name, "@")) }

// parseGroup reads the name of a group; zero if it is none.
func parseGroup(name string) hongyan.GroupID { return hongyan.GroupID(parseNumber(name, "@@")) }

// parseConversation reads what a client of u calls a conversation; the zero value if it is none. An own name stands for
// the notes, as filehelper does.
func parseConversation(name string, u hongyan.UserID) hongyan.ConversationID {
	if name == fileHelper {
		return hongyan.Direct(u, u)
	}
	if g := parseGroup(name); g != 0 {
		return hongyan.GroupConversation(g)
	}
	return hongyan.Direct(u, parseUser(name))
}

// messageID is what a client calls a message. Clients name the conversation with it when they revoke, but not when they
// fetch a picture, and the answer to a send needs it too, so it is made of what is known in all three: from the top, a
// bit for what is said beside a picture, 31 bits of the conversation's hash, 31 bits of the ordinal. It fits an int64.
type messageID int64

const (
	ordinalBits    = 31
	captionBit     = 1 << (2 * ordinalBits)
	ordinalMask    = 1<<ordinalBits - 1
	ordinalUnknown = 0
)

// messageIDOf names a message.
func messageIDOf(c hongyan.ConversationID, o hongyan.Ordinal) messageID {
	return messageID(uint64(conversationHash(c))<<ordinalBits | uint64(o)&ordinalMask)
}

// parseMessageID reads the decimal form; zero if it is none.
func parseMessageID(text string) messageID {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n&ordinalMask == ordinalUnknown {
		return 0
	}
	return messageID(n)
}

func (m messageID) String() string { return strconv.FormatInt(int64(m), 10) }

// caption is the id of the text beside m.
func (m messageID) caption() messageID { return m | captionBit }

func (m messageID) ordinal() hongyan.Ordinal { return hongyan.Ordinal(m & ordinalMask) }

// hash is the hash of m's conversation.
func (m messageID) hash() uint32 { return uint32(m >> ordinalBits & ordinalMask) }

// conversationHash tells the conversations of one account apart: 31 bits.
func conversationHash(c hongyan.ConversationID) uint32 {
	b, _ := c.MarshalBinary()
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint32(sum[:]) & ordinalMask
}

// cursor is a place in an account's log, as clients hold it: their SyncKey. Its values stay below 2^31 for those that
// read them as a Java Integer, so a version takes two.
type cursor struct {
	generation uint32 // 31 bits of it
	version    hongyan.Version
}

// syncKey is the form in which it travels in bodies. Count is the length of List, or openwechat reads beyond it.
type syncKey struct {
	Count int           `json:"Count"`
	List  []syncKeyItem `json:"List"`
}

type syncKeyItem struct {
	Key number `json:"Key"`
	Val number `json:"Val"`
}

// Keys of a SyncKey. keyLogin has no meaning here; clients have always seen one.
const (
	keyGeneration  = 1
	keyVersionHigh = 2
	keyVersionLow  = 3
	keyLogin       = 1000
)

// noSyncKey stands where there is none: openwechat reads it even from an answer that says that something failed.
var noSyncKey = syncKey{List: []syncKeyItem{}}

// generation31 is what a cursor holds of a generation.
func generation31(g uint64) uint32 { return uint32(g & ordinalMask) }

func (c cursor) key() syncKey {
	return syncKey{Count: 4, List: []syncKeyItem{
		{keyGeneration, number(c.generation)},
		{keyVersionHigh, number(c.version >> ordinalBits)},
		{keyVersionLow, number(c.version & ordinalMask)},
		{keyLogin, 0},
	}}
}

// cursor reads a SyncKey. False: it is none that this package has made.
func (k syncKey) cursor() (cursor, bool) {
	var c cursor
	seen := 0
	for _, item := range k.List {
		if item.Val < 0 || item.Val > ordinalMask {
			return cursor{}, false
		}
		switch item.Key {
		case keyGeneration:
			c.generation = uint32(item.Val)
		case keyVersionHigh:
			c.version |= hongyan.Version(item.Val) << ordinalBits
		case keyVersionLow:
			c.version |= hongyan.Version(item.Val)
		default:
			continue
		}
		seen |= 1 << item.Key
	}
	return c, seen == 1<<keyGeneration|1<<keyVersionHigh|1<<keyVersionLow
}

// parseSyncKey reads the form in which a SyncKey travels in an address: 1_23|2_0|3_45, or JSON.
func parseSyncKey(text string) (k syncKey) {
	if strings.HasPrefix(text, "{") {
		_ = json.Unmarshal([]byte(text), &k) // what cannot be read has no cursor
		return k
	}
	for item := range strings.SplitSeq(text, "|") {
		key, val, _ := strings.Cut(item, "_")
		n, err := strconv.ParseInt(key, 10, 64)
		m, err2 := strconv.ParseInt(val, 10, 64)
		if err != nil || err2 != nil || len(k.List) >= maxSyncKeyItems {
			return syncKey{}
		}
		k.List = append(k.List, syncKeyItem{number(n), number(m)})
	}
	k.Count = len(k.List)
	return k
}

// maxSyncKeyItems is more than any server of the protocol has given.
const maxSyncKeyItems = 32

// mediaID is what clients call an uploaded file. openwechat and wechat4u take what does not begin with @ for the hash of an
// emoticon.
func mediaID(ref string) string { return mediaPrefix + ref }

const mediaPrefix = "@crypt_"
