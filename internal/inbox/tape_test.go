package inbox

import (
	"bytes"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// tape is a store in memory that remembers its batches, so that a test can take the power away: what was applied last is
// lost then, as much of it as the test says.
type tape struct {
	*kv.Memory
	batches []*kv.Batch
	claims  map[uint32]int
}

func newTape() *tape { return &tape{Memory: kv.NewMemory(), claims: map[uint32]int{}} }

func (s *tape) Claim(shard uint32) (uint64, error) {
	s.claims[shard]++
	return s.Memory.Claim(shard)
}

func (s *tape) Apply(b *kv.Batch) (kv.Commit, error) {
	c, err := s.Memory.Apply(b)
	if err == nil {
		s.batches = append(s.batches, copyOf(b))
	}
	return c, err
}

func copyOf(b *kv.Batch) *kv.Batch {
	c := &kv.Batch{}
	for _, op := range b.Ops() {
		switch op.Kind {
		case kv.OpSet:
			c.Set(bytes.Clone(op.Key), bytes.Clone(op.Value))
		case kv.OpDelete:
			c.Delete(bytes.Clone(op.Key))
		case kv.OpDeleteRange:
			c.DeleteRange(bytes.Clone(op.Key), bytes.Clone(op.Value))
		}
	}
	return c
}

// cut returns what is left after a loss of power: the first n batches, and every claim, which is durable when it returns.
func (s *tape) cut(t testing.TB, n int) *tape {
	t.Helper()
	left := newTape()
	for shard, times := range s.claims {
		for range times {
			if _, err := left.Claim(shard); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, b := range s.batches[:n] {
		if _, err := left.Apply(b); err != nil {
			t.Fatal(err)
		}
	}
	return left
}
