package websocket_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/websocket/conntest"
	"github.com/hongyan-im/hongyan/internal/ws"
)

const limit = 1 << 20

var start = time.Unix(1700000000, 0)

// echo answers every message with itself and writes down what happens.
type echo struct {
	conn     *websocket.Conn
	quiet    bool // do not write down and do not answer pings
	got      []string
	alive    time.Time
	deadline time.Time
	onExpiry func(now time.Time)
	onText   map[string]func()
}

func (e *echo) Alive(now time.Time)      { e.alive = now }
func (e *echo) Deadline() time.Time      { return e.deadline }
func (e *echo) Expired(now time.Time)    { e.onExpiry(now) }
func (e *echo) Closed(end websocket.End) { e.got = append(e.got, fmt.Sprint(end)) }

func (e *echo) Message(_ time.Time, op ws.Opcode, payload []byte) {
	e.conn.Write(op, payload)
	if e.quiet {
		return
	}
	e.got = append(e.got, fmt.Sprintf("%d:%s", op, payload))
	if f := e.onText[string(payload)]; f != nil {
		f()
	}
}

// opened returns an open connection of the server's side.
func opened(t testing.TB, agreed ws.Agreement) (*conntest.Conn, *echo) {
	t.Helper()
	conn, e := &conntest.Conn{}, &echo{onText: map[string]func(){}}
	websocket.New(conn, agreed, limit, func(c *websocket.Conn) websocket.Receiver {
		e.conn = c
		return e
	})
	return conn, e
}

var key = ws.Key(0x3d21fa37)

func frame(first byte, payload string) []byte {
	h := ws.Header{Fin: first&0x80 != 0, Rsv: first >> 4 & 7, Op: ws.Opcode(first & 0xF), Masked: true, Key: key}
	return ws.AppendFrame(nil, h, []byte(payload))
}

func text(s string) []byte { return frame(0x81, s) }

func closeFrame(code ws.Code, reason string) []byte {
	return frame(0x88, string(ws.AppendCloseBody(nil, code, reason)))
}

// seen is what the peer has got, in words: a client's Reader judges it, and nothing may follow a Close.
func seen(t testing.TB, conn *conntest.Conn) []string {
	t.Helper()
	return read(t, conn.Take(), nil)
}

func read(t testing.TB, out string, inflater *ws.Inflater) (list []string) {
	t.Helper()
	reader := ws.NewReader(ws.Client, limit, inflater)
	for in := []byte(out); ; {
		ev, n, err := reader.Next(in)
		in = in[n:]
		switch {
		case err != nil:
			t.Fatalf("a client refuses what was sent: %v", err)
		case ev.Op == ws.NoEvent:
			if len(in) > 0 {
				t.Fatalf("%q is left", in)
			}
			return list
		case ev.Op == ws.Close:
			list = append(list, fmt.Sprintf("close %d %s", ev.Code, ev.Data))
			if len(in) > 0 {
				t.Fatalf("%q was sent behind a Close", in)
			}
		default:
			list = append(list, fmt.Sprintf("%d:%s", ev.Op, ev.Data))
		}
	}
}

func want(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("鸿雁", 40000)
	input := slices.Concat(text("one"), frame(0x82, "\xff\x00"), text(""), frame(0x01, "fr"), frame(0x89, "ping"), frame(0x00, "ag"),
		frame(0x8A, "lone pong"), frame(0x80, "ment"), frame(0x89, ""), text(long), frame(0x01, ""), frame(0x80, ""))
	for _, size := range []int{1, 2, 3, 7, 1000, len(input)} {
		conn, e := opened(t, ws.Agreement{})
		conn.FeedPieces(start, input, size)
		want(t, fmt.Sprint("sent, in pieces of ", size), seen(t, conn), "1:one", "2:\xff\x00", "1:", "10:ping", "1:fragment", "10:", "1:"+long, "1:")
		want(t, "received", e.got, "1:one", "2:\xff\x00", "1:", "1:fragment", "1:"+long, "1:")
		if conn.Gone() {
			t.Fatal("closed")
		}
	}
}

// One in flight is the ordinary case, and must cost no garbage.
func TestEchoAllocatesNothing(t *testing.T) {
	conn, e := opened(t, ws.Agreement{})
	e.quiet = true
	for name, pieces := range map[string][]int{"whole": {1 << 20}, "in two": {5, 1 << 20}, "many": {1 << 20}} {
		in := text(strings.Repeat("x", 128))
		if name == "many" {
			in = bytes.Repeat(in, 16)
		}
		buf := make([]byte, len(in))
		round := func() {
			copy(buf, in)
			for p, i := buf, 0; len(p) > 0; i++ {
				n := min(pieces[i], len(p))
				conn.Feed(start, p[:n])
				p = p[n:]
			}
			conn.Out = conn.Out[:0]
		}
		round()
		if n := testing.AllocsPerRun(200, round); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// The rest of the 512 bytes that an idle connection may take is the carrier's and the Receiver's.
func TestConnIsSmall(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(websocket.Conn{}); size > 64 {
		t.Fatalf("%d bytes", size)
	}
}

func TestAnyByteIsLife(t *testing.T) {
	t.Parallel()
	conn, e := opened(t, ws.Agreement{})
	now := start
	for _, in := range [][]byte{frame(0x8A, ""), {0x81}, {0x85}, frame(0x89, "x")} { // a lone Pong, a Text that does not come on
		now = now.Add(time.Second)
		conn.Feed(now, in)
		if !e.alive.Equal(now) && !conn.Gone() {
			t.Fatalf("% x is no life", in)
		}
	}
}

func TestPeerCloses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in         []byte
		sent, said string
	}{
		{closeFrame(ws.CodeNormal, "bye"), "close 1000 ", "{1000 bye false}"},
		{closeFrame(ws.CodeNoStatus, ""), "close 1005 ", "{1005  false}"},
		{closeFrame(4321, ""), "close 4321 ", "{4321  false}"},
		{frame(0x88, "x"), "close 1002 Close frame with half a status code", "{1002 Close frame with half a status code true}"},
		{frame(0x88, "\x03\xed"), "close 1002 Close frame with an illegal status code", "{1002 Close frame with an illegal status code true}"},
	} {
		conn, e := opened(t, ws.Agreement{})
		conn.Feed(start, slices.Concat(text("last"), c.in, text("behind")))
		want(t, "sent", seen(t, conn), "1:last", c.sent)
		if !conn.Ended {
			t.Error("the connection is not closed from here")
		}
		e.conn.Close(ws.CodeNormal, "") // too late for anything
		e.conn.Reply(ws.Text, []byte("late"))
		if e.conn.Send(ws.Text, []byte("late")) || e.conn.Ping() {
			t.Error("Send behind the Close")
		}
		want(t, "received so far", e.got, "1:last")
		conn.End()
		want(t, "sent in the end", seen(t, conn))
		want(t, "received", e.got, "1:last", c.said)
	}
}

func TestViolationsFail(t *testing.T) {
	t.Parallel()
	unmasked := ws.AppendMessage(nil, ws.Text, []byte("x"), nil)
	for name, c := range map[string]struct {
		in   []byte
		code ws.Code
	}{
		"no mask":            {unmasked, ws.CodeProtocolError},
		"RSV set to 1":       {frame(0xC1, "x"), ws.CodeProtocolError},
		"reserved opcode":    {frame(0x83, ""), ws.CodeProtocolError},
		"long ping":          {frame(0x89, strings.Repeat("x", 126)), ws.CodeProtocolError},
		"no message":         {frame(0x80, ""), ws.CodeProtocolError},
		"not UTF-8":          {text("\xc0\xaf"), ws.CodeInvalidData},
		"UTF-8 early":        {frame(0x01, "\xed\xa0"), ws.CodeInvalidData},
		"a GiB announced":    {[]byte{0x82, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4}, ws.CodeTooBig},
		"top bit of length":  {[]byte{0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0}, ws.CodeProtocolError},
		"length not minimal": {[]byte{0x82, 0xFE, 0, 125}, ws.CodeProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 1 << 20} {
				conn, e := opened(t, ws.Agreement{})
				conn.FeedPieces(start, slices.Concat(text("ok"), c.in, text("behind")), size)
				out := seen(t, conn)
				if len(out) != 2 || out[0] != "1:ok" || !strings.HasPrefix(out[1], fmt.Sprintf("close %d ", c.code)) || !conn.Ended {
					t.Fatalf("pieces of %d: sent %q, ended %v", size, out, conn.Ended)
				}
				conn.End()
				if len(e.got) != 2 || !strings.HasSuffix(e.got[1], " true}") {
					t.Fatalf("received %q", e.got)
				}
			}
		})
	}
}

// After our Close the peer's is waited for, what it still sends is thrown away, and nothing follows our Close.
func TestClosedHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, e := opened(t, ws.Agreement{})
		e.deadline = start
		e.conn.Close(ws.CodeGoingAway, "restart")
		e.conn.Close(ws.CodeNormal, "again")
		e.conn.Write(ws.Text, []byte("late"))
		conn.Feed(start, slices.Concat(text("crossed"), frame(0x89, "ping")))
		want(t, "sent", seen(t, conn), "close 1001 restart")
		if d := e.conn.Deadline(); !d.IsZero() || conn.Ended {
			t.Fatalf("deadline %v, ended %v", d, conn.Ended)
		}
		e.conn.Expired(start) // is the Receiver's no more: onExpiry is nil
		conn.Feed(start, closeFrame(ws.CodeGoingAway, ""))
		want(t, "sent", seen(t, conn))
		if !conn.Ended {
			t.Fatal("not ended by the answer")
		}
		conn.End()
		want(t, "received", e.got, "{1001  false}")
	})
}

func TestAnswerToCloseIsWaitedForInBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, e := opened(t, ws.Agreement{})
		e.conn.Close(ws.CodeNormal, "")
		time.Sleep(websocket.CloseWait - time.Nanosecond)
		synctest.Wait()
		if conn.Gone() {
			t.Fatal("gone too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !conn.Gone() {
			t.Fatal("waits on")
		}
		conn.End()
		want(t, "sent", seen(t, conn), "close 1000 ")
		want(t, "received", e.got, "{1006  false}")
	})
}

// What the Receiver does within Message ends the messages of the same piece.
func TestEndedWithinMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, end := range map[string]func(*websocket.Conn){
			"close": func(c *websocket.Conn) { c.Close(ws.CodePolicy, "no") },
			"abort": (*websocket.Conn).Abort,
		} {
			conn, e := opened(t, ws.Agreement{})
			e.onText["stop"] = func() { end(e.conn) }
			conn.Feed(start, slices.Concat(text("stop"), text("behind"), closeFrame(ws.CodePolicy, "")))
			conn.End()
			if name == "abort" {
				want(t, name, e.got, "1:stop", "{1008  false}")
			} else {
				want(t, name, e.got, "1:stop", "{1008  false}")
				want(t, "sent", seen(t, conn), "1:stop", "close 1008 no")
			}
		}
	})
}

func TestDeadlineIsTheReceivers(t *testing.T) {
	t.Parallel()
	conn, e := opened(t, ws.Agreement{})
	e.deadline = start.Add(time.Minute)
	e.onExpiry = func(now time.Time) {
		e.got = append(e.got, now.Sub(start).String())
		e.conn.Ping()
		e.deadline = time.Time{}
	}
	conn.Pass(start.Add(time.Hour))
	want(t, "expired", e.got, "1m0s")
	want(t, "sent", seen(t, conn), "9:")
	if conn.Gone() {
		t.Fatal("closed")
	}
}

func TestSlowPeer(t *testing.T) {
	t.Parallel()
	conn, e := opened(t, ws.Agreement{})
	conn.SoftQueue, conn.HardQueue, conn.Stalled = 1000, 3000, true
	payload := bytes.Repeat([]byte("x"), 900)
	if !e.conn.Send(ws.Binary, payload) || e.conn.Send(ws.Binary, payload) {
		t.Fatal("the soft bound does not hold")
	}
	for range 3 {
		e.conn.Reply(ws.Binary, payload)
	}
	if !conn.Ended {
		t.Fatal("the hard bound does not hold")
	}
	conn.Stalled = false
	want(t, "sent", seen(t, conn), "close 1008 answers were not read")
	conn.End()
	want(t, "received", e.got, "{1006  false}")
}

// One payload goes to connections with and without compression, and none of them changes it.
func TestOnePayloadForMany(t *testing.T) {
	t.Parallel()
	payload := bytes.Repeat([]byte("long live the wild goose; "), 100)
	before := slices.Clone(payload)
	for _, agreed := range []ws.Agreement{
		{},
		{Compressed: true, Deflate: ws.Deflate{ServerNoContext: true, ClientNoContext: true, ServerWindowBits: 15, ClientWindowBits: 15}},
		{Compressed: true, Deflate: ws.Deflate{ServerWindowBits: 10, ClientWindowBits: 15}},
	} {
		conn, e := opened(t, agreed)
		for range 3 {
			e.conn.Reply(ws.Text, payload)
		}
		out := conn.Take()
		var inflater *ws.Inflater
		if agreed.Compressed {
			inflater = ws.NewInflater(ws.Client, agreed.Deflate)
			if len(out) > len(payload) {
				t.Errorf("%d bytes sent for %d: not compressed", len(out), 3*len(payload))
			}
		}
		want(t, "sent", read(t, out, inflater), "1:"+string(before), "1:"+string(before), "1:"+string(before))
	}
	if !bytes.Equal(payload, before) {
		t.Fatal("the payload has changed")
	}
}

func TestCompressedEcho(t *testing.T) {
	t.Parallel()
	agreed := ws.Agreement{Compressed: true, Deflate: ws.Deflate{ServerWindowBits: 15, ClientWindowBits: 15}}
	conn, e := opened(t, agreed)
	deflater := ws.NewDeflater(ws.Client, agreed.Deflate)
	message := strings.Repeat("again and ", 200)
	var in []byte
	for range 3 {
		in = deflater.AppendMessage(in, ws.Text, []byte(message), &key)
	}
	conn.FeedPieces(start, in, 5)
	want(t, "sent", read(t, conn.Take(), ws.NewInflater(ws.Client, agreed.Deflate)), "1:"+message, "1:"+message, "1:"+message)
	want(t, "received", e.got, "1:"+message, "1:"+message, "1:"+message)
}

// Whoever sends while somebody else closes, nothing leaves behind the one Close frame.
func TestNothingLeavesBehindClose(t *testing.T) {
	t.Parallel()
	for range 50 {
		conn, e := opened(t, ws.Agreement{})
		var senders sync.WaitGroup
		for i := range 4 {
			senders.Go(func() {
				for range 20 {
					e.conn.Send(ws.Text, []byte("a"))
					e.conn.Reply(ws.Text, []byte("b"))
				}
				e.conn.Close(ws.CodeNormal, fmt.Sprint(i))
			})
		}
		senders.Go(func() { conn.Feed(start, slices.Concat(text("c"), frame(0x89, ""), closeFrame(4000, ""))) })
		senders.Wait()
		conn.End()
		out := seen(t, conn)
		if len(out) == 0 || !strings.HasPrefix(out[len(out)-1], "close ") {
			t.Fatalf("the last of %d frames is no Close", len(out))
		}
	}
}

func TestEndInTheMiddleOfAMessage(t *testing.T) {
	t.Parallel()
	conn, e := opened(t, ws.Agreement{})
	conn.Feed(start, frame(0x01, "half"))
	conn.End()
	conn.End()
	want(t, "received", e.got, "{1006  false}")
	var _ carrier.Handler = e.conn
}

// However the input is cut, the same comes out.
func FuzzSplit(f *testing.F) {
	f.Add(slices.Concat(text("鸿雁"), frame(0x01, "a"), frame(0x89, "p"), frame(0x80, "b"), closeFrame(1000, "bye")), uint8(3), uint8(1))
	f.Add(slices.Concat(frame(0x82, "\xff"), []byte{0x81, 0xFE, 0x00}), uint8(1), uint8(0))
	f.Add(slices.Concat(text("x"), frame(0x88, "\x03\xe9\xff")), uint8(2), uint8(5))
	f.Fuzz(func(t *testing.T, in []byte, a, b uint8) {
		run := func(sizes ...int) string {
			conn, e := opened(t, ws.Agreement{})
			rest := slices.Clone(in)
			for i := 0; len(rest) > 0; i++ {
				n := min(sizes[i%len(sizes)], len(rest))
				conn.Feed(start, rest[:n])
				rest = rest[n:]
			}
			conn.End()
			return fmt.Sprintf("%q %q", e.got, conn.Take())
		}
		whole, cut := run(max(1, len(in))), run(int(a)+1, int(b)+1)
		if whole != cut {
			t.Fatalf("whole: %s\nin pieces: %s", whole, cut)
		}
	})
}
