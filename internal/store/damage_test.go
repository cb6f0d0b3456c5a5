package store

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// TestDamage puts bytes that this program did not write under every kind of key: whoever reads them gets an error that
// names the record.
func TestDamage(t *testing.T) {
	t.Parallel()
	short := func(table byte, user hongyan.UserID) []byte { return num64([]byte{table}, uint64(user)) }
	for _, test := range []struct {
		name string
		key  []byte
		read func(r Reader) error
	}{
		{"account", Accounts.keyOf(1), func(r Reader) error { _, err := Accounts.Get(r, 1); return err }},
		{"body", bodyKey(direct, 1), func(r Reader) error { _, err := GetMessage(r, direct, 1); return err }},
		{"bodies", bodyKey(direct, 1), func(r Reader) error {
			return ListMessages(r, direct, 1, 9, false, func(*hongyan.Message) bool { return true })
		}},
		{"entry", entryKey(1, hongyan.TypeMessage, 5), func(r Reader) error {
			return ListEntries(r, 1, hongyan.TypeMessage, 0, 9, false, func(Entry) bool { return true })
		}},
		{"head", entryKey(1, hongyan.TypeMessage, 5), func(r Reader) error { _, err := Head(r, 1); return err }},
		{"trim line", TrimLines.keyOf(1), func(r Reader) error { _, err := Head(r, 1); return err }},
		{"conversation", Conversations.keyOf(direct), func(r Reader) error { _, err := LastOrdinal(r, direct); return err }},
		{"original", dedupeKey(7, 1, hongyan.ClientID{1}), func(r Reader) error {
			_, err := GetOriginal(r, 7, 1, hongyan.ClientID{1})
			return err
		}},
		{"key of an original", short(tabDedupe, 7<<32)[:6], func(r Reader) error {
			return ListOriginals(r, 7, func(hongyan.UserID, hongyan.ClientID) bool { return true })
		}},
		{"contact", Contacts.keyOf(Pair{1, 2}), func(r Reader) error {
			return ListContacts(r, 1, 0, func(hongyan.UserID, *Contact) bool { return true })
		}},
		{"view", Views.keyOf(Part{1, direct}), func(r Reader) error {
			return ListViews(r, 1, func(hongyan.ConversationID, *ConversationView) bool { return true })
		}},
		{"setting", Settings.keyOf(SettingName{1, "s"}), func(r Reader) error {
			return ListSettings(r, 1, func(string, []byte) bool { return true })
		}},
		{"name", Names.keyOf("ann"), func(r Reader) error {
			return ListNames(r, "", func(string, hongyan.UserID) bool { return true })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newRig(t)
			g.raw(test.key, []byte{0xff, 0xff})
			for name, r := range map[string]Reader{"view": g.view(), "transaction": g.Begin()} {
				if err := test.read(r); err == nil || !strings.Contains(err.Error(), "damaged") {
					t.Errorf("%s: read with the error %v", name, err)
				}
			}
		})
	}
}

// TestDamagedKeys has keys of the wrong length where lists come by.
func TestDamagedKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		key  []byte
		list func(r Reader) error
	}{
		{"contact", append(Contacts.keyOf(Pair{1, 0})[:12:12], 1), func(r Reader) error {
			return ListContacts(r, 1, 0, func(hongyan.UserID, *Contact) bool { return true })
		}},
		{"view", append(Views.keyOf(Part{1, direct}), 1), func(r Reader) error {
			return ListViews(r, 1, func(hongyan.ConversationID, *ConversationView) bool { return true })
		}},
		{"entry", append(entryKey(1, hongyan.TypeMessage, 5), 1), func(r Reader) error {
			return ListEntries(r, 1, hongyan.TypeMessage, 0, 9, false, func(Entry) bool { return true })
		}},
		{"body", append(bodyKey(direct, 5), 1), func(r Reader) error {
			return ListMessages(r, direct, 1, 9, false, func(*hongyan.Message) bool { return true })
		}},
		{"last body", append(bodyKey(direct, 5), 1), func(r Reader) error { _, err := LastOrdinal(r, direct); return err }},
		{"hidden", append(hiddenKey(1, direct, 5), 1), func(r Reader) error { _, err := Hidden(r, 1, direct, 1, 9); return err }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newRig(t)
			g.raw(test.key, []byte{0xa0})
			if err := test.list(g.view()); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("listed with the error %v", err)
			}
		})
	}
}

// TestListsEnd asks for what comes after the last possible key.
func TestListsEnd(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.write(func(tx *Tx) {
		for _, other := range []hongyan.UserID{2, 3, math.MaxUint64} {
			Contacts.Put(tx, Pair{1, other}, &Contact{})
		}
		Contacts.Put(tx, Pair{2, 1}, &Contact{})
	})
	for _, test := range []struct {
		above hongyan.UserID
		want  []hongyan.UserID
	}{
		{0, []hongyan.UserID{2, 3, math.MaxUint64}},
		{2, []hongyan.UserID{3, math.MaxUint64}},
		{3, []hongyan.UserID{math.MaxUint64}},
		{math.MaxUint64, nil},
	} {
		var got []hongyan.UserID
		if err := ListContacts(g.view(), 1, test.above, func(other hongyan.UserID, _ *Contact) bool {
			got = append(got, other)
			return true
		}); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("above %d: %v, %v, want %v", test.above, got, err, test.want)
		}
	}
}
