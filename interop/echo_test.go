//go:build linux

// Package interop drives the WebSocket server with clients that other people wrote, on every carrier: Go libraries, npm's
// ws and undici, Python's websockets and Chromium. It is a module of its own, so that none of them is a dependency of the
// server. scripts/interop installs what is needed and runs it.
package interop

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/reactor"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// hang is how long these tests wait for what must happen.
const hang = 60 * time.Second

const (
	maxMessage = 17 << 20
	idle       = time.Minute
)

// router makes an echo of every path. Pages of any origin may use it, so that a browser can.
type router struct{}

var acceptor = ws.Acceptor{Origins: []string{"*"}, Protocols: []string{"echo"}, Deflate: &ws.Deflate{}}

func (router) Route(x *http1.Exchange) {
	_ = x.Upgrade(&acceptor, func(c carrier.Conn, agreed ws.Agreement) carrier.Handler {
		return websocket.New(c, agreed, maxMessage, func(c *websocket.Conn) websocket.Receiver {
			return &echo{conn: c, last: time.Now()}
		})
	})
}

func (router) Take(c net.Conn, _ []byte) { c.Close() }
func (router) Closed()                   {}

type echo struct {
	conn *websocket.Conn
	last time.Time
}

func (e *echo) Alive(now time.Time)                         { e.last = now }
func (e *echo) Message(_ time.Time, op ws.Opcode, p []byte) { e.conn.Write(op, p) }
func (e *echo) Deadline() time.Time                         { return e.last.Add(idle) }
func (e *echo) Expired(time.Time)                           { e.conn.Close(ws.CodeGoingAway, "idle") }
func (e *echo) Closed(websocket.End)                        {}

// carriers are what the echo runs on.
var carriers = map[string]func(*testing.T, *net.TCPListener){"goroutine": onGoroutines, "reactor": onReactor}

var (
	limits = carrier.Limits{Write: hang, Flush: 5 * time.Second, Linger: 5 * time.Second, SoftQueue: 1 << 20, HardQueue: 64 << 20}
	times  = http1.Limits{Head: 10 * time.Second, Idle: 10 * time.Second}
)

func open(c carrier.Conn) carrier.Handler { return http1.New(c, router{}, &times, time.Now()) }

func onGoroutines(_ *testing.T, ln *net.TCPListener) {
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go carrier.Serve(c, c, &limits, new(carrier.Counters), open)
		}
	}()
}

func onReactor(t *testing.T, ln *net.TCPListener) {
	r, err := reactor.New(reactor.Config{Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if _, err := r.Listen(ln, func(c carrier.Conn, _ netip.AddrPort) carrier.Handler { return open(c) }); err != nil {
		t.Fatal(err)
	}
}

// everywhere runs test against an echo on each carrier.
func everywhere(t *testing.T, test func(t *testing.T, url string)) {
	t.Parallel()
	for name, carry := range carriers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ln.Close() })
			carry(t, ln.(*net.TCPListener))
			test(t, "ws://"+ln.Addr().String()+"/echo")
		})
	}
}
