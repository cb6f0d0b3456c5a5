// Package gate is where connections come in: it listens, counts who may, recognises by the first bytes what a peer
// speaks, and drives the session that answers the frames of the long link.
//
//	listener ─► enter ─► carrier ◄─► detector ─┬─ 0x00 ─► longLink ◄─► Session (through Link)
//	                        ▲                  ├─ A–Z ──► http1 ─► Config.Route ─┬─► files, answers
//	                        │                  │                                ├─► WebSocket ─► longLink, or messages
//	                        │                  │                                └─► net/http ─► Config.HTTP
//	                        └─ TLS handshake ◄─┴─ 0x16
//
// How bytes move is the business of a carrier (package carrier), what they mean that of a carrier.Handler. TLS, unix
// sockets, and on systems without epoll everything, are carried by a goroutine each; plain TCP connections by what
// Config.Carrier says. Whatever carries the long link passes the suite in gatetest.
package gate

import (
	"net/netip"
	"time"

	"github.com/hongyan-im/hongyan/wire"
)

// Peer is what a listener knows about the other side.
type Peer struct {
	Addr      netip.AddrPort // remote address, IPv4 never in its IPv6-mapped form; the zero value on a unix socket
	Transport Transport
	Secure    bool // nobody on the way can read along: TLS, loopback or a unix socket
	TLS       bool // came by a TLS handshake, with this server or with a proxy that is believed
	Loopback  bool // the remote address is one of this machine's loopback addresses
	Operator  bool // came by the operator's unix socket, which only the server's own user can open
}

// Behind returns the peer that a proxy, p, speaks for.
func (p Peer) Behind(addr netip.Addr, secure bool) Peer {
	p.Addr, p.Secure, p.TLS, p.Loopback = netip.AddrPortFrom(addr, 0), secure, secure, false
	return p
}

// Transport names how a connection arrived: a label of metrics and a field of logs.
type Transport string

// The transports. What has not sent its first byte, or is in its TLS handshake, is TransportNew.
const (
	TransportNew   Transport = "new"
	TransportTCP   Transport = "tcp"   // long link
	TransportTLS   Transport = "tls"   // long link inside TLS
	TransportUnix  Transport = "unix"  // long link on the operator's socket
	TransportHTTP  Transport = "http"  // HTTP/1.1, also on the operator's socket
	TransportHTTPS Transport = "https" // HTTP/1.1 inside TLS
	TransportWS    Transport = "ws"    // WebSocket
	TransportWSS   Transport = "wss"   // WebSocket inside TLS
)

// Opener makes the Session of a connection that has begun to speak the long link. It may already use l, also to close
// it at once; it never returns nil.
type Opener func(l Link, p Peer) Session

// Session is driven by exactly one connection. Its carrier never calls two methods at the same time, and never from
// within a method of Link, so a session may use its Link while it holds its own locks. A method must not wait for the
// peer or for the Link: nothing is read meanwhile, and what it queues is written when it returns.
type Session interface {
	// Alive says that bytes have come from the peer, whatever they are: a part of a frame, or the Pong of a WebSocket,
	// counts as life too. It is called before the methods below are, for each piece of input.
	Alive(now time.Time)

	// Limit is the size of the largest frame that is accepted at present, in bytes and above zero. It is asked for
	// before every frame, also because what allows more, such as a login, may be decided on another goroutine.
	Limit() int

	// Frame takes the next frame; the body is valid during the call only.
	Frame(now time.Time, f wire.Frame)

	// Rest is until when nothing more is to be read from the peer, which has asked for too much; the zero Time if it has
	// not. It is asked for after each piece of input, whose frames have all been given to Frame.
	Rest() time.Time

	// Broken says that the stream cannot be read on (wire.ErrLength and its kin). The session answers with a Close
	// frame through Link.Close; if it does not, the carrier closes the link without one.
	Broken(now time.Time, err error)

	// Deadline is when to call Expired if nothing else happens; the zero Time is never. The carrier asks again after
	// every call of Frame and Expired, and when the moment it knew has come, so a deadline moved later from elsewhere
	// is obeyed and one moved earlier is seen late.
	Deadline() time.Time

	// Expired says that Deadline has passed. A session that neither moves it into the future nor closes the link is
	// closed by the carrier.
	Expired(now time.Time)

	// Closed says that the connection is gone. It is called exactly once and last.
	Closed()
}

// Link is a connection as its session writes to it. All methods are safe from any goroutine and none waits for the
// network. Frames leave in the order in which they were queued. A queued slice is the link's to read until the
// connection is gone and is never written to, so one frame may be given to many links, and nobody may change it.
//
// After Close, and when the connection has ended for another reason, Send returns false and Reply does nothing;
// Session.Closed tells.
type Link interface {
	// Send queues a whole frame. It returns false if that would take a non-empty queue over Limits.SoftQueue: the
	// frame was not queued, and what becomes of it is the caller's verdict.
	Send(frame []byte) bool

	// Reply queues a whole frame that may not be dropped. If that would take a non-empty queue over Limits.HardQueue,
	// the peer does not read its answers: all that is queued is thrown away and the link closes with the reason SLOW.
	Reply(frame []byte)

	// Pending is the number of bytes that are queued and not yet accepted by the operating system.
	Pending() int

	// Drained calls f once, when the queue is empty: soon if it is so already, never if the link closes before. It is
	// meant for after a refused Send. A further call before f ran replaces f. It runs on a goroutine of the carrier,
	// possibly at the same time as a method of the Session, and must not block.
	Drained(f func())

	// Close queues a last frame, which may be nil, behind everything else and ends the connection: what is queued is
	// written for up to Limits.Flush, then this side's half is closed and the peer's input thrown away for up to
	// Limits.Linger, so that the last frame reaches the peer even if it was sending. Frame is not called any more, but
	// for a call that is under way on another goroutine. Only the first Close counts.
	Close(frame []byte)
}
