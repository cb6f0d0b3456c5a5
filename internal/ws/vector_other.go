//go:build !amd64

package ws

const (
	maskVectorStep = 128
	utf8VectorStep = 32
	hasVector      = false
)

func xorVector(*byte, int, uint64) { panic("ws: no vector instructions") }

func utf8Vector(*byte, int) bool { panic("ws: no vector instructions") }
