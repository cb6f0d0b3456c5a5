package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramQuantiles(t *testing.T) {
	t.Parallel()
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	spreads := map[string]func() time.Duration{
		"even":   func() time.Duration { return time.Duration(random.IntN(5_000_000)) },
		"tiny":   func() time.Duration { return time.Duration(random.IntN(200)) },
		"skewed": func() time.Duration { return time.Duration(random.ExpFloat64() * 1e6) },
		"bimodal": func() time.Duration {
			if random.IntN(50) == 0 {
				return 200*time.Millisecond + time.Duration(random.IntN(1e7))
			}
			return 100*time.Microsecond + time.Duration(random.IntN(1e4))
		},
	}
	for name, next := range spreads {
		var h Histogram
		all := make([]time.Duration, 20_000)
		for i := range all {
			all[i] = next()
			h.Add(all[i])
		}
		slices.Sort(all)
		for _, q := range []float64{0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
			want := all[max(int(q*float64(len(all))+0.5), 1)-1]
			got := h.Quantile(q)
			if got < want || float64(got-want) > 0.01*float64(want) {
				t.Errorf("%s: quantile %v is %v, want %v to 1 %%", name, q, got, want)
			}
		}
		if h.Count() != uint64(len(all)) {
			t.Errorf("%s: counted %d of %d", name, h.Count(), len(all))
		}
	}
}

func TestHistogramEnds(t *testing.T) {
	t.Parallel()
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("median of nothing is %v", got)
	}
	h.Add(-time.Second)
	if got := h.Quantile(1); got != 0 {
		t.Errorf("a negative duration counts as %v", got)
	}
	h.Add(100 * time.Hour)
	if got := h.Quantile(1); got < maxTracked || got > 100*time.Hour {
		t.Errorf("quantile 1 beyond the tracked range is %v", got)
	}
	h.Reset()
	if h.Count() != 0 || h.Quantile(1) != 0 {
		t.Error("something is left after Reset")
	}
}

// Every value lies in the bucket of its number, and buckets follow each other without a gap.
func TestHistogramBuckets(t *testing.T) {
	t.Parallel()
	last := bucketOf(uint64(maxTracked))
	if want := len(Histogram{}.buckets) - 1; last != want {
		t.Errorf("the longest tracked duration is in bucket %d of %d", last, want)
	}
	for b := range last {
		if top := upper(b); bucketOf(top) != b || bucketOf(top+1) != b+1 {
			t.Fatalf("bucket %d ends at %d, which is in %d, and the next value in %d", b, top, bucketOf(top), bucketOf(top+1))
		}
	}
}

func TestHistogramAddAllocatesNothing(t *testing.T) {
	var h Histogram
	d := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() { h.Add(d); d += 12345 }); n != 0 {
		t.Errorf("%v allocations for each duration", n)
	}
}
