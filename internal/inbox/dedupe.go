package inbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/bits-and-blooms/bloom/v3"

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
// a look-up.
const MaxFilterBytes = 64 << 20

// dedupe knows, with a filter per hour in which requests were committed, which client ids have surely not been seen.
// A look-up in the store for a key that is not there costs more than all else in a send; the filter spares it.
type dedupe struct {
	hours map[uint32]*hourFilter
	now   uint32 // the hour in which requests are committed at present
}

// hourFilter holds the ids of an hour. Those of earlier terms may not be loaded yet.
type hourFilter struct {
	segments []*bloom.BloomFilter // each larger than the one before
	room     uint                 // ids that still fit into the last segment
	complete bool                 // the ids of earlier terms are in as well
}

const (
	filterRate  = 1e-4 // wrong positives, each a look-up
	firstRoom   = 1 << 13
	largestRoom = 1 << 22
)

func newDedupe() *dedupe { return &dedupe{hours: map[uint32]*hourFilter{}} }

func hourOf(ms int64) uint32 { return uint32(ms / hourMS) }

// dedupeID is what a filter holds: sender and client id.
func dedupeID(u hongyan.UserID, id hongyan.ClientID) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 24), uint64(u)), id[:]...)
}

func (f *hourFilter) add(id []byte) {
	if f.room == 0 {
		f.grow()
	}
	f.segments[len(f.segments)-1].Add(id)
	f.room--
}

func (f *hourFilter) grow() {
	f.room = min(uint(firstRoom)<<(2*len(f.segments)), largestRoom)
	f.segments = append(f.segments, bloom.NewWithEstimates(f.room, filterRate))
}

func (f *hourFilter) mayHold(id []byte) bool {
	for _, s := range f.segments {
		if s.Test(id) {
			return true
		}
	}
	return false
}

func (f *hourFilter) bytes() int {
	n := 0
	for _, s := range f.segments {
		n += int(s.Cap() / 8)
	}
	return n
}

// hour returns the filter of an hour, making an empty one. The first filter of a term for an hour is incomplete: the
// hour may hold ids of earlier terms, until LoadFilter has brought them.
func (d *dedupe) hour(h uint32) *hourFilter {
	f := d.hours[h]
	if f == nil {
		f = &hourFilter{}
		d.hours[h] = f
	}
	return f
}

// tick closes the hour when it has passed: its filter is written down, hours beyond the window are forgotten.
func (d *dedupe) tick(tx *Tx) {
	h := hourOf(tx.nowMS)
	if h == d.now {
		return
	}
	if f := d.hours[d.now]; f != nil && f.complete {
		store.PutFilter(tx.Tx, d.now, f.marshal())
	}
	first := d.now == 0
	d.now = h
	if !first {
		d.hour(h).complete = true // it begins now, in this term
	}
	oldest := oldestHour(h)
	maps.DeleteFunc(d.hours, func(h uint32, _ *hourFilter) bool { return h < oldest })
	store.ForgetOriginals(tx.Tx, oldest)
	d.shrink()
}

// oldestHour is the first hour in which a request may have been committed whose retry is still accepted.
func oldestHour(now uint32) uint32 { return now - min(now, WindowHours+2) }

func (d *dedupe) shrink() {
	total := 0
	for _, h := range slices.Backward(slices.Sorted(maps.Keys(d.hours))) {
		if total += d.hours[h].bytes(); total > MaxFilterBytes && h != d.now {
			delete(d.hours, h)
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
	key := dedupeID(sender, id)
	for h := hourOf(firstAttemptMS - SkewMS); h <= hourOf(tx.nowMS); h++ {
		if f := tx.e.dedupe.hours[h]; f != nil && f.complete && !f.mayHold(key) {
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
	h := hourOf(tx.nowMS)
	tx.e.dedupe.hour(h).add(dedupeID(sender, id))
	store.PutOriginal(tx.Tx, h, sender, id, o)
}

// Filters lists the hours up to nowMS that may hold ids of earlier terms, newest first: LoadFilter makes the command
// that brings them in. Until then their questions are look-ups: slower, not wrong.
func Filters(nowMS int64) []uint32 {
	var hours []uint32
	for h := hourOf(nowMS); h >= oldestHour(hourOf(nowMS)) && h > 0; h-- {
		hours = append(hours, h)
	}
	return hours
}

// LoadFilter reads the filter of an hour from a view that was taken before the engine's first round, or builds it from
// the hour's records, and returns the command that installs it.
func LoadFilter(r store.Reader, hour uint32) (Command, error) {
	raw, err := store.GetFilter(r, hour)
	if err != nil {
		return nil, err
	}
	f := &hourFilter{}
	if raw == nil || f.unmarshal(raw) != nil {
		f = &hourFilter{}
		err = store.ListOriginals(r, hour, func(id []byte) bool { f.add(id); return true })
	}
	return &installFilter{hour, f}, err
}

type installFilter struct {
	hour   uint32
	filter *hourFilter
}

func (c *installFilter) Do(tx *Tx) error {
	d := tx.e.dedupe
	if c.hour < oldestHour(d.now) {
		return nil
	}
	f := d.hour(c.hour)
	if !f.complete {
		// What came in this term stays in the last segment, where there is room.
		f.segments = append(c.filter.segments, f.segments...)
		f.complete = true
	}
	d.shrink()
	return nil
}

func (c *installFilter) Done(error) {}

// marshal writes the segments one after the other, each behind its length, big-endian 32 bits.
func (f *hourFilter) marshal() []byte {
	var out bytes.Buffer
	for _, s := range f.segments {
		raw, err := s.MarshalBinary()
		if err != nil {
			panic(err) // only for a writer that fails
		}
		out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(raw))))
		out.Write(raw)
	}
	if out.Len() == 0 {
		out.Write(make([]byte, 4)) // an hour without ids is worth remembering too
	}
	return out.Bytes()
}

func (f *hourFilter) unmarshal(raw []byte) error {
	for len(raw) > 0 {
		if len(raw) < 4 || uint64(len(raw)-4) < uint64(binary.BigEndian.Uint32(raw)) {
			return fmt.Errorf("inbox: filter is cut short")
		}
		n := binary.BigEndian.Uint32(raw)
		if n > 0 {
			s := new(bloom.BloomFilter)
			if err := s.UnmarshalBinary(raw[4 : 4+n]); err != nil {
				return err
			}
			f.segments = append(f.segments, s)
		}
		raw = raw[4+n:]
	}
	return nil
}
