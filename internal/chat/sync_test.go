package chat

import (
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
)

func TestAPullOfSomeTypesLeavesTheOthersForLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	bob.sync()
	c := alice.with(bob)
	alice.says(c, "one")
	must(t, alice.ask(bob))
	alice.says(c, "two")

	before := bob.key
	page, err := bob.page(0, hongyan.TypeMessage, hongyan.TypeMessage, hongyan.TypeMessage)
	must(t, err)
	if got := bob.arrived[c]; !slices.Equal(got, []hongyan.Ordinal{1, 2}) || page.More {
		t.Errorf("messages %v came, more is %v", got, page.More)
	}
	if page.Key.Version() != before.Version() {
		t.Errorf("the whole key moved from %d to %d", before.Version(), page.Key.Version())
	}
	if len(bob.contacts) != 0 {
		t.Error("a contact came unasked")
	}
	bob.sync()
	if got := bob.arrived[c]; !slices.Equal(got, []hongyan.Ordinal{1, 2}) {
		t.Errorf("in the end the messages %v came", got)
	}
	if bob.contacts[alice.User].State != hongyan.ContactAsking {
		t.Errorf("the contact is %+v", bob.contacts[alice.User])
	}
}

func TestTheSameKeyBringsTheSameAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	bob.sync()
	key := bob.key
	alice.says(alice.with(bob), "one", "two", "three")
	first, err := bob.page(2)
	must(t, err)
	bob.key = key
	second, err := bob.page(2)
	must(t, err)
	if !first.More || len(first.Changes) != 2 || first.Key != second.Key {
		t.Fatalf("got %+v, then %+v", first, second)
	}
	for i := range first.Changes {
		if first.Changes[i].Version != second.Changes[i].Version {
			t.Errorf("change %d has version %d, then %d", i, first.Changes[i].Version, second.Changes[i].Version)
		}
	}
	bob.sync()
	idle, err := bob.page(0)
	must(t, err)
	if len(idle.Changes)+len(idle.Conversations) != 0 || idle.More || idle.Key != bob.key {
		t.Errorf("nothing new, and the answer is %+v", idle)
	}
}

func TestKeysThatCannotBeContinued(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	alice.says(alice.with(bob), "one")
	bob.sync()
	generation := w.chat.Generation()
	tests := []struct {
		name  string
		key   hongyan.SyncKey
		reset inbox.ResetReason
		code  hongyan.Code
	}{
		{"none", hongyan.SyncKey{}, inbox.ResetFirst, 0},
		{"of another generation", hongyan.KeyAt(generation+1, bob.User, bob.key.Version()+1000), inbox.ResetGeneration, 0},
		{"of another account", hongyan.KeyAt(generation, alice.User, 1), 0, hongyan.KeyInvalid},
		{"ahead", hongyan.KeyAt(generation, bob.User, bob.key.Version()+1), 0, hongyan.KeyAhead},
		{"present", bob.key, inbox.NoReset, 0},
	}
	for _, tt := range tests {
		bob.key = tt.key
		page, err := bob.page(0)
		if hongyan.CodeOf(err) != tt.code || page.Reset != tt.reset {
			t.Errorf("%s: reset %d, %v", tt.name, page.Reset, err)
		}
		if tt.reset == inbox.NoReset {
			continue
		}
		if len(page.Changes) != 0 || page.More || len(page.Backfill) == 0 || page.Key.Version() == 0 {
			t.Errorf("%s: the reset is %+v", tt.name, page)
		}
		if len(page.Conversations) != 1 || page.Conversations[0].LastMessage == nil || page.Conversations[0].Unread != 1 {
			t.Errorf("%s: the window is %+v", tt.name, page.Conversations)
		}
	}
}

func TestABackfillCanBeResumedAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	want := []hongyan.Ordinal{}
	for i := range 20 {
		want = append(want, hongyan.Ordinal(i+1))
		alice.says(c, "hello")
	}
	must(t, alice.ask(bob))
	for size := range uint32(25) {
		fresh := w.device("bob")
		page, err := fresh.page(0)
		must(t, err)
		alice.says(c, "meanwhile") // comes after the backfill
		want = append(want, hongyan.Ordinal(len(want)+1))
		for token, n := page.Backfill, 0; len(token) > 0; n++ {
			again, err := backfill(fresh, token, size)
			must(t, err)
			next, err := backfill(fresh, token, size)
			must(t, err)
			if !slices.Equal(again.Backfill, next.Backfill) || len(again.Changes) != len(next.Changes) {
				t.Fatalf("size %d: the same token brought %d changes, then %d", size, len(again.Changes), len(next.Changes))
			}
			if size > 0 && len(next.Changes) > int(size) || n > 100 {
				t.Fatalf("size %d: page %d has %d changes", size, n, len(next.Changes))
			}
			fresh.apply(next)
			token = next.Backfill
		}
		fresh.backfill = nil
		fresh.sync()
		if got := fresh.arrived[c]; !slices.Equal(got, want) {
			t.Errorf("size %d: the messages %v came, want 1 to %d", size, got, len(want))
		}
		if fresh.contacts[alice.User].State != hongyan.ContactAsking || fresh.profile.Name != "bob" || len(fresh.devices.List) == 0 {
			t.Errorf("size %d: the states came as %+v, %+v, %+v", size, fresh.contacts, fresh.profile, fresh.devices)
		}
		w.accounts.Logout(fresh.User, fresh.Device, func(err error) { must(t, err) })
		w.Rest()
	}
}

func TestBackfillTokensAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	page, err := bob.page(0)
	must(t, err)
	damaged := slices.Clone(page.Backfill)
	damaged[10] ^= 1
	for name, token := range map[string][]byte{
		"none": nil, "damaged": damaged, "cut": page.Backfill[:len(page.Backfill)-1],
		"another store's": backfillToken{w.chat.Generation() + 1, bob.User, 0, 9}.encode(),
	} {
		_, err := backfill(bob, token, 0)
		if hongyan.CodeOf(err) != hongyan.KeyInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = backfill(alice, page.Backfill, 0)
	wantCode(t, err, hongyan.KeyInvalid)
}

func TestABeatTellsWhetherAPullIsWorthIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	bob.sync()
	old := bob.key
	if b := bob.beat(old); b.Newer || b.Head != old.Version() {
		t.Errorf("nothing is newer, and the answer is %+v", b)
	}
	alice.says(alice.with(bob), "one")
	bob.sync()
	generation, head := w.chat.Generation(), bob.key.Version()
	partial := old
	partial.Advance(hongyan.TypeMessage, head)
	for name, tt := range map[string]struct {
		key   hongyan.SyncKey
		newer bool
	}{
		"the present key": {bob.key, false}, "an old key": {old, true}, "one that lacks some types": {partial, true},
		"ahead":           {hongyan.KeyAt(generation, bob.User, head+1), true},
		"another store's": {hongyan.KeyAt(generation+1, bob.User, head+1), true},
	} {
		if b := bob.beat(tt.key); b.Newer != tt.newer || b.Head != head {
			t.Errorf("%s: %+v", name, b)
		}
	}
}
