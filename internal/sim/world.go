// Package sim runs whole clusters of clients and a server in one goroutine, by a seed: every delay, every fault and every
// wish of a person is drawn from it, so that a run that breaks a promise can be repeated to the byte.
//
//	device (client/core) ⇄ conn (delays, cuts, half-open) ⇄ server (session … store) ⇄ disk (power cuts, errors)
//
// What decides is the real code: packages session, operation, account, chat, inbox and store on the one side, client/core
// on the other, with the real frames between them. What carries them is replaced: the clock, the network, the disk, and
// the goroutines that drive rounds and reads. What everybody was told goes into a history.History, whose Check judges.
package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// world is the clock and everything that is going to happen.
type world struct {
	rng   *rand.Rand
	now   time.Time
	queue events
	count uint64 // events put into the queue so far
	trace *trace
	calm  bool // nothing is left to chance: see chance, between and draw

	reading *reading // that is going on; nil between reads
}

// event is something that happens at a time. Events of one time happen in the order in which they were planned.
type event struct {
	at    time.Time
	order uint64
	do    func()
}

type events []*event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(*event)) }
func (q *events) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}

// epoch is when every world begins.
var epoch = time.UnixMilli(1_700_000_000_000)

func newWorld(seed uint64, t *trace) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 0)), now: epoch, trace: t}
}

// at plans f for a time, which is now if it has passed.
func (w *world) at(t time.Time, f func()) {
	if t.Before(w.now) {
		t = w.now
	}
	w.count++
	heap.Push(&w.queue, &event{t, w.count, f})
}

// after plans f for d from now, unless stopped before.
func (w *world) after(d time.Duration, f func()) (stop func()) {
	live := true
	w.at(w.now.Add(d), func() {
		if live {
			live = false
			f()
		}
	})
	return func() { live = false }
}

// run lets everything happen up to a time.
func (w *world) run(until time.Time) {
	for len(w.queue) > 0 && !w.queue[0].at.After(until) {
		e := heap.Pop(&w.queue).(*event)
		w.now = e.at
		e.do()
	}
	w.now = until
}

// chance is true once in n times, never for 0 and never in a calm world.
func (w *world) chance(n int) bool { return n > 0 && !w.calm && w.rng.IntN(n) == 0 }

// draw draws a number below n; 0 in a calm world.
func (w *world) draw(n int64) int64 {
	if w.calm {
		return 0
	}
	return w.rng.Int64N(n)
}

// between draws a duration; the middle one in a calm world.
func (w *world) between(low, high time.Duration) time.Duration {
	if w.calm {
		return low + (high-low)/2
	}
	return low + time.Duration(w.rng.Int64N(int64(high-low)+1))
}

// one draws an element of a list that is not empty.
func one[T any](w *world, list []T) T { return list[w.rng.IntN(len(list))] }

// trace keeps what happened, for people. A nil trace keeps nothing.
type trace struct {
	lines []string
	since time.Time // when its time begins
}

func (w *world) note(format string, args ...any) {
	if w.trace != nil {
		at := fmt.Sprintf("%9.3f  ", w.now.Sub(w.trace.since).Seconds())
		w.trace.lines = append(w.trace.lines, at+fmt.Sprintf(format, args...))
	}
}
