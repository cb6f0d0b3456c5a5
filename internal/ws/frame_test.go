package ws

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

// codeOf is the status code of an *Error, or 0 for none.
func codeOf(t *testing.T, err error) Code {
	t.Helper()
	if err == nil {
		return 0
	}
	var bad *Error
	if !errors.As(err, &bad) {
		t.Fatalf("%v is no *Error", err)
	}
	return bad.Code
}

// RFC 6455 §5.2: the edges of the three forms of a length.
func TestHeaderLengthEdges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		length int64
		want   string
	}{
		{0, "\x82\x00"},
		{1, "\x82\x01"},
		{125, "\x82\x7d"},
		{126, "\x82\x7e\x00\x7e"},
		{127, "\x82\x7e\x00\x7f"},
		{65535, "\x82\x7e\xff\xff"},
		{65536, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
		{math.MaxInt64, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"},
	} {
		for _, key := range []Key{0, 0x3d21fa37} {
			h := Header{Fin: true, Op: Binary, Length: c.length, Masked: key != 0, Key: key}
			want := []byte(c.want)
			if h.Masked {
				want[1] |= 0x80
				want = append(want, 0x37, 0xfa, 0x21, 0x3d)
			}
			got := h.Append(nil)
			if !bytes.Equal(got, want) {
				t.Errorf("length %d: % x, want % x", c.length, got, want)
			}
			if h.size() != len(want) {
				t.Errorf("length %d: size %d, want %d", c.length, h.size(), len(want))
			}
			back, n, err := ParseHeader(append(got, "payload"...))
			if back != h || n != len(want) || err != nil {
				t.Errorf("length %d: parsed as %+v, %d, %v", c.length, back, n, err)
			}
		}
	}
}

func TestHeaderRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want *Error
	}{
		"0 in 16 bits":              {"\x82\x7e\x00\x00", errNotMinimal},
		"124 in 16 bits":            {"\x82\x7e\x00\x7c", errNotMinimal},
		"125 in 16 bits":            {"\x82\x7e\x00\x7d", errNotMinimal},
		"0 in 64 bits":              {"\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x00", errNotMinimal},
		"126 in 64 bits":            {"\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x7e", errNotMinimal},
		"65535 in 64 bits":          {"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", errNotMinimal},
		"top bit of 64 bits":        {"\x82\x7f\x80\x00\x00\x00\x00\x01\x00\x00", errLengthSign},
		"all bits of 64":            {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", errLengthSign},
		"ping of 126 bytes":         {"\x89\x7e", errLongCtl},
		"close in 64 bits":          {"\x88\xff", errLongCtl},
		"ping without fin":          {"\x09", errFragCtl},
		"close without fin, masked": {"\x08\x80", errFragCtl},
	} {
		if h, n, err := ParseHeader([]byte(c.in)); err != error(c.want) || n != 0 {
			t.Errorf("%s: %+v, %d, %v, want %v", name, h, n, err, c.want)
		}
	}
	for op := range Opcode(16) {
		known := op == Continuation || op == Text || op == Binary || op == Close || op == Ping || op == Pong
		for _, p := range [][]byte{{0x80 | byte(op)}, {0x80 | byte(op), 0}} {
			if _, _, err := ParseHeader(p); (err == nil) != known {
				t.Errorf("opcode %x with %d bytes: %v", op, len(p), err)
			}
		}
	}
}

// Whatever parses is encoded to the same bytes again, and a header that comes in parts is neither accepted nor refused
// otherwise than in one piece.
func FuzzHeader(f *testing.F) {
	for _, seed := range []string{"\x81\x05Hello", "\x82\xfe\x01\x00\x01\x02\x03\x04", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
		"\x82\x7e\x00\x7c", "\x09\x00", "\xf1\x80\x00\x00\x00\x00", "\x8b", "\x00\x7f\x80"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, n, err := ParseHeader(p)
		for cut := range p {
			part, m, early := ParseHeader(p[:cut])
			if early != nil && err == nil || m != 0 && (m != n || part != h) {
				t.Fatalf("cut at %d of % x: %+v, %d, %v, whole: %+v, %d, %v", cut, p, part, m, early, h, n, err)
			}
		}
		if n == 0 {
			return
		}
		if again := h.Append(nil); !bytes.Equal(again, p[:n]) {
			t.Fatalf("% x became % x", p[:n], again)
		}
	})
}

// The examples of RFC 6455 §5.7.
func TestAppendFrameExamples(t *testing.T) {
	t.Parallel()
	key := Key(0x3d21fa37)
	bytes256, bytes64K := []byte(strings.Repeat("x", 256)), []byte(strings.Repeat("y", 65536))
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"unmasked text": {AppendMessage(nil, Text, []byte("Hello"), nil), "\x81\x05Hello"},
		"masked text":   {AppendMessage(nil, Text, []byte("Hello"), &key), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		"fragmented text": {AppendFrame(AppendFrame(nil, Header{Op: Text}, []byte("Hel")), Header{Op: Continuation, Fin: true},
			[]byte("lo")), "\x01\x03Hel\x80\x02lo"},
		"ping":        {AppendMessage(nil, Ping, []byte("Hello"), nil), "\x89\x05Hello"},
		"masked pong": {AppendMessage(nil, Pong, []byte("Hello"), &key), "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		"256 bytes":   {AppendMessage(nil, Binary, bytes256, nil), "\x82\x7e\x01\x00" + string(bytes256)},
		"64 KiB":      {AppendMessage(nil, Binary, bytes64K, nil), "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + string(bytes64K)},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s: %.40q, want %.40q", name, c.got, c.want)
		}
	}
}

func TestAppendMessageKeepsPayload(t *testing.T) {
	t.Parallel()
	payload, key := []byte("not to be masked in place"), Key(0x01020304)
	before := bytes.Clone(payload)
	AppendMessage(nil, Text, payload, &key)
	if !bytes.Equal(payload, before) {
		t.Fatalf("payload became %q", payload)
	}
}

func TestAppendMessageAllocatesNothing(t *testing.T) {
	payload, key := make([]byte, 16<<10), Key(0x01020304)
	dst := make([]byte, 0, len(payload)+MaxHeader)
	for name, key := range map[string]*Key{"server": nil, "client": &key} {
		if n := testing.AllocsPerRun(100, func() { dst = AppendMessage(dst[:0], Binary, payload, key) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
