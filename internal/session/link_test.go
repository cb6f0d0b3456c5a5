package session

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/operation/desktest"
	"github.com/hongyan-im/hongyan/wire"
)

// fakeLink is a link that keeps what is written to it. A full one refuses notifications; what it was asked to call then
// runs when the test drains it.
type fakeLink struct {
	frames  []wire.Frame
	full    bool
	drained func()
	closed  *wire.Close
}

func (l *fakeLink) take(frame []byte) {
	f, n, err := wire.ParseFrame(frame, wire.MaxFrame)
	if err != nil || n != len(frame) {
		panic("a frame that cannot be read")
	}
	l.frames = append(l.frames, f)
}

func (l *fakeLink) Send(frame []byte) bool {
	if l.closed != nil || l.full {
		return false
	}
	l.take(frame)
	return true
}

func (l *fakeLink) Reply(frame []byte) {
	if l.closed == nil {
		l.take(frame)
	}
}

func (l *fakeLink) Drained(f func()) {
	if l.closed == nil {
		l.drained = f
	}
}

func (l *fakeLink) Close(frame []byte) {
	if l.closed != nil {
		return
	}
	f, _, err := wire.ParseFrame(frame, wire.MaxFrame)
	l.closed = new(wire.Close)
	if err != nil || f.Op != wire.OpClose || f.Seq != 0 || wire.Unmarshal(f.Body, l.closed) != nil {
		panic("no close frame")
	}
	l.drained = nil
}

// drain empties the link and calls what waits for that.
func (l *fakeLink) drain() {
	l.full = false
	if f := l.drained; f != nil {
		l.drained = nil
		f()
	}
}

// rig is a hub with a desk behind it.
type rig struct {
	*desktest.Desk
	t   *testing.T
	hub *Hub
}

const idle = 11 * time.Minute

func newRig(t *testing.T, c Config, change func(*account.Config)) *rig {
	t.Helper()
	c.Idle = idle
	r := &rig{t: t, hub: NewHub(c)}
	r.Desk = desktest.New(t, func(a *account.Config) {
		a.Ended = r.hub.Ended
		if change != nil {
			change(a)
		}
	})
	r.Desk.Desk.Park, r.Desk.Desk.DemandTLS = r.hub.Park, r.hub.DemandTLS
	r.Desk.Desk.Signal, r.Desk.Desk.Listen = r.hub.Signal, r.hub.Listen
	r.hub.Use(r.Desk.Desk)
	r.OnHint = r.hub.Hint
	return r
}

// conn is the other side of a session: a client over a fakeLink.
type conn struct {
	*fakeLink
	r     *rig
	s     *Session
	seq   uint32
	read  int // frames that the test has looked at
	user  hongyan.UserID
	token string
	key   []byte
}

var secure = Peer{Secure: true}

func (r *rig) open(p Peer) *conn {
	c := &conn{fakeLink: &fakeLink{}, r: r}
	c.s = r.hub.Open(c.fakeLink, p, r.Now())
	return c
}

// post sends a request without waiting for anything.
func (c *conn) post(op wire.Op, req proto.Message) uint32 {
	c.r.t.Helper()
	c.seq++
	var body []byte
	if req != nil {
		var err error
		if body, err = proto.Marshal(req); err != nil {
			c.r.t.Fatal(err)
		}
	}
	c.s.Alive(c.r.Now())
	c.s.Frame(c.r.Now(), wire.Frame{Op: op, Seq: c.seq, Body: body})
	return c.seq
}

// answer is the answer to a request: nil if there is none yet. There must not be two.
func (c *conn) answer(seq uint32) *wire.Frame {
	c.r.t.Helper()
	var found *wire.Frame
	for i := range c.frames {
		if c.frames[i].Seq != seq {
			continue
		}
		if found != nil {
			c.r.t.Fatalf("request %d was answered twice", seq)
		}
		found = &c.frames[i]
	}
	return found
}

// ask makes a request and reads its answer into reply.
func (c *conn) ask(op wire.Op, req, reply proto.Message) error {
	c.r.t.Helper()
	seq := c.post(op, req)
	c.r.Rest()
	return c.result(seq, op, reply)
}

func (c *conn) result(seq uint32, op wire.Op, reply proto.Message) error {
	c.r.t.Helper()
	f := c.answer(seq)
	switch {
	case f == nil:
		c.r.t.Fatalf("%s was not answered", op)
	case f.Op == wire.OpError:
		body := new(wire.ErrorBody)
		if err := wire.Unmarshal(f.Body, body); err != nil {
			c.r.t.Fatal(err)
		}
		if body.Operation != uint32(op) {
			c.r.t.Errorf("the refusal of %s names operation %d", op, body.Operation)
		}
		return wire.ToError(body)
	case f.Op != op.Reply():
		c.r.t.Fatalf("%s was answered with %s", op, f.Op)
	}
	if reply != nil {
		if err := wire.Unmarshal(f.Body, reply); err != nil {
			c.r.t.Fatal(err)
		}
	}
	return nil
}

func (c *conn) must(op wire.Op, req, reply proto.Message) {
	c.r.t.Helper()
	if err := c.ask(op, req, reply); err != nil {
		c.r.t.Fatalf("%s: %v", op, err)
	}
}

var cli = wire.FromDevice(hongyan.Device{Class: hongyan.ClassCLI})

// account opens a connection and registers on it.
func (r *rig) account(name string) *conn {
	r.t.Helper()
	c := r.open(secure)
	reply := new(wire.LoginReply)
	c.must(wire.OpRegister, &wire.RegisterRequest{Name: name, Password: name + "-secret", Device: cli}, reply)
	c.user, c.token = hongyan.UserID(reply.Session.User), reply.DeviceToken
	return c
}

// again opens another connection of the same device.
func (c *conn) again() *conn {
	c.r.t.Helper()
	o := c.r.open(secure)
	o.must(wire.OpAuth, &wire.AuthRequest{Token: c.token}, new(wire.AuthReply))
	o.user, o.token, o.key = c.user, c.token, c.key
	return o
}

// sync pulls what is new to the end.
func (c *conn) sync() {
	c.r.t.Helper()
	for more := true; more; {
		page := new(wire.SyncReply)
		c.must(wire.OpSync, &wire.SyncRequest{Key: c.key}, page)
		c.key, more = page.Key, page.More
	}
}

func (c *conn) says(to *conn, text string) {
	c.r.t.Helper()
	c.must(wire.OpSend, c.draft(to, text), nil)
}

func (c *conn) draft(to *conn, text string) *wire.SendRequest {
	c.seq++
	id := make([]byte, 16)
	id[0], id[1], id[2], id[3] = 1, byte(c.seq>>16), byte(c.seq>>8), byte(c.seq)
	return &wire.SendRequest{
		Target: &wire.SendToConversation{Conversation: hongyan.Direct(c.user, to.user).String()}, ClientId: id,
		FirstAttemptMs: c.r.Now().UnixMilli(), Content: wire.FromContent(hongyan.Text(text)),
	}
}

// pushed returns the notifications since the last call.
func (c *conn) pushed() []*wire.Notify {
	c.r.t.Helper()
	var list []*wire.Notify
	for _, f := range c.frames[c.read:] {
		if f.Op != wire.OpNotify {
			continue
		}
		n := new(wire.Notify)
		if err := wire.Unmarshal(f.Body, n); err != nil || f.Seq != 0 {
			c.r.t.Fatalf("a notification that cannot be read: %v", err)
		}
		list = append(list, n)
	}
	c.read = len(c.frames)
	return list
}

func wantCode(t *testing.T, what string, err error, want hongyan.Code) {
	t.Helper()
	if got := hongyan.CodeOf(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, got, err, want)
	}
}

// wantClosed checks why a link was closed; 0 is not at all.
func (c *conn) wantClosed(what string, want wire.CloseReason) {
	c.r.t.Helper()
	var got wire.CloseReason
	if c.closed != nil {
		got = c.closed.Reason
		final := slices.Contains([]wire.CloseReason{
			wire.CloseKicked, wire.CloseReplaced, wire.CloseRevoked, wire.CloseLoggedOut,
		}, got)
		if c.closed.Final != final {
			c.r.t.Errorf("%s: %v is final: %v", what, got, c.closed.Final)
		}
	}
	if got != want {
		c.r.t.Errorf("%s: closed with %v, want %v", what, got, want)
	}
}
