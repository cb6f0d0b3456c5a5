package ws

import (
	"math/bits"
	"sync"
)

// Buffers for messages that arrive in parts come in powers of two and are shared by all connections. Those above the
// largest class are left to the garbage collector: they are rare, and must not stay.
const (
	minClass = 8  // 256 bytes
	maxClass = 20 // 1 MiB
)

var bufferPools [maxClass + 1]sync.Pool

// buffer is a byte slice on loan. Whoever has it returns it with release, once.
type buffer struct {
	b []byte
}

func newBuffer(size int) *buffer {
	class := max(minClass, bits.Len(uint(size-1)))
	if class <= maxClass {
		if pooled, ok := bufferPools[class].Get().(*buffer); ok {
			return pooled
		}
	}
	return &buffer{make([]byte, 0, 1<<class)}
}

func (b *buffer) release() {
	class := bits.Len(uint(cap(b.b) - 1))
	b.b = b.b[:0]
	if class <= maxClass {
		bufferPools[class].Put(b)
	}
}

// grown returns a buffer with the contents of b, or none if b is nil, and room for n bytes more.
func (b *buffer) grown(n int) *buffer {
	if b == nil {
		return newBuffer(n)
	}
	if cap(b.b)-len(b.b) >= n {
		return b
	}
	larger := newBuffer(len(b.b) + n)
	larger.b = append(larger.b, b.b...)
	b.release()
	return larger
}
