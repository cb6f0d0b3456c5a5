package store

import (
	"math/rand/v2"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/kv"
)

// newRand returns a source whose seed is in the test's log.
func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// rig is an open store in memory and its writer.
type rig struct {
	t  testing.TB
	kv kv.Store
	*Store
	*Writer
}

func newRig(t testing.TB) *rig {
	t.Helper()
	g := &rig{t: t, kv: kv.NewMemory()}
	g.open()
	return g
}

// open opens the rig's store anew, with a writer that remembers nothing.
func (g *rig) open() {
	g.t.Helper()
	var err error
	if g.Store, err = Open(g.kv, rand.NewChaCha8([32]byte{1})); err != nil {
		g.t.Fatal(err)
	}
	term, err := g.Claim(0)
	if err != nil {
		g.t.Fatal(err)
	}
	g.Writer = g.NewWriter(0, term)
}

// write runs one transaction.
func (g *rig) write(do func(tx *Tx)) {
	g.t.Helper()
	tx := g.Begin()
	do(tx)
	g.apply(tx)
}

func (g *rig) apply(tx *Tx) {
	g.t.Helper()
	c, err := tx.Apply()
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// view takes a snapshot that ends with the test.
func (g *rig) view() *View {
	v := g.View()
	g.t.Cleanup(func() {
		if err := v.Close(); err != nil {
			g.t.Error(err)
		}
	})
	return v
}

// raw writes past the records.
func (g *rig) raw(key, value []byte) {
	g.t.Helper()
	var b kv.Batch
	b.Set(key, value)
	c, err := g.kv.Apply(&b)
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// The conversations of tests.
var (
	direct = hongyan.Direct(1, 2)
	group  = hongyan.GroupConversation(9)
)

// keyOf is the key of a record.
func (t table[K, V]) keyOf(k K) []byte { return t.appendKey(nil, k) }
