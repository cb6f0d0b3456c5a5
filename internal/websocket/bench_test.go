package websocket_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hongyan-im/hongyan/internal/carrier"
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
func (s *sink) Write(item carrier.Item)  { s.out = s.handler.Encode(s.out, item) }

// BenchmarkEcho is what a message costs between the carrier's read and its write, with 1 or 16 of them in a piece.
func BenchmarkEcho(b *testing.B) {
	for _, op := range []ws.Opcode{ws.Binary, ws.Text} {
		for _, size := range []int{16, 128, 1024, 16 << 10} {
			for _, count := range []int{1, 16} {
				b.Run(fmt.Sprintf("op%d/%d/x%d", op, size, count), func(b *testing.B) {
					s, e := &sink{}, &echo{quiet: true}
					websocket.New(s, ws.Agreement{}, limit, func(c *websocket.Conn) websocket.Receiver {
						e.conn = c
						return e
					})
					in := bytes.Repeat(ws.AppendMessage(nil, op, bytes.Repeat([]byte("x"), size), &key), count)
					buf := make([]byte, len(in))
					b.SetBytes(int64(size))
					for i := 0; i < b.N; i += count {
						copy(buf, in)
						s.out = s.out[:0]
						s.handler.Data(start, buf)
					}
				})
			}
		}
	}
}
