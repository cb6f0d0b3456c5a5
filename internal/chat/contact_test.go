package chat

import (
	"slices"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

func TestBecomingContacts(t *testing.T) {
	t.Parallel()
	const (
		none, asked = hongyan.ContactNone, hongyan.ContactAsked
		asking, yes = hongyan.ContactAsking, hongyan.ContactAccepted
	)
	type step struct {
		what       string
		do         func(alice, bob *device) error
		code       hongyan.Code
		alice, bob hongyan.ContactState
	}
	ask := func(alice, bob *device) error { return alice.ask(bob) }
	askBack := func(alice, bob *device) error { return bob.ask(alice) }
	accept := func(alice, bob *device) error { return bob.answer(alice, true) }
	decline := func(alice, bob *device) error { return bob.answer(alice, false) }
	acceptOneself := func(alice, bob *device) error { return alice.answer(bob, true) }
	end := func(alice, bob *device) error { return alice.unfriend(bob) }
	endBack := func(alice, bob *device) error { return bob.unfriend(alice) }
	block := func(alice, bob *device) error { return bob.block(alice, true) }
	unblock := func(alice, bob *device) error { return bob.block(alice, false) }
	for _, steps := range [][]step{
		{{"asked", ask, 0, asked, asking}, {"again", ask, 0, asked, asking}, {"accepted", accept, 0, yes, yes},
			{"accepted again", accept, hongyan.NotFound, yes, yes}, {"asked again", ask, 0, yes, yes},
			{"ended", end, 0, none, none}, {"ended again", end, hongyan.NotFound, none, none}},
		{{"asked", ask, 0, asked, asking}, {"declined", decline, 0, none, none}, {"asked again", ask, 0, asked, asking}},
		{{"asked", ask, 0, asked, asking}, {"asked back", askBack, 0, yes, yes}, {"ended by the other", endBack, 0, none, none}},
		{{"asked", ask, 0, asked, asking}, {"accepted by oneself", acceptOneself, hongyan.NotFound, asked, asking},
			{"taken back", end, 0, none, none}, {"accepted all the same", accept, hongyan.NotFound, none, none}},
		{{"blocked", block, 0, none, none}, {"asked", ask, hongyan.Blocked, none, none}, {"unblocked", unblock, 0, none, none},
			{"asked", ask, 0, asked, asking}},
		{{"asked", ask, 0, asked, asking}, {"accepted", accept, 0, yes, yes}, {"blocked", block, 0, yes, yes},
			{"ended", end, 0, none, none}, {"asked", ask, hongyan.Blocked, none, none}},
	} {
		w := newWorld(t, Config{})
		alice, bob := w.pair("alice", "bob")
		for _, s := range steps {
			if err := s.do(alice, bob); hongyan.CodeOf(err) != s.code {
				t.Errorf("%s: %v, want %v", s.what, err, s.code)
			}
			alice.sync()
			bob.sync()
			if a, b := alice.contacts[bob.User].State, bob.contacts[alice.User].State; a != s.alice || b != s.bob {
				t.Errorf("%s: alice is at %d and bob at %d, want %d and %d", s.what, a, b, s.alice, s.bob)
			}
		}
	}
}

func TestARequestComesWithNoteAndProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	must(t, alice.ask(bob))
	bob.sync()
	k := bob.contacts[alice.User]
	if k.Note != "hello" || k.Profile.Name != "alice" || k.UpdatedMS != w.Now().UnixMilli() {
		t.Errorf("the request came as %+v", k)
	}
	got, err := bob.setContact(alice.User, ContactChange{Remark: new(string)})
	must(t, err)
	if got != k {
		t.Errorf("the answer is %+v, want %+v", got, k)
	}
	for range 3 {
		must(t, alice.ask(bob))
	}
	if bob.sync(); len(bob.changes) != 0 {
		t.Errorf("the same request came %d times more", len(bob.changes))
	}
}

func TestContactsThatThereCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	w.people("gone")
	gone := w.device("gone")
	w.disable("gone", true)
	nobody := newDevice(w, "nobody", Caller{User: 4711})
	blocked, long, bad := true, strings.Repeat("x", MaxRemark+1), "a\xff"
	try := func(u hongyan.UserID, c ContactChange) error { _, err := alice.setContact(u, c); return err }
	for name, tt := range map[string]struct {
		err  error
		code hongyan.Code
	}{
		"to ask oneself":         {alice.ask(alice), hongyan.Invalid},
		"to block oneself":       {alice.block(alice, true), hongyan.Invalid},
		"to ask nobody":          {alice.ask(nobody), hongyan.NotFound},
		"to block nobody":        {alice.block(nobody, true), hongyan.NotFound},
		"to ask a disabled one":  {alice.ask(gone), hongyan.NotFound},
		"to answer nobody":       {alice.answer(nobody, true), hongyan.NotFound},
		"to answer a stranger":   {alice.answer(bob, true), hongyan.NotFound},
		"to remove a stranger":   {alice.unfriend(bob), hongyan.NotFound},
		"a remark too long":      {try(bob.User, ContactChange{Remark: &long, Blocked: &blocked}), hongyan.TooLarge},
		"a remark not in UTF-8":  {try(bob.User, ContactChange{Remark: &bad}), hongyan.Invalid},
		"nothing about somebody": {try(bob.User, ContactChange{}), 0},
	} {
		if hongyan.CodeOf(tt.err) != tt.code {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.code)
		}
	}
	alice.sync()
	if n := w.edit(alice, func(*store.Account) {}).Contacts; n != 0 || len(alice.contacts) != 0 {
		t.Errorf("%d contacts are counted, %d came", n, len(alice.contacts))
	}
	w.edit(alice, func(a *store.Account) { a.Contacts = MaxContacts })
	wantCode(t, alice.ask(bob), hongyan.TooMany)
	wantCode(t, bob.ask(alice), hongyan.TooMany)
	wantCode(t, alice.block(bob, true), hongyan.TooMany)
	w.edit(alice, func(a *store.Account) { a.Contacts = MaxContacts - 1 })
	must(t, alice.block(bob, true))
	must(t, alice.block(bob, false))
	must(t, alice.ask(bob))
}

func TestContactsAreListedInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice := w.people("alice")[0]
	others := w.people("bob", "carol", "dave", "erin", "frank")
	slices.SortFunc(others, func(a, b *device) int { return int(a.User>>1) - int(b.User>>1) })
	remark := "a stranger"
	w.befriend(alice, others[0])
	must(t, alice.block(others[1], true))
	w.befriend(alice, others[2])
	must(t, others[2].unfriend(alice))
	_, err := alice.setContact(others[3].User, ContactChange{Remark: &remark})
	must(t, err)
	must(t, others[4].ask(alice))
	var got []hongyan.UserID
	for above, more := hongyan.UserID(0), true; more; {
		page, err := alice.listContacts(above, 1)
		must(t, err)
		for _, k := range page.Contacts {
			got = append(got, k.Profile.User)
			above = k.Profile.User
		}
		more = page.More
	}
	if want := []hongyan.UserID{others[0].User, others[1].User, others[4].User}; !slices.Equal(got, want) {
		t.Errorf("listed were %v, want %v", got, want)
	}
	if page, err := alice.listContacts(1<<64-1, 0); err != nil || len(page.Contacts) != 0 {
		t.Errorf("after the last: %+v, %v", page, err)
	}
}

func TestAProfileReachesOnesDevicesAndContacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("alice", "friend", "asked", "stranger")
	alice, friend, asked, stranger := p[0], p[1], p[2], p[3]
	alice2 := w.device("alice")
	w.befriend(alice, friend)
	must(t, alice.ask(asked))
	everybody := append(p, alice2)
	for _, d := range everybody {
		d.sync()
	}
	name, bio := "  Alice  ", "at home in Wonderland"
	for range 2 {
		must(t, alice.setProfile(ProfileChange{DisplayName: &name, Bio: &bio}))
	}
	for _, d := range everybody {
		d.sync()
		if told := len(d.changes); told != map[*device]int{alice: 1, alice2: 1, friend: 1}[d] {
			t.Errorf("%s learned of it by %d changes", d.name, told)
		}
	}
	want := hongyan.Profile{User: alice.User, Name: "alice", DisplayName: "Alice", Bio: bio}
	if friend.contacts[alice.User].Profile != want || alice2.profile != want {
		t.Errorf("the friend has %+v, one's own device %+v", friend.contacts[alice.User].Profile, alice2.profile)
	}
	_ = stranger
	for what, change := range map[string]ProfileChange{
		"name": {DisplayName: ptr("")}, "long name": {DisplayName: ptr(strings.Repeat("x", 65))}, "bio": {Bio: ptr(strings.Repeat("x", MaxBio+1))},
		"avatar": {Avatar: ptr(strings.Repeat("x", hongyan.MaxLabel+1))},
	} {
		if alice.setProfile(change) == nil {
			t.Errorf("a bad %s was taken", what)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// A contact and a profile that change in one round: whoever takes the hint has the new profile as well.
func TestAHintShowsNoOldProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	must(t, alice.ask(bob))
	for _, d := range []*device{alice, bob} {
		d.sync()
	}
	w.OnHint = func(h inbox.Hint) {
		for _, c := range h.Changes {
			if c.Contact != nil {
				t.Errorf("the hint shows the profile as it was when the contact changed: %+v", c.Contact)
			}
		}
	}
	name := "Alice"
	w.chat.AnswerContact(bob.Caller, alice.User, true, func(_ hongyan.Contact, err error) { must(t, err) })
	w.chat.SetProfile(alice.Caller, ProfileChange{DisplayName: &name}, func(_ hongyan.Profile, err error) { must(t, err) })
	w.Step()
	bob.sync()
	if got := bob.contacts[alice.User].Profile.DisplayName; got != name {
		t.Errorf("bob knows alice as %q", got)
	}
}

func TestProfilesAreFoundByIDAndName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	w.people("gone")
	w.disable("gone", true)
	find := func(targets ...Target) ([]hongyan.Profile, error) {
		return shardtest.Ask(w.Shard, func(done func([]hongyan.Profile, error)) { w.chat.Profiles(alice.Caller, targets, done) })
	}
	list, err := find(Target{Name: "BOB"}, Target{User: 4711}, Target{}, Target{Name: "gone"}, Target{User: alice.User}, Target{Name: "bob"})
	must(t, err)
	var got []hongyan.UserID
	for _, p := range list {
		got = append(got, p.User)
	}
	if want := []hongyan.UserID{bob.User, alice.User, bob.User}; !slices.Equal(got, want) {
		t.Errorf("found were %v, want %v", got, want)
	}
	_, err = find(make([]Target, MaxProfiles+1)...)
	wantCode(t, err, hongyan.TooMany)
}
