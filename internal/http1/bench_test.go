package http1_test

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// sink is the least that a carrier does with an answer.
type sink struct {
	carrier.Conn
	handler carrier.Handler
	out     []byte
}

func (s *sink) Become(h carrier.Handler) { s.handler = h }
func (s *sink) Write(item carrier.Item)  { s.out = s.handler.Encode(s.out[:0], item) }
func (s *sink) Pending() int             { return 0 }

const browserHead = "Host: im.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: zh-CN,zh;q=0.9,en;q=0.8\r\nCache-Control: no-cache\r\nPragma: no-cache\r\n"

// BenchmarkRequest is what a small answer costs between the carrier's read and its write.
func BenchmarkRequest(b *testing.B) {
	s := &sink{}
	s.handler = http1.New(s, quiet{}, &limits, start)
	in := []byte("GET /hello?a=b HTTP/1.1\r\n" + browserHead + "\r\n")
	b.ReportAllocs()
	for b.Loop() {
		s.handler.Data(start, in)
	}
}

// BenchmarkHandshake is what becoming a WebSocket costs, from the connection's first byte on.
func BenchmarkHandshake(b *testing.B) {
	s := &sink{}
	in := []byte("GET /socket?token=abc HTTP/1.1\r\n" + browserHead + "Origin: https://im.example.org\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		s.handler = http1.New(s, upgrading{}, &limits, start)
		s.handler.Data(start, in)
	}
}

type upgrading struct{ http1.Router }

var policy = ws.Acceptor{Deflate: &ws.Deflate{ServerNoContext: true, ClientNoContext: true}}

func (upgrading) Route(x *http1.Exchange) {
	_ = x.Upgrade(&policy, nil, func(conn carrier.Conn, agreed ws.Agreement) carrier.Handler {
		return websocket.New(conn, agreed, 1<<20, func(c *websocket.Conn) websocket.Receiver { return idle{} })
	})
}

type idle struct{}

func (idle) Alive(time.Time)                      {}
func (idle) Message(time.Time, ws.Opcode, []byte) {}
func (idle) Deadline() time.Time                  { return time.Time{} }
func (idle) Expired(time.Time)                    {}
func (idle) Closed(websocket.End)                 {}
