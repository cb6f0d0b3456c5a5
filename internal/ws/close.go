package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// Code is the status code of a Close frame (RFC 6455 §7.4).
type Code uint16

const (
	CodeNormal           Code = 1000
	CodeGoingAway        Code = 1001 // server shuts down, page is left
	CodeProtocolError    Code = 1002
	CodeUnsupported      Code = 1003 // this type of data is not accepted
	CodeNoStatus         Code = 1005 // stands for a Close without a body; never sent
	CodeAbnormal         Code = 1006 // stands for a connection that ended without a Close; never sent
	CodeInvalidData      Code = 1007 // text that is not UTF-8, a payload that does not inflate
	CodePolicy           Code = 1008
	CodeTooBig           Code = 1009
	CodeMissingExtension Code = 1010 // sent by clients only
	CodeInternalError    Code = 1011
	CodeServiceRestart   Code = 1012
	CodeTryAgainLater    Code = 1013
	CodeBadGateway       Code = 1014
	CodeTLSHandshake     Code = 1015 // stands for a failed TLS handshake; never sent
)

// Valid reports whether a Close frame may carry c: the codes of RFC 6455 §7.4.1 that are not reserved, the three that
// were registered later (1012 to 1014), and the ranges for applications, 3000 to 4999.
func (c Code) Valid() bool {
	switch {
	case c >= 3000:
		return c <= 4999
	case c >= CodeInvalidData:
		return c <= CodeBadGateway
	default:
		return c >= CodeNormal && c <= CodeUnsupported
	}
}

// maxReason is the longest reason of a Close frame in bytes.
const maxReason = MaxControl - 2

var (
	errCloseBody   = violation("Close frame with half a status code")
	errCloseCode   = violation("Close frame with an illegal status code")
	errCloseReason = &Error{CodeInvalidData, "Close frame with a reason that is not UTF-8"}
)

// parseClose reads the payload of a Close frame (RFC 6455 §5.5.1).
func parseClose(p []byte) (code Code, reason []byte, bad *Error) {
	switch {
	case len(p) == 0:
		return CodeNoStatus, nil, nil
	case len(p) == 1:
		return 0, nil, errCloseBody
	}
	code, reason = Code(binary.BigEndian.Uint16(p)), p[2:]
	if !code.Valid() {
		return 0, nil, errCloseCode
	}
	if utf8Whole.next(reason) != utf8Whole {
		return 0, nil, errCloseReason
	}
	return code, reason, nil
}

// AppendCloseBody appends the payload of a Close frame, at most MaxControl bytes (RFC 6455 §5.5.1): none for CodeNoStatus.
// A code that must not be on the wire (Valid is false) becomes CodeInternalError; of a reason longer than a frame holds,
// or of one that is not UTF-8, the longest good part from the start is appended.
func AppendCloseBody(dst []byte, code Code, reason string) []byte {
	if code == CodeNoStatus {
		return dst
	}
	if !code.Valid() {
		code = CodeInternalError
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(code)), goodReason(reason)...)
}

// Closing follows the closing handshake of one connection (RFC 6455 §7.1): it lets one Close frame out, answers the
// peer's, and says when no more may be sent and when the connection is to be closed. The zero value is an open
// connection. The keys are those of AppendMessage: nil for a server, a fresh one for a client.
type Closing struct {
	sent, received bool
}

// Open reports whether messages may still be sent: not after a Close frame in either direction (§5.5.1, §6.1).
func (c *Closing) Open() bool { return !c.sent && !c.received }

// Done reports whether a Close frame has gone in both directions. A server then closes the TCP connection at once, a
// client waits a reasonable time for the server to do so (§7.1.1).
func (c *Closing) Done() bool { return c.sent && c.received }

// Start appends a Close frame with the body that AppendCloseBody makes of code and reason and begins the closing
// handshake; it appends nothing if a Close has been sent before.
func (c *Closing) Start(dst []byte, code Code, reason string, key *Key) []byte {
	if c.sent {
		return dst
	}
	c.sent = true
	var body [MaxControl]byte
	return AppendMessage(dst, Close, AppendCloseBody(body[:0], code, reason), key)
}

// Answer notes that the Close event ev has come and, unless a Close has been sent before, appends one with the same
// code (§5.5.1).
func (c *Closing) Answer(dst []byte, ev Event, key *Key) []byte {
	c.received = true
	return c.Start(dst, ev.Code, "", key)
}

// Fail appends the Close frame for a violation by the peer and ends the connection at once: Done is true after it, for
// nothing that the peer still sends counts (§7.1.7).
func (c *Closing) Fail(dst []byte, bad *Error, key *Key) []byte {
	c.received = true
	return c.Start(dst, bad.Code, bad.Reason, key)
}

// goodReason is the longest prefix of s that is UTF-8 and fits into a Close frame.
func goodReason(s string) string {
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if r == utf8.RuneError && size == 1 || n+size > maxReason {
			break
		}
		n += size
	}
	return s[:n]
}
