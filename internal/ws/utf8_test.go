package ws

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"unicode/utf8"
)

// utf8Naive decodes p one code point at a time. Where p ends inside a code point, it is bad if no completion is valid.
func utf8Naive(p []byte) (whole, bad bool) {
	for len(p) > 0 {
		if r, n := utf8.DecodeRune(p); r != utf8.RuneError || n > 1 {
			p = p[n:]
			continue
		}
		return false, len(p) > 3 || !completable(p)
	}
	return true, false
}

// completable tries every completion of up to four bytes. What cannot be completed cannot be by another byte either.
func completable(p []byte) bool {
	if len(p) > 1 && !completable(p[:len(p)-1]) {
		return false
	}
	if known, ok := completions.Load(string(p)); ok {
		return known.(bool)
	}
	var try func(p []byte) bool
	try = func(p []byte) bool {
		q := append(make([]byte, 0, 4), p...)
		for b := 0x80; b <= 0xBF; b++ {
			q = append(q[:len(p)], byte(b))
			if utf8.Valid(q) || len(q) < 4 && try(q) {
				return true
			}
		}
		return false
	}
	can := try(p)
	completions.Store(string(p), can)
	return can
}

var completions sync.Map // what completable has found

func checkUTF8(t *testing.T, p []byte) {
	t.Helper()
	whole, bad := utf8Naive(p)
	for i, got := range [...]utf8State{utf8Whole.next(p), utf8Whole.step(p)} {
		if (got == utf8Whole) != whole || (got == utf8Bad) != bad {
			t.Fatalf("%s(% x) = %d, naive says whole %v, bad %v", [...]string{"next", "step"}[i], p, got, whole, bad)
		}
	}
}

// Every pair of bytes below F0; pairs, triples and quadruples of bytes at the edges of the ranges; and long texts with
// few faults, so that these lie at every place of a vector block.
func TestUTF8EqualsNaive(t *testing.T) {
	t.Parallel()
	for a := range 0xF0 {
		for b := range 256 {
			checkUTF8(t, []byte{byte(a), byte(b)})
		}
	}
	edges := []byte{0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
		0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFF}
	for _, a := range edges {
		for _, b := range edges {
			checkUTF8(t, []byte{a, b})
			for _, c := range edges {
				checkUTF8(t, []byte{a, b, c})
				if a >= 0xEF {
					for _, d := range []byte{0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xF0} {
						checkUTF8(t, []byte{a, b, c, d})
					}
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	fill := []string{"a", "é", "鸿", "😀"}
	for range 4_000 {
		var p []byte
		for size := 60 + rng.IntN(80); len(p) < size; {
			p = append(p, fill[rng.IntN(len(fill))]...)
		}
		for range rng.IntN(3) {
			p[rng.IntN(len(p))] = edges[rng.IntN(len(edges))]
		}
		checkUTF8(t, p[:len(p)-rng.IntN(4)])
	}
}

func BenchmarkUTF8(b *testing.B) {
	for name, text := range map[string]string{
		"ascii": "the quick brown fox ", "cyrillic": "съешь же ещё этих ", "cjk": "鸿雁在云鱼在水，惆怅此情难寄。", "emoji": "😀😁",
	} {
		for _, size := range []int{16, 128, 1 << 10, 16 << 10} {
			p := bytes.Repeat([]byte(text), size/len(text)+1)
			for len(p) > size {
				_, n := utf8.DecodeLastRune(p)
				p = p[:len(p)-n]
			}
			b.Run(fmt.Sprint(name, "/", size), func(b *testing.B) {
				b.SetBytes(int64(len(p)))
				for b.Loop() {
					if utf8State(0).next(p) != utf8Whole {
						b.Fatal("not valid")
					}
				}
			})
		}
	}
}
