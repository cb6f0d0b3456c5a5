package ws

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// found is an Event with its data copied, for comparing.
type found struct {
	Op   Opcode
	Code Code
	Data string
}

// readAll feeds stream to r in chunks that end at the given offsets, and at its end, and returns the events and the
// status code of the failure, if any.
func readAll(t testing.TB, r *Reader, stream []byte, cuts ...int) (events []found, failed Code) {
	t.Helper()
	stream = bytes.Clone(stream)
	from := 0
	for _, to := range append(cuts, len(stream)) {
		// A chunk of its own, so that bytes behind it cannot be reached and the ones before it are gone.
		chunk := bytes.Clone(stream[from:to])
		from = to
		for {
			ev, n, err := r.Next(chunk)
			if err != nil {
				if n != len(chunk) || ev.Op != NoEvent {
					t.Fatalf("failed with %+v, %d of %d bytes used", ev, n, len(chunk))
				}
				return events, err.(*Error).Code
			}
			if ev.Op == NoEvent {
				if n != len(chunk) {
					t.Fatalf("no event, but %d of %d bytes used", n, len(chunk))
				}
				break
			}
			events = append(events, found{ev.Op, ev.Code, string(ev.Data)})
			clear(ev.Data) // an event's data is the caller's: what the Reader does next must not depend on it
			chunk = chunk[n:]
		}
		for i := range chunk {
			chunk[i] = 0xAA
		}
	}
	return events, 0
}

// stream makes frames as role would receive them.
type stream struct {
	role  Role
	bytes []byte
}

func (s *stream) frame(first byte, payload string) *stream {
	h := Header{Fin: first&finBit != 0, Rsv: first & rsvBits >> 4, Op: Opcode(first & opBits), Masked: s.role == Server, Key: 0x3d21fa37}
	s.bytes = AppendFrame(s.bytes, h, []byte(payload))
	return s
}

func TestReaderSequences(t *testing.T) {
	t.Parallel()
	const fin = finBit
	big := strings.Repeat("鸿雁", 3000)
	for name, c := range map[string]struct {
		in     func(s *stream)
		want   []found
		failed Code
	}{
		"text":               {in: func(s *stream) { s.frame(fin|1, "Hello") }, want: []found{{Text, 0, "Hello"}}},
		"binary":             {in: func(s *stream) { s.frame(fin|2, "\xff\x00") }, want: []found{{Binary, 0, "\xff\x00"}}},
		"empty text":         {in: func(s *stream) { s.frame(fin|1, "") }, want: []found{{Text, 0, ""}}},
		"empty binary":       {in: func(s *stream) { s.frame(fin|2, "") }, want: []found{{Binary, 0, ""}}},
		"two in one segment": {in: func(s *stream) { s.frame(fin|1, "a").frame(fin|2, "b") }, want: []found{{Text, 0, "a"}, {Binary, 0, "b"}}},
		"long":               {in: func(s *stream) { s.frame(fin|1, big) }, want: []found{{Text, 0, big}}},
		"fragments": {in: func(s *stream) { s.frame(1, "Hel").frame(0, "l").frame(fin, "o") },
			want: []found{{Text, 0, "Hello"}}},
		"empty fragments": {in: func(s *stream) { s.frame(1, "").frame(0, "").frame(0, "x").frame(0, "").frame(fin, "") },
			want: []found{{Text, 0, "x"}}},
		"nothing but empty fragments": {in: func(s *stream) { s.frame(2, "").frame(0, "").frame(fin, "") },
			want: []found{{Binary, 0, ""}}},
		"code point cut by fragments": {in: func(s *stream) { s.frame(1, "\xe9\xb8").frame(0, "").frame(fin, "\xbf") },
			want: []found{{Text, 0, "鸿"}}},
		"control frames between fragments": {
			in: func(s *stream) {
				s.frame(1, "Hel").frame(fin|9, "p").frame(0, "l").frame(fin|10, "q").frame(fin|9, "").frame(fin, "o").frame(fin|1, "!")
			},
			want: []found{{Ping, 0, "p"}, {Pong, 0, "q"}, {Ping, 0, ""}, {Text, 0, "Hello"}, {Text, 0, "!"}}},
		"ping between the bytes of a code point": {in: func(s *stream) { s.frame(1, "\xe9").frame(fin|9, "\x80\x80").frame(fin, "\xb8\xbf") },
			want: []found{{Ping, 0, "\x80\x80"}, {Text, 0, "鸿"}}},
		"lone pong is legal":        {in: func(s *stream) { s.frame(fin|10, "alive") }, want: []found{{Pong, 0, "alive"}}},
		"ping of 125 bytes":         {in: func(s *stream) { s.frame(fin|9, big[:125]) }, want: []found{{Ping, 0, big[:125]}}},
		"close inside a message":    {in: func(s *stream) { s.frame(1, "Hel").frame(fin|8, "\x03\xe8").frame(fin, "lo") }, want: []found{{Close, 1000, ""}}},
		"binary after a fragmented": {in: func(s *stream) { s.frame(2, "\xff").frame(fin, "\xfe").frame(fin|2, "\xfd") }, want: []found{{Binary, 0, "\xff\xfe"}, {Binary, 0, "\xfd"}}},

		"continuation of nothing":         {in: func(s *stream) { s.frame(fin, "x") }, failed: CodeProtocolError},
		"continuation after the end":      {in: func(s *stream) { s.frame(1, "a").frame(fin, "b").frame(fin, "c") }, want: []found{{Text, 0, "ab"}}, failed: CodeProtocolError},
		"text inside a fragmented text":   {in: func(s *stream) { s.frame(1, "a").frame(fin|1, "b") }, failed: CodeProtocolError},
		"binary inside a fragmented text": {in: func(s *stream) { s.frame(1, "a").frame(2, "b") }, failed: CodeProtocolError},
		"fragmented ping":                 {in: func(s *stream) { s.frame(9, "a").frame(fin, "b") }, failed: CodeProtocolError},
		"ping of 126 bytes":               {in: func(s *stream) { s.frame(fin|9, big[:126]) }, failed: CodeProtocolError},
		"reserved data opcode":            {in: func(s *stream) { s.frame(fin|3, "") }, failed: CodeProtocolError},
		"reserved control opcode":         {in: func(s *stream) { s.frame(fin|11, "") }, failed: CodeProtocolError},
		"text that is not UTF-8":          {in: func(s *stream) { s.frame(fin|1, "a\xff") }, failed: CodeInvalidData},
		"text that ends in a code point":  {in: func(s *stream) { s.frame(fin|1, "a\xe9\xb8") }, failed: CodeInvalidData},
		"fragments that do":               {in: func(s *stream) { s.frame(1, "a\xe9").frame(fin, "\xb8") }, failed: CodeInvalidData},
		"surrogate":                       {in: func(s *stream) { s.frame(fin|1, "\xed\xa0\x80") }, failed: CodeInvalidData},
		"too big":                         {in: func(s *stream) { s.frame(fin|2, strings.Repeat("x", 32<<10+1)) }, failed: CodeTooBig},
		"just not too big":                {in: func(s *stream) { s.frame(fin|2, strings.Repeat("x", 32<<10)) }, want: []found{{Binary, 0, strings.Repeat("x", 32<<10)}}},
		"fragments too big together":      {in: func(s *stream) { s.frame(2, strings.Repeat("x", 32<<10)).frame(fin, "y") }, failed: CodeTooBig},
		"too big is not counted over messages": {in: func(s *stream) {
			s.frame(2, strings.Repeat("x", 20<<10)).frame(fin, "").frame(2, "y").frame(fin, strings.Repeat("z", 20<<10))
		}, want: []found{{Binary, 0, strings.Repeat("x", 20<<10)}, {Binary, 0, "y" + strings.Repeat("z", 20<<10)}}},
	} {
		for _, role := range []Role{Server, Client} {
			s := &stream{role: role}
			c.in(s)
			cuttings := [][]int{nil}
			if len(s.bytes) < 100 {
				for i := range s.bytes {
					cuttings = append(cuttings, []int{i})
				}
			}
			every := make([]int, len(s.bytes))
			for i := range every {
				every[i] = i
			}
			for _, cuts := range append(cuttings, every) {
				r := NewReader(role, 32<<10, nil)
				events, failed := readAll(t, &r, s.bytes, cuts...)
				if !slices.Equal(events, c.want) || failed != c.failed {
					t.Errorf("%s, role %d, %d cuts: %.100v, failed with %d", name, role, len(cuts), events, failed)
				}
				if p := r.parts; p != nil && p.buf != nil && p.message == 0 {
					t.Errorf("%s: a buffer is kept behind the last message", name)
				}
			}
		}
	}
}

// §5.2: without an extension all reserved bits must be 0, on frames of every kind.
func TestReservedBitsMustBeZero(t *testing.T) {
	t.Parallel()
	for rsv := byte(0x10); rsv <= 0x70; rsv += 0x10 {
		for _, op := range []byte{1, 2, 8, 9, 10} {
			r := NewReader(Client, 100, nil)
			if _, _, err := r.Next([]byte{finBit | rsv | op, 0}); err != errReserved {
				t.Errorf("rsv %x, opcode %x: %v", rsv, op, err)
			}
		}
		r := NewReader(Client, 100, nil)
		if _, failed := readAll(t, &r, []byte{1, 0, finBit | rsv, 0}); failed != CodeProtocolError {
			t.Errorf("rsv %x on a continuation: %d", rsv, failed)
		}
	}
}

// §5.1: clients mask, servers do not.
func TestMaskIsDueFromClientsOnly(t *testing.T) {
	t.Parallel()
	for op := range Opcode(16) {
		if op.reserved() || op == Continuation {
			continue
		}
		server, client := NewReader(Server, 100, nil), NewReader(Client, 100, nil)
		if _, _, err := server.Next([]byte{finBit | byte(op), 0}); err != errUnmasked {
			t.Errorf("opcode %x without mask to a server: %v", op, err)
		}
		if _, _, err := client.Next([]byte{finBit | byte(op), maskBit, 0, 0, 0, 0}); err != errMasked {
			t.Errorf("opcode %x with mask to a client: %v", op, err)
		}
	}
}

// What is wrong is refused with the first byte that proves it; nothing waits for the rest of a frame.
func TestRefusedAtTheFirstByte(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role Role
		in   string // the last byte is the one that proves it
		want *Error
	}{
		"reserved bit":               {Server, "\xc1", errReserved},
		"reserved opcode":            {Server, "\x83", errOpcode},
		"continuation of nothing":    {Server, "\x80", errNoMessage},
		"fragmented control frame":   {Client, "\x09", errFragCtl},
		"missing mask":               {Server, "\x81\x05", errUnmasked},
		"mask of a server":           {Client, "\x81\x85", errMasked},
		"long control frame":         {Server, "\x89\xfe", errLongCtl},
		"length not minimal":         {Client, "\x82\x7e\x00\x05", errNotMinimal},
		"length with top bit":        {Client, "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", errLengthSign},
		"too big by its length":      {Client, "\x82\x7e\x04\x01", errTooBig},
		"2^63-1 bytes":               {Client, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", errTooBig},
		"overlong":                   {Client, "\x81\x0a\xe0\x9f", errText},
		"surrogate":                  {Client, "\x81\x0aabc\xed\xa0", errText},
		"beyond U+10FFFF":            {Client, "\x81\x0a\xf4\x90", errText},
		"byte that never occurs":     {Client, "\x81\x0aabcdefgh\xf5", errText},
		"second fragment":            {Client, "\x01\x01\xf0\x80\x05\x8f", errText},
		"lead inside a code point":   {Client, "\x81\x0a\xe9\xb8\xe9", errText},
		"ping inside does not heal":  {Client, "\x01\x01\xe9\x89\x01\xb8\x80\x04a", errText},
		"new message in a fragment":  {Client, "\x01\x01a\x81", errInterleaved},
		"new message, empty buffers": {Client, "\x01\x00\x82", errInterleaved},
	} {
		r := NewReader(c.role, 1024, nil)
		if _, failed := readAll(t, &r, []byte(c.in[:len(c.in)-1])); failed != 0 {
			t.Errorf("%s: failed with %d before the last byte", name, failed)
			continue
		}
		for range 2 {
			if _, n, err := r.Next([]byte(c.in[len(c.in)-1:])); err != error(c.want) || n != 1 {
				t.Errorf("%s: %v, %d", name, err, n)
			}
		}
	}
}

// Peers that have learnt the protocol from a bad article must fail, not hang or be misunderstood.
func TestBadArticleServers(t *testing.T) {
	t.Parallel()
	hello := strings.Repeat("Hello, hongyan! ", 20) // 320 bytes
	swapped := func(payload string) []byte {        // a server that has forgotten the byte order of long lengths
		if len(payload) <= 0xFFFF {
			return append(binary.LittleEndian.AppendUint16([]byte{finBit | 1, length16}, uint16(len(payload))), payload...)
		}
		return append(binary.LittleEndian.AppendUint64([]byte{finBit | 1, length64}, uint64(len(payload))), payload...)
	}
	key := Key(0x3d21fa37)
	for name, c := range map[string]struct {
		in   []byte
		want []Code // any of them
	}{
		"raw text instead of a frame":         {[]byte("welcome to the chat\r\n"), []Code{CodeProtocolError}},
		"raw JSON instead of a frame":         {[]byte(`{"type":"hello"}`), []Code{CodeProtocolError}},
		"an HTTP answer instead of a frame":   {[]byte("HTTP/1.1 200 OK\r\n\r\n"), []Code{CodeProtocolError}},
		"RSV bits set":                        {append([]byte{0xf1, 5}, "Hello"...), []Code{CodeProtocolError}},
		"frames with a mask":                  {AppendMessage(nil, Text, []byte("Hello"), &key), []Code{CodeProtocolError}},
		"long lengths in 16 bits from 0":      {append([]byte{0x81, 126, 0, 5}, "Hello"...), []Code{CodeProtocolError}},
		"byte order, length 256":              {swapped(strings.Repeat("x", 256)), []Code{CodeProtocolError}},
		"byte order, length 65536":            {swapped(strings.Repeat("x", 65536)), []Code{CodeTooBig}},
		"byte order, length 320, some frames": {bytes.Repeat(swapped(hello), 60), []Code{CodeProtocolError, CodeInvalidData}},
		"long text that is still masked":      {AppendMessage(nil, Text, maskedCopy(key, strings.Repeat("鸿雁传书", 100)), nil), []Code{CodeInvalidData}},
	} {
		r := NewReader(Client, 64<<10, nil)
		if events, failed := readAll(t, &r, c.in); !slices.Contains(c.want, failed) {
			t.Errorf("%s: %d events, failed with %d, want one of %v", name, len(events), failed, c.want)
		}
	}
}

func maskedCopy(key Key, s string) []byte {
	p := []byte(s)
	maskNaive(key, p)
	return p
}

// A million fragments cost what their bytes cost.
func TestFragmentsCostNoMemory(t *testing.T) {
	t.Parallel()
	r := NewReader(Client, 1<<10, nil)
	chunk := append([]byte{1, 0}, bytes.Repeat([]byte{0, 0}, 1<<20)...)
	if ev, n, err := r.Next(chunk); ev.Op != NoEvent || n != len(chunk) || err != nil {
		t.Fatalf("%+v, %d, %v", ev, n, err)
	}
	if r.parts.buf != nil {
		t.Fatalf("%d bytes kept", cap(r.parts.buf.b))
	}
}

// A length that is announced is not memory that is taken.
func TestAnnouncedLengthTakesNoMemory(t *testing.T) {
	t.Parallel()
	r := NewReader(Client, 1<<30, nil)
	chunk := append([]byte{0x82, 127, 0, 0, 0, 0, 0x3f, 0, 0, 0}, "only this"...)
	if _, _, err := r.Next(chunk); err != nil {
		t.Fatal(err)
	}
	if cap(r.parts.buf.b) > 1<<minClass {
		t.Fatalf("%d bytes taken", cap(r.parts.buf.b))
	}
	r.Release()
}

// A connection that is idle keeps its Reader: it has to be small.
func TestReaderIsSmall(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(Reader{}); size > 24 {
		t.Errorf("%d bytes", size)
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	for _, op := range []Opcode{Text, Binary, Ping} {
		key := Key(0x3d21fa37)
		chunk := AppendMessage(nil, op, bytes.Repeat([]byte("x"), 125), &key)
		chunk = append(chunk, chunk...)
		work := make([]byte, len(chunk))
		r := NewReader(Server, 1<<20, nil)
		if n := testing.AllocsPerRun(100, func() {
			copy(work, chunk)
			for rest, got := work, 0; ; got++ {
				ev, n, err := r.Next(rest)
				if err != nil || ev.Op != op && (ev.Op != NoEvent || got != 2) {
					t.Fatal(ev, err)
				}
				if ev.Op == NoEvent {
					return
				}
				rest = rest[n:]
			}
		}); n != 0 {
			t.Errorf("opcode %d: %v allocations", op, n)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	for _, size := range []int{16, 128, 1 << 10, 16 << 10} {
		for _, op := range []Opcode{Binary, Text} {
			key := Key(0x3d21fa37)
			frame := AppendMessage(nil, op, bytes.Repeat([]byte("x"), size), &key)
			b.Run(fmt.Sprintf("whole/op%d/%d", op, size), func(b *testing.B) {
				r := NewReader(Server, 1<<20, nil)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					// Masked again by the Reader's own unmasking: binary stays binary, and text of one letter stays ASCII.
					ev, _, err := r.Next(frame)
					if err != nil || ev.Op != op {
						b.Fatal(ev, err)
					}
					Mask(key, ev.Data)
				}
			})
		}
	}
	key := Key(0x3d21fa37)
	frame := AppendMessage(nil, Binary, make([]byte, 16<<10), &key)
	b.Run("cut/op2/16384", func(b *testing.B) {
		r := NewReader(Server, 1<<20, nil)
		b.SetBytes(16 << 10)
		b.ReportAllocs()
		for b.Loop() {
			for _, chunk := range [][]byte{frame[:5000], frame[5000:]} {
				if _, _, err := r.Next(chunk); err != nil {
					b.Fatal(err)
				}
			}
			r.Next(nil)
		}
	})
}
