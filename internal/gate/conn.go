package gate

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// First bytes of what is spoken here.
const (
	firstTLS  = 0x16 // a handshake record, RFC 8446 §5.1
	firstLong = 0x00 // a frame's length, below 16 MiB by every limit
)

// conn is an accepted connection until it is released.
type conn struct {
	s     *Server
	raw   net.Conn         // TCP or unix
	peer  Peer             // its goroutine's; Transport changes under s.mu
	gauge prometheus.Gauge // that counts it

	session Session // once it speaks the long link; under s.mu
}

// admit lets a connection in, if the limits do, and serves it.
func (s *Server) admit(raw net.Conn) {
	s.m.accepted.Inc()
	c := &conn{s: s, raw: raw, peer: peerOf(raw), gauge: s.m.connections.WithLabelValues(string(TransportNew))}
	if reason := s.enter(c); reason != "" {
		c.refuse(reason)
		_ = raw.Close()
		return
	}
	go c.serve()
}

func peerOf(raw net.Conn) Peer {
	addr, ok := raw.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return Peer{Transport: TransportNew, Secure: true, Operator: true}
	}
	ap := addr.AddrPort()
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	loopback := ap.Addr().IsLoopback()
	return Peer{Addr: ap, Transport: TransportNew, Secure: loopback, Loopback: loopback}
}

// network is what Limits.PerAddress counts for a peer; false: nothing. An IPv6 host commonly has a whole /64, so its
// single addresses mean nothing.
func (p Peer) network() (netip.Addr, bool) {
	addr := p.Addr.Addr()
	if !addr.IsValid() || p.Loopback {
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

// enter registers c, or says which limit keeps it out.
func (s *Server) enter(c *conn) (reason string) {
	lim := &s.cfg.Limits
	network, limited := c.peer.network()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.peer.Operator:
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
	s.conns[c] = struct{}{}
	s.connections.Add(1)
	c.gauge.Inc()
	return ""
}

// release is the opposite of enter: the connection is closed, and none of its goroutines has anything left to do.
func (c *conn) release() {
	s := c.s
	network, limited := c.peer.network()
	s.mu.Lock()
	delete(s.conns, c)
	if c.peer.Operator {
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
	c.gauge.Dec()
	s.connections.Done()
}

func (c *conn) refuse(reason string, attrs ...any) {
	c.s.m.refused.WithLabelValues(reason).Inc()
	c.s.log.Debug("connection refused", append(attrs, "reason", reason, "peer", c.peer.Addr, "operator", c.peer.Operator)...)
}

// serve finds out what c speaks and hands it to who understands that.
func (c *conn) serve() {
	rw := c.raw
	first := c.first(rw)
	if len(first) > 0 && first[0] == firstTLS && c.s.cfg.TLS != nil {
		if rw = c.secure(first); rw != nil {
			first = c.first(rw)
		} else {
			first = nil
		}
	}
	switch {
	case len(first) == 0:
	case first[0] == firstLong:
		// On a new stack: finding out has made this one deep, most of all a TLS handshake, and the connection may stay
		// for days.
		go c.carry(rw, first)
		return
	case 'A' <= first[0] && first[0] <= 'Z' && c.s.http != nil:
		c.s.http.take(c, rw, first)
		return
	default:
		c.refuse(refusedUnknown, "first_byte", first[0])
	}
	_ = c.raw.Close()
	c.release()
}

// first waits for the peer's first bytes and returns what has come, in an array of idleRead bytes; nil if it did not
// speak.
func (c *conn) first(rw net.Conn) []byte {
	_ = c.raw.SetReadDeadline(time.Now().Add(c.s.cfg.Limits.FirstByte))
	buf := make([]byte, idleRead)
	n, err := rw.Read(buf)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		c.refuse(refusedSilent)
	}
	return buf[:n]
}

// secure does the TLS handshake that begins with first; nil if it failed.
func (c *conn) secure(first []byte) net.Conn {
	tc := tls.Server(&replay{Conn: c.raw, first: first}, c.s.cfg.TLS)
	_ = c.raw.SetDeadline(time.Now().Add(c.s.cfg.Limits.Handshake))
	if err := tc.Handshake(); err != nil {
		c.s.m.handshakes.Inc()
		c.s.log.Debug("TLS handshake failed", "peer", c.peer.Addr, "error", err)
		return nil
	}
	_ = c.raw.SetDeadline(time.Time{})
	c.peer.TLS, c.peer.Secure = true, true
	return tc
}

// carry drives a session over c until it ends. Every carrier begins here.
func (c *conn) carry(rw net.Conn, first []byte) {
	_ = c.raw.SetReadDeadline(time.Time{})
	switch {
	case c.peer.TLS:
		c.is(TransportTLS)
	case c.peer.Operator:
		c.is(TransportUnix)
	default:
		c.is(TransportTCP)
	}
	l := &link{raw: c.raw, rw: rw, lim: &c.s.cfg.Limits, m: c.s.m}
	l.in.idle = first[:cap(first)]
	l.in.session = c.open(l)
	l.run(first)
	c.release()
}

// open makes the session, and tells it at once if the server is leaving.
func (c *conn) open(l Link) Session {
	session := c.s.cfg.Open(l, c.peer)
	c.s.mu.Lock()
	c.session = session
	tell := c.s.tell
	c.s.mu.Unlock()
	if tell != nil {
		tell(session)
	}
	return session
}

// is says what c has turned out to speak.
func (c *conn) is(t Transport) {
	c.s.mu.Lock()
	c.peer.Transport = t
	c.s.mu.Unlock()
	c.gauge.Dec()
	c.gauge = c.s.m.connections.WithLabelValues(string(t))
	c.gauge.Inc()
}

// replay is a connection whose first bytes have been read already.
type replay struct {
	net.Conn
	first []byte
}

func (r *replay) Read(b []byte) (int, error) {
	if len(r.first) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.first)
	if r.first = r.first[n:]; len(r.first) == 0 {
		r.first = nil // the array is not needed any more
	}
	return n, nil
}
