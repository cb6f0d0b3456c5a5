package gate

import (
	"net/netip"
	"testing"
	"unsafe"

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
		c := &conn{s: s, operator: addr == "operator"}
		if !c.operator {
			c.from = remoteOf(netip.MustParseAddrPort(addr))
		}
		if got := s.register(c); got != want {
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
	if len(s.addresses) != 0 || s.counted != 0 || s.operators != 0 || s.conns != nil {
		t.Errorf("left behind: %v, %d, %d, %v", s.addresses, s.counted, s.operators, s.conns)
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
		c := &conn{s: s, from: remoteOf(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(i)))}
		if reason := s.register(c); reason != "" {
			t.Fatalf("connection %d was refused for %q", i, reason)
		}
		defer c.release()
	}
}

func TestPeer(t *testing.T) {
	t.Parallel()
	s := listenNowhere(t, 10, 0, 10)
	for addr, want := range map[string]Peer{
		"[::ffff:127.0.0.1]:80": {
			Addr: netip.MustParseAddrPort("127.0.0.1:80"), Transport: TransportNew, Secure: true, Loopback: true,
		},
		"[::ffff:192.0.2.1]:80": {Addr: netip.MustParseAddrPort("192.0.2.1:80"), Transport: TransportNew},
		"[2001:db8::1]:80":      {Addr: netip.MustParseAddrPort("[2001:db8::1]:80"), Transport: TransportNew},
	} {
		c := s.enter(netip.MustParseAddrPort(addr), false)
		if got := c.peer(); got != want {
			t.Errorf("%s: %+v, want %+v", addr, got, want)
		}
		c.release()
	}
	c := s.enter(netip.AddrPort{}, true)
	want := Peer{Addr: netip.AddrPort{}, Transport: TransportNew, Secure: true, Operator: true}
	if got := c.peer(); got != want {
		t.Errorf("operator: %+v, want %+v", got, want)
	}
	c.release()
}

// TestLateConnection enters when the server has begun to leave: nothing may join what is waited for.
func TestLateConnection(t *testing.T) {
	t.Parallel()
	s := listenNowhere(t, 10, 0, 10)
	early := s.enter(netip.MustParseAddrPort("192.0.2.1:1000"), false)
	s.mu.Lock()
	s.leave()
	s.mu.Unlock()
	if early.detect(nil) != nil {
		t.Error("a connection that has not spoken is carried by a server that leaves")
	}
	if s.enter(netip.MustParseAddrPort("192.0.2.1:1000"), false) != nil {
		t.Error("a connection was let in by a server that leaves")
	}
}

// TestSize pins what the gate keeps of every connection on top of its carrier, its session and what is under way.
func TestSize(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(conn{}) + unsafe.Sizeof(longLink{}); n > 160 {
		t.Errorf("%d bytes for each connection", n)
	}
}

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
