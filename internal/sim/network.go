package sim

import (
	"time"

	"github.com/hongyan-im/hongyan/internal/session"
	"github.com/hongyan-im/hongyan/wire"
)

// maxBacklog is how many frames may be on their way to a device before its link takes no further notification.
const maxBacklog = 8

// conn is one connection: two directions, each of which keeps its order, and the session at the far end. It breaks in
// the ways in which TCP does.
type conn struct {
	w       *world
	d       *device
	session *session.Session
	server  *server

	up, down direction
	drained  func()
	closed   bool // for the server
}

// direction is one half of a conn.
type direction struct {
	last    time.Time // when the newest frame arrives
	backlog int
	dead    bool // what is sent vanishes: half-open, or cut
}

// net is what all connections have in common.
type net struct {
	slowest time.Duration
	// blocked is until when a device's packets do not get through.
	blocked map[*device]time.Time
}

// push plans the arrival of a frame, behind those before it.
func (c *conn) push(half *direction, arrive func()) {
	at := c.w.now.Add(c.w.between(time.Millisecond, c.server.net.slowest))
	if until := c.server.net.blocked[c.d]; until.After(at) {
		at = until
	}
	if at.Before(half.last) {
		at = half.last
	}
	half.last = at
	half.backlog++
	c.w.at(at, func() {
		half.backlog--
		if !half.dead {
			arrive()
		}
		if f := c.drained; f != nil && half == &c.down && half.backlog < maxBacklog {
			c.drained = nil
			f()
		}
	})
}

// request sends a frame of the device.
func (c *conn) request(frame []byte) {
	c.push(&c.up, func() {
		if c.closed || c.server.down {
			return
		}
		f, n, err := wire.ParseFrame(frame, c.session.Limit())
		if err != nil || n != len(frame) {
			c.session.Broken(c.w.now, err)
			return
		}
		c.server.planted.peek(c.server.process, f)
		c.session.Alive(c.w.now)
		c.session.Frame(c.w.now, f)
	})
}

// Send implements session.Link.
func (c *conn) Send(frame []byte) bool {
	if c.down.backlog >= maxBacklog {
		return false
	}
	c.Reply(frame)
	return true
}

// Reply implements session.Link.
func (c *conn) Reply(frame []byte) {
	if c.closed {
		return
	}
	if frame = c.server.planted.frame(c, frame); frame == nil {
		return
	}
	c.push(&c.down, func() { c.d.frame(c, frame) })
}

// Drained implements session.Link.
func (c *conn) Drained(f func()) {
	if c.down.backlog < maxBacklog {
		c.w.after(0, f)
		return
	}
	c.drained = f
}

// Close implements session.Link.
func (c *conn) Close(frame []byte) {
	if c.closed {
		return
	}
	c.Reply(frame)
	c.end()
	c.push(&c.down, func() { c.d.lost(c, errClosed) })
}

// end ends the server's side. Its session is told after it has returned.
func (c *conn) end() {
	if c.closed {
		return
	}
	c.closed = true
	delete(c.server.conns, c)
	c.w.after(0, c.session.Closed)
}

// cut breaks the connection. Each side notices by itself, and what is on its way is lost.
func (c *conn) cut() {
	c.up.dead, c.down.dead = true, true
	c.w.after(c.w.between(0, 3*time.Second), func() { c.d.lost(c, errReset) })
	if !c.closed {
		c.w.after(c.w.between(0, 3*time.Second), c.end)
	}
}

// leave breaks the connection at the server's end, where nobody is left. What was sent still arrives.
func (c *conn) leave() {
	c.closed, c.up.dead = true, true
	c.push(&c.down, func() { c.d.lost(c, errReset) })
}

// watch ends the connection when the session's deadline has passed.
func (c *conn) watch() {
	if c.closed {
		return
	}
	if !c.w.now.Before(c.session.Deadline()) {
		c.session.Expired(c.w.now)
	}
	if !c.closed {
		c.w.at(c.session.Deadline(), c.watch)
	}
}
