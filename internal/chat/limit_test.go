package chat

import (
	"fmt"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// edit changes an account's record behind the back of the rules and returns what it was.
func (w *world) edit(d *device, change func(a *store.Account)) store.Account {
	w.t.Helper()
	old, err := shardtest.Ask(w.Shard, func(done func(store.Account, error)) {
		inbox.Change(w.Shard.Shard, func(tx *inbox.Tx) (store.Account, error) {
			old, err := store.Accounts.Get(tx, d.User)
			if err != nil {
				return store.Account{}, err
			}
			a := *old
			change(&a)
			store.Accounts.Put(tx.Tx, d.User, &a)
			return *old, nil
		}, done)
	})
	must(w.t, err)
	return old
}

// groups is how many groups the record of an account counts.
func (w *world) groups(d *device) int { return w.edit(d, func(*store.Account) {}).Groups }

func TestGroupsHaveAtMostFiveHundredMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	names := make([]string, MaxMembers+1)
	for i := range names {
		names[i] = fmt.Sprint("member", i)
	}
	p := w.people(names...)
	owner := p[0]
	g := owner.founds("group")
	for i := 1; i < MaxMembers; i += MaxInvited {
		must(t, owner.invite(g, p[i:min(i+MaxInvited, MaxMembers)]...))
	}
	wantCode(t, owner.invite(g, p[MaxMembers]), hongyan.TooMany)
	must(t, p[1].leave(g))
	must(t, owner.invite(g, p[MaxMembers]))
	if group, err := owner.group(g); err != nil || len(group.Members) != MaxMembers || group.MemberCount != MaxMembers {
		t.Errorf("the group has %d members, %v", len(group.Members), err)
	}
	p[2].says(hongyan.GroupConversation(g), "hello, all")
	p[499].sync()
	if got := p[499].texts(hongyan.GroupConversation(g)); got[len(got)-1] != "hello, all" {
		t.Errorf("the last member has %q", got)
	}
}

func TestAccountsAreInAtMostAThousandGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	g := alice.founds("first", bob)
	must(t, bob.leave(g))
	must(t, alice.invite(g, bob, bob))
	must(t, alice.removeMembers(g, bob, bob))
	must(t, alice.invite(g, bob))
	if a, b := w.groups(alice), w.groups(bob); a != 1 || b != 1 {
		t.Errorf("the accounts count %d and %d groups", a, b)
	}
	must(t, alice.dissolve(g))
	if a, b := w.groups(alice), w.groups(bob); a != 0 || b != 0 {
		t.Errorf("after the end of the group they count %d and %d", a, b)
	}
	w.edit(bob, func(a *store.Account) { a.Groups = MaxGroups - 1 })
	g = alice.founds("second", bob)
	_, err := bob.newGroup(NewGroup{Title: "own"})
	wantCode(t, err, hongyan.TooMany)
	h := alice.founds("third")
	wantCode(t, alice.invite(h, bob), hongyan.TooMany)
	group, err := alice.setGroup(h, policy(hongyan.JoinByLink))
	must(t, err)
	_, _, err = bob.join(group.Link)
	wantCode(t, err, hongyan.TooMany)
	must(t, bob.leave(g))
	_, _, err = bob.join(group.Link)
	must(t, err)
}

func TestFewMayWaitForOneGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	names := make([]string, MaxAsking+1)
	for i := range names {
		names[i] = fmt.Sprint("asking", i)
	}
	owner, asking := w.people("owner")[0], w.people(names...)
	g := owner.founds("group")
	group, err := owner.setGroup(g, policy(hongyan.JoinByApproval))
	must(t, err)
	for i, d := range asking {
		_, _, err := d.join(group.Link)
		if want := hongyan.Code(0); i == MaxAsking {
			wantCode(t, err, hongyan.TooMany)
		} else {
			wantCode(t, err, want)
		}
	}
	must(t, owner.answerJoin(g, asking[0], false))
	_, _, err = asking[MaxAsking].join(group.Link)
	must(t, err)
}
