package inbox

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// hourFilter holds the ids of the requests that were committed in one hour, in segments that grow with their number.
type hourFilter struct {
	segments []bloom // each larger than the one before
	room     uint    // ids that still fit into the last segment
	complete bool    // the ids of earlier terms are in as well
	dropped  bool    // for want of memory: it may hold anything
}

// Ids that fit into the first segment and into the largest.
const (
	firstRoom   = 1 << 13
	largestRoom = 1 << 22
)

// add puts an id in and returns how many bytes the filter has grown by.
func (f *hourFilter) add(id filterID) (grown int) {
	if f.dropped {
		return 0
	}
	if f.room == 0 {
		f.room = min(uint(firstRoom)<<(2*len(f.segments)), largestRoom)
		f.segments = append(f.segments, newBloom(f.room))
		grown = len(f.segments[len(f.segments)-1]) * blockBytes
	}
	f.segments[len(f.segments)-1].add(id)
	f.room--
	return grown
}

func (f *hourFilter) mayHold(id filterID) bool {
	for _, s := range f.segments {
		if s.mayHold(id) {
			return true
		}
	}
	return f.dropped
}

func (f *hourFilter) bytes() int {
	n := 0
	for _, s := range f.segments {
		n += len(s) * blockBytes
	}
	return n
}

// drop gives the memory back for good.
func (f *hourFilter) drop() { f.segments, f.room, f.dropped = nil, 0, true }

// The stored form of a filter is format 1 byte, length 4 of the segments, their CRC-32C 4, and the segments.
const (
	filterFormat = 1
	filterHead   = 1 + 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (f *hourFilter) marshal() []byte {
	b := make([]byte, filterHead, filterHead+f.bytes()+4*len(f.segments))
	for _, s := range f.segments {
		b = s.appendTo(b)
	}
	b[0] = filterFormat
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-filterHead))
	binary.BigEndian.PutUint32(b[5:], crc32.Checksum(b[filterHead:], castagnoli))
	return b
}

// unmarshalFilter reads what marshal wrote. A bit that was lost would let a request in twice, so nothing is taken on trust.
func unmarshalFilter(b []byte) (*hourFilter, error) {
	if len(b) < filterHead || b[0] != filterFormat || uint64(binary.BigEndian.Uint32(b[1:])) != uint64(len(b)-filterHead) ||
		binary.BigEndian.Uint32(b[5:]) != crc32.Checksum(b[filterHead:], castagnoli) {
		return nil, fmt.Errorf("inbox: filter of %d bytes is incomplete, damaged or of an unknown format", len(b))
	}
	f := &hourFilter{}
	for b = b[filterHead:]; len(b) > 0; {
		s, rest, err := cutBloom(b)
		if err != nil {
			return nil, err
		}
		f.segments, b = append(f.segments, s), rest
	}
	return f, nil
}

// filterPieces is a filter on its way to the store. A large one takes several rounds, so that none of them has to carry
// more than a piece; if it does not get to its end, what there is of it is known to be incomplete.
type filterPieces struct {
	hour, piece uint32
	rest        []byte
}

// put writes the next piece, if there is one.
func (p *filterPieces) put(tx *store.Tx) {
	if len(p.rest) == 0 {
		return
	}
	n := min(len(p.rest), store.MaxFilterPiece)
	store.PutFilter(tx, p.hour, p.piece, p.rest[:n])
	p.rest = p.rest[n:]
	p.piece++
}

// Filters lists the hours that may hold ids of earlier terms when the engine begins at nowMS, newest first. LoadFilter
// makes the commands that bring them in. Until then their questions are look-ups: slower, not wrong. It is to be called
// before the first Commit.
func (e *Engine) Filters(nowMS int64) []uint32 {
	var hours []uint32
	now := hourOf(e.Clock(nowMS))
	for h := now; h >= oldestHour(now); h-- {
		if hours = append(hours, h); h == 0 {
			break
		}
	}
	return hours
}

// LoadFilter reads the filter of an hour from a view that was taken before the engine's first round, or builds it from
// the hour's records. It asks goOn from time to time and returns nil if it says no.
func LoadFilter(r store.Reader, hour uint32, goOn func() bool) (*Filter, error) {
	raw, err := store.GetFilter(r, hour)
	if err != nil {
		return nil, err
	}
	if f, err := unmarshalFilter(raw); err == nil {
		return &Filter{hour, f}, nil
	}
	f := &hourFilter{}
	n, stopped := 0, false
	err = store.ListOriginals(r, hour, func(sender hongyan.UserID, id hongyan.ClientID) bool {
		f.add(filterIDOf(sender, id))
		if f.bytes() > MaxFilterBytes {
			f.drop()
			return false
		}
		n++
		stopped = n%goOnEvery == 0 && !goOn()
		return !stopped
	})
	if err != nil || stopped {
		return nil, err
	}
	return &Filter{hour, f}, nil
}

// goOnEvery is how many records LoadFilter reads between two questions whether it should go on.
const goOnEvery = 1 << 12

// Filter is the command that installs the filter of an hour of earlier terms.
type Filter struct {
	hour   uint32
	filter *hourFilter
}

// Bytes is the memory that the filter takes.
func (c *Filter) Bytes() int { return c.filter.bytes() }

// Do implements Command.
func (c *Filter) Do(tx *Tx) error {
	tx.e.dedupe.install(c.hour, c.filter)
	return nil
}

// Done implements Command.
func (c *Filter) Done(error) {}
