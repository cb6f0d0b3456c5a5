package inbox

import (
	"math"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/store"
)

// newest returns the version of u's newest entry.
func (g *rig) newest(u hongyan.UserID) hongyan.Version {
	g.t.Helper()
	r := g.e.Read()
	defer r.Close()
	v, err := r.Head(u)
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

// TestTermIsRenewed uses the numbers of a term up while others ask for the term.
func TestTermIsRenewed(t *testing.T) {
	t.Parallel()
	for _, counter := range []struct {
		name string
		of   func(e *Engine) *uint32
	}{
		{"versions", func(e *Engine) *uint32 { return &e.count }},
		{"message ids", func(e *Engine) *uint32 { return &e.ids }},
	} {
		t.Run(counter.name, func(t *testing.T) {
			t.Parallel()
			g := newRig(t)
			g.must(message("first", 1, 2))
			*counter.of(g.e) = math.MaxUint32 - termReserve - 1
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				for g.e.Term() == 1 {
				}
			}()
			g.must(message("last of the term", 1, 2))
			before := g.newest(2)
			if g.e.Term() != 1 {
				t.Fatalf("the term is %d while there is room", g.e.Term())
			}
			*counter.of(g.e) = math.MaxUint32 - termReserve
			g.must(message("first of the next", 1, 2))
			<-asked
			if after := g.newest(2); g.e.Term() != 2 || after.Term() != 2 || after <= before {
				t.Errorf("the term is %d, and version %x follows %x", g.e.Term(), after, before)
			}
		})
	}
}

// TestTermsEnd opens a shard whose terms are used up.
func TestTermsEnd(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.kv = claimedAt{g.kv, hongyan.MaxTerm + 1}
	s, err := store.Open(g.kv, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s, 0, nil); err == nil {
		t.Error("a term was taken whose versions are beyond 2^53")
	}
}

// claimedAt claims every shard at a given term.
type claimedAt struct {
	kv.Store
	term uint64
}

func (s claimedAt) Claim(uint32) (uint64, error) { return s.term, nil }

// TestShardsEnd opens a shard whose message ids would not fit.
func TestShardsEnd(t *testing.T) {
	t.Parallel()
	s, err := store.Open(kv.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s, MaxShard+1, nil); err == nil {
		t.Error("a shard was opened whose message ids are beyond 2^63")
	}
	e, err := Open(s, MaxShard, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := e.Commit(monday, []Command{&answer{do: func(tx *Tx) error {
		if id := tx.NewMessageID(); id == 0 || id >= 1<<63 {
			t.Errorf("message id %x", uint64(id))
		}
		return nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	e.Settle(r, r.Wait())
}
