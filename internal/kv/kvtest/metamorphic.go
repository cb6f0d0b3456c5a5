package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// model is a store as plain as can be.
type model map[string]string

func (m model) apply(b *kv.Batch) {
	for _, op := range b.Ops() {
		switch op.Kind {
		case kv.OpSet:
			m[string(op.Key)] = string(op.Value)
		case kv.OpDelete:
			delete(m, string(op.Key))
		case kv.OpDeleteRange:
			for key := range m {
				if key >= string(op.Key) && key < string(op.Value) {
					delete(m, key)
				}
			}
		}
	}
}

func (m model) scan(from, to []byte, reverse bool) []pair {
	var pairs []pair
	for key, value := range m {
		if key >= string(from) && (to == nil || key < string(to)) {
			pairs = append(pairs, pair{key, value})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
	if reverse {
		slices.Reverse(pairs)
	}
	return pairs
}

// randomKey draws keys that often collide, often share a prefix, and look like those of the product's layout.
func randomKey(r *rand.Rand) []byte {
	key := []byte{"\x00cdeimrs\xff"[r.IntN(9)]}
	for n := r.IntN(4) * 4; n > 0; n-- {
		key = append(key, 0)
	}
	for n := r.IntN(4); n > 0; n-- {
		key = append(key, "\x00\x01\x7f\xff"[r.IntN(4)])
	}
	return key
}

func randomBound(r *rand.Rand) []byte {
	if r.IntN(10) == 0 {
		return nil
	}
	return randomKey(r)
}

func randomBatch(r *rand.Rand, b *kv.Batch, step int) {
	b.Reset()
	for i := range r.IntN(12) {
		switch r.IntN(10) {
		case 0, 1:
			b.Delete(randomKey(r))
		case 2:
			b.DeleteRange(randomBound(r), randomBound(r))
		default:
			b.Set(randomKey(r), bytes.Repeat(fmt.Appendf(nil, "%d.%d ", step, i), r.IntN(40)))
		}
	}
}

// compare makes one random reading of both.
func compare(rnd *rand.Rand, r kv.Reader, m model) error {
	if rnd.IntN(2) == 0 {
		key := randomKey(rnd)
		got, err := r.Get(key)
		want, there := m[string(key)]
		if there && (err != nil || string(got) != want) || !there && !errors.Is(err, kv.ErrNotFound) {
			return fmt.Errorf("Get(%q) = %q, %v, want %q, %v", key, got, err, want, there)
		}
		return nil
	}
	from, to, reverse := randomBound(rnd), randomBound(rnd), rnd.IntN(2) == 0
	return compareScan(r, from, to, reverse, m.scan(from, to, reverse))
}

// testMetamorphic compares the store with the model over random writes, readings and snapshots.
func testMetamorphic(t *testing.T, s kv.Store) {
	const steps, snapshots = 1500, 5
	r := newRand(t)
	m := model{}
	type view struct {
		kv.Snapshot
		model
	}
	var views []view
	var commits []kv.Commit
	var b kv.Batch
	for step := range steps {
		switch r.IntN(8) {
		case 0, 1, 2:
			randomBatch(r, &b, step)
			c, err := s.Apply(&b)
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			m.apply(&b)
			// Some are waited for at once, the others in the order of the calls, later.
			commits = append(commits, c)
			if r.IntN(4) == 0 {
				for _, c := range commits {
					if err := c.Wait(); err != nil {
						t.Fatalf("step %d: %v", step, err)
					}
				}
				commits = commits[:0]
			} else {
				b = kv.Batch{}
			}
		case 3:
			if len(views) == snapshots {
				i := r.IntN(len(views))
				if err := views[i].Close(); err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
				views = slices.Delete(views, i, i+1)
			}
			views = append(views, view{takeSnapshot(t, s), maps.Clone(m)})
		case 4, 5:
			if len(views) > 0 {
				v := views[r.IntN(len(views))]
				if err := compare(r, v.Snapshot, v.model); err != nil {
					t.Fatalf("step %d, in a snapshot: %v", step, err)
				}
			}
		default:
			if err := compare(r, s, m); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
		}
	}
	expect(t, s, m.scan(nil, nil, false)...)
	for _, c := range commits {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range views {
		expect(t, v.Snapshot, v.model.scan(nil, nil, false)...)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
