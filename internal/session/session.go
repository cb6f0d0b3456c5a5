// Package session is the life of one connection, from its first frame to its last, as a state machine: frames and
// events in, frames out through a Link. It has no socket, clock or goroutine; a carrier of package gate drives it.
//
//	new ──Register, Login, Auth──► authenticated ──(hints: Notify)──► ended
//	 └────────── deadline, malformed frames, TLS demanded, drain ──────┘
//
// A Hub joins the sessions of an account: it brings them the hints that the account's log has grown.
package session

import (
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// Link is the connection as a session writes to it, safe from any goroutine. See gate.Link, which it is.
type Link interface {
	Send(frame []byte) bool
	Reply(frame []byte)
	Drained(func())
	Close(frame []byte)
}

// Peer is what is known of the other side.
type Peer struct {
	account.Peer
	TLS      bool
	Secure   bool // nobody on the way can read along
	Operator bool // came by the admin socket
}

// Session is one connection. Frame, Expired and Closed are called by its carrier, one at a time; hints and answers come
// from other goroutines.
type Session struct {
	hub  *Hub
	link Link
	peer Peer

	mu       sync.Mutex
	caller   operation.Caller
	epoch    uint32 // of the caller's device
	deadline time.Time
	inFlight int
	draining *wire.Close // what to say when the last answer is out
	ended    bool
	// What the device stands at, if it has applied everything it was told: what an inline notification must continue.
	told hongyan.Version
	// A notification is out, or waits for the link, and the device has not asked since: a further one tells nothing.
	notified bool
}

// Open begins the session of a connection. nothing has been read from it yet.
func (h *Hub) Open(l Link, p Peer, now time.Time) *Session {
	h.open.Add(1)
	s := &Session{hub: h, link: l, peer: p, deadline: now.Add(AuthDeadline)}
	s.caller = operation.Caller{Operator: p.Operator, Peer: p.Peer, Secure: p.Secure || h.config.AllowPlain}
	if p.Operator {
		s.deadline = now.Add(h.config.Idle)
	}
	return s
}

// Limit is the largest frame that is accepted at present, in bytes.
func (s *Session) Limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.caller.User != 0 || s.caller.Operator {
		return wire.MaxFrame
	}
	return wire.MaxFrameUnauth
}

// Frame takes the next frame; its body is not kept. It returns the Limit from now on.
func (s *Session) Frame(now time.Time, f wire.Frame) (limit int) {
	s.mu.Lock()
	c := s.caller
	refusal := s.admit(now, f)
	s.mu.Unlock()
	switch {
	case !c.Secure:
		s.end(&wire.Close{Reason: wire.CloseTLSRequired, Message: "connect again with TLS, on the same port"})
	case refusal != nil:
		s.send(wire.OpError, f.Seq, wire.FromError(f.Op, refusal))
	case f.Op == wire.OpHeartbeat && len(f.Body) == 0:
		s.answered(f, operation.Reply{}, nil)
	default:
		s.hub.desk.Do(c, f.Op, f.Body, func(r operation.Reply, err error) { s.answered(f, r, err) })
	}
	return s.Limit()
}

// admit counts a request in, or says why it is not taken. It runs under the lock.
func (s *Session) admit(now time.Time, f wire.Frame) *hongyan.Error {
	known := s.caller.User != 0 || s.caller.Operator
	if known {
		s.deadline = now.Add(s.hub.config.Idle)
	}
	switch {
	case s.draining != nil || s.ended:
		return hongyan.Errorf(hongyan.Unavailable, "the server is about to close this connection").
			WithHint("connect again and repeat the request with the same ids")
	case s.inFlight >= MaxInFlight:
		return hongyan.Errorf(hongyan.Busy, "%d requests of this connection wait for their answers", MaxInFlight).
			WithHint("send the next request when one was answered")
	case known && identifies(f.Op) && !s.peer.Operator:
		return hongyan.Errorf(hongyan.Forbidden, "this connection has said already who it is").
			WithHint("open another connection for another account")
	}
	s.inFlight++
	if f.Op == wire.OpSync {
		s.notified = false
	}
	return nil
}

// identifies reports whether an operation says who the connection is.
func identifies(op wire.Op) bool {
	return op == wire.OpRegister || op == wire.OpLogin || op == wire.OpAuth
}

// answered sends the answer to a request.
func (s *Session) answered(f wire.Frame, r operation.Reply, err error) {
	if err == nil && r.Identity != nil {
		err = s.identify(*r.Identity)
	}
	if err != nil {
		s.send(wire.OpError, f.Seq, wire.FromError(f.Op, err))
	} else {
		if page, ok := r.Body.(*wire.SyncReply); ok && !page.More {
			s.stands(hongyan.Version(page.Version))
		}
		s.send(f.Op.Reply(), f.Seq, r.Body)
	}
	s.mu.Lock()
	s.inFlight--
	last := s.draining
	if s.inFlight > 0 {
		last = nil
	}
	s.mu.Unlock()
	if last != nil {
		s.end(last)
	}
}

// identify makes the session that of a device, or of an operator.
func (s *Session) identify(id account.Identity) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return hongyan.Errorf(hongyan.Unavailable, "the connection is gone")
	}
	if s.caller.User != 0 {
		return hongyan.Errorf(hongyan.Forbidden, "this connection has said already who it is")
	}
	if id.User != 0 && !s.hub.attach(s, id.User, id.Device, id.Epoch) {
		return hongyan.Errorf(hongyan.Revoked, "the device was logged out").WithHint("log in again by password")
	}
	s.caller.User, s.caller.Device, s.epoch = id.User, id.Device, id.Epoch
	s.caller.Operator = s.caller.Operator || id.Operator
	s.deadline = s.deadline.Add(s.hub.config.Idle) // the next frame sets it by the clock
	return nil
}

// stands notes the version that the device has when it has read what is being sent.
func (s *Session) stands(v hongyan.Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = max(s.told, v)
}

// was reports whether the session is that of a device in an epoch up to this one.
func (s *Session) was(d hongyan.DeviceID, epoch uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.caller.Device == d && s.epoch <= epoch
}

// send queues an answer, which may not be dropped.
func (s *Session) send(op wire.Op, seq uint32, body proto.Message) {
	frame, err := wire.Append(nil, op, seq, body)
	if err != nil || len(frame) > wire.MaxFrame {
		tooLarge := hongyan.Errorf(hongyan.TooLarge, "the answer is larger than a frame").WithHint("ask for less at once")
		frame, _ = wire.Append(nil, wire.OpError, seq, wire.FromError(op-wire.ReplyOffset, tooLarge))
	}
	s.link.Reply(frame)
}

// notification is a hint on its way to the sessions of an account, encoded once for all of them.
type notification struct {
	hint       inbox.Hint
	generation uint64
	inline     []byte // with the changes; nil until it is needed
	plain      []byte // the version alone
}

// withChanges is the frame with the changes, or nil if they are too large for one.
func (n *notification) withChanges() []byte {
	if n.inline == nil && len(n.hint.Changes) > 0 {
		key := hongyan.KeyAt(n.generation, n.hint.User, n.hint.Version)
		frame, err := wire.Append(nil, wire.OpNotify, 0, &wire.Notify{
			Version: uint64(n.hint.Version), Previous: uint64(n.hint.Previous),
			Changes: wire.FromAll(wire.FromChange, n.hint.Changes), Key: key.Token(),
		})
		if n.inline = frame; err != nil || len(frame) > MaxInline {
			n.hint.Changes = nil
			n.inline = nil
		}
	}
	return n.inline
}

func (n *notification) withoutChanges() []byte {
	if n.plain == nil {
		n.plain, _ = wire.Append(nil, wire.OpNotify, 0, &wire.Notify{Version: uint64(n.hint.Version)})
	}
	return n.plain
}

// hint tells the device that there is something newer: with the changes if it stands exactly before them, otherwise
// without. A link that does not drain gets one notification when it does.
func (s *Session) hint(n *notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.draining != nil {
		return
	}
	if s.told == n.hint.Previous && s.told != 0 && !s.notified {
		if frame := n.withChanges(); frame != nil && s.link.Send(frame) {
			s.told = n.hint.Version
			return
		}
	}
	if s.notified {
		return
	}
	s.notified = true
	if frame := n.withoutChanges(); !s.link.Send(frame) {
		s.link.Drained(func() { s.link.Send(frame) })
	}
}

// end closes the connection with a last frame.
func (s *Session) end(c *wire.Close) {
	frame, _ := wire.Append(nil, wire.OpClose, 0, c)
	s.link.Close(frame)
}

// Drain asks the peer to connect again after a delay, when what it has asked for is answered. What is held for news is
// answered at once.
func (s *Session) Drain(after time.Duration) {
	c := &wire.Close{
		Reason: wire.CloseDraining, Message: "the server is leaving", ReconnectAfterMs: uint32(after.Milliseconds()),
	}
	s.mu.Lock()
	s.draining = c
	idle, user := s.inFlight == 0, s.caller.User
	s.mu.Unlock()
	if idle {
		s.end(c)
		return
	}
	s.hub.wake(user)
}

// Broken says that the stream cannot be read on.
func (s *Session) Broken(_ time.Time, err error) {
	s.end(&wire.Close{Reason: wire.CloseProtocolError, Message: err.Error()})
}

// Deadline is when to call Expired if nothing else happens.
func (s *Session) Deadline() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deadline
}

// Expired says that Deadline has passed.
func (s *Session) Expired(time.Time) {
	s.mu.Lock()
	known := s.caller.User != 0 || s.caller.Operator
	s.mu.Unlock()
	if known {
		s.end(&wire.Close{Reason: wire.CloseIdle, Message: "nothing was heard for too long; heartbeats keep a connection alive"})
	} else {
		s.end(&wire.Close{Reason: wire.CloseAuthTimeout, Message: "nobody has said who is there"})
	}
}

// Closed says that the connection is gone.
func (s *Session) Closed() {
	s.mu.Lock()
	s.ended = true
	user := s.caller.User
	s.mu.Unlock()
	if user != 0 {
		s.hub.detach(s, user)
	}
	s.hub.open.Add(-1)
}
