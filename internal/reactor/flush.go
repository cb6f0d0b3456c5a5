//go:build linux

package reactor

import (
	"math"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// flush writes what is queued, as far as the socket takes it, and does what is to be done when nothing is left.
func (c *conn) flush() {
	c.mu.Lock()
	c.dirty = false
	o, closing := c.out, c.closing
	aborted := o != nil && o.aborted
	// The common case, which should take the lock no more often than it must.
	items := o != nil && !closing && o.hasItems() && c.flags&(full|broken|gone) == 0
	if items {
		c.takeBatch(o)
	}
	c.mu.Unlock()
	if items {
		c.encodeBatch()
	}
	switch {
	case o == nil || c.flags&gone != 0:
		return
	case aborted || c.flags&broken != 0:
		c.destroy(reset)
		return
	case closing && !o.last:
		o.last = true
		c.giveUpAfter(o, c.limits().Flush)
	}
	for c.flags&(full|broken) == 0 && c.flushSome(o) {
	}
	switch {
	case c.flags&broken != 0:
		c.destroy(reset)
	case c.flags&gone == 0:
		c.readOn()
	}
}

// flushSome does the next piece of work of flush. False: there is none at present, and o may be gone.
func (c *conn) flushSome(o *output) bool {
	if len(o.rest) > 0 {
		c.writeRest(o)
		return true
	}
	if o.file != nil {
		return c.sendFile(o, o.file)
	}
	c.mu.Lock()
	o.taken = 0
	switch {
	case len(o.entries) > 0 && o.entries[0].file != nil:
		o.file = o.entries[0].file
		o.shift(1)
		c.mu.Unlock()
	case o.hasItems():
		c.takeBatch(o)
		c.mu.Unlock()
		c.encodeBatch()
	case o.slow:
		o.slow = false
		c.mu.Unlock()
		if item := c.handler.Slow(); item.Bytes != nil {
			c.loop.batch = append(c.loop.batch, entry{Item: item})
			c.encodeBatch()
		}
	case o.drained != nil:
		f := o.drained
		o.drained = nil
		c.mu.Unlock()
		f()
	case c.closing:
		c.mu.Unlock()
		c.finish(o)
		return false
	default:
		c.out = nil
		c.busy.Store(false)
		c.mu.Unlock()
		o.release()
		return false
	}
	return true
}

// takeBatch moves entries that go into one write to the loop's batch. Under mu.
func (c *conn) takeBatch(o *output) {
	n, size := 0, 0
	for n < len(o.entries) && o.entries[n].file == nil && size < writeSize {
		size += len(o.entries[n].Bytes)
		n++
	}
	c.loop.batch = append(c.loop.batch, o.entries[:n]...)
	o.shift(n)
	o.taken = size + n*carrier.ItemCost
	o.queued -= o.taken
}

func (c *conn) encodeBatch() {
	l := c.loop
	l.use(c)
	for _, e := range l.batch {
		h := e.handler
		if h == nil {
			h = c.handler
		}
		l.out = h.Encode(l.out, e.Item)
	}
	clear(l.batch)
	l.batch = l.batch[:0]
	c.flushBuffer()
}

// flushBuffer writes the loop's output buffer, which holds c's. What the socket does not take becomes c's rest.
func (c *conn) flushBuffer() {
	l := c.loop
	b := l.out
	l.out, l.holder = b[:0], nil
	if cap(b) > 4*writeSize { // one large item must not stay
		l.out = make([]byte, 0, writeSize+writeSize/4)
	}
	if n := c.write(b); n < len(b) && c.flags&broken == 0 {
		c.keep(append(c.rest(), b[n:]...))
	}
}

// rest returns what waits before everything else.
func (c *conn) rest() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue().rest
}

// keep sets the rest.
func (c *conn) keep(rest []byte) {
	c.mu.Lock()
	o := c.queue()
	o.rest, o.unsent, o.taken = rest, len(rest), 0
	c.mu.Unlock()
	if o.by == 0 {
		c.giveUpAfter(o, c.limits().Write)
	}
}

func (c *conn) writeRest(o *output) {
	n := c.write(o.rest)
	if n == 0 {
		return
	}
	rest := o.rest[n:]
	if len(rest) == 0 {
		rest = nil
	}
	c.mu.Lock()
	o.rest, o.unsent = rest, len(rest)
	c.mu.Unlock()
	c.progress(o, len(rest) == 0)
}

// progress says that the socket has taken something, and whether that was all it was given.
func (c *conn) progress(o *output, all bool) {
	switch {
	case o.last:
	case all:
		o.by = 0
	default:
		c.giveUpAfter(o, c.limits().Write)
	}
}

// write writes b and returns how much of it was taken, with the flags full or broken if not all of it was.
func (c *conn) write(b []byte) (n int) {
	for n < len(b) && c.flags&(full|broken) == 0 {
		taken, e := write(int(c.fd), b[n:])
		switch {
		case e == unix.EINTR:
		case e == unix.EAGAIN:
			c.flags |= full
		case e != 0:
			c.flags |= broken
		default:
			n += taken
			c.loop.sent += uint64(taken)
		}
	}
	return n
}

// sendFile sends a part of the file whose turn it is. False: there is no more to do at present.
func (c *conn) sendFile(o *output, f *file) bool {
	if f.left > 0 {
		n, err := unix.Sendfile(int(c.fd), int(f.Fd()), &f.offset, int(min(f.left, fileSize)))
		switch {
		case err == unix.EINTR:
			return true
		case err == unix.EAGAIN:
			c.flags |= full
			if o.by == 0 {
				c.giveUpAfter(o, c.limits().Write)
			}
			return false
		case err != nil || n == 0: // the file is shorter than the peer has been told
			c.flags |= broken
			return false
		}
		c.loop.sent += uint64(n)
		f.left -= int64(n)
		c.progress(o, f.left == 0)
	}
	if f.left > 0 { // the others' turn
		c.mu.Lock()
		c.touch()
		c.mu.Unlock()
		return false
	}
	o.file = nil
	_ = f.Close()
	return true
}

// finish ends this side's half, behind everything that was queued. A socket that is closed with unread input is reset,
// and the reset overtakes the last item (RFC 1122 §4.2.2.13): input is thrown away until the peer has ended its half too.
func (c *conn) finish(o *output) {
	if c.flags&peerDone != 0 {
		c.destroy(hangUp)
		return
	}
	if c.flags&halfDone == 0 {
		c.flags |= halfDone
		c.wakeUp()
		_ = unix.Shutdown(int(c.fd), unix.SHUT_WR)
		c.giveUpAfter(o, c.limits().Linger)
	}
}

// read gives the handler what has come. toEnd: the peer may have ended its half, of which no further event tells.
func (c *conn) read(toEnd bool) {
	l := c.loop
	in := l.in
	if c.flags&rested != 0 {
		in = in[:restedSize]
	}
	for {
		if c.flags&(heldUp|resting) != 0 {
			c.flags |= unread
			return
		}
		n, e := read(int(c.fd), in)
		switch {
		case e == unix.EINTR:
			continue
		case e == unix.EAGAIN:
			return
		case e != 0:
			c.destroy(hangUp)
			return
		case n == 0:
			c.peerEnded()
			return
		}
		l.received += uint64(n)
		c.data(in[:n])
		switch {
		case c.flags&gone != 0:
			return
		case n == len(in): // the others' turn
			c.readLater()
			return
		case !toEnd:
			return
		}
	}
}

func (c *conn) readLater() {
	if c.flags&unread == 0 {
		c.flags |= unread
		c.loop.again = append(c.loop.again, c)
	}
}

// data hands p to the handler, unless the connection is closing and its input is thrown away.
func (c *conn) data(p []byte) {
	if c.busy.Load() && c.isClosing() {
		return
	}
	c.handler.Data(c.loop.now, p)
	if hostile {
		for i := range p {
			p[i] = 0xDB
		}
	}
	c.settle()
}

func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// settle does what a call of the handler has left to do.
func (c *conn) settle() {
	l := c.loop
	if l.detach != nil {
		take := l.detach
		l.detach = nil
		if !c.isClosing() {
			c.hand(take)
			return
		}
	}
	if l.holder == c {
		c.flushBuffer()
	}
	if c.flags&broken != 0 {
		c.destroy(reset)
		return
	}
	if limit := c.limits().Pause; limit > 0 && c.busy.Load() && c.Pending() > limit {
		c.flags |= heldUp
	}
	c.arm()
}

// readOn reads again when enough of what was queued is gone.
func (c *conn) readOn() {
	if c.flags&heldUp == 0 || c.Pending() > c.limits().Pause/2 {
		return
	}
	c.readAfter(heldUp)
}

// readAfter reads again when what kept the connection from being read is over.
func (c *conn) readAfter(kept flags) {
	c.flags &^= kept | unread
	c.readLater()
}

// wakeUp ends a rest.
func (c *conn) wakeUp() {
	if c.flags&resting != 0 {
		delete(c.loop.rests, c)
		c.readAfter(resting)
	}
}

// peerEnded is the end of the peer's half: it has said all it had to say, and what is queued can still reach it.
func (c *conn) peerEnded() {
	c.flags |= peerDone
	if c.flags&halfDone != 0 {
		c.destroy(hangUp)
		return
	}
	c.Close(carrier.Item{})
}

// giveUpAfter sets the moment at which what is being waited for is given up.
func (c *conn) giveUpAfter(o *output, d time.Duration) {
	o.by = max(c.loop.tickAfter(c.loop.now.Add(d)), 1)
	c.armAt(o.by)
}

// arm sees to it that expire is called when the next deadline comes. A deadline that has moved away is looked at when the
// one before comes: most do so with every piece of input.
func (c *conn) arm() {
	if c.busy.Load() && c.isClosing() {
		return
	}
	if d := c.handler.Deadline(); !d.IsZero() {
		c.armAt(c.loop.tickAfter(d))
	}
}

func (c *conn) armAt(due uint32) {
	if c.timer.slot == 0 || before(due, c.timer.due) {
		c.loop.wheel.set(c, due)
	}
}

// tickAfter is a tick that begins at t or up to two ticks later, or one as far away as ticks can be compared.
func (l *loop) tickAfter(t time.Time) uint32 {
	ahead := (t.Sub(l.now) + tick - 1) / tick
	return l.tick(l.now) + 1 + uint32(min(max(ahead, 0), math.MaxInt32/2))
}

// expire is called when a deadline may have come.
func (l *loop) expire(c *conn) {
	c.mu.Lock()
	o, closing := c.out, c.closing
	c.mu.Unlock()
	if o != nil && o.by != 0 {
		if !before(l.wheel.now, o.by) {
			c.expireOutput(o)
			return
		}
		c.armAt(o.by)
	}
	if closing {
		return
	}
	if c.flags&resting != 0 {
		if before(l.wheel.now, l.rests[c]) {
			c.armAt(l.rests[c])
		} else {
			c.wakeUp()
		}
	}
	due := func() bool {
		d := c.handler.Deadline()
		return !d.IsZero() && !l.now.Before(d)
	}
	if due() {
		c.handler.Expired(l.now)
		if due() {
			c.Close(carrier.Item{})
		}
	}
	c.settle()
}

// expireOutput ends a connection whose peer takes nothing, or does not go.
func (c *conn) expireOutput(o *output) {
	switch {
	case c.flags&halfDone != 0:
		c.destroy(hangUp)
	case o.last:
		c.destroy(reset)
	default:
		c.loop.r.cfg.Counters.Stuck.Add(1)
		c.destroy(reset)
	}
}

// hand gives the connection away.
func (c *conn) hand(take func(net.Conn)) {
	l := c.loop
	c.forget()
	l.poll.remove(int(c.fd))
	raw, err := l.r.spares.netConn(int(c.fd))
	if err != nil { // for want of a descriptor
		l.r.cfg.Log.Warn("a connection cannot be handed on", "error", err)
		c.handler.Closed()
		return
	}
	go take(raw)
}

// destroy is the end of a connection.
func (c *conn) destroy(end func(fd int) error) {
	c.forget()
	_ = end(int(c.fd))
	c.handler.Closed()
}

// forget takes the connection out of the loop.
func (c *conn) forget() {
	l := c.loop
	c.flags |= gone
	l.wheel.cancel(c)
	delete(l.rests, c)
	l.conns[c.fd] = nil
	l.count--
	if l.holder == c {
		l.holder, l.out = nil, l.out[:0]
	}
	c.mu.Lock()
	o := c.out
	c.out, c.closing = nil, true
	c.busy.Store(true) // so that a Write under way looks at closing
	c.mu.Unlock()
	if o != nil {
		o.release()
	}
}
