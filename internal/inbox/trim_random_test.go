package inbox

import (
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// written is an entry with the time at which it was written.
type written struct {
	store.Entry
	timeMS int64
}

// TestTrimAtRandom compares logs that are trimmed with logs that never are: accounts send, come and go in a group, time
// goes by, retention changes, and devices pull now and then from views of any moment.
func TestTrimAtRandom(t *testing.T) {
	t.Parallel()
	const people = 5
	r := newRand(t)
	g := newRig(t)
	g.people(people, store.Retention{})
	logs := map[hongyan.UserID][]written{} // as they were written
	keeps := map[hongyan.UserID]store.Retention{}
	members := []hongyan.UserID{1, 2, 3, 4, 5}
	keys := map[hongyan.UserID]hongyan.SyncKey{}
	anyone := func() hongyan.UserID { return 1 + hongyan.UserID(r.IntN(people)) }
	group := hongyan.GroupConversation(9)
	write := func(do func(tx *Tx) error, to []hongyan.UserID) {
		g.must(do)
		for _, u := range to {
			log := g.log(u)
			logs[u] = append(logs[u], written{log[len(log)-1], g.nowMS})
		}
	}
	for step := range 2000 {
		switch n := r.IntN(100); {
		case n < 50:
			from, to := anyone(), anyone()
			both := []hongyan.UserID{from, to}
			if from == to {
				both = both[:1]
			}
			write(message("text", both...), both)
		case n < 65 && len(members) > 2:
			write(message("text", members...), members)
		case n < 70:
			u := anyone()
			c := hongyan.Direct(u, u)
			write(func(tx *Tx) error { tx.AddEntry(u, store.MessageRef(store.RefRemoval, c, 1), nil); return nil }, []hongyan.UserID{u})
		case n < 75:
			g.nowMS += r.Int64N(dayMS)
		case n < 78:
			u := anyone()
			keeps[u] = store.Retention{Days: uint32(r.IntN(9)), Messages: uint32(r.IntN(30))}
			g.must(account(u, keeps[u]))
		case n < 81:
			u := anyone()
			at := slices.Index(members, u)
			if at >= 0 {
				members = slices.Delete(slices.Clone(members), at, at+1)
			} else {
				v := g.view(u, group)
				v.Joined = g.lastOrdinal(group)
				g.must(view(u, group, v))
				members = append(slices.Clone(members), u)
			}
			g.must(group9(members...))
		case n < 85:
			before := map[hongyan.UserID][]store.Entry{}
			for u := range logs {
				before[u] = g.log(u)
			}
			g.sweep(store.Retention{})
			for u := range logs {
				checkKept(t, g, u, keeps[u], before[u], logs[u])
			}
		case n < 87:
			g.open()
		default:
			u := anyone()
			page := g.mustPull(u, keys[u], 1+r.IntN(20))
			if page.Reset == NoReset {
				from := slices.IndexFunc(logs[u], func(e written) bool { return e.Version > keys[u].Seen(hongyan.TypeMessage) })
				var want []store.Entry
				for ; from >= 0 && from < len(logs[u]) && logs[u][from].Version <= page.Key.Seen(hongyan.TypeMessage); from++ {
					want = append(want, logs[u][from].Entry)
				}
				if !slices.EqualFunc(page.Entries, want, func(a, b store.Entry) bool { return a.Version == b.Version }) {
					t.Fatalf("step %d: a pull of %d brings %v, want %v", step, u, page.Entries, want)
				}
			}
			keys[u] = page.Key
		}
		if step%50 == 0 {
			checkBodies(t, g, group, members)
		}
	}
}

// checkKept compares what a sweep left of a log with all that was ever written to it: not one message more than was to be
// kept, and not one fewer of those that were there before. In groups who left loses messages before their time.
func checkKept(t *testing.T, g *rig, u hongyan.UserID, keep store.Retention, before []store.Entry, all []written) {
	t.Helper()
	left := g.log(u)
	messages := 0
	for _, e := range slices.Backward(all) {
		if !isMessage(e.Entry) {
			continue
		}
		messages++
		same := func(other store.Entry) bool { return other.Version == e.Version }
		goes := keep.Messages != 0 && messages > int(keep.Messages) || keep.Days != 0 && e.timeMS < g.nowMS-int64(keep.Days)*dayMS
		there := slices.ContainsFunc(left, same)
		_, inGroup := e.Ref.Conversation.Group()
		if there && goes || !there && !goes && !inGroup && slices.ContainsFunc(before, same) {
			t.Fatalf("message %d from the end of the log of %d, of %d ms before, is there: %v; %+v are kept",
				messages, u, g.nowMS-e.timeMS, there, keep)
		}
	}
	r := g.e.Read()
	defer r.Close()
	line, err := store.TrimLines.Get(r, u)
	if err != nil {
		t.Fatal(err)
	}
	if line == nil {
		return
	}
	counted := uint64(0)
	for _, e := range left {
		if isMessage(e) && e.Version <= line.Counted {
			counted++
		}
	}
	if counted != line.Kept || line.Counted < line.Line {
		t.Fatalf("the line of %d is %+v, and %d messages are left up to where it counted", u, line, counted)
	}
}

// checkBodies makes sure that every message is there that a log of somebody in its conversation refers to.
func checkBodies(t *testing.T, g *rig, group hongyan.ConversationID, members []hongyan.UserID) {
	t.Helper()
	r := g.e.Read()
	defer r.Close()
	for u := hongyan.UserID(1); u <= 5; u++ {
		for _, e := range g.log(u) {
			c, o := e.Ref.Conversation, e.Ref.Ordinals[0]
			v, err := store.Views.Get(r, store.Part{User: u, Conversation: c})
			if err != nil {
				t.Fatal(err)
			}
			if !isMessage(e) || c == group && (!slices.Contains(members, u) || o <= v.Joined) {
				continue
			}
			if m, err := store.GetMessage(r, c, o); m == nil || err != nil {
				t.Fatalf("account %d has a reference to message %d of %s, which is gone, %v", u, o, c, err)
			}
		}
	}
}
