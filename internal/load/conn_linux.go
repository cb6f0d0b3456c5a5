package load

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan/internal/ws"
)

// A conn is one connection. It walks the script of its run; positions in it stand for the messages.
type conn struct {
	fd     int
	phase  phase
	hello  uint8 // which of the engine's
	out    int   // position in script.sent of the next byte to send
	owed   int   // bytes from there on that are to be sent and were not accepted yet
	in     int   // position in script.want of the next byte to come
	flying int   // messages whose answers have not come
	oldest int   // of them: where its time stands in the run's ring of this connection
	began  int64 // when it was dialled
	aside  *aside
}

type phase uint8

const (
	closed phase = iota
	dialling
	greeting
	open
)

// aside is what few connections need and only for a moment: a head in parts, or what is not in the script.
type aside struct {
	head   ws.HeadReader
	reader *ws.Reader // while the server says something that the script does not have in this form
	edge   bool       // the reader stands between two frames
	pong   []byte     // to be sent between two frames
}

// maxPongs is how many bytes of pongs may wait for a server that does not read.
const maxPongs = 64 << 10

var errCut = errors.New("the server closed the connection")

// push queues k further messages and sends what the socket takes.
func (e *engine) push(c *conn, k int) error {
	c.owed += k * e.script.sentLen
	c.flying += k
	return e.flush(c)
}

// flush sends what is owed as far as the socket takes it; the rest waits for the socket to become writable.
func (e *engine) flush(c *conn) error {
	if c.aside != nil && len(c.aside.pong) > 0 {
		return e.flushPong(c)
	}
	_, err := e.flushScript(c, c.owed)
	return err
}

// flushPong sends a pong behind the frame under way, and then the rest.
func (e *engine) flushPong(c *conn) error {
	if done, err := e.flushScript(c, c.owed%e.script.sentLen); !done || err != nil {
		return err
	}
	n, err := writeSome(c.fd, c.aside.pong)
	if c.aside.pong = c.aside.pong[n:]; len(c.aside.pong) > 0 || err != nil {
		return err
	}
	_, err = e.flushScript(c, c.owed)
	return err
}

// flushScript sends n of the bytes that are owed, and reports whether the socket took them all.
func (e *engine) flushScript(c *conn, n int) (done bool, err error) {
	if n == 0 {
		return true, nil
	}
	wrote, err := writeSome(c.fd, e.script.sent[c.out:c.out+n])
	c.out = (c.out + wrote) % (e.script.messages * e.script.sentLen)
	c.owed -= wrote
	return wrote == n, err
}

// serve sends what is owed if there is room again, takes what has come, and returns how many messages ended in it.
func (e *engine) serve(c *conn, events uint32) (ended int, err error) {
	if events&unix.EPOLLOUT != 0 && (c.owed > 0 || c.aside != nil) {
		if err := e.flush(c); err != nil {
			return 0, err
		}
	}
	if events&^unix.EPOLLOUT == 0 {
		return 0, nil
	}
	return e.receive(c, events)
}

// receive reads what there is, compares it with what has to come, and returns how many messages ended in it.
func (e *engine) receive(c *conn, events uint32) (ended int, err error) {
	for {
		n, errno := readSome(c.fd, e.buf)
		switch {
		case errno == unix.EAGAIN:
			return ended, nil
		case errno != 0:
			return ended, fmt.Errorf("reading: %w", errno)
		case n == 0:
			return ended, errCut
		}
		k, err := e.take(c, e.buf[:n])
		ended += k
		if err != nil || n < len(e.buf) && events&unix.EPOLLRDHUP == 0 {
			return ended, err
		}
	}
}

// take compares b with what has to come and returns how many messages ended in it.
func (e *engine) take(c *conn, b []byte) (ended int, err error) {
	e.checked += int64(len(b))
	for len(b) > 0 {
		if c.aside != nil && c.aside.reader != nil {
			if !c.aside.edge || b[0] != e.script.want[c.in] {
				n, k, err := e.decode(c, b)
				ended += k
				if err != nil {
					return ended, err
				}
				b = b[n:]
				continue
			}
			c.aside.reader = nil
		}
		next, k, n := e.script.match(c.in, b)
		c.in = next
		ended += k
		e.moved = e.moved || n > 0
		if b = b[n:]; len(b) == 0 {
			break
		}
		if start := c.in % e.script.wantLen; e.to.raw || start != 0 || b[0] == e.script.want[c.in] {
			return ended, fmt.Errorf("wrong bytes in answer %d of its ring, from byte %d of the frame on: % x",
				c.in/e.script.wantLen, start, b[:min(len(b), 32)])
		}
		// Another kind of frame begins here: part of a fragmented message, or a control frame.
		r := ws.NewReader(ws.Client, MaxSize, nil)
		if c.aside == nil {
			c.aside = new(aside)
		}
		c.aside.reader, c.aside.edge = &r, false
	}
	if c.flying -= ended; c.flying < 0 && e.answers {
		return ended, errors.New("more answers than messages")
	}
	return ended, nil
}

// decode gives b to the reader of c, up to the end of the next message or control frame, and returns the bytes used.
func (e *engine) decode(c *conn, b []byte) (n, ended int, err error) {
	ev, n, err := c.aside.reader.Next(b)
	if err != nil {
		return n, 0, err
	}
	c.aside.edge = ev.Op != ws.NoEvent
	switch ev.Op {
	case ws.Text, ws.Binary:
		if ev.Op != e.script.op || !bytes.Equal(ev.Data, e.script.payload(c.in)) {
			return n, 0, fmt.Errorf("wrong answer %d of its ring: type %d, %d bytes", c.in/e.script.wantLen, ev.Op, len(ev.Data))
		}
		c.in = (c.in + e.script.wantLen) % len(e.script.want)
		c.aside.reader.Release()
		c.aside.reader, e.moved = nil, true
		return n, 1, nil
	case ws.Ping:
		if len(c.aside.pong) > maxPongs {
			return n, 0, errors.New("the server sends pings and reads no pongs")
		}
		key := ws.Key(e.random.Uint64())
		c.aside.pong = ws.AppendMessage(c.aside.pong, ws.Pong, ev.Data, &key)
		return n, 0, e.flush(c)
	case ws.Close:
		return n, 0, fmt.Errorf("the server closed the WebSocket: %d %q", ev.Code, ev.Data)
	}
	return n, 0, nil
}
