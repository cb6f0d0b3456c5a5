package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// vector is one row of testdata/frames.json, which says what it means.
type vector struct {
	Name   string `json:"name"`
	Input  string `json:"input"`
	Limit  int    `json:"limit"`
	Frames []struct {
		Op   uint32 `json:"op"`
		Seq  uint32 `json:"seq"`
		Body string `json:"body"`
	} `json:"frames"`
	Outcome string `json:"outcome"`
	Rest    int    `json:"rest"`
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	return file.Vectors
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reading is all that a stream brought.
type reading struct {
	frames  []string
	outcome string
	rest    int
}

func (r reading) String() string {
	return fmt.Sprintf("%s, then %s with %d left", r.frames, r.outcome, r.rest)
}

func (r reading) equal(o reading) bool {
	return slices.Equal(r.frames, o.frames) && r.outcome == o.outcome && r.rest == o.rest
}

func describe(op Op, seq uint32, body []byte) string {
	return fmt.Sprintf("%d/%d/%x", uint32(op), seq, body)
}

func outcomeOf(err error, rest int) string {
	switch {
	case errors.Is(err, ErrLength):
		return "length"
	case errors.Is(err, ErrTooLarge):
		return "too_large"
	case errors.Is(err, ErrHeaderLength):
		return "header_length"
	case errors.Is(err, ErrVersion):
		return "version"
	case err != nil:
		return err.Error()
	case rest > 0:
		return "incomplete"
	}
	return "complete"
}

// parse reads all of b with ParseFrame.
func parse(b []byte, limit int) (r reading) {
	for {
		f, n, err := ParseFrame(b, limit)
		if err != nil {
			return reading{r.frames, outcomeOf(err, 0), 0}
		}
		if n == 0 {
			return reading{r.frames, outcomeOf(nil, len(b)), len(b)}
		}
		r.frames = append(r.frames, describe(f.Op, f.Seq, f.Body))
		b = b[n:]
	}
}

// decode reads all pieces with a Decoder. It overwrites each piece afterwards, as a caller that reuses its buffer does,
// and looks at the bodies only when Next has run dry, as a caller that gathers does.
func decode(pieces [][]byte, limit int) (r reading) {
	var d Decoder
	d.SetLimit(limit)
	for _, p := range pieces {
		p = bytes.Clone(p)
		d.Feed(p)
		var frames []Frame
		for {
			f, ok, err := d.Next()
			if err != nil {
				r.outcome = outcomeOf(err, 0)
			}
			if !ok {
				break
			}
			frames = append(frames, f)
		}
		for _, f := range frames {
			r.frames = append(r.frames, describe(f.Op, f.Seq, f.Body))
		}
		for i := range p {
			p[i] = 0xEE
		}
	}
	if r.outcome == "" {
		r.rest = len(d.cut)
		r.outcome = outcomeOf(nil, r.rest)
	}
	return r
}

func TestFrameVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			input := unhex(t, v.Input)
			want := reading{outcome: v.Outcome, rest: v.Rest}
			var encoded []byte
			for _, f := range v.Frames {
				frame := Frame{Op(f.Op), f.Seq, unhex(t, f.Body)}
				want.frames = append(want.frames, describe(frame.Op, frame.Seq, frame.Body))
				encoded = AppendFrame(encoded, frame)
			}
			if got := parse(input, v.Limit); !got.equal(want) {
				t.Errorf("ParseFrame: %v, want %v", got, want)
			}
			for cut := range len(input) + 1 {
				if got := decode([][]byte{input[:cut], input[cut:]}, v.Limit); !got.equal(want) {
					t.Errorf("split at %d: %v, want %v", cut, got, want)
				}
			}
			if got := decode(slices.Collect(slices.Chunk(input, 1)), v.Limit); !got.equal(want) {
				t.Errorf("byte by byte: %v, want %v", got, want)
			}
			if !bytes.HasPrefix(input, encoded) {
				t.Errorf("the frames encode to %x, which does not begin %x", encoded, input)
			}
		})
	}
}

func TestLargestFrame(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{MaxFrameUnauth, MaxFrame} {
		f := Frame{OpSend, 1, bytes.Repeat([]byte{0xAB}, limit-HeaderSize)}
		b := AppendFrame(nil, f)
		if f.Size() != limit || len(b) != limit {
			t.Fatalf("size %d, encoded %d bytes, want %d", f.Size(), len(b), limit)
		}
		want := reading{[]string{describe(f.Op, f.Seq, f.Body)}, "complete", 0}
		if got := decode(slices.Collect(slices.Chunk(b, 1460)), limit); !got.equal(want) {
			t.Errorf("limit %d: got %.60v", limit, got)
		}
		if got := parse(b, limit-1); got.outcome != "too_large" {
			t.Errorf("limit %d: a frame of %d bytes is %.60v", limit-1, limit, got)
		}
	}
}

// TestDecoderLimit checks that the limit is the small one until it is raised, also in the middle of a segment.
func TestDecoderLimit(t *testing.T) {
	t.Parallel()
	large := AppendFrame(nil, Frame{OpSend, 2, make([]byte, MaxFrameUnauth)})
	both := append(AppendFrame(nil, Frame{Op: OpAuth, Seq: 1}), large...)
	var d Decoder
	d.Feed(both)
	if f, ok, err := d.Next(); !ok || err != nil || f.Op != OpAuth {
		t.Fatalf("first frame: %v %v %v", f.Op, ok, err)
	}
	d.SetLimit(MaxFrame)
	if f, ok, err := d.Next(); !ok || err != nil || len(f.Body) != MaxFrameUnauth {
		t.Fatalf("after raising the limit: %v %v %v", f.Op, ok, err)
	}
	d = Decoder{}
	d.Feed(both)
	d.Next()
	if _, ok, err := d.Next(); ok || !errors.Is(err, ErrTooLarge) {
		t.Fatalf("without raising the limit: %v %v", ok, err)
	}
}

// TestDecoderHoldsLittle checks what a Decoder keeps: nothing between frames, nothing after an error.
func TestDecoderHoldsLittle(t *testing.T) {
	t.Parallel()
	frame := AppendFrame(nil, Frame{OpSend, 1, make([]byte, 100)})
	drain := func(d *Decoder) error {
		for {
			if _, ok, err := d.Next(); !ok {
				return err
			}
		}
	}
	var d Decoder
	d.Feed(frame[:50])
	drain(&d)
	drain(&d) // asking again loses nothing
	if len(d.cut) != 50 {
		t.Errorf("holds %d bytes of a frame of which 50 came", len(d.cut))
	}
	d.Feed(frame[50:])
	if err := drain(&d); err != nil || d.cut != nil || len(d.in) != 0 {
		t.Errorf("after a whole frame: holds %d bytes, %v", cap(d.cut), err)
	}
	d.Feed(frame[:50])
	drain(&d)
	d.Feed(append(bytes.Clone(frame[50:]), 0xFF, 0xFF, 0xFF, 0xFF))
	if err := drain(&d); !errors.Is(err, ErrTooLarge) {
		t.Errorf("garbage: %v", err)
	}
	for range 3 {
		d.Feed(frame)
		if err := drain(&d); !errors.Is(err, ErrTooLarge) || d.cut != nil || d.in != nil {
			t.Errorf("after an error: holds %d bytes, %v", cap(d.cut), err)
		}
	}
}

// TestDecoderCopiesOnce checks that a large frame in many pieces costs what it is long, not its length squared.
func TestDecoderCopiesOnce(t *testing.T) {
	t.Parallel()
	frame := AppendFrame(nil, Frame{OpSend, 1, make([]byte, 64<<10)})
	var d Decoder
	d.SetLimit(MaxFrame)
	moved, last := 0, (*byte)(nil)
	for piece := range slices.Chunk(frame, 16) {
		d.Feed(piece)
		if _, ok, err := d.Next(); ok != (len(d.in) == 0) || err != nil {
			t.Fatal(ok, err)
		}
		if p := &d.cut[0]; p != last {
			moved, last = moved+1, p
		}
	}
	if moved > 40 {
		t.Errorf("the buffer moved %d times in %d pieces", moved, len(frame)/16)
	}
}

func TestErrorsSayWhatWasFound(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"0a68656c":         "frame over the size limit: length 174613868, limit 1048576",
		"00000003":         "frame length below the header's 16 bytes: length 3",
		"000000100011":     "frame header length is not 16: header length 17",
		"0000001000100007": "unknown frame version: version 7, this side speaks 1",
	} {
		if _, _, err := ParseFrame(unhex(t, input), MaxFrame); err == nil || err.Error() != want {
			t.Errorf("%s: %q, want %q", input, err, want)
		}
	}
}

// FuzzFrames checks that any split of any stream brings the same frames and the same end, and that the frames that were
// read encode to the bytes they were read from.
func FuzzFrames(f *testing.F) {
	for i, v := range readVectors(f) {
		f.Add(unhex(f, v.Input), uint32(v.Limit), uint16(i), uint16(3*i))
	}
	f.Fuzz(func(t *testing.T, input []byte, limit uint32, cut1, cut2 uint16) {
		limit = 1 + limit%MaxFrame
		want := parse(input, int(limit))
		a := min(int(cut1), len(input))
		b := a + min(int(cut2), len(input)-a)
		for _, pieces := range [][][]byte{
			{input},
			{input[:a], input[a:b], input[b:]},
			slices.Collect(slices.Chunk(input, 1+int(cut1)%7)),
		} {
			if got := decode(pieces, int(limit)); !got.equal(want) {
				t.Fatalf("split into %d: %v, want %v", len(pieces), got, want)
			}
		}
		rest, encoded := input, []byte(nil)
		for {
			frame, n, err := ParseFrame(rest, int(limit))
			if n == 0 || err != nil {
				break
			}
			if frame.Size() != n || n > int(limit) {
				t.Fatalf("a frame of size %d took %d bytes, limit %d", frame.Size(), n, limit)
			}
			encoded = AppendFrame(encoded, frame)
			rest = rest[n:]
		}
		if read := input[:len(input)-len(rest)]; !bytes.Equal(encoded, read) {
			t.Fatalf("%x was read and encodes to %x", read, encoded)
		}
	})
}
