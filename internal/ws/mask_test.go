package ws

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// maskNaive is the algorithm as RFC 6455 §5.3 states it.
func maskNaive(key Key, p []byte) {
	k := [4]byte{byte(key), byte(key >> 8), byte(key >> 16), byte(key >> 24)}
	for i := range p {
		p[i] ^= k[i%4]
	}
}

func TestMaskEqualsNaive(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for size := range 700 {
		for _, off := range []int{0, 1, 3, 31} {
			room := make([]byte, off+size+8)
			for i := range room {
				room[i] = byte(rng.Uint32())
			}
			key := Key(rng.Uint32())
			want := bytes.Clone(room)
			maskNaive(key, want[off:off+size])
			Mask(key, room[off:off+size])
			if !bytes.Equal(room, want) {
				t.Fatalf("size %d at offset %d differs from the naive result", size, off)
			}
		}
	}
}

func FuzzMaskInPieces(f *testing.F) {
	f.Add(uint32(0x3d21fa37), []byte("Hello"), uint16(2), uint16(3))
	f.Add(uint32(0), bytes.Repeat([]byte("abc"), 200), uint16(257), uint16(258))
	f.Fuzz(func(t *testing.T, key uint32, p []byte, a, b uint16) {
		want := bytes.Clone(p)
		maskNaive(Key(key), want)
		i := int(a) % (len(p) + 1)
		j := i + int(b)%(len(p)-i+1)
		k := Mask(Key(key), p[:i])
		k = Mask(k, p[i:j])
		Mask(k, p[j:])
		if !bytes.Equal(p, want) {
			t.Fatalf("pieces cut at %d and %d differ from the whole", i, j)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	for _, size := range []int{16, 128, 1 << 10, 16 << 10, 64 << 10} {
		p := make([]byte, size+3)[3:] // headers leave payloads unaligned
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				Mask(0x3d21fa37, p)
			}
		})
	}
}
