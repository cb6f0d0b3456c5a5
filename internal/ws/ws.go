// Package ws is the WebSocket protocol (RFC 6455) with permessage-deflate (RFC 7692) as functions over bytes: it opens
// no socket, reads no clock and starts no goroutine. Whoever owns the connection hands it the bytes that arrived and
// writes the bytes that it returns.
//
// The opening handshake of a server:
//
//	bytes → HeadReader.Next → Request.Parse → Acceptor.Accept → 101 and Agreement, or the bytes of a refusal
//
// and of a client:
//
//	Hello.AppendRequest → bytes → HeadReader.Next → Response.Parse → Hello.Verify → Agreement
//
// After it both sides read and write frames in the same way:
//
//	bytes → Reader.Next → Event (a whole message, Ping, Pong or Close), or *Error with the status code to close with
//	message → AppendMessage or Deflater.AppendMessage → bytes
//
// Closing follows the closing handshake. Payloads are unmasked where they lie, so the chunks handed to a Reader are
// changed by it; what an Event points at is valid until the next call of the Reader. Reading and writing messages that
// arrive whole allocates nothing; a message that arrives in parts is gathered in a pooled buffer, whose size is at most
// twice what has arrived and never more than the limit of the Reader allows.
package ws

import "fmt"

// Role is the side of the connection that this program plays: it decides who masks (RFC 6455 §5.1).
type Role uint8

const (
	Server Role = iota // accepts masked frames only
	Client             // accepts unmasked frames only
)

// Opcode says what a frame carries (RFC 6455 §5.2). The values that are not listed are reserved and refused.
type Opcode uint8

const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA

	// NoEvent is the Op of the zero Event. A continuation frame is never an event of its own.
	NoEvent = Continuation
)

// Control reports whether op belongs to the control frames (RFC 6455 §5.5), reserved ones included.
func (op Opcode) Control() bool { return op&0x8 != 0 }

func (op Opcode) reserved() bool { return op&0x7 > 0x2 }

// Error is a violation by the peer that fails the connection (RFC 6455 §7.1.7): send a Close frame with Code and Reason
// where that is still possible, then close the connection.
type Error struct {
	Code   Code
	Reason string // constant English text, short enough for a Close frame
}

func (e *Error) Error() string { return fmt.Sprintf("ws: %s (%d)", e.Reason, e.Code) }

func violation(reason string) *Error { return &Error{CodeProtocolError, reason} }
