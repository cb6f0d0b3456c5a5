package inbox

import (
	"encoding/binary"
	"fmt"

	"github.com/hongyan-im/hongyan"
)

// bloom is a Bloom filter of ids in blocks of one cache line: an id sets one bit in each of the eight words of one
// block, so that a question touches memory once. At idBits bits for each id it holds, about one id in a thousand that is
// not in it looks as if it were. Which bits an id sets is written to disk with the filters and never changes.
type bloom []block

type block [8]uint64

const (
	blockBytes = 64
	idBits     = 16
	idsOfBlock = blockBytes * 8 / idBits
)

// newBloom makes a filter for so many ids.
func newBloom(ids uint) bloom { return make(bloom, (ids+idsOfBlock-1)/idsOfBlock) }

// filterID is what a filter knows of sender and client id: their 24 bytes in two numbers.
type filterID struct{ place, bits uint64 }

func filterIDOf(u hongyan.UserID, id hongyan.ClientID) filterID {
	a, b := binary.BigEndian.Uint64(id[:]), binary.BigEndian.Uint64(id[8:])
	place := scatter(uint64(u) ^ scatter(a^scatter(b)))
	return filterID{place, scatter(place ^ b)}
}

// scatter is the finalizer of MurmurHash3: every bit of x reaches every bit of the result.
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

func (f bloom) block(id filterID) *block {
	return &f[id.place>>32*uint64(len(f))>>32]
}

func (f bloom) add(id filterID) {
	b := f.block(id)
	for i := range b {
		b[i] |= 1 << (id.bits >> (6 * i) & 63)
	}
}

func (f bloom) mayHold(id filterID) bool {
	b := f.block(id)
	for i := range b {
		if b[i]>>(id.bits>>(6*i)&63)&1 == 0 {
			return false
		}
	}
	return true
}

// appendTo appends the blocks, big-endian, behind their number in 4 bytes.
func (f bloom) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
	for i := range f {
		for _, word := range f[i] {
			b = binary.BigEndian.AppendUint64(b, word)
		}
	}
	return b
}

// cutBloom reads what appendTo wrote and returns what follows it.
func cutBloom(b []byte) (f bloom, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("inbox: filter is cut short")
	}
	n, b := uint64(binary.BigEndian.Uint32(b)), b[4:]
	if n == 0 || n*blockBytes > uint64(len(b)) {
		return nil, nil, fmt.Errorf("inbox: filter of %d blocks in %d bytes", n, len(b))
	}
	f = make(bloom, n)
	for i := range f {
		for j := range f[i] {
			f[i][j], b = binary.BigEndian.Uint64(b), b[8:]
		}
	}
	return f, b, nil
}
