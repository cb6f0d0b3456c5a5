package http1

import (
	"net"
	"os"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// Exchange is a request that is to be settled: by Respond, RespondFile, Park, Upgrade or HandOver, once.
type Exchange struct {
	ws.Request
	Now time.Time

	conn    *Conn
	head    []byte          // as it was read
	rest    []byte          // what was read behind it
	next    carrier.Handler // who takes the connection over
	closes  bool            // the connection ends with the answer
	settled bool
}

var exchanges = sync.Pool{New: func() any { return new(Exchange) }}

// exchange has the request with the given head settled. next is the handler that rest is for, if there is a new one.
func (c *Conn) exchange(now time.Time, head, rest []byte) (next carrier.Handler) {
	x := exchanges.Get().(*Exchange)
	x.Now, x.conn, x.head, x.rest = now, c, head, rest
	if err := x.Parse(head); err != nil {
		c.refuse(now, err.(*ws.Refusal))
	} else {
		x.closes = x.Minor == 0 || x.HasToken("connection", "close")
		if x.foreign() {
			x.HandOver()
		} else {
			c.router.Route(x)
			if !x.settled {
				x.Respond(Text(404, "there is nothing here"))
			}
		}
	}
	next = x.next
	*x = Exchange{Request: x.Request}
	exchanges.Put(x)
	return next
}

// foreign reports whether x is what net/http is for.
func (x *Exchange) foreign() bool {
	for length := range x.All("content-length") {
		if string(length) != "0" {
			return true
		}
	}
	return x.Get("transfer-encoding") != nil || x.Get("expect") != nil || x.Path[0] != '/' || string(x.Method) == "CONNECT" ||
		x.Get("upgrade") != nil && !x.HasToken("upgrade", "websocket")
}

func (x *Exchange) settle() {
	if x.settled {
		panic("http1: a request was settled twice")
	}
	x.settled = true
}

// Settled reports whether the request has been settled.
func (x *Exchange) Settled() bool { return x.settled }

// Reads reports whether the method is one of those that only read, GET and HEAD.
func (x *Exchange) Reads() bool { return string(x.Method) == "GET" || x.headOnly() }

func (x *Exchange) headOnly() bool { return string(x.Method) == "HEAD" }

// Respond answers. r.Body is copied.
func (x *Exchange) Respond(r Response) {
	x.settle()
	x.conn.respond(x.Now, r, x.headOnly(), x.closes)
	if x.closes {
		x.conn.finish()
	}
}

// RespondFile answers with n bytes of f from offset on for a body, in the place of r.Body. f belongs to the connection
// from then on.
func (x *Exchange) RespondFile(r Response, f *os.File, offset, n int64) {
	x.settle()
	c := x.conn
	b := buffers.Get().(*buffer)
	b.bytes = r.appendHead(b.bytes, x.Now, n, x.closes)
	c.write(b)
	if x.headOnly() || n == 0 {
		_ = f.Close()
	} else {
		c.files.Add(1)
		c.conn.SendFile(f, offset, n)
		c.conn.Drained(c.drained)
	}
	if x.closes {
		c.finish()
	}
}

// drained is called when the client has all files. One that was queued at the same moment may be missing in the count,
// which is a bound and need not be exact.
func (c *Conn) drained() { c.files.Store(0) }

// Upgrade answers an opening handshake. Where a accepts it, allow is asked whether it may be, which is nil if so; a nil
// allow allows. Then open is given the connection, with the response queued and what was agreed on, and puts a handler in
// the place of this one (carrier.Conn.Become), which it returns. The error is the *ws.Refusal that the client has been
// told.
func (x *Exchange) Upgrade(
	a *ws.Acceptor, allow func(ws.Agreement) *ws.Refusal, open func(carrier.Conn, ws.Agreement) carrier.Handler,
) error {
	x.settle()
	c := x.conn
	b := buffers.Get().(*buffer)
	var agreed ws.Agreement
	var err error
	b.bytes, agreed, err = a.Accept(b.bytes, &x.Request)
	if err == nil && allow != nil {
		if refusal := allow(agreed); refusal != nil {
			b.bytes, err = refusal.AppendResponse(b.bytes[:0]), refusal
		}
	}
	c.write(b)
	if err != nil {
		c.finish()
		return err
	}
	c.over = true
	x.next = open(c.conn, agreed)
	return nil
}

// HandOver gives the connection to net/http, with this request and what was read behind it. If the answers to earlier
// requests have not all left it waits for that, and the request is routed again then.
func (x *Exchange) HandOver() {
	x.settle()
	c := x.conn
	first := append(append(make([]byte, 0, len(x.head)+len(x.rest)), x.head...), x.rest...)
	if !c.quiet() {
		c.keep(x.Now, first, true)
		return
	}
	c.over = true
	router := c.router
	c.conn.Detach(func(nc net.Conn) { router.Take(nc, first) })
}
