package ws

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Key is a masking key (RFC 6455 §5.3): the first byte on the wire is the lowest.
type Key uint32

// Mask masks or unmasks p in place and returns the key for the byte that follows p, so that a payload may be handled in
// pieces. A zero key changes nothing.
func Mask(key Key, p []byte) Key {
	next := Key(bits.RotateLeft32(uint32(key), -8*(len(p)&3)))
	if key == 0 {
		return next
	}
	k := uint64(key)<<32 | uint64(key)
	if len(p) >= 2*maskVectorStep && hasVector {
		// Stores that cross cache lines halve the speed: start at a multiple of 32.
		lead := int(-uintptr(unsafe.Pointer(&p[0])) & 31)
		key = Mask(key, p[:lead])
		k = uint64(key)<<32 | uint64(key)
		n := (len(p) - lead) &^ (maskVectorStep - 1)
		xorVector(&p[lead], n, k)
		p = p[lead+n:]
	}
	for len(p) >= 64 {
		q := p[:64:64]
		binary.LittleEndian.PutUint64(q[0:], binary.LittleEndian.Uint64(q[0:])^k)
		binary.LittleEndian.PutUint64(q[8:], binary.LittleEndian.Uint64(q[8:])^k)
		binary.LittleEndian.PutUint64(q[16:], binary.LittleEndian.Uint64(q[16:])^k)
		binary.LittleEndian.PutUint64(q[24:], binary.LittleEndian.Uint64(q[24:])^k)
		binary.LittleEndian.PutUint64(q[32:], binary.LittleEndian.Uint64(q[32:])^k)
		binary.LittleEndian.PutUint64(q[40:], binary.LittleEndian.Uint64(q[40:])^k)
		binary.LittleEndian.PutUint64(q[48:], binary.LittleEndian.Uint64(q[48:])^k)
		binary.LittleEndian.PutUint64(q[56:], binary.LittleEndian.Uint64(q[56:])^k)
		p = p[64:]
	}
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^k)
		p = p[8:]
	}
	if len(p) >= 4 {
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^uint32(k))
		p = p[4:]
	}
	for i := range p {
		p[i] ^= byte(k)
		k >>= 8
	}
	return next
}
