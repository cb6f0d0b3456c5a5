package inbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/recent"
	"github.com/hongyan-im/hongyan/internal/store"
)

// TestOrder has three rounds on their way while reads begin between them: what happens comes in the order of the commits,
// and each thing in its place when its round is durable.
func TestOrder(t *testing.T) {
	t.Parallel()
	var log []string
	note := func(s string) { log = append(log, s) }
	g := newRig(t)
	s, err := store.Open(g.kv, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.e, err = Open(s, 0, func(h Hint) { note(fmt.Sprint("hint ", h.User)) }); err != nil {
		t.Fatal(err)
	}
	g.told() // the clock is written
	var rounds []*Round
	read := func(name string) {
		g.e.Read().Release(func(err error) { note(fmt.Sprint("read ", name, " ", err)) })
	}
	read("before")
	for i := range 3 {
		name := fmt.Sprint("round ", i)
		var commands []Command
		for j := range 2 {
			commands = append(commands, &answer{order: &log, name: fmt.Sprint(name, " command ", j), do: func(tx *Tx) error {
				if j == 1 {
					tx.AfterDurable(func() { note(name + " after") })
				}
				return message("text", hongyan.UserID(2*i+j+1))(tx)
			}})
		}
		r, _, err := g.e.Commit(g.nowMS, commands)
		if err != nil {
			t.Fatal(err)
		}
		rounds = append(rounds, r)
		read(name)
	}
	for _, r := range rounds {
		g.settle(r)
	}
	read("after")
	want := `read before <nil>
round 0 command 0
round 0 command 1
round 0 after
read round 0 <nil>
hint 1
hint 2
round 1 command 0
round 1 command 1
round 1 after
read round 1 <nil>
hint 3
hint 4
round 2 command 0
round 2 command 1
round 2 after
read round 2 <nil>
hint 5
hint 6
read after <nil>`
	if got := strings.Join(log, "\n"); got != want {
		t.Errorf("it happened\n%s\nwant\n%s", got, want)
	}
}

// TestReadsWaitForWhatTheyHide reads while an update of a state is not durable yet: the view holds neither the old entry
// nor, up to the durable head, the new one.
func TestReadsWaitForWhatTheyHide(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(setting(1, "a"), setting(1, "b"))
	head := g.newest(1)
	r, _ := g.commit(setting(1, "a"))
	read := g.e.Read()
	page, err := read.Pull(1, g.key(1, 0), nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Entries) != 1 || string(page.Entries[0].Ref.Item) != "b" || page.Key != g.key(1, head) {
		t.Errorf("the view shows %+v", page)
	}
	released := false
	read.Release(func(error) { released = true })
	if released {
		t.Fatal("the answer was given before what it lacks is durable")
	}
	g.settle(r)
	if !released {
		t.Fatal("the answer was not given")
	}
	next := g.mustPull(1, page.Key, 10)
	if len(next.Entries) != 1 || string(next.Entries[0].Ref.Item) != "a" {
		t.Errorf("the next page is %+v", next)
	}
}

// TestRoundsAreBounded offers more than a round takes: by number, by writes and by bytes.
func TestRoundsAreBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   func(tx *Tx) error
		n    int
		want int
	}{
		{"commands", func(*Tx) error { return nil }, MaxRoundCommands + 100, MaxRoundCommands},
		{"writes", func(tx *Tx) error {
			for range 1000 {
				tx.AddEntry(1, store.MessageRef(store.RefOwn, hongyan.Direct(1, 1), 1), nil)
			}
			return nil
		}, 20, MaxRoundWrites/1000 + 1},
		{"bytes", message(strings.Repeat("x", 1<<20), 1), 20, MaxRoundBytes >> 20},
		{"nothing", nil, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newRig(t)
			g.told()
			commands := make([]Command, test.n)
			answers := make([]answer, test.n)
			for i := range commands {
				answers[i].do = test.do
				commands[i] = &answers[i]
			}
			for left := commands; ; {
				r, taken, err := g.e.Commit(g.nowMS, left)
				if err != nil || taken != min(test.want, len(left)) {
					t.Fatalf("a round took %d of %d commands, %v; want %d", taken, len(left), err, test.want)
				}
				g.settle(r)
				if left = left[taken:]; len(left) == 0 {
					break
				}
			}
			for i, a := range answers {
				if a.done != 1 || a.err != nil {
					t.Errorf("command %d was answered %d times, %v", i, a.done, a.err)
				}
			}
		})
	}
}

// TestVersionsAndIDs gives every account rising numbers over restarts, and no number twice.
func TestVersionsAndIDs(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	versions, ids := map[hongyan.Version]bool{}, map[hongyan.MessageID]bool{}
	last := map[hongyan.UserID]hongyan.Version{}
	for range 5 {
		for range 20 {
			g.must(message("text", 1, 2), message("note", 1), setting(2, "s"), func(tx *Tx) error {
				id := tx.NewMessageID()
				if ids[id] || id == 0 || id >= 1<<63 {
					t.Errorf("message id %x, given before: %v", uint64(id), ids[id])
				}
				ids[id] = true
				return nil
			})
			for u := hongyan.UserID(1); u <= 2; u++ {
				v := g.newest(u)
				if v <= last[u] || v >= 1<<53 || versions[v] {
					t.Fatalf("version %x after %x, given before: %v", v, last[u], versions[v])
				}
				last[u], versions[v] = v, true
			}
		}
		g.open()
	}
}

// TestOrdinalsAreDense counts the messages of a conversation through rounds, restarts and what the engine forgets.
func TestOrdinalsAreDense(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	g := newRig(t)
	last := map[hongyan.UserID]hongyan.Ordinal{}
	for range 200 {
		switch r.IntN(10) {
		case 0:
			g.open()
		case 1:
			g.e.ordinals = recent.New[hongyan.ConversationID, hongyan.Ordinal](CachedOrdinals)
		}
		var do []func(tx *Tx) error
		for range r.IntN(8) {
			to := hongyan.UserID(2 + r.IntN(4))
			do = append(do, func(tx *Tx) error {
				m := &hongyan.Message{Conversation: hongyan.Direct(1, to), From: 1}
				if err := addMessage(tx, m, []hongyan.UserID{1, to}); err != nil {
					return err
				}
				if last[to]++; m.Ordinal != last[to] {
					t.Fatalf("message %d to %d has the ordinal %d", last[to], to, m.Ordinal)
				}
				o, err := tx.LastOrdinal(m.Conversation)
				if o != m.Ordinal {
					t.Fatalf("the last ordinal is %d after message %d", o, m.Ordinal)
				}
				return err
			})
		}
		g.must(do...)
	}
}

// TestOwnMessagesAreMarked distinguishes the sender's entry from the others'.
func TestOwnMessagesAreMarked(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(message("text", 1, 2, 3))
	for u, want := range map[hongyan.UserID]store.RefKind{1: store.RefOwn, 2: store.RefMessage, 3: store.RefMessage} {
		if log := g.log(u); len(log) != 1 || log[0].Ref.Kind != want {
			t.Errorf("the log of %d is %+v", u, log)
		}
	}
}

// TestRefusal is what the disk says when it is nearly full.
func TestRefusal(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	full := hongyan.Errorf(hongyan.StorageLow, "full")
	ask := func() error { return g.round(func(tx *Tx) error { return tx.Accepting() })[0] }
	if err := ask(); err != nil || g.e.Accepting() != nil {
		t.Errorf("refused from the start: %v", err)
	}
	g.e.Refuse(full)
	codeOf(t, ask(), hongyan.StorageLow)
	codeOf(t, g.e.Accepting(), hongyan.StorageLow)
	g.e.Refuse(nil)
	if err := ask(); err != nil || g.e.Accepting() != nil {
		t.Errorf("still refused: %v", err)
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	m := func(text string, to ...hongyan.UserID) func(tx *Tx) error {
		return func(tx *Tx) error {
			return addMessage(tx, &hongyan.Message{Conversation: hongyan.GroupConversation(9), From: to[0], Content: hongyan.Text(text)}, to)
		}
	}
	texts := func(h Hint) (list []string) {
		for _, c := range h.Changes {
			list = append(list, c.Message.Content.Text)
		}
		return list
	}
	g.must(m("a", 1, 2), m("b", 2))
	if len(g.hints) != 2 || g.hints[0].User != 1 || g.hints[1].User != 2 {
		t.Fatalf("hints %+v", g.hints)
	}
	for _, h := range g.hints {
		if h.Previous != 0 || h.Changes != nil || h.Version != g.newest(h.User) {
			t.Errorf("a hint about a log whose head was not known: %+v", h)
		}
	}
	two := g.newest(2)
	g.hints = nil
	g.must(m("c", 2), m("d", 1, 2), m("e", 2))
	for _, h := range g.hints {
		want := []string{"c", "d", "e"}
		if h.User == 1 {
			want = []string{"d"}
		} else if h.Previous != two || h.Changes[2].Version != h.Version || h.Changes[0].Version <= two {
			t.Errorf("the hint does not go on from %x: %+v", two, h)
		}
		if !slices.Equal(texts(h), want) || h.Version != g.newest(h.User) {
			t.Errorf("the hint to %d tells %q up to %x", h.User, texts(h), h.Version)
		}
	}
	// A change that cannot be told at once, or too many of them, are not told in part.
	for name, do := range map[string][]func(tx *Tx) error{
		"a state": {m("f", 2), setting(2, "s")},
		"many":    slices.Repeat([]func(tx *Tx) error{m("f", 2)}, MaxInline+1),
	} {
		g.hints = nil
		previous := g.newest(2)
		g.must(do...)
		if h := g.hints[0]; h.Changes != nil || h.Previous != previous || h.Version != g.newest(2) {
			t.Errorf("%s: %+v", name, h)
		}
	}
	g.hints = nil
	previous := g.newest(2)
	g.must(slices.Repeat([]func(tx *Tx) error{m("f", 2)}, MaxInline)...)
	if h := g.hints[0]; len(h.Changes) != MaxInline || h.Previous != previous {
		t.Errorf("as many as a hint carries: %+v", h)
	}
	g.hints = nil
	g.must(func(*Tx) error { return nil })
	if len(g.hints) != 0 {
		t.Errorf("hints about nothing: %+v", g.hints)
	}
}
