//go:build linux

package interop

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// sizes of messages: the edges of the three forms of length, and enough for many reads.
var sizes = []int{0, 1, 125, 126, 127, 4096, 65535, 65536, 1 << 20}

// message is text of n bytes that compresses somewhat.
func message(n int) []byte {
	p := []byte(strings.Repeat("鸿雁在云鱼在水, the wild goose carries letters; ", n/50+1))[:n]
	return bytes.ToValidUTF8(p, []byte("."))
}

func TestGorilla(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		for _, compress := range []bool{false, true} {
			// A small buffer has longer messages go out in many fragments.
			d := websocket.Dialer{EnableCompression: compress, WriteBufferSize: 1000, Subprotocols: []string{"other", "echo"}}
			c, resp, err := d.Dial(url, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := strings.HasPrefix(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate"); got != compress || c.Subprotocol() != "echo" {
				t.Fatalf("header %v", resp.Header)
			}
			_ = c.SetReadDeadline(time.Now().Add(hang))
			for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
				for _, n := range sizes {
					want := message(n)
					if err := c.WriteMessage(kind, want); err != nil {
						t.Fatal(err)
					}
					gotKind, got, err := c.ReadMessage()
					if err != nil || gotKind != kind || !bytes.Equal(got, want) {
						t.Fatalf("%d bytes: %v, kind %d, %d bytes", n, err, gotKind, len(got))
					}
				}
			}
			var pong string
			c.SetPongHandler(func(s string) error { pong = s; return nil })
			if err := c.WriteControl(websocket.PingMessage, []byte("there?"), time.Time{}); err != nil {
				t.Fatal(err)
			}
			if err := c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4000, "bye"), time.Time{}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, 4000) || pong != "there?" {
				t.Fatalf("%v, pong %q", err, pong)
			}
		}
	})
}

// What a client gets for its violations. gorilla sends them without a thought.
func TestGorillaViolates(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		for name, c := range map[string]struct {
			send func(*websocket.Conn) error
			code int
		}{
			"not UTF-8": {func(c *websocket.Conn) error { return c.WriteMessage(websocket.TextMessage, []byte("\xff")) }, 1007},
			// The rest of the message never comes: the bad byte is enough.
			"not UTF-8, unfinished": {func(c *websocket.Conn) error {
				w, err := c.NextWriter(websocket.TextMessage)
				if err == nil {
					_, err = w.Write(append([]byte("\xed\xa0"), make([]byte, 5000)...))
				}
				return err
			}, 1007},
			"too big": {func(c *websocket.Conn) error {
				// The Close may come before all is sent.
				_ = c.WriteMessage(websocket.BinaryMessage, make([]byte, maxMessage+1))
				return nil
			}, 1009},
			"raw bytes": {func(c *websocket.Conn) error { _, err := c.NetConn().Write([]byte("hello")); return err }, 1002},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				conn, _, err := (&websocket.Dialer{WriteBufferSize: 2000}).Dial(url, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_ = conn.SetReadDeadline(time.Now().Add(hang))
				if err := c.send(conn); err != nil {
					t.Fatal(err)
				}
				if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, c.code) {
					t.Fatalf("%v, want %d", err, c.code)
				}
			})
		}
	})
}

func TestCoder(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		for _, mode := range []coder.CompressionMode{coder.CompressionDisabled, coder.CompressionNoContextTakeover, coder.CompressionContextTakeover} {
			ctx, cancel := context.WithTimeout(t.Context(), hang)
			defer cancel()
			c, _, err := coder.Dial(ctx, url, &coder.DialOptions{CompressionMode: mode, CompressionThreshold: 100})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			c.SetReadLimit(-1)
			for _, kind := range []coder.MessageType{coder.MessageText, coder.MessageBinary} {
				for _, n := range sizes {
					want := message(n)
					if err := c.Write(ctx, kind, want); err != nil {
						t.Fatal(err)
					}
					gotKind, got, err := c.Read(ctx)
					if err != nil || gotKind != kind || !bytes.Equal(got, want) {
						t.Fatalf("mode %d, %d bytes: %v, kind %v, %d bytes", mode, n, err, gotKind, len(got))
					}
				}
			}
			pinged := c.CloseRead(ctx)
			if err := c.Ping(pinged); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(coder.StatusNormalClosure, "done"); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
		}
	})
}

// gwsClient collects what gws tells.
type gwsClient struct {
	gws.BuiltinEventHandler
	got   chan *gws.Message
	pongs chan string
	ended chan error
}

func (h *gwsClient) OnMessage(_ *gws.Conn, m *gws.Message) { h.got <- m }
func (h *gwsClient) OnPong(_ *gws.Conn, p []byte)          { h.pongs <- string(p) }
func (h *gwsClient) OnClose(_ *gws.Conn, err error)        { h.ended <- err }

func TestGWS(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		for _, deflate := range []gws.PermessageDeflate{
			{},
			{Enabled: true},
			{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true},
			{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true, ServerMaxWindowBits: 9, ClientMaxWindowBits: 10},
		} {
			h := &gwsClient{got: make(chan *gws.Message, 1), pongs: make(chan string, 1), ended: make(chan error, 1)}
			c, _, err := gws.NewClient(h, &gws.ClientOption{Addr: url, PermessageDeflate: deflate, ReadMaxPayloadSize: maxMessage})
			if err != nil {
				t.Fatal(err)
			}
			go c.ReadLoop()
			for _, kind := range []gws.Opcode{gws.OpcodeText, gws.OpcodeBinary} {
				for _, n := range sizes {
					want := message(n)
					if err := c.WriteMessage(kind, want); err != nil {
						t.Fatal(err)
					}
					select {
					case m := <-h.got:
						if m.Opcode != kind || !bytes.Equal(m.Bytes(), want) {
							t.Fatalf("%+v, %d bytes: opcode %d, %d bytes", deflate, n, m.Opcode, len(m.Bytes()))
						}
					case err := <-h.ended:
						t.Fatalf("%+v, %d bytes: %v", deflate, n, err)
					case <-time.After(hang):
						t.Fatalf("%+v, %d bytes: no answer", deflate, n)
					}
				}
			}
			if err := c.WritePing([]byte("there?")); err != nil {
				t.Fatal(err)
			}
			if pong := <-h.pongs; pong != "there?" {
				t.Fatalf("pong %q", pong)
			}
			if err := c.WriteClose(4001, []byte("bye")); err != nil {
				t.Fatal(err)
			}
			<-h.ended // by the client: it does not wait for the answer to its own Close
		}
	})
}
