package load

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan/internal/ws"
)

// What a script sends is, read by a server, what it wants back.
func TestScript(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 2, 125, 126, 1000, 65535, 65536} {
		for _, text := range []bool{false, true} {
			for _, depth := range []int{1, 6, 70} {
				if depth*size > 1<<20 {
					continue
				}
				s := newScript(size, depth, text, false)
				name := fmt.Sprintf("size %d text %v depth %d", size, text, depth)
				if s.messages < depth || len(s.sent) != (s.messages+depth)*s.sentLen || len(s.want) != s.messages*s.wantLen {
					t.Fatalf("%s: %d messages, %d bytes to send, %d wanted", name, s.messages, len(s.sent), len(s.want))
				}
				r := ws.NewReader(ws.Server, MaxSize, nil)
				var back []byte
				seen := make(map[string]bool)
				for chunk := bytes.Clone(s.sent[:s.messages*s.sentLen]); ; {
					ev, n, err := r.Next(chunk)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if chunk = chunk[n:]; ev.Op == ws.NoEvent {
						break
					}
					if ev.Op != s.op || len(ev.Data) != size || text && !utf8.Valid(ev.Data) {
						t.Fatalf("%s: message of type %d and %d bytes", name, ev.Op, len(ev.Data))
					}
					seen[string(ev.Data)] = true
					back = ws.AppendMessage(back, ev.Op, ev.Data, nil)
				}
				if !bytes.Equal(back, s.want) {
					t.Errorf("%s: the wanted stream is not what an echo sends", name)
				}
				if size >= 4 && len(seen) != s.messages {
					t.Errorf("%s: %d of %d messages differ", name, len(seen), s.messages)
				}
			}
		}
	}
}

// match says the same whatever the pieces are, and finds every changed byte.
func TestScriptMatch(t *testing.T) {
	t.Parallel()
	s := newScript(20, 1, false, false)
	stream := bytes.Repeat(s.want, 3)
	for _, piece := range []int{1, 7, s.wantLen, s.wantLen + 1, len(s.want), len(stream)} {
		pos, ended := 0, 0
		for b := stream; len(b) > 0; {
			n := min(piece, len(b))
			next, k, fit := s.match(pos, b[:n])
			if fit != n {
				t.Fatalf("pieces of %d: %d of %d bytes fit", piece, fit, n)
			}
			pos, ended, b = next, ended+k, b[n:]
		}
		if pos != 0 || ended != 3*s.messages {
			t.Errorf("pieces of %d: ended at %d after %d messages, want 0 and %d", piece, pos, ended, 3*s.messages)
		}
	}
	for at := range s.want {
		damaged := bytes.Clone(s.want)
		damaged[at] ^= 0x10
		if next, ended, fit := s.match(0, damaged); fit > at || next != fit || ended != fit/s.wantLen || at-fit >= s.wantLen {
			t.Fatalf("byte %d is wrong: %d fit, position %d, %d messages", at, fit, next, ended)
		}
	}
}
