package ws

import "golang.org/x/sys/cpu"

// Long payloads go through vector instructions in steps of these many bytes.
const (
	maskVectorStep = 128
	utf8VectorStep = 32
)

var hasVector = cpu.X86.HasAVX2

// xorVector XORs n bytes at p, a positive multiple of maskVectorStep, with the words of key.
//
//go:noescape
func xorVector(p *byte, n int, key uint64)

// utf8Vector reports whether the n bytes at p, a positive multiple of utf8VectorStep that starts with a code point, are
// UTF-8 whose last code point may be incomplete.
//
//go:noescape
func utf8Vector(p *byte, n int) bool
