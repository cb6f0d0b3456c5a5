package gate

import (
	"net"
	"net/netip"
	"slices"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// conn is what the gate keeps of a connection from its acceptance to its end, whatever carries it and whatever it
// speaks: its place in the counts, and how to end it. There may be a million, so it has nothing that can be computed.
type conn struct {
	s *Server

	held       ender  // who carries it at present; nil before anybody does. Under s.mu
	open       leaver // what it speaks, if the gate can ask it to leave; under s.mu
	prev, next *conn  // in s.conns; under s.mu

	from     remote
	speaks   transport
	operator bool
	tls      bool // its handshake is over; its carrier's
}

// remote is a netip.AddrPort in 19 bytes instead of 32. The zero value is that of a unix socket.
type remote struct {
	ip    [16]byte
	port  [2]byte
	known bool
}

func remoteOf(addr netip.AddrPort) remote {
	if !addr.IsValid() {
		return remote{}
	}
	return remote{addr.Addr().As16(), [2]byte{byte(addr.Port() >> 8), byte(addr.Port())}, true}
}

// addr is who is there: IPv4 never in its IPv6-mapped form.
func (c *conn) addr() netip.AddrPort {
	if !c.from.known {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(c.from.ip).Unmap(), uint16(c.from.port[0])<<8|uint16(c.from.port[1]))
}

// ender is a connection as the gate ends it: a carrier.Conn, or a net.Conn that was detached.
type ender interface{ Abort() }

// leaver is a protocol that ends in good order when the server does; tell is Drain's. It is called once, beside the carrier.
type leaver interface{ leave(tell func(Session)) }

// transport is a Transport in one byte.
type transport uint8

const (
	speaksNew transport = iota
	speaksTCP
	speaksTLS
	speaksUnix
	speaksHTTP
	speaksHTTPS
	speaksWS
	speaksWSS
)

var transports = [...]Transport{
	speaksNew: TransportNew, speaksTCP: TransportTCP, speaksTLS: TransportTLS, speaksUnix: TransportUnix,
	speaksHTTP: TransportHTTP, speaksHTTPS: TransportHTTPS, speaksWS: TransportWS, speaksWSS: TransportWSS,
}

// admit lets a connection from a TCP listener in, if the limits do. nil: they do not.
func (s *Server) admit(c carrier.Conn, remote netip.AddrPort) carrier.Handler {
	in := s.enter(remote, false)
	if in == nil {
		return nil
	}
	return in.detect(c)
}

// enter counts a connection in. nil: a limit keeps it out.
func (s *Server) enter(from netip.AddrPort, operator bool) *conn {
	s.m.accepted.Inc()
	c := &conn{s: s, from: remoteOf(from), operator: operator}
	if reason := s.register(c); reason != "" {
		c.refuse(reason)
		return nil
	}
	return c
}

// peer is what is known of the other side.
func (c *conn) peer() Peer {
	addr := c.addr()
	loopback := addr.Addr().IsLoopback()
	return Peer{
		Addr: addr, Transport: transports[c.speaks], Secure: c.tls || loopback || c.operator, TLS: c.tls,
		Loopback: loopback, Operator: c.operator,
	}
}

// network is what Limits.PerAddress counts for a peer; false: nothing. An IPv6 host commonly has a whole /64, so its
// single addresses mean nothing.
func (c *conn) network() (netip.Addr, bool) {
	addr := c.addr().Addr()
	if !addr.IsValid() || addr.IsLoopback() || slices.ContainsFunc(c.s.cfg.Uncounted, containing(addr)) {
		return netip.Addr{}, false
	}
	if addr.Is6() {
		prefix, err := addr.Prefix(64)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = prefix.Addr()
	}
	return addr, true
}

func containing(addr netip.Addr) func(netip.Prefix) bool {
	return func(p netip.Prefix) bool { return p.Contains(addr) }
}

// register counts c in, or says what keeps it out.
func (s *Server) register(c *conn) (reason string) {
	lim := &s.cfg.Limits
	network, limited := c.network()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return refusedDraining
	case c.operator:
		if s.operators >= lim.Operators {
			return refusedOperators
		}
		s.operators++
	case s.counted >= lim.Connections:
		return refusedConnections
	case limited && lim.PerAddress > 0 && s.addresses[network] >= lim.PerAddress:
		return refusedAddress
	default:
		s.counted++
		if limited {
			s.addresses[network]++
		}
	}
	if c.next = s.conns; c.next != nil {
		c.next.prev = c
	}
	s.conns = c
	s.connections.Add(1)
	s.m.open[c.speaks].Inc()
	return ""
}

// release is the opposite of register: the connection is closed, and none of its goroutines has anything left to do.
func (c *conn) release() {
	s := c.s
	network, limited := c.network()
	s.mu.Lock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.conns = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	if c.operator {
		s.operators--
	} else {
		s.counted--
	}
	if limited {
		if s.addresses[network]--; s.addresses[network] == 0 {
			delete(s.addresses, network)
		}
	}
	s.mu.Unlock()
	s.m.open[c.speaks].Dec()
	s.connections.Done()
}

func (c *conn) refuse(reason string, attrs ...any) {
	c.s.m.refused.WithLabelValues(reason).Inc()
	c.s.log.Debug("connection refused", append(attrs, "reason", reason, "peer", c.addr(), "operator", c.operator)...)
}

// hold says who carries c from now on. False: the server is leaving, nobody is to carry it.
func (c *conn) hold(by ender) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.held = by
	return !c.s.closed && (!c.s.stopped || c.speaks != speaksNew)
}

// is says what c has turned out to speak.
func (c *conn) is(t transport) {
	c.s.mu.Lock()
	before := c.speaks
	c.speaks = t
	c.s.mu.Unlock()
	c.s.m.open[before].Dec()
	c.s.m.open[t].Inc()
}

// begin says what c speaks from now on, which is asked to leave at once if the server is leaving. nil: something that the
// gate does not ask.
func (c *conn) begin(open leaver) {
	c.s.mu.Lock()
	c.open = open
	tell := c.s.tell
	c.s.mu.Unlock()
	if tell != nil && open != nil {
		open.leave(tell)
	}
}

// inside is the transport of what is spoken by c: plain, or the other one inside TLS.
func (c *conn) inside(plain, secure transport) transport {
	if c.tls {
		return secure
	}
	return plain
}

// detached is a connection that no carrier has.
type detached struct{ net.Conn }

func (d detached) Abort() { cut(d.Conn) }

// cut closes a connection without an orderly end: by a TCP reset, with which the operating system forgets what it still
// holds for the peer. For one that does not read that can be megabytes.
func cut(raw net.Conn) {
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}
