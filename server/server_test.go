package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/ws"
	"github.com/hongyan-im/hongyan/server"
	"github.com/hongyan-im/hongyan/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hang = 20 * time.Second

// both runs a test on both carriers.
func both(t *testing.T, test func(t *testing.T, listen func(server.Config) *server.Server)) {
	for _, goroutines := range []bool{false, true} {
		t.Run(fmt.Sprintf("goroutines=%v", goroutines), func(t *testing.T) {
			t.Parallel()
			test(t, func(cfg server.Config) *server.Server {
				cfg.Listen, cfg.Goroutines = []string{"127.0.0.1:0"}, goroutines
				s, err := server.Listen(cfg)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				return s
			})
		})
	}
}

// client is a WebSocket client that lets the test see every byte.
type client struct {
	net.Conn
	t      *testing.T
	in     *bufio.Reader
	status *http.Response
	reader ws.Reader
	buf    []byte
	left   []byte
}

func dial(t *testing.T, s *server.Server, target string, fields ...string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(hang))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n%s\r\n", target, strings.Join(append(fields, ""), "\r\n"))
	c := &client{Conn: conn, t: t, in: bufio.NewReader(conn), reader: ws.NewReader(ws.Client, 1<<26, nil), buf: make([]byte, 64<<10)}
	if c.status, err = http.ReadResponse(c.in, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) say(op ws.Opcode, text string) {
	c.t.Helper()
	key := ws.Key(0x01020304)
	if _, err := c.Write(ws.AppendMessage(nil, op, []byte(text), &key)); err != nil {
		c.t.Error(err)
	}
}

// next returns the next event.
func (c *client) next() (ws.Event, error) {
	for {
		ev, n, err := c.reader.Next(c.left)
		c.left = c.left[n:]
		if err != nil || ev.Op != ws.NoEvent {
			return ev, err
		}
		n, err = c.in.Read(c.buf)
		if n == 0 {
			return ws.Event{}, err
		}
		c.left = c.buf[:n]
	}
}

func (c *client) want(op ws.Opcode, text string) {
	c.t.Helper()
	ev, err := c.next()
	if err != nil || ev.Op != op || string(ev.Data) != text {
		c.t.Fatalf("%v %.100q %v, want %v %.100q", ev.Op, ev.Data, err, op, text)
	}
}

func echo(c *server.Conn, m server.Message) { c.Write(m) }

func TestRequest(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		s := listen(server.Config{
			Protocols: []string{"two", "one"},
			Open: func(c *server.Conn, r *server.Request) error {
				if r.TCP() || r.TLS() || !r.RemoteAddr().Addr().IsLoopback() {
					t.Errorf("%+v", r)
				}
				switch {
				case r.Path() == "/teapot":
					return &server.Refusal{Status: 418, Reason: "short and stout"}
				case r.Path() == "/no":
					return errors.New("not you")
				}
				c.Value = fmt.Sprintf("%s %s %s %s %s", r.Path(), r.Query("room"), r.Header("X-Device"), r.Cookie("token"), r.Protocol())
				return nil
			},
			Message: func(c *server.Conn, _ server.Message) {
				c.Send(server.Message{Kind: server.Text, Data: []byte(c.Value.(string))})
			},
		})
		c := dial(t, s, "/chat?room=a%20b", "x-device: phone", "Cookie: a=1; token=t", "Sec-WebSocket-Protocol: one, three")
		if c.status.StatusCode != 101 || c.status.Header.Get("Sec-WebSocket-Protocol") != "one" {
			t.Fatal(c.status)
		}
		c.say(ws.Text, "")
		c.want(ws.Text, "/chat a b phone t one")
		for target, status := range map[string]int{"/teapot": 418, "/no": 403} {
			if got := dial(t, s, target).status.StatusCode; got != status {
				t.Errorf("%s: %d", target, got)
			}
		}
		if got := dial(t, s, "/", "Origin: https://evil.example").status.StatusCode; got != 403 {
			t.Errorf("a foreign page: %d", got)
		}
	})
}

func TestMessages(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		s := listen(server.Config{Message: echo, MaxMessage: 8 << 20})
		c := dial(t, s, "/")
		for _, text := range []string{"", "x", strings.Repeat("鸿雁", 100), strings.Repeat("y", 70_000), strings.Repeat("z", 8<<20)} {
			go c.say(ws.Text, text)
			c.want(ws.Text, text)
			go c.say(ws.Binary, text)
			c.want(ws.Binary, text)
		}
		c.say(ws.Ping, "p")
		c.want(ws.Pong, "p")
	})
}

// TestSlowReader lets a client send far more than it reads: it is not read from, nothing is lost, and others do not notice.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		s := listen(server.Config{Message: echo})
		slow, other := dial(t, s, "/"), dial(t, s, "/")
		text := strings.Repeat("x", 100_000)
		const n = 200
		go func() {
			for range n {
				slow.say(ws.Binary, text)
			}
		}()
		for range 20 {
			other.say(ws.Text, "hello")
			other.want(ws.Text, "hello")
			time.Sleep(5 * time.Millisecond)
		}
		for range n {
			slow.want(ws.Binary, text)
		}
	})
}

func TestFrames(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		ended, broken := make(chan server.End, 1), make(chan error, 1)
		s := listen(server.Config{
			Message: func(c *server.Conn, m server.Message) {
				if m.Kind != server.Frame {
					t.Errorf("%+v", m)
				}
				m.Op++
				c.Write(m)
			},
			Close: func(_ *server.Conn, end server.End) { ended <- end },
			Error: func(_ *server.Conn, err error) { broken <- err },
		})
		conn, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(hang))
		conn.Write(wire.AppendFrame(nil, wire.Frame{Op: 7, Seq: 8, Body: []byte("nine")}))
		want := wire.AppendFrame(nil, wire.Frame{Op: 8, Seq: 8, Body: []byte("nine")})
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("% x, %v", got, err)
		}
		conn.Write([]byte("\x00\x00\x00\x05this is no frame"))
		if _, err := io.ReadAll(conn); err != nil {
			t.Error(err)
		}
		if err := <-broken; !errors.Is(err, wire.ErrLength) {
			t.Error(err)
		}
		if end := <-ended; end.Code != 1006 {
			t.Errorf("%+v", end)
		}
	})
}

func TestEnds(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		type event struct {
			end server.End
			err error
		}
		events, failures := make(chan event, 10), make(chan error, 10)
		s := listen(server.Config{
			Message: func(c *server.Conn, m server.Message) { c.Close(4000, string(m.Data)) },
			Error:   func(_ *server.Conn, err error) { failures <- err },
			Close: func(_ *server.Conn, end server.End) {
				ev := event{end: end}
				select {
				case ev.err = <-failures:
				default:
				}
				events <- ev
			},
		})
		key := ws.Key(7)
		c := dial(t, s, "/")
		c.say(ws.Text, "enough")
		if ev, err := c.next(); err != nil || ev.Op != ws.Close || ev.Code != 4000 || string(ev.Data) != "enough" {
			t.Errorf("%+v, %v", ev, err)
		}
		c.Write(new(ws.Closing).Start(nil, 4000, "well then", &key))
		if got := <-events; got.end != (server.End{Code: 4000, Reason: "well then"}) || got.err != nil {
			t.Errorf("%+v", got)
		}
		c = dial(t, s, "/")
		c.Write([]byte{0x81, 0x01, 'x'}) // without a mask
		if ev, err := c.next(); err != nil || ev.Op != ws.Close || ev.Code != 1002 {
			t.Errorf("%+v, %v", ev, err)
		}
		c.Close()
		if got := <-events; got.end.Code != 1002 || got.err == nil {
			t.Errorf("%+v", got)
		}
		c = dial(t, s, "/")
		c.Close()
		if got := <-events; got.end.Code != 1006 || got.err != nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestGroup(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		var room server.Group
		s := listen(server.Config{
			Compress: true,
			Open:     func(c *server.Conn, _ *server.Request) error { room.Join(c); return nil },
			Message: func(_ *server.Conn, m server.Message) {
				m.Data = bytes.Clone(m.Data)
				if n := room.Send(m); n != 0 {
					t.Errorf("%d refused", n)
				}
			},
			Close: func(c *server.Conn, _ server.End) { room.Leave(c) },
		})
		var clients []*client
		for range 20 {
			clients = append(clients, dial(t, s, "/"))
		}
		const n = 100
		go func() {
			for i := range n {
				clients[0].say(ws.Text, fmt.Sprint(i))
			}
		}()
		for _, c := range clients {
			for i := range n {
				c.want(ws.Text, fmt.Sprint(i))
			}
		}
		for _, c := range clients {
			c.Close()
		}
		for end := time.Now().Add(hang); room.Len() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d are left", room.Len())
			}
		}
	})
}

// TestGroupWhileOpening lets clients come into a group while it is being sent to all the time.
func TestGroupWhileOpening(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		var room server.Group
		s := listen(server.Config{
			Open:    func(c *server.Conn, _ *server.Request) error { room.Join(c); return nil },
			Message: echo,
			Close:   func(c *server.Conn, _ server.End) { room.Leave(c) },
		})
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					room.Send(server.Message{Kind: server.Text, Data: []byte("news")})
				}
			}
		}()
		for range 50 {
			c := dial(t, s, "/")
			c.want(ws.Text, "news")
			c.Close()
		}
		close(stop)
		<-stopped
	})
}

func TestIdle(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		s := listen(server.Config{Message: echo, Idle: time.Millisecond})
		c := dial(t, s, "/")
		if ev, err := c.next(); err != nil || ev.Op != ws.Close || ev.Code != 1001 {
			t.Errorf("%+v, %v", ev, err)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		s := listen(server.Config{Message: echo})
		c := dial(t, s, "/")
		frames, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer frames.Close()
		frames.Write(wire.AppendFrame(nil, wire.Frame{Op: 1}))
		if _, err := io.ReadFull(frames, make([]byte, wire.HeaderSize)); err != nil {
			t.Fatal(err)
		}
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(context.Background()) }()
		if ev, err := c.next(); err != nil || ev.Op != ws.Close || ev.Code != 1001 {
			t.Errorf("%+v, %v", ev, err)
		}
		c.Close()
		if rest, err := io.ReadAll(frames); err != nil || len(rest) != 0 {
			t.Errorf("%q, %v", rest, err)
		}
		frames.Close()
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

// TestPush sends from another goroutine, to a peer that reads, and to one that does not.
func TestPush(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, listen func(server.Config) *server.Server) {
		conns := make(chan *server.Conn, 1)
		s := listen(server.Config{MaxQueue: 1 << 20, Message: func(c *server.Conn, _ server.Message) { conns <- c }})
		c := dial(t, s, "/")
		c.say(ws.Text, "go")
		conn := <-conns
		part := bytes.Repeat([]byte("0123456789"), 1000)
		m := server.Message{Kind: server.Binary, Data: part}
		sent := 0
		for conn.Send(m) {
			sent++
		}
		if p := conn.Pending(); p < 1<<20-2*len(part) || p > 1<<20 {
			t.Errorf("%d bytes are pending", p)
		}
		again := make(chan struct{})
		conn.Drained(func() { close(again) })
		for range sent {
			c.want(ws.Binary, string(part))
		}
		<-again
		if !conn.Send(m) {
			t.Error("refused although nothing waits")
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]server.Config{
		"no message": {},
		"size":       {Message: echo, MaxMessage: -1},
		"idle":       {Message: echo, Idle: -1},
		"address":    {Message: echo, Listen: []string{"nowhere"}},
	} {
		if s, err := server.Listen(cfg); err == nil {
			s.Close()
			t.Errorf("%s: accepted", name)
		}
	}
	if slices.Contains([]server.Kind{server.Text, server.Binary}, server.Frame) {
		t.Error("kinds are not distinct")
	}
}
