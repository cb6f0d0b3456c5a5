package inbox

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// monday is when the clocks of tests begin: the start of an hour, in Unix milliseconds.
const monday = 1_800_000_000_000 - 1_800_000_000_000%hourMS

// newRand returns a source whose seed is in the test's log.
func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// rig is an engine that a test drives by hand, over a store in memory.
type rig struct {
	t     testing.TB
	kv    kv.Store
	e     *Engine
	nowMS int64
	hints []Hint
}

func newRig(t testing.TB) *rig {
	t.Helper()
	g := &rig{t: t, kv: kv.NewMemory(), nowMS: monday}
	g.open()
	return g
}

// open starts a new engine over the rig's store, as a restart does.
func (g *rig) open() {
	g.t.Helper()
	s, err := store.Open(g.kv, rand.NewChaCha8([32]byte{1}))
	if err != nil {
		g.t.Fatal(err)
	}
	if g.e, err = Open(s, 0, func(h Hint) { g.hints = append(g.hints, h) }); err != nil {
		g.t.Fatal(err)
	}
}

// answer is a command that notes how it was answered.
type answer struct {
	do    func(tx *Tx) error
	done  int // how often
	err   error
	order *[]string // where it writes its name when it is done
	name  string
}

func (a *answer) Do(tx *Tx) error { return a.do(tx) }

func (a *answer) Done(err error) {
	a.done++
	a.err = err
	if a.order != nil {
		*a.order = append(*a.order, a.name)
	}
}

// commit runs one round and leaves it unsettled.
func (g *rig) commit(do ...func(tx *Tx) error) (*Round, []*answer) {
	g.t.Helper()
	answers := make([]*answer, len(do))
	commands := make([]Command, len(do))
	for i := range do {
		answers[i] = &answer{do: do[i]}
		commands[i] = answers[i]
	}
	r, taken, err := g.e.Commit(g.nowMS, commands)
	if err != nil || taken != len(do) {
		g.t.Fatalf("Commit took %d of %d commands: %v", taken, len(do), err)
	}
	return r, answers
}

// settle ends a round that the disk has.
func (g *rig) settle(r *Round) {
	g.t.Helper()
	if err := r.Wait(); err != nil {
		g.t.Fatal(err)
	}
	g.e.Settle(r, nil)
}

// round runs one round to its end and returns the answers.
func (g *rig) round(do ...func(tx *Tx) error) []error {
	g.t.Helper()
	r, answers := g.commit(do...)
	g.settle(r)
	errs := make([]error, len(answers))
	for i, a := range answers {
		if errs[i] = a.err; a.done != 1 {
			g.t.Fatalf("command %d was answered %d times", i, a.done)
		}
	}
	return errs
}

// must is round for commands that succeed.
func (g *rig) must(do ...func(tx *Tx) error) {
	g.t.Helper()
	for i, err := range g.round(do...) {
		if err != nil {
			g.t.Fatalf("command %d: %v", i, err)
		}
	}
}

// release ends a read and reports whether its answer may be given, and how.
func release(r *Read) (released bool, err error) {
	r.Release(func(lost error) { released, err = true, lost })
	return released, err
}

// clientID makes the client id of a number.
func clientID(n uint64) (id hongyan.ClientID) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func addMessage(tx *Tx, m *hongyan.Message, members []hongyan.UserID) error {
	return tx.AddMessage(m, store.Encode(m.Content), members)
}

// message is a command that sends a text from the first of the members to all of them.
func message(text string, members ...hongyan.UserID) func(tx *Tx) error {
	return func(tx *Tx) error {
		c := hongyan.GroupConversation(9)
		if len(members) <= 2 {
			c = hongyan.Direct(members[0], members[len(members)-1])
		}
		return addMessage(tx, &hongyan.Message{
			ID: tx.NewMessageID(), Conversation: c, From: members[0], TimeMS: tx.NowMS(), Content: hongyan.Text(text),
		}, members)
	}
}

// setting is a command that changes the item of a state.
func setting(u hongyan.UserID, name string) func(tx *Tx) error {
	return func(tx *Tx) error { return tx.SetItem(u, hongyan.TypeSetting, []byte(name), nil) }
}

// contact is a command that changes another state.
func contact(u hongyan.UserID, name string) func(tx *Tx) error {
	return func(tx *Tx) error { return tx.SetItem(u, hongyan.TypeContact, []byte(name), nil) }
}

func codeOf(t testing.TB, err error, want hongyan.Code) {
	t.Helper()
	if got := hongyan.CodeOf(err); got != want {
		t.Errorf("error is %v, want the code %v", err, want)
	}
}

var errDisk = errors.New("the disk is gone")
