package media

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRanges adds random ranges and compares with what a list of every byte says.
func TestRanges(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		var l ranges
		var bytes [64]bool
		for range random.IntN(20) {
			r := Range{random.Int64N(64), 0}
			r.Length = random.Int64N(64 - r.Offset + 1)
			before := slices.Clone(l)
			with := l.add(r)
			if !slices.Equal(l, before) {
				t.Fatalf("adding %v has changed %v", r, before)
			}
			l = with
			for i := r.Offset; i < r.end(); i++ {
				bytes[i] = true
			}
			checkRanges(t, l, bytes[:])
		}
	}
}

func checkRanges(t *testing.T, l ranges, bytes []bool) {
	t.Helper()
	var want ranges
	for i := int64(0); i < int64(len(bytes)); i++ {
		if !bytes[i] {
			continue
		}
		if n := len(want); n > 0 && want[n-1].end() == i {
			want[n-1].Length++
		} else {
			want = append(want, Range{i, 1})
		}
	}
	if !slices.Equal(l, want) {
		t.Fatalf("the ranges are %v, want %v", l, want)
	}
	var total int64
	for from := range int64(len(bytes)) {
		if bytes[from] {
			total++
		}
		for to := from + 1; to <= int64(len(bytes)); to++ {
			if l.cover(Range{from, to - from}) != !slices.Contains(bytes[from:to], false) {
				t.Fatalf("%v covers %d to %d: %v", l, from, to, l.cover(Range{from, to - from}))
			}
		}
	}
	if l.total() != total {
		t.Fatalf("%v has %d bytes, want %d", l, l.total(), total)
	}
}
