package store

import (
	"bytes"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// layout is one key of each kind with its bytes. They are on disks: a line may be added, never changed.
var layout = []struct {
	table byte
	key   []byte
	hex   string
}{
	{tabAccount, Accounts.keyOf(0x0102030405060708), "61 0102030405060708"},
	{tabConversation, Conversations.keyOf(direct), "62 0000000000000001 0000000000000002"},
	{tabCursor, Cursors.keyOf(Holder{1, 0x0a0b}), "63 0000000000000001 0000000000000a0b"},
	{tabDedupe, dedupeKey(0x01020304, 5, hongyan.ClientID([]byte("0123456789abcdef"))),
		"64 01020304 0000000000000005 30313233343536373839616263646566"},
	{tabFilter, filterKey(0x01020304, 5), "66 01020304 00000005"},
	{tabGroup, Groups.keyOf(9), "67 0000000000000009"},
	{tabTrim, TrimLines.keyOf(1), "68 0000000000000001"},
	{tabEntry, entryKey(1, hongyan.TypeMessage, 0x0000000200000003), "69 0000000000000001 01 0000000200000003"},
	{tabContact, Contacts.keyOf(Pair{1, 2}), "6b 0000000000000001 0000000000000002"},
	{tabLink, Links.keyOf("code"), "6c 636f6465"},
	{tabBody, bodyKey(direct, 3), "6d 0000000000000001 0000000000000002 0000000000000003"},
	{tabName, Names.keyOf("ann"), "6e 616e6e"},
	{tabMedia, Medias.keyOf(MediaRef([]byte("0123456789abcdef"))), "6f 30313233343536373839616263646566"},
	{tabSetting, Settings.keyOf(SettingName{1, "tone"}), "70 0000000000000001 746f6e65"},
	{tabMediaUse, MediaUses.keyOf(1), "71 0000000000000001"},
	{tabView, Views.keyOf(Part{1, group}), "72 0000000000000001 0000000000000000 0000000000000009"},
	{tabItem, items.keyOf(item{1, hongyan.TypeContact, "\x00\x02"}), "73 0000000000000001 02 0002"},
	{tabTelling, Tellings.keyOf(1), "74 0000000000000001"},
	{tabInvitation, Invitations.keyOf("code"), "75 636f6465"},
	{tabDevices, DeviceLists.keyOf(1), "76 0000000000000001"},
	{tabAPIKey, APIKeys.keyOf(7), "77 0000000000000007"},
	{tabHidden, hiddenKey(1, direct, 3), "78 0000000000000001 0000000000000001 0000000000000002 0000000000000003"},
	{tabMeta, Meta.keyOf("clock"), "7a 636c6f636b"},
	{tabMeta, metaKey(metaSchema), "7a 736368656d61"},
	{tabMeta, metaKey(metaGeneration), "7a 67656e65726174696f6e"},
}

func TestKeyLayout(t *testing.T) {
	t.Parallel()
	var tables []byte
	for _, k := range layout {
		if want := unhex(t, k.hex); !bytes.Equal(k.key, want) {
			t.Errorf("a key of table %c is %x, and is %x on disks", k.table, k.key, want)
		}
		if k.key[0] != k.table {
			t.Errorf("a key of table %c begins with %c", k.table, k.key[0])
		}
		tables = append(tables, k.table)
	}
	slices.Sort(tables)
	if got := slices.Compact(tables); string(got) != "abcdfghiklmnopqrstuvwxz" {
		t.Errorf("the tables are %q", got)
	}
}

// TestOwnPlaceForEveryKind reads each table of a store that holds a record of each: none shows another's.
func TestOwnPlaceForEveryKind(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for _, k := range layout {
		g.raw(k.key, []byte{1})
	}
	v := g.view()
	for _, k := range layout {
		n := 0
		prefix := []byte{k.table}
		if err := walk(v, prefix, after(prefix), false, func(key, _ []byte) (bool, error) {
			if key[0] != k.table {
				t.Errorf("table %c shows %x", k.table, key)
			}
			n++
			return true, nil
		}); err != nil || n == 0 {
			t.Errorf("table %c has %d records, %v", k.table, n, err)
		}
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ prefix, want []byte }{
		{[]byte{1}, []byte{2}},
		{[]byte{1, 0xff}, []byte{2}},
		{[]byte{1, 2, 0xff, 0xff}, []byte{1, 3}},
		{[]byte{0xff, 0xff}, nil},
		{nil, nil},
	} {
		if got := after(test.prefix); !bytes.Equal(got, test.want) {
			t.Errorf("the first key behind %x is %x, want %x", test.prefix, got, test.want)
		}
	}
}
