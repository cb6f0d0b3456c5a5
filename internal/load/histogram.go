package load

import (
	"math/bits"
	"time"
)

// A Histogram counts durations in log-linear buckets, 128 for every doubling, so that a quantile is right to 1 % and the
// memory is the same whatever is counted. Durations from maxTracked on share the last bucket. The zero value is ready.
type Histogram struct {
	count   uint64
	max     time.Duration
	buckets [(trackedBits - subBits + 1) << subBits]uint64
}

const (
	subBits     = 7  // 128 buckets for every doubling
	trackedBits = 40 // durations below 2^40 ns, 18 minutes
	maxTracked  = time.Duration(1)<<trackedBits - 1
)

// Add counts d; a negative one, which a clock that is read twice cannot give, counts as zero.
func (h *Histogram) Add(d time.Duration) {
	h.count++
	h.max = max(h.max, d)
	h.buckets[bucketOf(uint64(min(max(d, 0), maxTracked)))]++
}

// bucketOf numbers the buckets: below 2^subBits one for each value, above by the length of the value and the subBits
// that follow its leading one.
func bucketOf(v uint64) int {
	shift := bits.Len64(v) - 1 - subBits
	if shift < 0 {
		return int(v)
	}
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// upper is the largest value of a bucket.
func upper(bucket int) uint64 {
	if bucket < 1<<subBits {
		return uint64(bucket)
	}
	shift := bucket>>subBits - 1
	return (uint64(bucket&(1<<subBits-1)|1<<subBits)+1)<<shift - 1
}

// Count is the number of durations counted.
func (h *Histogram) Count() uint64 { return h.count }

// Quantile returns the smallest duration, to 1 %, that a share q of what was counted does not exceed; 0 if nothing was.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q*float64(h.count) + 0.5)
	rank = min(max(rank, 1), h.count)
	var seen uint64
	for i, n := range h.buckets {
		if seen += n; n > 0 && seen >= rank {
			return min(time.Duration(upper(i)), h.max)
		}
	}
	return h.max
}

// Reset forgets everything.
func (h *Histogram) Reset() { *h = Histogram{} }
