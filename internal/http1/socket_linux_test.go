package http1_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/carrier/carriertest"
	"github.com/hongyan-im/hongyan/internal/reactor"
)

func init() {
	rigs["reactor"] = carriertest.Rig{
		Dial: carriertest.DialTCP,
		Listen: func(t testing.TB, l *carrier.Limits, n *carrier.Counters, open func(carrier.Conn) carrier.Handler) (net.Addr, func()) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			r, err := reactor.New(reactor.Config{Limits: *l, Counters: n})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Listen(ln.(*net.TCPListener), func(c carrier.Conn, _ netip.AddrPort) carrier.Handler { return open(c) }); err != nil {
				t.Fatal(err)
			}
			return ln.Addr(), func() { ln.Close(); r.Close() }
		},
	}
}
