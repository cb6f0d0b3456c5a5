package recent

import (
	"math/rand/v2"
	"testing"
)

// TestCache holds a cache against a map that forgets nothing: what is remembered is right, the newest half is, and there
// is never more than the limit.
func TestCache(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		limit := 2 + r.IntN(30)
		c := New[int, int](limit)
		all := map[int]int{}
		used := map[int]int{} // when a key was used last
		var order []int       // the keys of the uses
		forgotten := 0
		for now := range 400 {
			k := r.IntN(40)
			if r.IntN(2) == 0 {
				all[k] = now
				c.Add(k, now)
			} else {
				v, ok := c.Get(k)
				if want, known := all[k]; ok && (!known || v != want) {
					t.Fatalf("limit %d: key %d is %d, want %d", limit, k, v, want)
				} else if known && !ok {
					if n := distinct(order[used[k]+1:]); n < limit/2 {
						t.Fatalf("limit %d: key %d is forgotten after %d others", limit, k, n)
					}
					forgotten++
				}
				if !ok {
					delete(all, k) // it is as if it had never been added
					order = append(order, -1)
					continue
				}
			}
			used[k] = len(order)
			order = append(order, k)
			if c.Len() > limit {
				t.Fatalf("%d entries, the limit is %d", c.Len(), limit)
			}
		}
		if limit < 20 && forgotten == 0 {
			t.Errorf("limit %d: nothing was ever forgotten", limit)
		}
	}
}

func distinct(keys []int) int {
	set := map[int]bool{}
	for _, k := range keys {
		if k >= 0 {
			set[k] = true
		}
	}
	return len(set)
}

func TestGetAllocatesNothing(t *testing.T) {
	c := New[string, int](8)
	c.Add("key", 1)
	key := []byte("key")
	if n := testing.AllocsPerRun(100, func() { c.Get(string(key)) }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}
