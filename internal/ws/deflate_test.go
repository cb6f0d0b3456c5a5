package ws

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/flate"
)

var noContext = Deflate{ServerNoContext: true, ClientNoContext: true}.normal()

func inflateString(f *Inflater, payload string, limit int) (string, *Error) {
	out, bad := f.inflate([]byte(payload), limit)
	if bad != nil {
		return "", bad
	}
	defer out.release()
	return string(out.b), nil
}

// The examples of RFC 7692 §7.2.3.
func TestInflateExamples(t *testing.T) {
	t.Parallel()
	for name, messages := range map[string][]string{
		"one block":              {"\xf2\x48\xcd\xc9\xc9\x07\x00"},
		"shared window":          {"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00"},
		"stored block":           {"\x00\x05\x00\xfa\xffHello\x00"},
		"final block":            {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"},
		"two blocks":             {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"},
		"window over all kinds":  {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\xf2\x00\x11\x00\x00", "\x00\x05\x00\xfa\xffHello\x00", "\xf2\x00\x11\x00\x00"},
		"final block and window": {"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\xf2\x00\x11\x00\x00"},
	} {
		f := NewInflater(Server, Deflate{}.normal())
		for i, payload := range messages {
			if got, bad := inflateString(f, payload, 5); got != "Hello" || bad != nil {
				t.Errorf("%s, message %d: %q, %v", name, i, got, bad)
			}
		}
	}
	if got, bad := inflateString(NewInflater(Server, noContext), "\x00", 0); got != "" || bad != nil {
		t.Errorf("empty message: %q, %v", got, bad)
	}
}

func TestInflateRefuses(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"nothing at all":         "",
		"block type 3":           "\x07",
		"cut short":              "\xf2\x48\xcd\xc9",
		"distance before start":  "\xf2\x00\x11\x00\x00",
		"stored length":          "\x00\x05\x00\x00\x00Hello\x00",
		"raw text":               "Hello",
		"ends with a sync mark":  "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x00\x00",
		"too many final blocks":  strings.Repeat("\x03\x00", maxFinalBlocks) + "\x00",
		"final block, then junk": "\xf3\x48\xcd\xc9\xc9\x07\x00\xff",
	} {
		if got, bad := inflateString(NewInflater(Server, noContext), payload, 1<<10); bad != errInflate {
			t.Errorf("%s: %q, %v", name, got, bad)
		}
	}
	if got, bad := inflateString(NewInflater(Server, noContext), strings.Repeat("\x03\x00", maxFinalBlocks-1)+"\x00", 0); got != "" || bad != nil {
		t.Errorf("final blocks just not too many: %q, %v", got, bad)
	}
}

// Without context a message may not refer to the one before.
func TestInflateKeepsNoContext(t *testing.T) {
	t.Parallel()
	f := NewInflater(Server, noContext)
	if _, bad := inflateString(f, "\xf2\x48\xcd\xc9\xc9\x07\x00", 5); bad != nil {
		t.Fatal(bad)
	}
	if _, bad := inflateString(f, "\xf2\x00\x11\x00\x00", 5); bad != errInflate {
		t.Fatalf("%v", bad)
	}
}

// compressed is the payload of a message in one frame, and whether it is compressed.
func compressed(t testing.TB, frame []byte) (payload []byte, is bool) {
	t.Helper()
	h, n, err := ParseHeader(frame)
	if err != nil || n+int(h.Length) != len(frame) || !h.Fin {
		t.Fatalf("%+v, %d of %d bytes, %v", h, n, len(frame), err)
	}
	payload = bytes.Clone(frame[n:])
	if h.Masked {
		maskNaive(h.Key, payload)
	}
	return payload, h.Rsv == rsv1
}

// chat makes text as it occurs in a chat: JSON around words that come back.
func chat(rng *rand.Rand, size int) []byte {
	words := strings.Fields("你好 今天 晚上 一起 吃饭 吗 hello the meeting at seven 见面 项目 进度 更新 了 please check document 😀 鸿雁")
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, `{"type":"text","from":"u-%d","body":"`, rng.IntN(1e6))
		for range rng.IntN(30) {
			b.WriteString(words[rng.IntN(len(words))])
			b.WriteByte(' ')
		}
		b.WriteString(`"}`)
	}
	p := []byte(b.String()[:size])
	for len(p) > 0 && utf8Whole.next(p) != utf8Whole {
		p = p[:len(p)-1]
	}
	return p
}

// What a Deflater sends is what a naive decoder and an Inflater receive, under all parameters, and no reference leaves
// the window that was agreed on or the message where no context is taken over.
func TestDeflateRoundTrip(t *testing.T) {
	t.Parallel()
	key := Key(0x01020304)
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		for _, fresh := range []bool{true, false} {
			for _, role := range []Role{Server, Client} {
				t.Run(fmt.Sprintf("%d bits, no context %v, role %d", bits, fresh, role), func(t *testing.T) {
					t.Parallel()
					agreed := Deflate{fresh, fresh, bits, bits}
					d, f := NewDeflater(role, agreed), NewInflater(1-role, agreed)
					var k *Key
					if role == Client {
						k = &key
					}
					rng := rand.New(rand.NewPCG(uint64(bits), 11))
					r := NewReader(1-role, 1<<20, f)
					var context []byte // what has been compressed
					shrunk := 0
					for i := range 40 {
						message := chat(rng, rng.IntN(1<<(6+rng.IntN(11))))
						if i%8 == 7 { // does not shrink
							for j := range message {
								message[j] = byte(rng.Uint32() % 128)
							}
						}
						frame := d.AppendMessage([]byte("before"), Text, message, k)[6:]
						if payload, is := compressed(t, frame); is {
							shrunk++
							dict := context
							if fresh {
								dict = nil
							}
							got, farthest, err := inflateNaive(dict, payload)
							if err != nil || !bytes.Equal(got, message) {
								t.Fatalf("message %d of %d bytes: naive decoder: %d bytes, %v", i, len(message), len(got), err)
							}
							if farthest > 1<<bits {
								t.Fatalf("message %d of %d bytes: reference over %d bytes", i, len(message), farthest)
							}
							context = append(context, message...)
						} else if len(payload) != len(message) {
							t.Fatalf("message %d: %d bytes became %d", i, len(message), len(payload))
						}
						if len(frame) > len(message)+MaxHeader {
							t.Fatalf("message %d grew from %d to %d bytes", i, len(message), len(frame))
						}
						events, failed := readAll(t, &r, frame, randomCuts(rng, len(frame))...)
						if failed != 0 || !slices.Equal(events, []found{{Text, 0, string(message)}}) {
							t.Fatalf("message %d: %d events, failed with %d", i, len(events), failed)
						}
					}
					if shrunk < 10 {
						t.Fatalf("only %d messages were compressed", shrunk)
					}
				})
			}
		}
	}
}

func TestDeflateLeavesAloneWhatDoesNotPay(t *testing.T) {
	t.Parallel()
	d := NewDeflater(Server, noContext)
	noise := make([]byte, 8<<10)
	rng := rand.New(rand.NewPCG(12, 13))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for name, message := range map[string][]byte{"empty": nil, "short": bytes.Repeat([]byte("a"), minDeflate-1), "noise": noise} {
		if payload, is := compressed(t, d.AppendMessage(nil, Binary, message, nil)); is || !bytes.Equal(payload, message) {
			t.Errorf("%s: compressed %v, %d bytes", name, is, len(payload))
		}
	}
	if _, is := compressed(t, d.AppendMessage(nil, Binary, bytes.Repeat([]byte("a"), minDeflate), nil)); !is {
		t.Errorf("%d bytes that shrink are not compressed", minDeflate)
	}
}

// The context makes short messages shorter.
func TestDeflateContextPays(t *testing.T) {
	t.Parallel()
	d := NewDeflater(Server, Deflate{}.normal())
	rng := rand.New(rand.NewPCG(14, 15))
	for range 10 {
		d.AppendMessage(nil, Text, chat(rng, 400), nil)
	}
	message := chat(rng, 400)
	if frame := d.AppendMessage(nil, Text, message, nil); len(frame) > len(message)*2/3 {
		t.Fatalf("%d bytes became %d", len(message), len(frame))
	}
	if len(d.past.bytes) > maxContext || cap(d.past.bytes) > 2*maxContext {
		t.Fatalf("%d bytes of context, room for %d", len(d.past.bytes), cap(d.past.bytes))
	}
}

// bomb is n zeros, compressed some hundredfold.
func bomb(n int) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.DefaultCompression)
	w.Write(make([]byte, n))
	w.Flush()
	return b.Bytes()[:b.Len()-4]
}

// What a few bytes would become does not matter: inflating stops at the limit.
func TestInflateStopsAtTheLimit(t *testing.T) {
	t.Parallel()
	payload := bomb(4 << 20)
	if len(payload) > 16<<10 {
		t.Fatalf("the bomb has %d bytes", len(payload))
	}
	f := NewInflater(Client, Deflate{}.normal())
	for _, limit := range []int{0, 1, 1000, 64 << 10, 1 << 20} {
		r := NewReader(Client, limit, f)
		frame := AppendFrame(nil, Header{Fin: true, Rsv: rsv1, Op: Binary}, payload)
		_, _, err := r.Next(frame)
		if err != errTooBig {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	for _, limit := range []int{999, 1000} {
		out, bad := f.inflate(bomb(1000), limit)
		if (bad == nil) != (limit == 1000) {
			t.Errorf("1000 bytes under a limit of %d: %v", limit, bad)
		}
		if bad == nil {
			out.release()
		}
	}
}

// The memory that a message may take holds for its compressed bytes too, and what grew by compression still passes.
func TestDeflatedLimit(t *testing.T) {
	t.Parallel()
	const limit = 4 << 10
	noise := make([]byte, limit)
	rng := rand.New(rand.NewPCG(16, 17))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var stored []byte // in blocks of 512 bytes
	for part := range slices.Chunk(noise, 512) {
		stored = append(stored, 0, 0x00, 0x02, 0xff, 0xfd)
		stored = append(stored, part...)
	}
	stored = append(stored, 0)
	r := NewReader(Client, limit, NewInflater(Client, noContext))
	events, failed := readAll(t, &r, AppendFrame(nil, Header{Fin: true, Rsv: rsv1, Op: Binary}, stored))
	if failed != 0 || len(events) != 1 || events[0].Data != string(noise) {
		t.Fatalf("%d events, failed with %d", len(events), failed)
	}
	in := AppendFrame(nil, Header{Rsv: rsv1, Op: Binary}, make([]byte, limit))
	in = AppendFrame(in, Header{Fin: true}, make([]byte, deflatedLimit(limit)-limit+1))
	if _, failed = readAll(t, &r, in); failed != CodeTooBig {
		t.Fatalf("failed with %d", failed)
	}
}

// RFC 7692 §6: RSV1 on the first frame of a data message, nowhere else; compressed and plain messages mix.
func TestReaderDeflate(t *testing.T) {
	t.Parallel()
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	const rsv = rsv1 << 4
	for name, c := range map[string]struct {
		in     func(s *stream)
		want   []found
		failed Code
	}{
		"one frame":              {in: func(s *stream) { s.frame(0x80|rsv|1, hello) }, want: []found{{Text, 0, "Hello"}}},
		"fragments (§7.2.3.1)":   {in: func(s *stream) { s.frame(rsv|1, hello[:3]).frame(0x80, hello[3:]) }, want: []found{{Text, 0, "Hello"}}},
		"ping between fragments": {in: func(s *stream) { s.frame(rsv|1, hello[:3]).frame(0x89, "p").frame(0x80, hello[3:]) }, want: []found{{Ping, 0, "p"}, {Text, 0, "Hello"}}},
		"plain and compressed":   {in: func(s *stream) { s.frame(0x81, "a").frame(0x80|rsv|2, hello).frame(0x82, "b") }, want: []found{{Text, 0, "a"}, {Binary, 0, "Hello"}, {Binary, 0, "b"}}},
		"context over messages":  {in: func(s *stream) { s.frame(0x80|rsv|1, hello).frame(0x81, "a").frame(0x80|rsv|1, "\xf2\x00\x11\x00\x00") }, want: []found{{Text, 0, "Hello"}, {Text, 0, "a"}, {Text, 0, "Hello"}}},
		"empty":                  {in: func(s *stream) { s.frame(0x80|rsv|1, "\x00") }, want: []found{{Text, 0, ""}}},
		"compressed bytes need not be UTF-8, the text must": {in: func(s *stream) { s.frame(0x80|rsv|1, "\x00\x01\x00\xfe\xff\xff\x00") }, failed: CodeInvalidData},
		"binary may be anything":                            {in: func(s *stream) { s.frame(0x80|rsv|2, "\x00\x01\x00\xfe\xff\xff\x00") }, want: []found{{Binary, 0, "\xff"}}},
		"RSV1 on a continuation":                            {in: func(s *stream) { s.frame(rsv|1, hello[:3]).frame(0x80|rsv, hello[3:]) }, failed: CodeProtocolError},
		"RSV1 on a ping":                                    {in: func(s *stream) { s.frame(0x80|rsv|9, "") }, failed: CodeProtocolError},
		"RSV1 on a close":                                   {in: func(s *stream) { s.frame(0x80|rsv|8, "") }, failed: CodeProtocolError},
		"RSV1 and RSV2":                                     {in: func(s *stream) { s.frame(0x80|rsv|0x20|1, hello) }, failed: CodeProtocolError},
		"RSV3":                                              {in: func(s *stream) { s.frame(0x80|0x10|1, hello) }, failed: CodeProtocolError},
		"does not inflate":                                  {in: func(s *stream) { s.frame(0x80|rsv|1, "\x07\x07") }, failed: CodeInvalidData},
	} {
		for _, role := range []Role{Server, Client} {
			s := &stream{role: role}
			c.in(s)
			for cut := range len(s.bytes) + 1 {
				r := NewReader(role, 5, NewInflater(role, Deflate{}.normal()))
				events, failed := readAll(t, &r, s.bytes, cut)
				if !slices.Equal(events, c.want) || failed != c.failed {
					t.Errorf("%s, role %d, cut at %d: %v, failed with %d", name, role, cut, events, failed)
				}
			}
		}
	}
}

// A Deflater without context may serve many connections at once.
func TestDeflaterShared(t *testing.T) {
	t.Parallel()
	d := NewDeflater(Server, noContext)
	message := chat(rand.New(rand.NewPCG(18, 19)), 3000)
	want := d.AppendMessage(nil, Text, message, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if got := d.AppendMessage(nil, Text, message, nil); !bytes.Equal(got, want) {
					t.Error("the same message came out otherwise")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestHistory(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(20, 21))
	h := newHistory(9)
	var all []byte
	for i := range 500 {
		p := chat(rng, rng.IntN(200))
		if i%100 == 50 {
			p = chat(rng, 2000)
		}
		h.add(p)
		all = append(all, p...)
		if want := all[max(0, len(all)-512):]; !bytes.Equal(h.bytes, want) {
			t.Fatalf("after %d bytes: %d kept, want %d", len(all), len(h.bytes), len(want))
		}
	}
	if cap(h.bytes) > 1024 {
		t.Fatalf("room for %d bytes", cap(h.bytes))
	}
}

// What a decoder has read before does not change what it makes of a message, or whether it takes it. The second payload has
// a code for distances that is empty, and uses it all the same: a decoder that keeps an old table finds something there.
func TestADecoderRemembersNothing(t *testing.T) {
	t.Parallel()
	d := NewDeflater(Server, Deflate{ServerNoContext: true, ClientNoContext: true}.normal())
	rng := rand.New(rand.NewPCG(22, 23))
	bad := []byte("|CO\x8b\xdaP\x10\xff*Ü\xedAvu7\xf96\xd91\xdd%\x9b\x7fԷaaYA\x04\x0f\x9er2j\x10Y1,\x1e*\x1e*MX0_\xe6\xbd&\xb9\xf9\x11\n}\xef\xd5RX90008770\xfc\r")
	decode := func(decoder *decoder, payload []byte) *Error {
		decoder.src.Reset(append(bytes.Clone(payload), deflateTail...))
		out, bad := decoder.run([]byte("0000000000000000"), 4<<10)
		if bad == nil {
			out.release()
		}
		return bad
	}
	for range 20 {
		payload, is := compressed(t, d.AppendMessage(nil, Text, chat(rng, 700), nil))
		if !is {
			continue
		}
		used := decoders.New().(*decoder)
		if err := decode(used, payload); err != nil {
			t.Fatalf("a good message: %v", err)
		}
		if decode(used, bad) == nil {
			t.Fatal("a payload without an end is taken by a decoder that was used before")
		}
	}
}

// However a compressed message is cut, it gives the same event or none, and what inflates is what the naive decoder
// makes of it.
func FuzzInflate(f *testing.F) {
	for _, seed := range []string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\x00\x05\x00\xfa\xffHello\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
		"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "\x03\x00\x03\x00\x00", "\x07"} {
		f.Add([]byte(seed), []byte("Hello"), uint16(3))
	}
	d := NewDeflater(Server, Deflate{}.normal())
	rng := rand.New(rand.NewPCG(22, 23))
	for range 10 {
		payload, is := compressed(f, d.AppendMessage(nil, Text, chat(rng, 700), nil))
		if is {
			f.Add(payload, chat(rng, 300), uint16(100))
		}
	}
	f.Fuzz(func(t *testing.T, payload, past []byte, cut uint16) {
		const limit = 4 << 10
		in := AppendFrame(nil, Header{Fin: true, Rsv: rsv1, Op: Binary}, payload)
		var first []found
		for i, cuts := range [][]int{nil, {int(cut) % len(in)}} {
			inflater := NewInflater(Client, Deflate{}.normal())
			inflater.past.add(past)
			r := NewReader(Client, limit, inflater)
			events, failed := readAll(t, &r, in, cuts...)
			if i == 0 {
				first = events
			}
			if !slices.Equal(events, first) || (failed == 0) != (len(events) == 1) {
				t.Fatalf("cut at %v: %v, failed with %d, whole: %v", cuts, events, failed, first)
			}
		}
		if len(first) == 0 {
			return
		}
		want, _, err := inflateNaive(past[max(0, len(past)-32<<10):], payload)
		if err != nil || first[0].Data != string(want) {
			t.Fatalf("% x behind % x became %q, naive: %q, %v", payload, past, first[0].Data, want, err)
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	rng := rand.New(rand.NewPCG(24, 25))
	for _, size := range []int{128, 256, 512, 1 << 10, 16 << 10} {
		messages := make([][]byte, 32)
		for i := range messages {
			messages[i] = chat(rng, size)
		}
		for _, fresh := range []bool{true, false} {
			b.Run(fmt.Sprintf("no context %v/%d", fresh, size), func(b *testing.B) {
				agreed := Deflate{fresh, fresh, 15, 15}
				d := NewDeflater(Server, agreed)
				d.least = 0
				var dst []byte
				b.SetBytes(int64(size))
				b.ReportAllocs()
				in, out := 0, 0
				for i := 0; b.Loop(); i++ {
					m := messages[i%len(messages)]
					dst = d.AppendMessage(dst[:0], Text, m, nil)
					in, out = in+len(m), out+len(dst)
				}
				b.ReportMetric(float64(out)/float64(in), "out/in")
			})
			b.Run(fmt.Sprintf("inflate/no context %v/%d", fresh, size), func(b *testing.B) {
				agreed := Deflate{fresh, fresh, 15, 15}
				d, f := NewDeflater(Server, agreed), NewInflater(Client, agreed)
				d.least = 0
				payload, _ := compressed(b, d.AppendMessage(nil, Text, chat(rng, max(size, 256)), nil))
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					out, bad := f.inflate(payload, 1<<20)
					if bad != nil {
						b.Fatal(bad)
					}
					out.release()
				}
			})
		}
	}
}
