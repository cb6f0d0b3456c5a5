package server

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/ws"
	"github.com/hongyan-im/hongyan/wire"
)

// Kind says what a message is.
type Kind uint8

// Kinds of messages. A WebSocket carries the first two, a TCP connection frames.
const (
	Text   Kind = Kind(ws.Text)   // valid UTF-8, which is not checked on the way out
	Binary Kind = Kind(ws.Binary) // any bytes
	Frame  Kind = 3               // of the long link, with the operation and sequence of its header
)

// Message is what comes and goes. Op and Seq are those of a Frame.
type Message struct {
	Kind    Kind
	Op, Seq uint32
	Data    []byte
}

// End is how a connection has ended.
type End struct {
	// Code and Reason are those of the peer's Close frame: 1005 if it named none, 1006 if the connection was gone without
	// one, as it always is with TCP. After a violation by the peer they are what it was told.
	Code   int
	Reason string
}

// Conn is a connection. Its methods are safe from any goroutine but for Write, and none waits for the network. Messages
// leave in the order in which they were queued. Until Config.Open has let a WebSocket in, Send refuses and the others do
// nothing, so that Open may already show the Conn to other goroutines.
type Conn struct {
	// Value is yours. Only the functions of Config may use it without a lock of your own: those of one connection are
	// never called at the same time.
	Value any

	server  *Server
	link    *frames                        // nil for WebSocket
	socket  atomic.Pointer[websocket.Conn] // nil for TCP, and for a WebSocket until Config.Open has let it in
	seen    uint32                         // when the peer was last heard, in seconds since the server's start
	refused bool
}

// frames is what a connection over TCP is written to. It is behind a pointer because WebSockets are many.
type frames struct{ gate.Link }

// Write queues a copy of a message, which may not be dropped. It is for use within Config.Message only, and the way to
// answer without an allocation. A peer that does not read its answers is not read from either, until it does.
func (c *Conn) Write(m Message) {
	if c.link != nil {
		c.link.Reply(frame(m))
		return
	}
	c.socket.Load().Write(ws.Opcode(m.Kind), m.Data)
}

// Send queues a message. It returns false if the connection has ended, or if more than Config.MaxQueue waits for the peer
// already: the message was not queued, and what becomes of it is your verdict. m.Data may be sent to many connections and
// must not be changed any more.
func (c *Conn) Send(m Message) bool {
	if c.link != nil {
		return c.link.Send(frame(m))
	}
	socket := c.socket.Load()
	return socket != nil && socket.Send(ws.Opcode(m.Kind), m.Data)
}

// frame is m as it goes over TCP.
func frame(m Message) []byte {
	return wire.AppendFrame(make([]byte, 0, wire.HeaderSize+len(m.Data)), wire.Frame{Op: wire.Op(m.Op), Seq: m.Seq, Body: m.Data})
}

// Ping asks the peer of a WebSocket for a sign of life. Config.Idle counts it when it comes.
func (c *Conn) Ping() {
	if socket := c.socket.Load(); socket != nil {
		socket.Ping()
	}
}

// Close ends the connection behind what is queued: a WebSocket by the closing handshake with code and reason, of which
// TCP knows nothing. Only the first Close counts.
func (c *Conn) Close(code int, reason string) {
	if c.link != nil {
		c.link.Close(nil)
		return
	}
	if socket := c.socket.Load(); socket != nil {
		socket.Close(ws.Code(code), reason)
	}
}

// Pending is the number of bytes that wait for the peer.
func (c *Conn) Pending() int {
	if c.link != nil {
		return c.link.Pending()
	}
	if socket := c.socket.Load(); socket != nil {
		return socket.Pending()
	}
	return 0
}

// Drained calls f once, on another goroutine, when nothing waits for the peer any more; never if the connection ends
// before. It is meant for after a refused Send, and must not wait.
func (c *Conn) Drained(f func()) {
	if c.link != nil {
		c.link.Drained(f)
		return
	}
	if socket := c.socket.Load(); socket != nil {
		socket.Drained(f)
	}
}

// alive notes that the peer was heard.
func (c *Conn) alive(now time.Time) { c.seen = uint32(now.Sub(c.server.start) / time.Second) }

func (c *Conn) deadline() time.Time {
	// The second that is counted may have been over almost when the peer was heard.
	return c.server.start.Add(time.Duration(c.seen+1)*time.Second + c.server.cfg.Idle)
}

func (c *Conn) message(m Message) { c.server.cfg.Message(c, m) }

func (c *Conn) failed(err error) {
	if f := c.server.cfg.Error; f != nil {
		f(c, err)
	}
}

func (c *Conn) ended(end End) {
	if f := c.server.cfg.Close; f != nil && !c.refused {
		f(c, end)
	}
}

// receiver is a Conn as its WebSocket sees it.
type receiver Conn

func (r *receiver) Alive(now time.Time) { (*Conn)(r).alive(now) }

func (r *receiver) Message(_ time.Time, op ws.Opcode, payload []byte) {
	(*Conn)(r).message(Message{Kind: Kind(op), Data: payload})
}

func (r *receiver) Deadline() time.Time { return (*Conn)(r).deadline() }

func (r *receiver) Expired(time.Time) {
	r.socket.Load().Close(ws.CodeGoingAway, "nothing was heard for too long")
}

func (r *receiver) Closed(end websocket.End) {
	if end.Violation {
		(*Conn)(r).failed(fmt.Errorf("server: %s (%d)", end.Reason, end.Code))
	}
	(*Conn)(r).ended(End{int(end.Code), end.Reason})
}

// session is a Conn as its TCP connection sees it.
type session Conn

func (s *session) Limit() int { return wire.HeaderSize + s.server.cfg.MaxMessage }

// Rest is gate.Session's: what a peer may ask for is the application's business.
func (s *session) Rest() time.Time { return time.Time{} }

func (s *session) Alive(now time.Time) { (*Conn)(s).alive(now) }

func (s *session) Frame(_ time.Time, f wire.Frame) {
	(*Conn)(s).message(Message{Kind: Frame, Op: uint32(f.Op), Seq: f.Seq, Data: f.Body})
}

func (s *session) Broken(_ time.Time, err error) { (*Conn)(s).failed(err) }

func (s *session) Deadline() time.Time { return (*Conn)(s).deadline() }

func (s *session) Expired(time.Time) { s.link.Close(nil) }

func (s *session) Closed() { (*Conn)(s).ended(End{Code: int(ws.CodeAbnormal)}) }
