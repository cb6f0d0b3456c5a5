// Package websocket is the server's side of a WebSocket connection (RFC 6455, with the compression of RFC 7692) on
// whatever carries its bytes. It begins behind the opening handshake, which internal/ws and internal/http1 do.
//
//	carrier ─► Conn.Data ─► ws.Reader ─► Receiver.Message … Conn.Write, Send, Reply ─► carrier ─► Conn.Encode ─► carrier
//
// Pings are answered, the closing handshake is kept and violations by the peer end the connection with the code that is
// due, without the Receiver's help. Frames are made, and messages compressed, where the carrier writes, so one payload can
// be queued to any number of connections. A connection that is idle has no buffer: its memory is the Conn, the Receiver
// and what compression with context takeover has to remember.
package websocket

import (
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// CloseWait is how long the peer may take to answer our Close frame before the connection ends without the answer (RFC
// 6455 §7.1.1 asks for a reasonable time).
const CloseWait = 5 * time.Second

// Receiver is what a connection is for. Its methods are never called at the same time, and none may wait for the peer.
type Receiver interface {
	// Alive says that bytes have come from the peer, whatever they are: a Pong, or a part of a message, counts as life
	// too. It is called before the methods below are, for each piece of input.
	Alive(now time.Time)

	// Message takes a whole message: op is ws.Text, and payload valid UTF-8, or ws.Binary. payload may be changed and is
	// valid during the call only. There are none behind a Close frame in either direction.
	Message(now time.Time, op ws.Opcode, payload []byte)

	// Deadline is when to call Expired, by the rules of carrier.Handler; the zero Time is never. Neither is called once
	// a Close frame has gone or come. A Receiver that does nothing in Expired has its connection closed without one.
	Deadline() time.Time
	Expired(now time.Time)

	// Closed says that the connection is gone, and how it has ended. It is called exactly once and last.
	Closed(end End)
}

// End is how a connection has ended.
type End struct {
	// Code and Reason are those of the peer's Close frame: ws.CodeNoStatus if it had none, ws.CodeAbnormal if the
	// connection was gone without a Close from the peer.
	Code   ws.Code
	Reason string
	// Violation: the peer has broken the protocol, and Code and Reason are what it was told.
	Violation bool
}

// Conn is a connection. Its methods for sending are safe from any goroutine, but for Write, and none waits for the
// network. Messages leave in the order in which they were queued; nothing leaves behind a Close frame.
//
// A Text must be valid UTF-8 and a control frame's payload at most ws.MaxControl bytes: nothing looks.
type Conn struct {
	conn     carrier.Conn
	receiver Receiver
	reader   ws.Reader
	state    atomic.Uint32
	done     bool // end was called: nothing that comes counts
	closed   bool // a Close frame is encoded: nothing may follow it; the writing side's
}

// States of a Conn.
const (
	open    = iota
	closing // our Close frame is queued
	ended   // nothing that the peer sends counts any more
)

var _ carrier.Handler = (*Conn)(nil)

// New makes a WebSocket of a connection on which agreed was settled in the opening handshake, within a method of the
// handler that has queued the response: it puts the Conn in that handler's place. A message of more than limit bytes,
// after inflating, ends the connection with ws.CodeTooBig. receive makes the Receiver, and may send already.
func New(conn carrier.Conn, agreed ws.Agreement, limit int, receive func(*Conn) Receiver) *Conn {
	c, h := prepare(conn, agreed, limit)
	conn.Become(h)
	c.receiver = receive(c)
	return c
}

// Wrap is New with a handler around that of the Conn, which wrap makes, for items that have to be changed before they
// become messages. It returns that handler.
func Wrap(
	conn carrier.Conn, agreed ws.Agreement, limit int, wrap func(carrier.Handler) carrier.Handler, receive func(*Conn) Receiver,
) carrier.Handler {
	c, h := prepare(conn, agreed, limit)
	h = wrap(h)
	conn.Become(h)
	c.receiver = receive(c)
	return h
}

func prepare(conn carrier.Conn, agreed ws.Agreement, limit int) (*Conn, carrier.Handler) {
	if agreed.Compressed {
		d := &deflated{deflater: ws.NewDeflater(ws.Server, agreed.Deflate)}
		d.conn, d.reader = conn, ws.NewReader(ws.Server, limit, ws.NewInflater(ws.Server, agreed.Deflate))
		return &d.Conn, d
	}
	c := &Conn{conn: conn, reader: ws.NewReader(ws.Server, limit, nil)}
	return c, c
}

// deflated is the handler of a connection that compresses.
type deflated struct {
	Conn
	deflater *ws.Deflater // the writing side's
}

// Encode is the carrier's.
func (d *deflated) Encode(dst []byte, item carrier.Item) []byte {
	if op := ws.Opcode(item.Kind); !op.Control() && !d.closed {
		return d.deflater.AppendMessage(dst, op, item.Bytes, nil)
	}
	return d.Conn.Encode(dst, item)
}

// Data is the carrier's.
func (c *Conn) Data(now time.Time, p []byte) {
	if c.done {
		return
	}
	c.receiver.Alive(now)
	for {
		ev, n, err := c.reader.Next(p)
		p = p[n:]
		if err != nil {
			bad := err.(*ws.Error)
			c.end(bad.Code, bad.Reason, End{bad.Code, bad.Reason, true})
			return
		}
		switch ev.Op {
		case ws.NoEvent:
			return
		case ws.Text, ws.Binary:
			if c.state.Load() == open {
				c.receiver.Message(now, ev.Op, ev.Data)
			}
		case ws.Ping:
			c.Write(ws.Pong, ev.Data) // §5.5.2
		case ws.Close:
			c.end(ev.Code, "", End{ev.Code, string(ev.Data), false}) // answered with its own code (§5.5.1)
			return
		}
	}
}

// end closes the connection behind a Close frame, unless one has gone before: then Encode drops this one. After it the
// TCP connection is closed from here, as the RFC prefers (§7.1.1).
func (c *Conn) end(code ws.Code, reason string, end End) {
	c.done = true
	c.receiver = &leaving{c.receiver, end}
	c.state.Store(ended)
	c.conn.Close(closeItem(code, reason))
}

// leaving is the Receiver of a connection whose end is known.
type leaving struct {
	Receiver
	end End
}

func (l *leaving) Closed(End) { l.Receiver.Closed(l.end) }

// Deadline is the carrier's.
func (c *Conn) Deadline() time.Time {
	if c.state.Load() != open {
		return time.Time{}
	}
	return c.receiver.Deadline()
}

// Expired is the carrier's.
func (c *Conn) Expired(now time.Time) {
	if c.state.Load() == open {
		c.receiver.Expired(now)
	}
}

// Encode is the carrier's.
func (c *Conn) Encode(dst []byte, item carrier.Item) []byte {
	if c.closed {
		return dst
	}
	op := ws.Opcode(item.Kind)
	c.closed = op == ws.Close
	return ws.AppendMessage(dst, op, item.Bytes, nil)
}

// Slow is the carrier's.
func (c *Conn) Slow() carrier.Item { return slow }

var slow = closeItem(ws.CodePolicy, "answers were not read")

// Closed is the carrier's.
func (c *Conn) Closed() {
	c.state.Store(ended)
	c.reader.Release()
	c.receiver.Closed(End{Code: ws.CodeAbnormal})
}

// Write queues a copy of a message that may not be dropped, like Reply. It is for use within the Receiver's methods only,
// and is the way to answer without an allocation.
func (c *Conn) Write(op ws.Opcode, payload []byte) { c.conn.Write(newItem(op, payload)) }

// Send queues a message. It returns false if the connection is closing, or if too much waits for the peer already: the
// message was not queued. payload may be given to many connections and is not to be changed any more.
func (c *Conn) Send(op ws.Opcode, payload []byte) bool {
	return c.state.Load() == open && c.conn.Send(newItem(op, payload))
}

// Reply queues a message that may not be dropped. A peer that reads so little that far too much waits for it is given up.
// payload may be given to many connections and is not to be changed any more.
func (c *Conn) Reply(op ws.Opcode, payload []byte) {
	if c.state.Load() == open {
		c.conn.Reply(newItem(op, payload))
	}
}

// SetLimit changes the limit of messages, in bytes, for those that have not begun. It is for use within the Receiver's
// methods only.
func (c *Conn) SetLimit(limit int) { c.reader.SetLimit(limit) }

// Ping asks the peer for a sign of life. It returns false like Send.
func (c *Conn) Ping() bool { return c.Send(ws.Ping, nil) }

// Pending is the number of bytes that wait for the peer.
func (c *Conn) Pending() int { return c.conn.Pending() }

// Drained is carrier.Conn's: f is called once when nothing waits for the peer any more.
func (c *Conn) Drained(f func()) { c.conn.Drained(f) }

// Close starts the closing handshake behind what is queued (RFC 6455 §7.1.2): no more messages in either direction, and
// the connection ends when the peer has answered or CloseWait is over. Only the first Close counts. What cannot be sent
// of code and reason is replaced by the rules of ws.AppendCloseBody.
func (c *Conn) Close(code ws.Code, reason string) {
	if c.state.CompareAndSwap(open, closing) {
		c.conn.Reply(closeItem(code, reason))
		// Not by Deadline: a carrier sees late that it has moved to an earlier moment.
		time.AfterFunc(CloseWait, func() { c.conn.Close(carrier.Item{}) })
	}
}

// Abort ends the connection at once, without a Close frame.
func (c *Conn) Abort() {
	c.state.Store(ended)
	c.conn.Abort()
}

func closeItem(code ws.Code, reason string) carrier.Item {
	return newItem(ws.Close, ws.AppendCloseBody(nil, code, reason))
}

// newItem makes sure that an item with an empty payload is one.
func newItem(op ws.Opcode, payload []byte) carrier.Item {
	if payload == nil {
		payload = []byte{}
	}
	return carrier.Item{Kind: byte(op), Bytes: payload}
}
