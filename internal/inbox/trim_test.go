package inbox

import (
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

const dayMS = 24 * hourMS

// shard is the rig's engine as the rest of the server uses it: everything happens at once.
func (g *rig) shard() *Shard {
	submit := func(c Command) error {
		r, _, err := g.e.Commit(g.nowMS, []Command{c})
		if err == nil {
			g.e.Settle(r, r.Wait())
		}
		return nil
	}
	return NewShard(g.e, submit, RunHere)
}

// account is a command that makes an account.
func account(u hongyan.UserID, keep store.Retention) func(tx *Tx) error {
	return func(tx *Tx) error { store.Accounts.Put(tx.Tx, u, &store.Account{Retention: keep}); return nil }
}

// view is a command that gives an account its view of a conversation.
func view(u hongyan.UserID, c hongyan.ConversationID, v store.ConversationView) func(tx *Tx) error {
	return func(tx *Tx) error { store.Views.Put(tx.Tx, store.Part{User: u, Conversation: c}, &v); return nil }
}

// group9 is a command that makes the group of message with these members.
func group9(members ...hongyan.UserID) func(tx *Tx) error {
	return func(tx *Tx) error {
		var g store.Group
		for _, u := range members {
			g.Members = append(g.Members, store.Member{User: u})
		}
		store.Groups.Put(tx.Tx, 9, &g)
		return nil
	}
}

// people makes accounts that know each other: with views of all direct conversations and of the group that they form.
func (g *rig) people(n hongyan.UserID, keep store.Retention) {
	var members []hongyan.UserID
	for u := hongyan.UserID(1); u <= n; u++ {
		members = append(members, u)
		g.must(account(u, keep), view(u, hongyan.GroupConversation(9), store.ConversationView{}))
		for other := hongyan.UserID(1); other <= n; other++ {
			g.must(view(u, hongyan.Direct(u, other), store.ConversationView{}))
		}
	}
	g.must(group9(members...))
}

// sweep walks over all accounts once, and returns in how many steps.
func (g *rig) sweep(defaults store.Retention) (steps int) {
	g.t.Helper()
	s := NewSweeper(g.shard(), defaults)
	for finished := false; !finished; steps++ {
		if steps > 10_000 {
			g.t.Fatal("the walk does not end")
		}
		s.Step(g.nowMS, func(end bool, err error) {
			if finished = end; err != nil {
				g.t.Fatal(err)
			}
		})
	}
	return steps
}

// log returns the message entries of u that are left.
func (g *rig) log(u hongyan.UserID) (entries []store.Entry) {
	g.t.Helper()
	r := g.e.Read()
	defer r.Close()
	if err := store.ListEntries(r, u, hongyan.TypeMessage, 0, store.MaxVersion, false, func(e store.Entry) bool {
		entries = append(entries, e)
		return true
	}); err != nil {
		g.t.Fatal(err)
	}
	return entries
}

// bodies returns the ordinals of a conversation's messages that are left.
func (g *rig) bodies(c hongyan.ConversationID) (ordinals []hongyan.Ordinal) {
	g.t.Helper()
	r := g.e.Read()
	defer r.Close()
	if err := store.ListMessages(r, c, 1, 1<<40, false, func(m *hongyan.Message) bool {
		ordinals = append(ordinals, m.Ordinal)
		return true
	}); err != nil {
		g.t.Fatal(err)
	}
	return ordinals
}

func (g *rig) wantBodies(c hongyan.ConversationID, want ...hongyan.Ordinal) {
	g.t.Helper()
	if got := g.bodies(c); !slices.Equal(got, want) {
		g.t.Errorf("%s has the messages %v, want %v", c, got, want)
	}
}

func (g *rig) view(u hongyan.UserID, c hongyan.ConversationID) store.ConversationView {
	g.t.Helper()
	r := g.e.Read()
	defer r.Close()
	v, err := store.Views.Get(r, store.Part{User: u, Conversation: c})
	if err != nil || v == nil {
		g.t.Fatalf("view %v, %v", v, err)
	}
	return *v
}

// lastOrdinal reads what the engine and a reader think is the last ordinal.
func (g *rig) lastOrdinal(c hongyan.ConversationID) hongyan.Ordinal {
	g.t.Helper()
	r := g.e.Read()
	defer r.Close()
	read, err := store.LastOrdinal(r, c)
	if err != nil {
		g.t.Fatal(err)
	}
	g.must(func(tx *Tx) error {
		if o, err := tx.LastOrdinal(c); o != read || err != nil {
			g.t.Errorf("the last ordinal of %s is %d to readers, %d, %v to the writer", c, read, o, err)
		}
		return nil
	})
	return read
}

func TestTrimByAge(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.people(2, store.Retention{})
	c := hongyan.Direct(1, 2)
	g.must(message("old", 1, 2), message("old", 2, 1))
	old := g.newest(1)
	g.nowMS += 10 * dayMS
	g.must(message("young", 1, 2))
	g.nowMS += 5 * dayMS
	g.sweep(store.Retention{Days: 16})
	if n := len(g.log(1)); n != 3 {
		t.Fatalf("%d entries left when all are young enough", n)
	}
	g.sweep(store.Retention{Days: 7})
	for _, u := range []hongyan.UserID{1, 2} {
		if left := g.log(u); len(left) != 1 || left[0].Ref.Ordinals[0] != 3 {
			t.Errorf("left of the log of %d: %v", u, left)
		}
		if v := g.view(u, c); v.Trimmed != 2 {
			t.Errorf("account %d remembers that it was trimmed up to %d, want 2", u, v.Trimmed)
		}
	}
	g.wantBodies(c, 3)
	if page := g.mustPull(1, g.key(1, old-1), 10); page.Reset != ResetTrimmed {
		t.Errorf("a key before what was trimmed is reset for the reason %d", page.Reset)
	}
	if page := g.mustPull(1, g.key(1, old), 10); page.Reset != NoReset || len(page.Entries) != 1 {
		t.Errorf("the key of what was trimmed last brings %+v", page)
	}
}

// TestTrimEverything leaves nothing: what was once counted stays counted.
func TestTrimEverything(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.people(2, store.Retention{Days: 1})
	c := hongyan.Direct(1, 2)
	for range 3 {
		g.must(message("text", 1, 2))
	}
	heads := []hongyan.Version{g.newest(1), g.newest(2)}
	g.nowMS += 2 * dayMS
	g.sweep(store.Retention{})
	g.wantBodies(c)
	check := func() {
		t.Helper()
		if last := g.lastOrdinal(c); last != 3 {
			t.Errorf("the last ordinal is %d, want 3", last)
		}
		for i, u := range []hongyan.UserID{1, 2} {
			if n := len(g.log(u)); n != 0 {
				t.Errorf("account %d has %d entries", u, n)
			}
			if head := g.newest(u); head != heads[i] {
				t.Errorf("the head of %d is %x, was %x", u, head, heads[i])
			}
			if page := g.mustPull(u, g.key(u, heads[i]), 10); page.Reset != NoReset || len(page.Entries) != 0 || page.Key != g.key(u, heads[i]) {
				t.Errorf("a device of %d that has everything gets %+v", u, page)
			}
		}
	}
	check()
	g.open()
	check()
	g.must(message("next", 2, 1))
	g.wantBodies(c, 4)
	if left := g.log(1); len(left) != 1 || left[0].Version <= heads[0] {
		t.Errorf("the log goes on with %+v above %x", left, heads[0])
	}
}

// TestTrimByCount keeps the newest messages; recalls and removals do not count.
func TestTrimByCount(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.people(2, store.Retention{})
	c := hongyan.Direct(1, 2)
	remark := func(kind store.RefKind, o hongyan.Ordinal) func(tx *Tx) error {
		return func(tx *Tx) error { tx.AddEntry(1, store.MessageRef(kind, c, o), nil); return nil }
	}
	for range 10 {
		g.must(message("text", 2, 1))
	}
	g.must(remark(store.RefRecall, 3), remark(store.RefRemoval, 4))
	ordinals := func() (list []hongyan.Ordinal) {
		for _, e := range g.log(1) {
			list = append(list, e.Ref.Ordinals[0])
		}
		return list
	}
	for _, test := range []struct {
		keep uint32
		want []hongyan.Ordinal
	}{
		{11, []hongyan.Ordinal{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 3, 4}},
		{10, []hongyan.Ordinal{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 3, 4}},
		{7, []hongyan.Ordinal{4, 5, 6, 7, 8, 9, 10, 3, 4}},
		{1, []hongyan.Ordinal{10, 3, 4}},
		{5, []hongyan.Ordinal{10, 3, 4}},
	} {
		g.sweep(store.Retention{Messages: test.keep})
		if got := ordinals(); !slices.Equal(got, test.want) {
			t.Errorf("keeping %d: %v, want %v", test.keep, got, test.want)
		}
	}
	g.must(message("text", 2, 1), message("text", 2, 1))
	g.sweep(store.Retention{Messages: 2})
	if got := ordinals(); !slices.Equal(got, []hongyan.Ordinal{3, 4, 11, 12}) {
		t.Errorf("keeping 2 of the next: %v", got)
	}
	g.must(message("text", 2, 1))
	g.sweep(store.Retention{Messages: 2})
	if got := ordinals(); !slices.Equal(got, []hongyan.Ordinal{12, 13}) {
		t.Errorf("keeping 2 after those: %v", got)
	}
}

// TestLaxestMember keeps bodies as long as somebody's log refers to them.
func TestLaxestMember(t *testing.T) {
	t.Parallel()
	const days5, days20 = 5, 20
	keep := func(days uint32) store.Retention { return store.Retention{Days: days} }
	g := newRig(t)
	g.people(4, keep(days5))
	g.must(account(2, keep(days20)), account(4, store.Retention{}))
	c, direct := hongyan.GroupConversation(9), hongyan.Direct(1, 2)
	g.must(message("to all", 1, 2, 3, 4), message("to 2", 1, 2))
	g.nowMS += 10 * dayMS
	g.must(message("to all", 3, 1, 2, 4), message("to 2", 1, 2))
	g.sweep(store.Retention{})
	g.wantBodies(c, 1, 2)
	g.wantBodies(direct, 1, 2)
	if v := g.view(1, c); v.Trimmed != 1 {
		t.Errorf("account 1 is trimmed up to %d", v.Trimmed)
	}
	// The one who keeps everything leaves, a newcomer sees nothing of before, and a month goes by.
	g.must(group9(1, 2, 3, 5), view(5, c, store.ConversationView{Joined: 2}))
	g.must(message("to all", 1, 2, 3, 5))
	g.nowMS += 15 * dayMS
	g.sweep(store.Retention{})
	g.wantBodies(c, 2, 3)
	g.wantBodies(direct, 2)
	if left := g.log(4); len(left) != 2 {
		t.Errorf("of the log of who left and keeps everything %d entries are left, want 2", len(left))
	}
	// The newcomer has an account now, and the same as the server keeps.
	g.must(account(5, store.Retention{}))
	g.nowMS += 30 * dayMS
	g.sweep(keep(days5))
	g.wantBodies(c)
	g.wantBodies(direct)
	if n := len(g.log(4)); n != 0 {
		t.Errorf("%d entries are left when the server keeps nothing so old", n)
	}
}

// TestHiddenIsForgotten takes the marks of messages that one deleted for oneself away with the messages.
func TestHiddenIsForgotten(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.people(2, store.Retention{Days: 1})
	c := hongyan.Direct(1, 2)
	g.must(message("old", 1, 2))
	g.nowMS += 2 * dayMS
	g.must(message("young", 1, 2), func(tx *Tx) error {
		store.Hide(tx.Tx, 1, c, 1)
		store.Hide(tx.Tx, 1, c, 2)
		return nil
	})
	g.sweep(store.Retention{})
	r := g.e.Read()
	defer r.Close()
	if hidden, err := store.Hidden(r, 1, c, 1, 9); len(hidden) != 1 || !hidden[2] || err != nil {
		t.Errorf("hidden: %v, %v, want message 2 alone", hidden, err)
	}
}

// TestStepsAreSmall trims a long log, one with many conversations and one with many members: no step does more than its
// share, and each is as small as its limit says.
func TestStepsAreSmall(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	const entries = 3*trimPiece + 10
	g.people(3, store.Retention{})
	for range entries {
		g.must(message("text", 1, 2))
	}
	g.nowMS += 2 * dayMS
	s := NewSweeper(g.shard(), store.Retention{Days: 1, Messages: 1})
	left := func() int { return len(g.log(1)) + len(g.log(2)) }
	steps := 0
	for finished := false; !finished; steps++ {
		before := left()
		s.Step(g.nowMS, func(end bool, err error) {
			if finished = end; err != nil {
				t.Fatal(err)
			}
		})
		if n := before - left(); n > trimPiece {
			t.Fatalf("a step took %d entries", n)
		}
	}
	if left() != 0 || steps < 2*entries/trimPiece || steps > 2*entries/trimPiece+4 {
		t.Errorf("%d of %d entries left after %d steps", left(), 2*entries, steps)
	}
	if n := g.sweep(store.Retention{Days: 1}); n != 1 {
		t.Errorf("a walk over 3 accounts with nothing to trim took %d steps", n)
	}
}

// TestManyMembers counts what a step reads: the views of the members of some conversations, not of all.
func TestManyMembers(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(account(1, store.Retention{Messages: 1}))
	const groups, members = 10, 500
	for id := hongyan.GroupID(100); id < 100+groups; id++ {
		c := hongyan.GroupConversation(id)
		g.must(func(tx *Tx) error {
			var group store.Group
			for u := hongyan.UserID(1); u <= members; u++ {
				group.Members = append(group.Members, store.Member{User: u})
				store.Views.Put(tx.Tx, store.Part{User: u, Conversation: c}, &store.ConversationView{Joined: 1})
			}
			store.Groups.Put(tx.Tx, id, &group)
			return addMessage(tx, &hongyan.Message{Conversation: c, From: 1, TimeMS: tx.NowMS()}, []hongyan.UserID{1})
		})
	}
	s := NewSweeper(g.shard(), store.Retention{})
	s.Step(g.nowMS, func(finished bool, err error) {
		if want := groups - (trimMembers/members + 1); finished || err != nil || len(g.log(1)) != want {
			t.Errorf("after one step %d entries are left, want %d; finished %v, %v", len(g.log(1)), want, finished, err)
		}
	})
	s.Step(g.nowMS, func(finished bool, err error) {
		if !finished || err != nil || len(g.log(1)) != 1 {
			t.Errorf("after two steps %d entries are left; finished %v, %v", len(g.log(1)), finished, err)
		}
	})
}

// TestDamagedLogIsPassedOver does not let one account keep the others from being trimmed.
func TestDamagedLogIsPassedOver(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.people(3, store.Retention{})
	g.must(message("text", 1, 3), func(tx *Tx) error {
		store.TrimLines.Put(tx.Tx, 2, &store.TrimLine{Counted: 1, Line: 1})
		tx.AddEntry(2, store.Ref{Kind: 99}, nil)
		return nil
	})
	g.nowMS += 2 * dayMS
	s := NewSweeper(g.shard(), store.Retention{Days: 1})
	failed, finished := 0, false
	for n := 0; !finished && n < 10; n++ {
		s.Step(g.nowMS, func(end bool, err error) {
			if finished = end; err != nil {
				failed++
			}
		})
	}
	if failed != 1 || !finished || len(g.log(1)) != 0 || len(g.log(3)) != 0 {
		t.Errorf("%d steps failed, finished %v; %d and %d entries left", failed, finished, len(g.log(1)), len(g.log(3)))
	}
}

// TestBusyStepIsRepeated has the writer's queue full when a step would trim.
func TestBusyStepIsRepeated(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.people(2, store.Retention{Days: 1})
	g.must(message("text", 1, 2))
	g.nowMS += 2 * dayMS
	busy := true
	shard := g.shard()
	submit := shard.submit
	shard.submit = func(c Command) error {
		if busy {
			return hongyan.Errorf(hongyan.Busy, "full")
		}
		return submit(c)
	}
	s := NewSweeper(shard, store.Retention{})
	step := func() (finished bool, err error) {
		s.Step(g.nowMS, func(end bool, failed error) { finished, err = end, failed })
		return finished, err
	}
	_, err := step()
	codeOf(t, err, hongyan.Busy)
	busy = false
	for range 3 {
		if _, err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.log(1)) != 0 || len(g.log(2)) != 0 {
		t.Error("an account was passed over because the writer was busy")
	}
}
