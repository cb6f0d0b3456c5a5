package sim

import (
	"iter"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/kv"
)

// reading is a read under way. It stops now and then where it looks into its snapshot, so that rounds come and go and
// logs are trimmed in the middle of it, as they do beside a goroutine that reads.
type reading struct {
	p     *process
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
}

// read begins a read after a while: other things happen between a request and its read, too.
func (p *process) read(_ hongyan.UserID, job func()) error {
	r := &reading{p: p}
	p.later(0, 4*time.Millisecond, func() {
		r.next, r.stop = iter.Pull(func(yield func(struct{}) bool) {
			r.yield = yield
			job()
		})
		p.readings = append(p.readings, r)
		r.goOn()
	})
	return nil
}

// goOn lets the read go on until it stops again or is done.
func (r *reading) goOn() {
	w := r.p.s.w
	w.reading = r
	_, more := r.next()
	w.reading = nil
	if more {
		r.p.later(0, 6*time.Millisecond, r.goOn)
		return
	}
	r.p.readings = slices.DeleteFunc(r.p.readings, func(o *reading) bool { return o == r })
}

// endReadings lets the reads of a dead process come to their end, where nobody takes their answers.
func (p *process) endReadings() {
	for _, r := range p.readings {
		r.stop()
	}
	p.readings = nil
}

// pause stops the read that is going on, if there is one, now and then.
func (w *world) pause() {
	if r := w.reading; r != nil && w.chance(8) {
		r.yield(struct{}{})
	}
}

// pausingStore is a store whose snapshots are places to pause.
type pausingStore struct {
	kv.Store
	w *world
}

func (s pausingStore) Snapshot() kv.Snapshot {
	s.w.pause()
	snapshot := s.Store.Snapshot()
	s.w.pause()
	return pausingSnapshot{snapshot, s.w}
}

type pausingSnapshot struct {
	kv.Snapshot
	w *world
}

func (s pausingSnapshot) Get(key []byte) ([]byte, error) {
	s.w.pause()
	return s.Snapshot.Get(key)
}

func (s pausingSnapshot) Scan(from, to []byte, reverse bool) kv.Iterator {
	s.w.pause()
	return s.Snapshot.Scan(from, to, reverse)
}
