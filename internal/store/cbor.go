package store

import "encoding/binary"

// The records of every send are written with these instead of by reflection, which takes several times as long. The
// bytes are those of Encode.

// AppendUint appends n as CBOR (RFC 8949 §3.1, major type 0).
func AppendUint(b []byte, n uint64) []byte { return appendHead(b, 0, n) }

// AppendInt appends n as CBOR (major types 0 and 1).
func AppendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, 1, uint64(-1-n))
	}
	return appendHead(b, 0, uint64(n))
}

// AppendBytes appends s as a byte string (major type 2).
func AppendBytes(b, s []byte) []byte { return append(appendHead(b, 2, uint64(len(s))), s...) }

// AppendText appends s as a text (major type 3).
func AppendText(b []byte, s string) []byte { return append(appendHead(b, 3, uint64(len(s))), s...) }

// AppendMap appends the head of a map of so many pairs, which follow (major type 5).
func AppendMap(b []byte, pairs int) []byte { return appendHead(b, 5, uint64(pairs)) }

// appendHead appends a major type and its argument in the shortest form.
func appendHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}
