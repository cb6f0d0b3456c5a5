package carrier

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// input is the reading half of a connection, the reader's alone.
type input struct {
	idle  []byte          // idleRead bytes, all that a silent connection keeps
	busy  *[busyRead]byte // while more comes
	last  time.Time       // when busy was last used
	armed time.Time       // the read deadline that is set, zero for none
	spent bool            // it has come: whatever is next has to be set
	rest  time.Time       // until when nothing is read; zero if it may be at once
}

// Serve carries a connection on this goroutine, for which it needs little of the stack, until it is gone or detached. raw
// is the connection of TCP or of a unix socket; rw is raw, or the TLS connection over it, whose handshake is over. open
// makes the handler.
func Serve(raw, rw net.Conn, limits *Limits, counters *Counters, open func(Conn) Handler) {
	c := &conn{raw: raw, rw: rw, limits: limits, counters: counters}
	first := open(c)
	if first == nil {
		_ = raw.Close()
		return
	}
	c.Become(first)
	c.in.idle = make([]byte, idleRead)

	err := c.read()
	switch {
	case err == nil: // this side ended it
	case errors.Is(err, io.EOF): // the peer has said all it had to say; what is queued can still reach it
		c.Close(Item{})
	default:
		c.abort(false)
	}
	if c.release() {
		return
	}
	c.sayLast()
	if err == nil {
		c.drain()
	}
	c.writer.Wait()
	_ = raw.Close()
	c.handler.Closed()
}

// release lets go of a connection that was detached. False: it was not.
func (c *conn) release() bool {
	c.mu.Lock()
	take := c.detached
	c.mu.Unlock()
	if take == nil {
		return false
	}
	c.writer.Wait() // for a Drained call
	_ = c.raw.SetDeadline(time.Time{})
	go take(c.rw) // on a new stack: the handler may have made this one deep
	return true
}

// read hands the handler what arrives until the connection is closing, which returns nil, or reading fails.
func (c *conn) read() error {
	defer c.letGo()
	for c.arm() {
		if room := c.paused(); room != nil {
			if !c.wait(room) {
				return nil
			}
			continue
		}
		buf := c.in.idle
		if c.in.busy != nil {
			buf = c.in.busy[:]
		}
		n, err := c.rw.Read(buf)
		now := time.Now()
		if n > 0 {
			c.counters.Received.Add(uint64(n))
			if !c.give(now, buf[:n]) {
				return nil
			}
			if c.in.busy == nil && n == len(buf) && c.in.rest.IsZero() {
				c.in.busy = busyReads.Get().(*[busyRead]byte)
			}
			c.in.last = now
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.in.spent = true
			if now.Sub(c.in.last) >= busyFor {
				c.letGo()
			}
			if !c.expire(now) {
				return nil
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// letGo lets go of the busy buffer.
func (c *conn) letGo() {
	if c.in.busy != nil {
		busyReads.Put(c.in.busy)
		c.in.busy = nil
	}
}

// give hands the handler a piece of input. False: the connection is closing.
func (c *conn) give(now time.Time, piece []byte) bool {
	if c.isClosing() {
		return false
	}
	c.cork()
	c.handler.Data(now, piece)
	if hostile {
		for i := range piece {
			piece[i] = 0xdb
		}
	}
	return c.uncork()
}

// arm sets the read deadline to the handler's, or to when the busy buffer is to be given back, unless an earlier one is
// set already: most deadlines move away with every piece, and looking again when the old one comes is cheaper than moving
// a timer each time. False: the connection is closing, and its deadline is not the handler's any more.
func (c *conn) arm() bool {
	deadline := c.handler.Deadline()
	if c.in.busy != nil {
		if until := c.in.last.Add(busyFor); deadline.IsZero() || until.Before(deadline) {
			deadline = until
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	earlier := !deadline.IsZero() && (c.in.armed.IsZero() || deadline.Before(c.in.armed))
	if earlier || c.in.spent {
		c.in.armed, c.in.spent = deadline, false
		_ = c.raw.SetReadDeadline(deadline)
	}
	return true
}

// expire calls the handler if its deadline has passed. It has not if the one that came was the busy buffer's, one that
// the handler has moved since, or the one that says that the connection is closing. False: it is.
func (c *conn) expire(now time.Time) bool {
	due := func() bool {
		deadline := c.handler.Deadline()
		return !deadline.IsZero() && !now.Before(deadline)
	}
	if c.isClosing() {
		return false
	}
	if !due() {
		return true
	}
	c.cork()
	c.handler.Expired(now)
	if !c.uncork() {
		return false
	}
	if due() {
		c.Close(Item{})
		return false
	}
	return true
}

// paused returns a channel that is closed when reading may go on, nil if it may now.
func (c *conn) paused() <-chan struct{} {
	if !c.in.rest.IsZero() && !time.Now().Before(c.in.rest) {
		c.in.rest = time.Time{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	full := c.limits.Pause > 0 && c.pending > c.limits.Pause
	if c.closing || !full && c.in.rest.IsZero() {
		return nil
	}
	c.room = make(chan struct{})
	return c.room
}

// wait waits until reading may go on, but no longer than to the end of a rest, if there is one, or the handler's deadline.
// False: the connection is closing.
func (c *conn) wait(room <-chan struct{}) bool {
	c.letGo()
	deadline, rest := c.handler.Deadline(), c.in.rest
	if deadline.IsZero() || !rest.IsZero() && rest.Before(deadline) {
		deadline = rest
	}
	if deadline.IsZero() {
		<-room
		return !c.isClosing()
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-room:
		return !c.isClosing()
	case <-timer.C:
		return c.expire(time.Now())
	}
}

// sayLast queues the last item to a peer that did not read its answers.
func (c *conn) sayLast() {
	c.mu.Lock()
	slow := c.slow
	c.mu.Unlock()
	if !slow {
		return
	}
	last := c.handler.Slow()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slow { // not aborted meanwhile
		c.slow = false
		if last.Bytes != nil {
			c.push(entry{Item: last, handler: c.handler})
		}
		c.startWriter()
	}
}

// drain throws away what the peer still sends, until it ends its half or its time is over. A socket that is closed
// with unread input is reset, and the reset overtakes the last item (RFC 1122 §4.2.2.13).
func (c *conn) drain() {
	c.mu.Lock()
	c.draining = true
	_ = c.raw.SetReadDeadline(c.drainBy)
	c.mu.Unlock()
	for {
		_, err := c.raw.Read(c.in.idle)
		switch {
		case errors.Is(err, io.EOF):
			return // what is queued may still be read
		case err != nil:
			_ = c.raw.Close()
			return
		}
	}
}

// busyReads holds the buffers of readers that find more than an idle connection's holds.
var busyReads = sync.Pool{New: func() any { return new([busyRead]byte) }}
