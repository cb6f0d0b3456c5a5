package gate

import (
	"net"
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hongyan-im/hongyan/wire"
)

// listenNowhere returns a server without listeners.
func listenNowhere(t *testing.T, connections, perAddress, operators int) *Server {
	t.Helper()
	lim := DefaultLimits()
	lim.Connections, lim.PerAddress, lim.Operators = connections, perAddress, operators
	s, err := Listen(Config{Open: func(Link, Peer) Session { return nil }, Limits: lim})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := listenNowhere(t, 6, 2, 1)
	var inside []*conn
	enter := func(addr, want string) *conn {
		t.Helper()
		c := &conn{s: s, peer: Peer{Operator: true}, gauge: s.m.connections.WithLabelValues("new")}
		if addr != "operator" {
			ap := netip.MustParseAddrPort(addr)
			c.peer = Peer{Addr: ap, Loopback: ap.Addr().IsLoopback()}
		}
		c.raw, _ = net.Pipe()
		if got := s.enter(c); got != want {
			t.Fatalf("%s: refused for %q, want %q", addr, got, want)
		}
		if want == "" {
			inside = append(inside, c)
		}
		return c
	}
	first := enter("192.0.2.1:1000", "")
	enter("192.0.2.1:1001", "")
	enter("192.0.2.1:1002", refusedAddress)
	enter("192.0.2.2:1000", "")
	enter("[2001:db8:0:1::1]:1000", "")
	enter("[2001:db8:0:1:ffff::1]:1000", "") // the same /64
	enter("[2001:db8:0:1:1::2]:1000", refusedAddress)
	enter("[2001:db8:0:2::1]:1000", "")
	enter("198.51.100.1:1000", refusedConnections)
	enter("operator", "")
	enter("operator", refusedOperators)

	first.release()
	inside = inside[1:]
	enter("192.0.2.1:1003", "")
	enter("192.0.2.1:1004", refusedConnections)
	for _, c := range inside {
		c.release()
	}
	if len(s.addresses) != 0 || s.counted != 0 || s.operators != 0 || len(s.conns) != 0 {
		t.Errorf("left behind: %v, %d, %d, %d", s.addresses, s.counted, s.operators, len(s.conns))
	}
	inside = nil
	for range 6 {
		enter("127.0.0.1:1000", "") // loopback has no limit of its own
	}
	enter("[::1]:1000", refusedConnections)
	for _, c := range inside {
		c.release()
	}
}

func TestNoLimitPerAddress(t *testing.T) {
	t.Parallel()
	s := listenNowhere(t, 100, 0, 0)
	for i := range 100 {
		c := &conn{
			s: s, gauge: s.m.connections.WithLabelValues("new"),
			peer: Peer{Addr: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(i))},
		}
		if reason := s.enter(c); reason != "" {
			t.Fatalf("connection %d was refused for %q", i, reason)
		}
		defer c.release()
	}
}

func TestPeerOfMappedAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]Peer{
		"::ffff:127.0.0.1": {
			Addr: netip.MustParseAddrPort("127.0.0.1:80"), Transport: TransportNew, Secure: true, Loopback: true,
		},
		"::ffff:192.0.2.1": {Addr: netip.MustParseAddrPort("192.0.2.1:80"), Transport: TransportNew},
		"2001:db8::1":      {Addr: netip.MustParseAddrPort("[2001:db8::1]:80"), Transport: TransportNew},
	} {
		raw := fakeConn{addr: &net.TCPAddr{IP: net.ParseIP(addr), Port: 80}}
		if got := peerOf(raw); got != want {
			t.Errorf("%s: %+v, want %+v", addr, got, want)
		}
	}
}

// fakeConn has an address and nothing else.
type fakeConn struct {
	net.Conn
	addr net.Addr
}

func (c fakeConn) RemoteAddr() net.Addr { return c.addr }

func TestMetricsCannotBeTwice(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	cfg := Config{Open: func(Link, Peer) Session { return nil }, Metrics: reg}
	s, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if second, err := Listen(cfg); err == nil {
		second.Close()
		t.Error("two servers count in the same metrics")
	}
}

func TestSlowFrameIsAFrame(t *testing.T) {
	t.Parallel()
	f, n, err := wire.ParseFrame(slowFrame, wire.MaxFrameUnauth)
	if err != nil || n != len(slowFrame) || f.Op != wire.OpClose {
		t.Fatalf("%v, %d of %d bytes, %v", f.Op, n, len(slowFrame), err)
	}
}
