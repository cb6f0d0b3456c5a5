package auth

import (
	"container/heap"
	"time"
)

// firstWait is what the first failure beyond the free ones costs; each further one doubles it up to the rule's step.
const firstWait = time.Second

// rule says how a ledger counts: free failures cost nothing, and one failure is forgiven per step. The step is also
// the longest wait, so a record that keeps failing as fast as it may neither grows nor shrinks.
type rule struct {
	free int
	step time.Duration
}

// ledger counts failures in a bounded number of records. All times are spans since one start, and never go back.
//
// A record is one time, clear, at which its last failure will be forgiven; each failure moves it a step further.
// When the ledger is full, the record that would be clear first gives way. To push out a record with n failures, an
// attacker has to bring every other one to n failures, which is limit × n guesses within the time in which they are
// forgiven. What that wins is a shorter wait, but no free failures: the ledger remembers in floor how far the
// records pushed out reached, and until then whoever is new to it starts with the free failures used up.
type ledger struct {
	rule
	limit   int
	records map[[16]byte]*record
	order   byClear
	floor   time.Duration
}

type record struct {
	key   [16]byte
	clear time.Duration // when all is forgiven
	last  time.Duration // the latest failure
	index int           // in order
}

func newLedger(r rule, limit int) *ledger {
	return &ledger{rule: r, limit: limit, records: make(map[[16]byte]*record)}
}

// wait returns how long after at the next attempt is allowed, 0 if now.
func (l *ledger) wait(key [16]byte, at time.Duration) time.Duration {
	r := l.records[key]
	if r == nil {
		return 0
	}
	failures := int((r.clear - r.last + l.step - 1) / l.step) // at the latest one, a part counting as a whole
	if failures <= l.free {
		return 0
	}
	wait := l.step
	if doublings := failures - l.free - 1; doublings < 32 {
		wait = min(wait, firstWait<<doublings)
	}
	return max(0, r.last+wait-at)
}

// charge counts a failure.
func (l *ledger) charge(key [16]byte, at time.Duration) {
	r := l.records[key]
	if r == nil {
		l.makeRoom(at)
		r = &record{key: key, clear: min(l.floor, at+time.Duration(l.free)*l.step)}
		l.records[key] = r
		heap.Push(&l.order, r)
	}
	r.clear = max(r.clear, at) + l.step
	r.last = at
	heap.Fix(&l.order, r.index)
}

// refund takes one failure back. With it the wait that it brought about shrinks to what the others ask for.
func (l *ledger) refund(key [16]byte, at time.Duration) {
	r := l.records[key]
	if r == nil {
		return
	}
	r.clear -= l.step
	if r.clear <= at {
		l.forget(key)
		return
	}
	heap.Fix(&l.order, r.index)
}

// forget removes a record.
func (l *ledger) forget(key [16]byte) {
	if r := l.records[key]; r != nil {
		heap.Remove(&l.order, r.index)
		delete(l.records, key)
	}
}

// makeRoom removes up to two records that are clear, so that the ledger shrinks faster than it grows, or the first
// to be if it is full.
func (l *ledger) makeRoom(at time.Duration) {
	for range 2 {
		if len(l.order) > 0 && l.order[0].clear <= at {
			l.forget(l.order[0].key)
		}
	}
	if len(l.order) >= l.limit {
		l.floor = max(l.floor, l.order[0].clear)
		l.forget(l.order[0].key)
	}
}

// byClear is a heap of records, the one that is clear first at the top.
type byClear []*record

func (h byClear) Len() int           { return len(h) }
func (h byClear) Less(i, j int) bool { return h[i].clear < h[j].clear }

func (h byClear) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *byClear) Push(x any) {
	r := x.(*record)
	r.index = len(*h)
	*h = append(*h, r)
}

func (h *byClear) Pop() any {
	old := *h
	last := len(old) - 1
	r := old[last]
	old[last] = nil
	*h = old[:last]
	return r
}
