// Package http1 is the server's side of HTTP/1.1 (RFC 9112) for what has to be cheap by the million: upgrades to
// WebSocket, small answers, answers that wait for something to happen, and files. It is a carrier.Handler without a
// goroutine, and a connection that waits for a request has no buffer.
//
//	carrier ─► Conn.Data ─► ws.HeadReader ─► Router.Route(Exchange) ─┬─► Respond, RespondFile
//	                                                               ├─► Park … Parked.Respond
//	                                                               ├─► Upgrade ─► another handler
//	                                                               └─► HandOver ─► Router.Take, for net/http
//
// What it does not speak, most of all requests with bodies, is handed over with the connection and every byte of it that
// was read from that request on. Such a connection never comes back, so no two readers have to agree on where a request
// ends.
package http1

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// Router decides what becomes of the requests of one connection.
type Router interface {
	// Route settles a request by one of the methods of x, once; a request that it leaves alone is answered with 404. x
	// and everything in it is valid during the call only. It must not wait.
	Route(x *Exchange)

	// Take is given a connection for net/http, whose first bytes have been read already, on a goroutine of its own.
	Take(c net.Conn, first []byte)

	// Closed says that the connection is gone. It is called last, and not at all after Take or an upgrade.
	Closed()
}

// Limits are the times that a client has.
type Limits struct {
	Head time.Duration // for the head of a request, from its first byte; for the first one from the beginning on
	Idle time.Duration // between the answer to a request and the next one
}

const (
	// maxAhead is how many bytes of requests that wait for an earlier answer are kept, and one piece of input more.
	// Clients that send that much ahead are cut off; hardly any sends anything.
	maxAhead = 16 << 10
	// maxBody is the same for a request that is to be handed over and its body, which waits only for answers to leave.
	maxBody = 1 << 20
	// maxUnread is how many bytes of answers may wait for the client while further requests are handled.
	maxUnread = 64 << 10
	// maxFiles is how many files may wait for the client while further requests are handled: each is a descriptor.
	maxFiles = 8

	// Requests that wait for an earlier answer are looked at again after firstLook, and ever more seldom up to lastLook:
	// an answer from another goroutine does not call the connection.
	firstLook = time.Millisecond
	lastLook  = time.Second
)

// Conn is a connection that speaks HTTP.
type Conn struct {
	conn     carrier.Conn
	router   Router
	limits   *Limits
	head     ws.HeadReader
	deadline time.Time              // for the head under way, or for a request to begin
	parked   atomic.Pointer[Parked] // the request that waits for its answer; nil if there is none
	leaving  atomic.Bool            // Leave was called
	ahead    *ahead                 // input behind a request that is not answered; nil if there is none
	files    atomic.Int32
	first    bool // nothing has come yet
	within   bool // the deadline is that of a head
	wrote    bool // something was queued within the call of Data or Expired that is under way
	over     bool // nothing that comes counts any more
}

// ahead is input that has to wait.
type ahead struct {
	bytes []byte
	quiet bool          // for all answers to have left: what comes next is to be handed over
	look  time.Time     // when to see whether it may go on
	wait  time.Duration // before look
}

var _ carrier.Handler = (*Conn)(nil)

// New returns the handler of a connection on which nothing has been read or written. limits is not copied.
func New(conn carrier.Conn, router Router, limits *Limits, now time.Time) *Conn {
	return &Conn{conn: conn, router: router, limits: limits, deadline: now.Add(limits.Head), first: true, within: true}
}

// Data is the carrier's.
func (c *Conn) Data(now time.Time, p []byte) {
	c.wrote = false
	switch {
	case c.over:
	case c.ahead != nil && c.ready():
		p = append(c.ahead.bytes, p...)
		c.ahead = nil
		c.serve(now, p)
	case c.ahead != nil || c.blocked():
		c.keep(now, p, false)
	default:
		c.serve(now, p)
	}
}

// serve handles the requests in p.
func (c *Conn) serve(now time.Time, p []byte) {
	c.first = false
	for len(p) > 0 && !c.over {
		if c.blocked() {
			c.keep(now, p, false)
			return
		}
		if !c.within {
			c.within, c.deadline = true, now.Add(c.limits.Head)
		}
		head, n, err := c.head.Next(p)
		if err != nil {
			c.refuse(now, err.(*ws.Refusal))
			return
		}
		if head == nil {
			return
		}
		p = p[n:]
		next := c.exchange(now, head, p)
		c.head.Release()
		c.within, c.deadline = false, now.Add(c.limits.Idle)
		switch {
		case c.ahead != nil: // p too
			return
		case next != nil && len(p) > 0:
			next.Data(now, p)
		}
	}
}

// refuse answers what is no request and ends the connection.
func (c *Conn) refuse(now time.Time, bad *ws.Refusal) {
	c.respond(now, Text(bad.Status, bad.Reason), false, true)
	c.finish()
}

// blocked reports whether requests have to wait: for the answer to the one before them, or for the client to read.
func (c *Conn) blocked() bool {
	if p := c.parked.Load(); p != nil {
		answered, ok := p.answered()
		if !ok {
			return true
		}
		c.parked.Store(nil)
		c.within, c.deadline = false, answered.Add(c.limits.Idle)
	}
	return c.files.Load() >= maxFiles || c.conn.Pending() > maxUnread
}

// quiet reports whether all answers have left.
func (c *Conn) quiet() bool { return !c.wrote && c.files.Load() == 0 && c.conn.Pending() == 0 }

// keep holds back input until ready.
func (c *Conn) keep(now time.Time, p []byte, quiet bool) {
	if c.ahead == nil {
		c.ahead = &ahead{quiet: quiet, look: now.Add(firstLook), wait: firstLook}
	}
	limit := maxAhead
	if c.ahead.quiet {
		limit = maxBody
	}
	if len(c.ahead.bytes) > limit {
		c.over, c.ahead = true, nil
		c.conn.Close(carrier.Item{})
		return
	}
	c.ahead.bytes = append(c.ahead.bytes, p...)
}

// ready reports whether the input that was held back may go on.
func (c *Conn) ready() bool { return !c.blocked() && (!c.ahead.quiet || c.quiet()) }

// Deadline is the carrier's.
func (c *Conn) Deadline() time.Time {
	deadline := c.deadline
	if p := c.parked.Load(); p != nil {
		deadline = p.deadline
		if answered, ok := p.answered(); ok {
			deadline = answered.Add(c.limits.Idle)
		}
	}
	if c.ahead != nil && c.ahead.look.Before(deadline) {
		return c.ahead.look
	}
	return deadline
}

// Expired is the carrier's.
func (c *Conn) Expired(now time.Time) {
	c.wrote = false
	if p := c.parked.Load(); p != nil && !now.Before(p.deadline) {
		p.expire(now)
	}
	c.blocked() // forgets a parked request that is answered
	if a := c.ahead; a != nil && !now.Before(a.look) {
		if c.ready() {
			c.ahead = nil
			c.serve(now, a.bytes)
			return
		}
		a.wait = min(2*a.wait, lastLook)
		a.look = now.Add(a.wait)
	}
	switch {
	case c.parked.Load() != nil || now.Before(c.deadline):
	case c.within && !c.first:
		c.refuse(now, errLate)
	case !c.quiet():
		c.deadline = now.Add(c.limits.Idle) // the client is busy reading; whether it does is the carrier's care
	default:
		c.over = true
		c.conn.Close(carrier.Item{})
	}
}

var errLate = &ws.Refusal{Status: 408, Reason: "the request did not come in time"}

// finish ends the connection behind what is queued. Files may take the client longer than a carrier that is closing waits.
func (c *Conn) finish() {
	c.over = true
	if c.files.Load() > 0 {
		c.conn.Drained(func() { c.conn.Close(carrier.Item{}) })
		return
	}
	c.conn.Close(carrier.Item{})
}

// Leave ends the connection, from any goroutine: behind the answer to a parked request, or at once behind what is queued.
func (c *Conn) Leave() {
	c.leaving.Store(true)
	if p := c.parked.Load(); p != nil {
		p.leave()
		return
	}
	c.conn.Close(carrier.Item{})
}

// Encode is the carrier's: items are made of bytes as they go out.
func (c *Conn) Encode(dst []byte, item carrier.Item) []byte { return append(dst, item.Bytes...) }

// Slow is the carrier's. A client that does not read its answers gets no other.
func (c *Conn) Slow() carrier.Item { return carrier.Item{} }

// Closed is the carrier's.
func (c *Conn) Closed() {
	c.over = true
	c.head.Release()
	if p := c.parked.Load(); p != nil {
		p.gone()
	}
	c.router.Closed()
}
