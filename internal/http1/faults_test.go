//go:build unix

package http1_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier/carriertest"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// Whatever one peer does, the others' messages go on.
func TestFaultsHarmNobodyElse(t *testing.T) {
	t.Parallel()
	for name, rig := range rigs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, addr, _ := serve(t, rig)
			victim := dialEcho(t, rig, addr)
			for fault, commit := range map[string]func(carriertest.Conn){
				"reset within a frame": func(c carriertest.Conn) {
					send(t, c, "\x82\xfe\x10\x00\x01\x02\x03\x04half")
					if err := c.Reset(); err != nil {
						t.Error(err)
					}
				},
				"a GiB announced": func(c carriertest.Conn) {
					send(t, c, "\x82\xff\x00\x00\x00\x00\x40\x00\x00\x00\x01\x02\x03\x04")
					if out, _ := io.ReadAll(c); !strings.HasPrefix(string(out), "\x88\x11\x03\xf1") { // 1009
						t.Errorf("%q", out)
					}
				},
				"end within a frame": func(c carriertest.Conn) {
					send(t, c, "\x81\x85\x01\x02")
					if err := c.CloseWrite(); err != nil {
						t.Error(err)
					}
					if out, err := io.ReadAll(c); len(out) > 0 || err != nil {
						t.Errorf("%q, %v", out, err)
					}
				},
				"silence":      func(carriertest.Conn) {},
				"half a frame": func(c carriertest.Conn) { send(t, c, "\x82\xfe\x10\x00") },
				"a flood that is not read": func(c carriertest.Conn) {
					_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
					key := ws.Key(1)
					flood := bytes.Repeat(ws.AppendMessage(nil, ws.Binary, noise(1000), &key), 100)
					for range 100 {
						if _, err := c.Write(flood); err != nil {
							return // the server waits, or has given it up
						}
					}
				},
				"garbage": func(c carriertest.Conn) {
					send(t, c, strings.Repeat("GET / HTTP/1.1\r\n", 1000))
					if out, _ := io.ReadAll(c); !strings.HasPrefix(string(out), "\x88") {
						t.Errorf("%q", out)
					}
				},
			} {
				offender := dialEcho(t, rig, addr)
				done := make(chan struct{})
				go func() {
					defer close(done)
					commit(offender)
				}()
				for running := true; running; {
					select {
					case <-done:
						running = false
					default:
					}
					echoOnce(t, victim, fault)
				}
			}
		})
	}
}

// dialEcho opens a WebSocket.
func dialEcho(t *testing.T, rig carriertest.Rig, addr net.Addr) carriertest.Conn {
	t.Helper()
	c, err := rig.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(hang))
	hello := ws.Hello{Host: "test", Target: "/echo", Nonce: [16]byte{7}}
	out, err := hello.AppendRequest(nil)
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, string(out))
	var head []byte
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one[0]) {
		if _, err := io.ReadFull(c, one); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		t.Fatalf("%q", head)
	}
	return c
}

func send(t *testing.T, c net.Conn, bytes string) {
	t.Helper()
	if _, err := io.WriteString(c, bytes); err != nil {
		t.Error(err)
	}
}

// echoOnce has a message go there and back.
func echoOnce(t *testing.T, c net.Conn, message string) {
	t.Helper()
	key := ws.Key(0x3d21fa37)
	if _, err := c.Write(ws.AppendMessage(nil, ws.Text, []byte(message), &key)); err != nil {
		t.Fatalf("during %s: %v", message, err)
	}
	got := make([]byte, 2+len(message))
	if _, err := io.ReadFull(c, got); err != nil || string(got[2:]) != message {
		t.Fatalf("during %s: %q, %v", message, got, err)
	}
}
