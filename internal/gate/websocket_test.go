package gate_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/gate/gatetest"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/ws"
	"github.com/hongyan-im/hongyan/wire"
)

func TestWebSocket(t *testing.T) {
	gatetest.Run(t, gatetest.WebSocket(gatetest.TCP(nil), gate.ProtocolBinary, false))
}

// TestWebSocketOverTLS is for WebSockets on the goroutine carrier.
func TestWebSocketOverTLS(t *testing.T) {
	gatetest.Run(t, gatetest.WebSocket(gatetest.TLS(nil), gate.ProtocolBinary, false))
}

// mirror is a session that answers every frame with its own body.
type mirror struct{ deaf }

func (m mirror) Frame(_ time.Time, f wire.Frame) {
	m.link.Reply(wire.AppendFrame(nil, wire.Frame{Op: f.Op.Reply(), Seq: f.Seq, Body: f.Body}))
}

func (m mirror) Broken(_ time.Time, err error) {
	b, _ := wire.Append(nil, wire.OpClose, 0, &wire.Close{Reason: wire.CloseProtocolError, Message: err.Error()})
	m.link.Close(b)
}

func openMirror(l gate.Link, _ gate.Peer) gate.Session { return mirror{deaf{l}} }

// TestWebSocketProtocols exchanges a frame by each subprotocol, with and without compression.
func TestWebSocketProtocols(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{gate.ProtocolBinary, gate.ProtocolText} {
		for _, compressed := range []bool{false, true} {
			rig := gatetest.WebSocket(gatetest.TCP(nil), protocol, compressed)
			cfg := gate.Config{Open: openMirror}
			rig.Configure(t, &cfg)
			s := listen(t, cfg)
			c, err := rig.Dial(s.Addrs()[0])
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(20 * time.Second))
			want, _ := wire.Append(nil, wire.OpHeartbeat, 7, nil)
			for range 3 {
				if _, err := c.Write(want); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, len(want))
				if _, err := io.ReadFull(c, got); err != nil {
					t.Fatalf("%s: %v", protocol, err)
				}
				if f, _, err := wire.ParseFrame(got, 100); err != nil || f.Op != wire.OpHeartbeat.Reply() || f.Seq != 7 {
					t.Errorf("%s: %+v, %v", protocol, f, err)
				}
			}
			c.Close()
		}
	}
}

// talk sends raw bytes on a new connection and returns all that comes back until the server ends it.
func talk(t *testing.T, addr net.Addr, say string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, say); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%q, %v", all, err)
	}
	return string(all)
}

const handshake = "GET / HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n"

func TestWebSocketRefused(t *testing.T) {
	t.Parallel()
	cfg := gate.Config{Open: openMirror}
	gatetest.WebSocket(gatetest.TCP(nil), "", false).Configure(t, &cfg)
	addr := listen(t, cfg).Addrs()[0]
	for fields, want := range map[string]string{
		"":                               "HTTP/1.1 400 ",
		"Sec-WebSocket-Protocol: chat":   "HTTP/1.1 400 ",
		"Origin: https://evil.example":   "HTTP/1.1 403 ",
		"Sec-WebSocket-Version: 8":       "HTTP/1.1 ",
		"Sec-WebSocket-Key: dGhlIHNhbXA": "HTTP/1.1 400 ",
	} {
		if fields != "" {
			fields += "\r\n"
		}
		if got := talk(t, addr, handshake+fields+"\r\n"); !strings.HasPrefix(got, want) || strings.HasPrefix(got, "HTTP/1.1 101") {
			t.Errorf("%q: %q", fields, got)
		}
	}
}

// TestWebSocketWrongMessages sends what the subprotocol does not allow: the session is told, and its last frame comes
// before the Close.
func TestWebSocketWrongMessages(t *testing.T) {
	t.Parallel()
	cfg := gate.Config{Open: openMirror}
	gatetest.WebSocket(gatetest.TCP(nil), "", false).Configure(t, &cfg)
	addr := listen(t, cfg).Addrs()[0]
	key := ws.Key(1)
	for _, c := range []struct {
		protocol, message string
		op                ws.Opcode
		want              string
	}{
		{gate.ProtocolText, "x", ws.Binary, `"op":31`},
		{gate.ProtocolText, `{"op":6,"body":[]}`, ws.Text, `"op":1000000000`},
		{gate.ProtocolText, `nothing`, ws.Text, `"op":1000000000`},
		{gate.ProtocolBinary, "x", ws.Text, "binary ones for " + gate.ProtocolBinary},
		{gate.ProtocolBinary, "GET / HTTP/1.1\r\n", ws.Binary, "length"},
	} {
		in := handshake + "Sec-WebSocket-Protocol: " + c.protocol + "\r\n\r\n" +
			string(ws.AppendMessage(nil, c.op, []byte(c.message), &key)) + string(new(ws.Closing).Start(nil, ws.CodeNormal, "", &key))
		out := talk(t, addr, in)
		if !strings.HasPrefix(out, "HTTP/1.1 101 ") || !strings.Contains(out, c.want) || !strings.HasSuffix(out, "\x88\x02\x03\xe8") {
			t.Errorf("%s, %q: %q", c.protocol, c.message, out)
		}
	}
}

// quiet receives messages and does nothing.
type quiet struct{ ended chan websocket.End }

func (q quiet) Alive(time.Time)                      {}
func (q quiet) Message(time.Time, ws.Opcode, []byte) {}
func (q quiet) Deadline() time.Time                  { return time.Time{} }
func (q quiet) Expired(time.Time)                    {}
func (q quiet) Closed(end websocket.End)             { q.ended <- end }

// TestDrainHTTP drains a server with a WebSocket that is no long link, and a connection that waits for its next request.
func TestDrainHTTP(t *testing.T) {
	t.Parallel()
	ended := make(chan websocket.End, 1)
	s := listen(t, gate.Config{
		Listen: []string{"127.0.0.1:0"}, Open: open,
		Route: func(r *gate.Request) {
			if r.HasToken("upgrade", "websocket") {
				_ = r.OpenWebSocket(&ws.Acceptor{}, 1000, nil, func(*websocket.Conn) websocket.Receiver { return quiet{ended} })
			}
		},
	})
	dial := func(say string, status int) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprint(c, say)
		in := bufio.NewReader(c)
		response, err := http.ReadResponse(in, nil)
		if err != nil || response.StatusCode != status {
			t.Fatal(response, err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		return c, in
	}
	socket, frames := dial(handshake+"\r\n", 101)
	_, rest := dial("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404)
	drained := make(chan error, 1)
	go func() {
		drained <- s.Drain(context.Background(), func(gate.Session) { t.Error("there is no session") })
	}()
	if got, err := io.ReadAll(rest); len(got) != 0 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	closing := make([]byte, 4)
	if _, err := io.ReadFull(frames, closing); err != nil || string(closing[:1])+string(closing[2:]) != "\x88\x03\xe9" {
		t.Errorf("%q, %v", closing, err)
	}
	key := ws.Key(1)
	_, _ = socket.Write(new(ws.Closing).Start(nil, ws.CodeGoingAway, "", &key))
	if end := <-ended; end.Code != ws.CodeGoingAway {
		t.Errorf("%+v", end)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}
