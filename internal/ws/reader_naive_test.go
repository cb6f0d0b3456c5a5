package ws

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// readNaive is a Reader without permessage-deflate over a whole stream, without a thought for speed.
func readNaive(role Role, limit int, stream []byte) (events []found, failed Code) {
	var message []byte
	var kind Opcode
	for {
		h, n, err := ParseHeader(stream)
		if len(stream) >= 1 && h.Rsv != 0 {
			return events, CodeProtocolError
		}
		if len(stream) >= 1 && !h.Op.Control() && (h.Op == Continuation) != (kind != 0) {
			return events, CodeProtocolError
		}
		if len(stream) >= 2 && h.Masked != (role == Server) || err != nil {
			return events, CodeProtocolError
		}
		if n == 0 {
			return events, 0
		}
		if !h.Op.Control() && h.Length > int64(limit-len(message)) {
			return events, CodeTooBig
		}
		have := min(int(min(h.Length, 1<<30)), len(stream)-n)
		payload := bytes.Clone(stream[n : n+have])
		if h.Masked {
			maskNaive(h.Key, payload)
		}
		stream = stream[n+have:]
		whole := int64(have) == h.Length
		if h.Op.Control() {
			if !whole {
				return events, 0
			}
			if h.Op == Close {
				code, reason, bad := parseClose(payload)
				if bad != nil {
					return events, bad.Code
				}
				return append(events, found{Close, code, string(reason)}), 0
			}
			events = append(events, found{h.Op, 0, string(payload)})
			continue
		}
		if h.Op != Continuation {
			kind = h.Op
		}
		message = append(message, payload...)
		complete, bad := utf8Naive(message)
		if kind == Text && (bad || whole && h.Fin && !complete) {
			return events, CodeInvalidData
		}
		if !whole {
			return events, 0
		}
		if h.Fin {
			events = append(events, found{kind, 0, string(message)})
			message, kind = nil, 0
		}
	}
}

// randomStream makes a stream of frames, mostly legal.
func randomStream(rng *rand.Rand, role Role) []byte {
	words := []string{"", "a", "hello ", "鸿", "雁", "😀", "é", "\xff", strings.Repeat("x", 200), strings.Repeat("云", 30)}
	weights := []int{3, 9, 9, 9, 9, 9, 9, 1, 2, 2}
	text := func() (p []byte) {
		for range rng.IntN(6) {
			w := rng.IntN(62)
			for i := range words {
				if w -= weights[i]; w < 0 {
					p = append(p, words[i]...)
					break
				}
			}
		}
		return p
	}
	s := &stream{role: role}
	inside := false
	for range 1 + rng.IntN(6) {
		first := []byte{1, 2, 9, 10, 8}[min(rng.IntN(9)/2, 4)]
		if first == 8 && rng.IntN(3) > 0 {
			first = 1
		}
		payload := text()
		if first < 8 {
			if inside {
				first = 0
			}
			inside = rng.IntN(2) == 0
			if !inside {
				first |= finBit
			}
			if n := len(payload); n > 0 && rng.IntN(3) == 0 {
				payload = payload[:rng.IntN(n)]
			}
		} else {
			first |= finBit
			payload = payload[:min(len(payload), MaxControl)]
			if first&opBits == 8 && len(payload) > 0 {
				payload = append([]byte{0x03, 0xe8}, payload[:min(len(payload), maxReason)]...)
			}
		}
		s.frame(first, string(payload))
	}
	if rng.IntN(4) == 0 {
		s.bytes[rng.IntN(len(s.bytes))] ^= 1 << rng.IntN(8)
	}
	return s.bytes[:len(s.bytes)-rng.IntN(2)*rng.IntN(len(s.bytes))]
}

func randomCuts(rng *rand.Rand, n int) []int {
	cuts := make([]int, rng.IntN(5))
	for i := range cuts {
		cuts[i] = rng.IntN(n + 1)
	}
	slices.Sort(cuts)
	return cuts
}

func TestReaderEqualsNaive(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	var messages, failures int
	for range 8_000 {
		role := Role(rng.IntN(2))
		in := randomStream(rng, role)
		want, wantFailed := readNaive(role, 600, in)
		r := NewReader(role, 600, nil)
		cuts := randomCuts(rng, len(in))
		events, failed := readAll(t, &r, in, cuts...)
		if !slices.Equal(events, want) || failed != wantFailed {
			t.Fatalf("role %d, % x cut at %v:\n%+v failed with %d, naive:\n%+v failed with %d", role, in, cuts, events, failed, want, wantFailed)
		}
		messages += len(events)
		if failed != 0 {
			failures++
		}
	}
	if messages < 8_000 || failures < 800 {
		t.Fatalf("only %d events and %d failures: the generator has become too tame", messages, failures)
	}
}

// Any two ways to cut a stream give the same events and the same end, and they are those of the naive reader.
func FuzzReader(f *testing.F) {
	rng := rand.New(rand.NewPCG(9, 10))
	for i := range 20 {
		f.Add(i%2 == 0, randomStream(rng, Role(i%2)), uint16(rng.Uint32()), uint16(rng.Uint32()))
	}
	f.Fuzz(func(t *testing.T, server bool, in []byte, a, b uint16) {
		role := Client
		if server {
			role = Server
		}
		i := int(a) % (len(in) + 1)
		j := i + int(b)%(len(in)-i+1)
		want, wantFailed := readNaive(role, 600, in)
		for _, cuts := range [][]int{nil, {i}, {i, j}} {
			r := NewReader(role, 600, nil)
			events, failed := readAll(t, &r, in, cuts...)
			if !slices.Equal(events, want) || failed != wantFailed {
				t.Fatalf("cut at %v: %+v failed with %d, naive: %+v failed with %d", cuts, events, failed, want, wantFailed)
			}
		}
	})
}
