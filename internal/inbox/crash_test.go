package inbox_test

import (
	"fmt"
	mrand "math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

func newRand(t testing.TB) *mrand.Rand {
	t.Helper()
	seed := mrand.Uint64()
	t.Logf("seed %d", seed)
	return mrand.New(mrand.NewPCG(seed, 0))
}

// cut is the disk as a loss of power left it, and what the clients knew by then.
type cut struct {
	disk *vfs.MemFS
	mark
}

// TestPowerCuts takes the power away at random changes to the disk, under concurrent senders and readers, each time with
// another share of what was not synced left. Some of the disks are then sent to further.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	const rounds, cutsPerRound = 14, 15 // 210
	r := newRand(t)
	disk := vfs.NewCrashableMem()
	cuts, acked, open := 0, 0, 0
	for round := range rounds {
		if round%2 == 0 {
			disk = vfs.NewCrashableMem()
		}
		taken := cutWhileSending(t, r, disk, cutsPerRound)
		for _, c := range taken {
			s := mustOpen(t, c.disk, cuts%20 == 0)
			acked += len(c.acked)
			open += len(c.tried) - len(c.acked)
			check(t, s, c.mark)
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			cuts++
		}
		disk = taken[r.IntN(len(taken))].disk
	}
	t.Logf("%d cuts, %d acknowledged sends found, %d open ones repeated", cuts, acked, open)
}

// cutWhileSending lets people send on the disk and copies it n times as a loss of power would leave it.
func cutWhileSending(t *testing.T, r *mrand.Rand, disk *vfs.MemFS, n int) []cut {
	t.Helper()
	var (
		mu    sync.Mutex
		l     ledger
		taken []cut
		wait  = -1 // changes to the disk before the next cut; below 0: none yet
		stop  = make(chan struct{})
		end   = sync.OnceFunc(func() { close(stop) })
	)
	watched := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if wait--; wait != 0 || len(taken) == n {
			return nil
		}
		wait = 1 + r.IntN(8)
		// What was acknowledged has to be read before the power goes.
		c := cut{mark: l.mark()}
		share := []int{0, 100, 1 + r.IntN(99)}[r.IntN(3)]
		c.disk = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: share, RNG: r})
		if taken = append(taken, c); len(taken) == n {
			end()
		}
		return nil
	}))
	s := mustOpen(t, watched, true)
	if err := s.settle(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	wait = 1 + r.IntN(8)
	seed := r.Uint64()
	mu.Unlock()
	var running sync.WaitGroup
	for u := hongyan.UserID(1); u <= people; u++ {
		for i := range uint64(2) {
			running.Go(func() {
				defer end()
				if err := s.sender(&l, mrand.New(mrand.NewPCG(seed, uint64(u)<<8|i)), u, stop); err != nil {
					t.Errorf("sender %d: %v", u, err)
				}
			})
		}
		running.Go(func() {
			defer end()
			if err := s.reader(&l, u, stop); err != nil {
				t.Errorf("reader %d: %v", u, err)
			}
		})
	}
	running.Wait()
	if err := s.close(); err != nil || t.Failed() {
		t.Fatal("the senders came to an end: ", err)
	}
	return taken
}

// check makes sure that a store that was opened again has everything that was acknowledged, once and in order, and of the
// rest each message whole or not at all; that retries lead where the first attempts did; and that devices go on from the
// keys that they had, with versions that none of them has seen.
func check(t *testing.T, s *stack, m mark) {
	t.Helper()
	e := s.reads(t)
	before := messages(t, e)
	found := map[hongyan.ClientID]*hongyan.Message{}
	for _, list := range before {
		for _, m := range list {
			if found[m.ClientID] != nil {
				t.Fatalf("message %x is there twice", m.ClientID)
			}
			found[m.ClientID] = m
		}
	}
	same := func(a *send, b *hongyan.Message) error {
		if b == nil || b.ID != a.sent.ID || b.Conversation != a.sent.Conversation || b.Ordinal != a.sent.Ordinal ||
			b.TimeMS != a.sent.TimeMS || b.From != a.from || b.Content.Text != a.draft.Content.Text {
			return fmt.Errorf("what was acknowledged as %+v is %+v", a.sent, b)
		}
		return nil
	}
	for _, a := range m.acked {
		if err := same(a, found[a.draft.ClientID]); err != nil {
			t.Fatal(err)
		}
	}
	checkLogs(t, e, before)
	newest := map[hongyan.UserID]hongyan.Version{}
	for u := hongyan.UserID(1); u <= people; u++ {
		newest[u] = checkKey(t, e, u, m.heads[u])
	}
	// Everybody tries again what was not acknowledged, and something that was.
	tried := m.tried
	if len(tried) > 5 {
		tried = tried[len(tried)-5:]
	}
	for _, a := range tried {
		sent, err := s.send(a)
		if err != nil {
			t.Fatalf("a retry: %v", err)
		}
		retried := &send{from: a.from, draft: a.draft, sent: sent}
		if b := found[a.draft.ClientID]; b != nil {
			if err := same(retried, b); err != nil {
				t.Fatalf("a retry: %v", err)
			}
		}
	}
	e = s.reads(t)
	after := messages(t, e)
	n := 0
	for c, list := range after {
		if n += len(list); len(before[c]) > len(list) {
			t.Fatalf("%s has lost messages", c)
		}
	}
	for _, a := range tried {
		if found[a.draft.ClientID] == nil {
			n--
		}
	}
	if n != len(found) {
		t.Fatalf("%d messages after the retries, %d before and those that were not there", n, len(found))
	}
	checkLogs(t, e, after)
	for u, v := range newest {
		checkAbove(t, e, u, v, m.heads[u].Newest(), s.engine.Term())
	}
}

// messages reads all messages of all conversations, which must be numbered without a gap.
func messages(t *testing.T, e *inbox.Engine) map[hongyan.ConversationID][]*hongyan.Message {
	t.Helper()
	r := e.Read()
	defer r.Close()
	all := map[hongyan.ConversationID][]*hongyan.Message{}
	conversations := []hongyan.ConversationID{hongyan.GroupConversation(crowd)}
	for a := hongyan.UserID(1); a <= people; a++ {
		for b := a; b <= people; b++ {
			conversations = append(conversations, hongyan.Direct(a, b))
		}
	}
	for _, c := range conversations {
		if err := store.ListMessages(r, c, 1, 1<<40, false, func(m *hongyan.Message) bool {
			if all[c] = append(all[c], m); m.Ordinal != hongyan.Ordinal(len(all[c])) {
				t.Fatalf("message %d of %s comes after %d others", m.Ordinal, c, len(all[c])-1)
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// checkLogs makes sure that each message stands in the logs of all members, once and in order, and nothing else does.
func checkLogs(t *testing.T, e *inbox.Engine, all map[hongyan.ConversationID][]*hongyan.Message) {
	t.Helper()
	r := e.Read()
	defer r.Close()
	for u := hongyan.UserID(1); u <= people; u++ {
		next := map[hongyan.ConversationID]hongyan.Ordinal{}
		if err := store.ListEntries(r, u, hongyan.TypeMessage, 0, store.MaxVersion, false, func(entry store.Entry) bool {
			next[entry.Ref.Conversation]++
			if o := next[entry.Ref.Conversation]; entry.Ref.Ordinals[0] != o {
				t.Fatalf("the log of %d has message %d of %s where %d is due", u, entry.Ref.Ordinals[0], entry.Ref.Conversation, o)
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		for c, list := range all {
			_, group := c.Group()
			if _, member := c.Peer(u); (group || member) && int(next[c]) != len(list) {
				t.Fatalf("the log of %d has %d of %d messages of %s", u, next[c], len(list), c)
			}
		}
		for c, o := range next {
			if int(o) > len(all[c]) {
				t.Fatalf("the log of %d has %d messages of %s, there are %d", u, o, c, len(all[c]))
			}
		}
	}
}

// checkKey presents the key that a device was given before the power went, and returns u's head.
func checkKey(t *testing.T, e *inbox.Engine, u hongyan.UserID, key hongyan.SyncKey) hongyan.Version {
	t.Helper()
	r := e.Read()
	defer r.Close()
	head, err := r.Head(u)
	if err != nil {
		t.Fatal(err)
	}
	if key.IsZero() {
		return head
	}
	page, err := r.Pull(u, key, nil, 1<<20)
	if err != nil || page.Reset != inbox.NoReset || page.More {
		t.Fatalf("the key %+v of %d, whose head is %x, brings %+v, %v", key, u, head, page, err)
	}
	return head
}

// checkAbove makes sure that what came after a head is above it, above what a device has seen, and of this term.
func checkAbove(t *testing.T, e *inbox.Engine, u hongyan.UserID, head, seen hongyan.Version, term uint64) {
	t.Helper()
	r := e.Read()
	defer r.Close()
	if seen > head {
		t.Fatalf("a device of %d was given version %x and the head is %x", u, seen, head)
	}
	if err := store.ListEntries(r, u, hongyan.TypeMessage, head, store.MaxVersion, false, func(entry store.Entry) bool {
		if entry.Version.Term() != term || entry.Version >= 1<<53 {
			t.Fatalf("version %x was given in term %d", entry.Version, term)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
}
