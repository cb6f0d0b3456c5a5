package webwx

import (
	"encoding/json"
	"math"
	"regexp"
	"testing"

	"github.com/hongyan-im/hongyan"
)

func TestNames(t *testing.T) {
	t.Parallel()
	const me = 42
	for name, want := range map[string]hongyan.ConversationID{
		fileHelper:          hongyan.Direct(me, me),
		userName(me):        hongyan.Direct(me, me),
		userName(17):        hongyan.Direct(17, me),
		groupName(5):        hongyan.GroupConversation(5),
		userName(1<<53 - 1): hongyan.Direct(me, 1<<53-1),
		"":                  {}, "@": {}, "@@": {}, "weixin": {}, "@17": {}, userName(0): {}, groupName(0): {},
		"@0000000000000000000000000000002A": {}, "@0000000000000000000000000000000g": {},
		userName(17) + "0": {}, " " + userName(17): {},
	} {
		if got := parseConversation(name, me); got != want {
			t.Errorf("%q is %v, want %v", name, got, want)
		}
	}
	// How itchat finds the sender of a message in a group.
	if got := regexp.MustCompile(`^(@[0-9a-z]*?):<br/>(.*)$`).FindStringSubmatch(userName(17) + ":<br/>hi"); got == nil || got[1] != userName(17) {
		t.Errorf("%q", got)
	}
}

func TestMessageIDs(t *testing.T) {
	t.Parallel()
	c := hongyan.Direct(17, 42)
	id := messageIDOf(c, 3)
	if id.ordinal() != 3 || id.hash() != conversationHash(c) || id.caption().hash() != id.hash() || id.caption() == id || int64(id.caption()) < 0 {
		t.Errorf("%d", id)
	}
	for _, text := range []string{"", "0", "-1", "x", "1.5", "9223372036854775808", "2147483648"} {
		if parseMessageID(text) != 0 {
			t.Errorf("%q is a message", text)
		}
	}
}

// FuzzConversationName: what a client calls a conversation leads to it, and nothing else does.
func FuzzConversationName(f *testing.F) {
	f.Add("@00000000000000000000000000000011", uint64(42))
	f.Add("@@00000000000000000000000000000005", uint64(42))
	f.Add("filehelper", uint64(7))
	f.Add("@", uint64(1))
	f.Fuzz(func(t *testing.T, name string, user uint64) {
		u := hongyan.UserID(user)
		c := parseConversation(name, u)
		if c.IsZero() {
			return
		}
		if again := conversationName(c, u); again != name && !(parseUser(name) == u && again == fileHelper) {
			t.Errorf("%q is %v, which is called %q", name, c, again)
		}
	})
}

// FuzzSyncKey: of all forms of a key the same cursor comes out, and its values fit a Java Integer.
func FuzzSyncKey(f *testing.F) {
	f.Add("1_23|2_0|3_45|1000_0")
	f.Add(`{"Count":3,"List":[{"Key":1,"Val":2},{"Key":"2","Val":3},{"Key":3,"Val":4.0}]}`)
	f.Add("1_-1|2_2|3_9999999999")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := parseSyncKey(text).cursor()
		if !ok {
			return
		}
		k := c.key()
		if k.Count != len(k.List) {
			t.Errorf("%d of %d", k.Count, len(k.List))
		}
		for _, item := range k.List {
			if item.Val < 0 || item.Val > math.MaxInt32 {
				t.Errorf("%q: %+v", text, k)
			}
		}
		raw, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{string(raw), keyText(k)} {
			if again, ok := parseSyncKey(form).cursor(); !ok || again != c {
				t.Errorf("%q is %+v, and again %q is %+v", text, c, form, again)
			}
		}
	})
}
