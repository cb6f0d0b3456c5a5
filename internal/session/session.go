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
// from other goroutines. Its lock may be held while the Link is used and while the hub's are taken, never the other way.
type Session struct {
	hub  *Hub
	link Link
	peer Peer

	mu       sync.Mutex
	caller   operation.Caller
	epoch    uint32 // of the caller's device
	identity identity
	deadline time.Time
	budget   budget
	inFlight int
	draining *wire.Close // what to say when the last answer is out
	ended    bool

	// What the device stands at, if it has applied everything it was told: what an inline notification must continue.
	told hongyan.Version
	// The version of a notification that waits for the link to drain. 0: there is none.
	owed hongyan.Version
}

// identity is how far a connection is with saying who it is. It can be said once.
type identity uint8

const (
	unsaid identity = iota
	asked           // a request is under way
	said
)

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

// known reports whether the other side has said who it is, or came where only the operator comes. Under the lock.
func (s *Session) known() bool { return s.caller.User != 0 || s.caller.Operator }

// Limit is the largest frame that is accepted at present, in bytes.
func (s *Session) Limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known() {
		return wire.MaxFrame
	}
	return wire.MaxFrameUnauth
}

// Alive says that something has come from the peer.
func (s *Session) Alive(now time.Time) {
	s.mu.Lock()
	if s.known() {
		s.deadline = now.Add(s.hub.config.Idle)
	}
	s.mu.Unlock()
}

// Frame takes the next frame; its body is not kept.
func (s *Session) Frame(now time.Time, f wire.Frame) {
	s.mu.Lock()
	c := s.caller
	s.budget.pass(now)
	refusal := s.admit(f)
	s.charge(refusal != nil || !s.known(), 1)
	s.mu.Unlock()
	switch {
	case refusal != nil:
		frame, _ := answer(f, operation.Reply{}, refusal)
		s.link.Reply(frame)
	case f.Op == wire.OpHeartbeat && len(f.Body) == 0:
		s.answered(f, operation.Reply{}, nil)
	default:
		s.hub.desk.Do(c, f.Op, f.Body, func(r operation.Reply, err error) { s.answered(f, r, err) })
	}
	s.mu.Lock()
	draining := s.draining != nil
	s.mu.Unlock()
	if draining {
		s.hub.wake(c.User) // Drain may have done that before this request was parked
	}
}

// charge counts requests against the budget: WasteCost if they are a waste. The operator has no budget. Under the lock.
func (s *Session) charge(waste bool, requests int) {
	switch {
	case s.caller.Operator:
	case waste:
		s.budget.level += WasteCost
	default:
		s.budget.level += float32(requests)
	}
}

// Rest is until when nothing more is to be read, the zero Time if it may be at once.
func (s *Session) Rest() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.budget.rest()
}

// admit counts a request in, or says why it is not taken. It runs under the lock.
func (s *Session) admit(f wire.Frame) *hongyan.Error {
	switch {
	case s.draining != nil || s.ended:
		return hongyan.Errorf(hongyan.Unavailable, "the server is about to close this connection").
			WithHint("connect again and repeat the request with the same ids")
	case s.inFlight >= MaxInFlight:
		return hongyan.Errorf(hongyan.Busy, "%d requests of this connection wait for their answers", MaxInFlight).
			WithHint("send the next request when one was answered")
	case identifies(f.Op) && s.identity == asked:
		return hongyan.Errorf(hongyan.Busy, "this connection is just saying who it is").
			WithHint("wait for the answer to the request before")
	case identifies(f.Op) && (s.identity == said || s.known() && !s.peer.Operator):
		return alreadySaid
	}
	s.inFlight++
	if identifies(f.Op) {
		s.identity = asked
	}
	return nil
}

var alreadySaid = hongyan.Errorf(hongyan.Forbidden, "this connection has said already who it is").
	WithHint("open another connection for another account")

// identifies reports whether an operation says who the connection is.
func identifies(op wire.Op) bool {
	return op == wire.OpRegister || op == wire.OpLogin || op == wire.OpAuth
}

// answered sends the answer to a request.
func (s *Session) answered(f wire.Frame, r operation.Reply, err error) {
	frame, whole := answer(f, r, err)
	s.mu.Lock()
	if identifies(f.Op) {
		if err = s.identified(r.Identity, err); err != nil {
			frame, whole = answer(f, operation.Reply{}, err)
		}
	}
	if page, ok := r.Body.(*wire.SyncReply); ok && whole && !page.More {
		s.stands(hongyan.Version(page.Version))
	}
	s.charge(err != nil, len(frame)/AnswerUnit)
	s.link.Reply(frame) // before any notification that this answer makes room for, or that continues its page
	s.inFlight--
	last := s.draining
	if s.inFlight > 0 {
		last = nil
	}
	s.mu.Unlock()
	switch {
	case hongyan.CodeOf(err) == hongyan.TLSRequired:
		s.end(needTLS)
	case last != nil:
		s.end(last)
	}
}

// answer makes the frame of an answer. It is whole if it says what the reply says, and no refusal.
func answer(f wire.Frame, r operation.Reply, err error) (frame []byte, whole bool) {
	if err == nil {
		return encode(f.Op.Reply(), f.Seq, r.Body)
	}
	frame, _ = encode(wire.OpError, f.Seq, wire.FromError(f.Op, err))
	return frame, false
}

// identified makes the session that of a device, or of an operator, if the request to do so has succeeded. Under the lock.
func (s *Session) identified(id *account.Identity, err error) error {
	s.identity = unsaid
	switch {
	case err != nil:
		return err
	case s.ended:
		return hongyan.Errorf(hongyan.Unavailable, "the connection is gone")
	case id.User != 0 && !s.hub.attach(s, id.User, id.Device, id.Epoch):
		return hongyan.Errorf(hongyan.Revoked, "the device was logged out").WithHint("log in again by password")
	}
	s.identity = said
	s.caller.User, s.caller.Device, s.epoch = id.User, id.Device, id.Epoch
	s.caller.Operator = s.caller.Operator || id.Operator
	s.deadline = s.deadline.Add(s.hub.config.Idle) // the next frame sets it by the clock
	return nil
}

// stands notes the version that the device has when it has read what is being sent. Under the lock.
func (s *Session) stands(v hongyan.Version) {
	s.told = max(s.told, v)
	if v >= s.owed {
		s.owed = 0
	}
}

// was reports whether the session is that of a device in an epoch up to this one.
func (s *Session) was(d hongyan.DeviceID, epoch uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.caller.Device == d && s.epoch <= epoch
}

// encode makes the frame of an answer, or, if that is not possible, of the refusal to give it.
func encode(op wire.Op, seq uint32, body proto.Message) (frame []byte, whole bool) {
	frame, err := wire.Append(nil, op, seq, body)
	if err == nil && len(frame) > wire.MaxFrame {
		err = hongyan.Errorf(hongyan.TooLarge, "the answer is larger than a frame").WithHint("ask for less at once")
	}
	if err == nil {
		return frame, true
	}
	frame, _ = wire.Append(nil, wire.OpError, seq, wire.FromError(op-wire.ReplyOffset, err))
	return frame, false
}

// end closes the connection with a last frame.
func (s *Session) end(c *wire.Close) {
	frame, _ := wire.Append(nil, wire.OpClose, 0, c)
	s.link.Close(frame)
}

var needTLS = &wire.Close{Reason: wire.CloseTLSRequired, Message: "connect again with TLS, on the same port"}

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
func (s *Session) Expired(now time.Time) {
	s.mu.Lock()
	known, asked := s.known(), s.identity == asked
	if asked {
		s.deadline = now.Add(AuthDeadline) // the answer is this side's business
	}
	s.mu.Unlock()
	switch {
	case asked:
	case known:
		s.end(&wire.Close{Reason: wire.CloseIdle, Message: "nothing was heard for too long; heartbeats keep a connection alive"})
	default:
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
