package gate

import (
	"bytes"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// First bytes of what is spoken here.
const (
	firstTLS  = 0x16 // a handshake record, RFC 8446 §5.1
	firstLong = 0x00 // a frame's length, below 16 MiB by every limit
)

// detector is the handler of a connection that has not spoken yet: it finds out what it speaks and hands it to who
// understands that.
type detector struct {
	*conn
	carrier carrier.Conn
	by      time.Time // when it has to have spoken
}

// detect begins to carry c. nil: the server is leaving.
func (c *conn) detect(by carrier.Conn) carrier.Handler {
	if !c.hold(by) {
		c.release()
		return nil
	}
	d := detectors.Get().(*detector)
	*d = detector{conn: c, carrier: by, by: time.Now().Add(c.s.cfg.Limits.FirstByte)}
	return d
}

// detectors are reused: what every connection leaves behind lies between what stays.
var detectors = sync.Pool{New: func() any { return new(detector) }}

// done returns the conn and the carrier of a detector whose place another handler takes.
func (d *detector) done() (*conn, carrier.Conn) {
	c, by := d.conn, d.carrier
	*d = detector{}
	detectors.Put(d)
	return c, by
}

func (d *detector) Data(now time.Time, p []byte) {
	switch first := p[0]; {
	case first == firstLong:
		c, by := d.done()
		l := &longLink{conn: c, carrier: by}
		by.Become(l)
		l.start(c.inside(speaksTCP, speaksTLS), nil)
		l.Data(now, p)
	case first == firstTLS && d.s.cfg.TLS != nil && !d.tls:
		c, first := d.conn, bytes.Clone(p)
		d.carrier.Detach(func(raw net.Conn) { secure(c, raw, first) })
	case 'A' <= first && first <= 'Z':
		c, by := d.done()
		c.startHTTP(by, now).Data(now, p)
	default:
		d.refuse(refusedUnknown, "first_byte", first)
		d.carrier.Abort()
	}
}

func (d *detector) Deadline() time.Time { return d.by }

func (d *detector) Expired(time.Time) {
	d.refuse(refusedSilent)
	d.carrier.Abort()
}

func (d *detector) Closed() { d.release() }

// Encode and Slow are not called: a detector says nothing.
func (d *detector) Encode(dst []byte, _ carrier.Item) []byte { return dst }
func (d *detector) Slow() carrier.Item                       { return carrier.Item{} }

// secure does the TLS handshake that begins with first, and finds out what is spoken inside.
func secure(c *conn, raw net.Conn, first []byte) {
	if !c.hold(detached{raw}) {
		_ = raw.Close()
		c.release()
		return
	}
	tc := tls.Server(&replay{Conn: raw, first: first}, c.s.cfg.TLS)
	_ = raw.SetDeadline(time.Now().Add(c.s.cfg.Limits.Handshake))
	if err := tc.Handshake(); err != nil {
		c.s.m.handshakes.Inc()
		c.s.log.Debug("TLS handshake failed", "peer", c.addr(), "error", err)
		_ = raw.Close()
		c.release()
		return
	}
	_ = raw.SetDeadline(time.Time{})
	c.tls = true
	// On a new stack: the handshake has made this one deep, and the connection may stay for days.
	go carrier.Serve(raw, tc, &c.s.limits, &c.s.counters, c.detect)
}

// rawOf is the connection of TCP or of a unix socket under one that was detached.
func rawOf(rw net.Conn) net.Conn {
	if tc, ok := rw.(*tls.Conn); ok {
		return tc.NetConn().(*replay).Conn
	}
	return rw
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
