package inbox

import (
	"maps"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// The deduplication window: how long a retry is recognised, and how far a client's clock may run ahead of ours.
const (
	WindowHours = 7 * 24
	WindowMS    = WindowHours * hourMS
	SkewMS      = hourMS
	hourMS      = 3600_000
)

// MaxFilterBytes bounds all filters together. The oldest hours go first; for an hour without a filter every question is
// a look-up. It is room for 33 million requests; of those that are asked about, nearly all are of this hour or the last.
const MaxFilterBytes = 64 << 20

// dedupe knows, with a filter per hour in which requests were committed, which client ids have surely not been seen.
// A look-up in the store for a key that is not there costs more than all else in a send; the filter spares it.
type dedupe struct {
	hours  map[uint32]*hourFilter // of the window
	now    uint32                 // the hour in which requests are committed at present
	bytes  int                    // of all filters
	limit  int                    // of bytes: MaxFilterBytes
	closed filterPieces           // the filter of a past hour, as far as it is not written down yet
}

func newDedupe() *dedupe { return &dedupe{hours: map[uint32]*hourFilter{}, limit: MaxFilterBytes} }

// hourOf is the hour of a time, which is the first one for times before 1970.
func hourOf(ms int64) uint32 { return uint32(max(ms, 0) / hourMS) }

// hour returns the filter of an hour, making an empty one that is incomplete: the hour may hold ids of earlier terms,
// until LoadFilter has brought them.
func (d *dedupe) hour(h uint32) *hourFilter {
	f := d.hours[h]
	if f == nil {
		f = &hourFilter{}
		d.hours[h] = f
	}
	return f
}

// add puts an id into the filter of the present hour.
func (d *dedupe) add(id filterID) {
	f := d.hour(d.now)
	if grown := f.add(id); grown > 0 {
		d.bytes += grown
		d.shrink()
	}
}

// unseen reports whether a request was surely not committed in the hour.
func (d *dedupe) unseen(h uint32, id filterID) bool {
	f := d.hours[h]
	return f != nil && f.complete && !f.mayHold(id)
}

// tick turns the hour when it has passed, and goes on to write down the filter of the last.
func (d *dedupe) tick(tx *Tx) {
	if h := hourOf(tx.nowMS); h != d.now {
		d.turn(tx, h)
	}
	d.closed.put(tx.Tx)
}

// turn begins the hour h. Hours beyond the window are forgotten.
func (d *dedupe) turn(tx *Tx, h uint32) {
	oldest := oldestHour(h)
	maps.DeleteFunc(d.hours, func(h uint32, f *hourFilter) bool {
		if h < oldest {
			d.bytes -= f.bytes()
		}
		return h < oldest
	})
	store.ForgetOriginals(tx.Tx, oldest)
	if f := d.hours[d.now]; f != nil && f.complete && !f.dropped {
		d.closed = filterPieces{hour: d.now, rest: f.marshal()}
	}
	if d.now != 0 { // else this is the first hour of the term, which may hold requests of earlier ones
		for next := max(d.now+1, oldest); next <= h; next++ {
			d.hour(next).complete = true // nothing was committed in it before now
		}
	}
	d.now = h
}

// oldestHour is the first hour in which a request may have been committed whose retry is still accepted.
func oldestHour(now uint32) uint32 { return now - min(now, WindowHours+2) }

// install adds the ids of earlier terms to an hour.
func (d *dedupe) install(h uint32, earlier *hourFilter) {
	if h < oldestHour(d.now) {
		return
	}
	f := d.hour(h)
	if f.complete {
		return
	}
	f.complete = true
	if f.dropped || earlier.dropped {
		d.bytes -= f.bytes()
		f.drop()
		return
	}
	d.bytes += earlier.bytes()
	f.segments = append(earlier.segments, f.segments...) // the last one stays the one that has room
	d.shrink()
}

// shrink drops the filters of the oldest hours until the rest is within the limit.
func (d *dedupe) shrink() {
	if d.bytes <= d.limit {
		return
	}
	for _, h := range slices.Sorted(maps.Keys(d.hours)) {
		if d.bytes <= d.limit {
			return
		}
		if n := d.hours[h].bytes(); n > 0 {
			d.hours[h].drop()
			d.bytes -= n
		}
	}
}

// Original returns what the first attempt of a request led to, or nil if there was none. firstAttemptMS is the time of
// the first attempt as the client tells it, by our clock. Too old is TooLate: it cannot be known any more. In our
// future is ClockSkew: it was surely not accepted before.
func (tx *Tx) Original(sender hongyan.UserID, id hongyan.ClientID, firstAttemptMS int64) (*store.Original, error) {
	switch {
	case firstAttemptMS < tx.nowMS-WindowMS:
		return nil, hongyan.Errorf(hongyan.TooLate, "the first attempt was more than %d days ago", WindowHours/24).
			WithHint("look in the conversation whether it arrived; send it anew with a new client id")
	case firstAttemptMS > tx.nowMS+SkewMS:
		return nil, hongyan.Errorf(hongyan.ClockSkew, "the first attempt lies in the future, the server's clock is at %d ms",
			tx.nowMS).WithHint("correct first_attempt_ms by the server's clock and send again")
	}
	key := filterIDOf(sender, id)
	for h := hourOf(firstAttemptMS - SkewMS); h <= hourOf(tx.nowMS); h++ {
		if tx.e.dedupe.unseen(h, key) {
			continue
		}
		if o, err := store.GetOriginal(tx, h, sender, id); o != nil || err != nil {
			return o, err
		}
	}
	return nil, nil
}

// Remember notes what a request led to, for its retries.
func (tx *Tx) Remember(sender hongyan.UserID, id hongyan.ClientID, o store.Original) {
	tx.e.dedupe.add(filterIDOf(sender, id))
	store.PutOriginal(tx.Tx, tx.e.dedupe.now, sender, id, o)
}
