package kvtest

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

func claim(t *testing.T, s kv.Store, shard uint32, want uint64) {
	t.Helper()
	if term, err := s.Claim(shard); err != nil || term != want {
		t.Fatalf("Claim(%d) = %d, %v, want %d", shard, term, err, want)
	}
}

// fenced tries to write key under the fence.
func fenced(s kv.Store, shard uint32, term uint64, key string) error {
	var b kv.Batch
	b.Set([]byte(key), []byte("1"))
	b.Fence(shard, term)
	return tryCommit(s, &b)
}

func testFence(t *testing.T, s kv.Store) {
	const other = 1<<32 - 1
	if err := fenced(s, 7, 1, "never claimed"); !errors.Is(err, kv.ErrFenced) {
		t.Fatalf("a batch of a shard that nobody claimed: %v, want ErrFenced", err)
	}
	claim(t, s, 7, 1)
	if err := fenced(s, 7, 1, "first"); err != nil {
		t.Fatal(err)
	}
	claim(t, s, 7, 2)
	claim(t, s, other, 1)
	claim(t, s, 0, 1)
	if err := fenced(s, 7, 1, "old"); !errors.Is(err, kv.ErrFenced) {
		t.Fatalf("a batch of the old term: %v, want ErrFenced", err)
	}
	if err := fenced(s, 7, 3, "future"); !errors.Is(err, kv.ErrFenced) {
		t.Fatalf("a batch of a term that nobody holds: %v, want ErrFenced", err)
	}
	for _, f := range []struct {
		shard uint32
		term  uint64
		key   string
	}{{7, 2, "second"}, {other, 1, "third"}, {0, 1, "fourth"}, {7, 0, "fifth"}} {
		if err := fenced(s, f.shard, f.term, f.key); err != nil {
			t.Fatalf("shard %d, term %d: %v", f.shard, f.term, err)
		}
	}

	// Whatever a refused batch holds leaves no trace, and the batch itself is whole.
	var b kv.Batch
	b.DeleteRange(nil, []byte("z"))
	b.Delete([]byte("first"))
	b.Set([]byte("x"), []byte("1"))
	b.Fence(7, 1)
	if _, err := s.Apply(&b); !errors.Is(err, kv.ErrFenced) {
		t.Fatalf("%v, want ErrFenced", err)
	}
	expect(t, s, pair{"fifth", "1"}, pair{"first", "1"}, pair{"fourth", "1"}, pair{"second", "1"}, pair{"third", "1"})
	b.Fence(7, 2)
	commit(t, s, &b)
	expect(t, s, pair{"x", "1"})
}

// testFenceHides makes sure that no reader sees the terms and no write reaches them.
func testFenceHides(t *testing.T, s kv.Store) {
	for shard := range uint32(3) {
		claim(t, s, shard, 1)
	}
	expect(t, s)
	for _, reverse := range []bool{false, true} {
		expectScan(t, s, nil, repeat(0xff, kv.MaxKey+64), reverse, nil)
	}
	var b kv.Batch
	b.DeleteRange(nil, repeat(0xff, kv.MaxKey))
	b.Set([]byte("e\x00\x00\x00\x01"), []byte("a key like any other"))
	commit(t, s, &b)
	for shard := range uint32(3) {
		claim(t, s, shard, 2)
	}
	expect(t, s, pair{"e\x00\x00\x00\x01", "a key like any other"})
}

// testFenceRace has owners take a shard from each other while the former ones still write. What a new owner finds right
// after its claim is all that there will ever be of the terms before: no batch of theirs comes in later, not even one
// that was under way.
func testFenceRace(t *testing.T, s kv.Store) {
	const owners, claims, batches = 4, 8, 20
	key := func(term uint64, i int) []byte {
		return append(binary.BigEndian.AppendUint64(nil, term), byte(i))
	}
	before := func(term uint64) ([]pair, error) { return scan(s, nil, key(term, 0), false) }
	var mu sync.Mutex
	found := map[uint64][]pair{}
	owner := func() error {
		for range claims {
			term, err := s.Claim(1)
			if err != nil {
				return err
			}
			pairs, err := before(term)
			if err != nil {
				return err
			}
			mu.Lock()
			found[term] = pairs
			mu.Unlock()
			for i := range batches {
				err := fenced(s, 1, term, string(key(term, i)))
				if errors.Is(err, kv.ErrFenced) {
					break
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
	group(t, owner, owner, owner, owner)
	claim(t, s, 1, owners*claims+1)
	for term, want := range found {
		got, err := before(term)
		if err == nil {
			err = differ(got, want)
		}
		if err != nil {
			t.Errorf("the batches of the terms before %d changed after it was claimed: %v", term, err)
		}
	}
}
