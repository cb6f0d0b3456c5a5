package gate_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/wire"
)

// BenchmarkExchange is one frame there and one back, one connection, with one or 16 under way.
func BenchmarkExchange(b *testing.B) {
	for _, name := range []string{string(gate.DefaultCarrier), "goroutine", "tls"} {
		for _, ahead := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/%d", name, ahead), func(b *testing.B) {
				var cfg gate.Config
				rig(name).Configure(b, &cfg)
				cfg.Open = open
				s, err := gate.Listen(cfg)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				c, err := rig(name).Dial(s.Addrs()[0])
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				var frames []byte
				for range ahead {
					frames = wire.AppendFrame(frames, wire.Frame{Op: wire.OpSend, Body: make([]byte, 112)})
				}
				replies := make([]byte, ahead*wire.HeaderSize)
				b.ReportAllocs()
				for n := 0; n < b.N; n += ahead {
					if _, err := c.Write(frames); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(c, replies); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
