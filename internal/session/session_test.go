package session

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/wire"
)

func TestWhoSaysNothingIsClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice := r.account("alice")
	start := r.Now()
	stranger := r.open(secure)
	if got := stranger.s.Deadline(); !got.Equal(start.Add(AuthDeadline)) {
		t.Errorf("a stranger has until %v", got)
	}
	r.Advance(5 * time.Second)
	stranger.must(wire.OpHeartbeat, nil, nil)
	wantCode(t, "an operation for accounts", stranger.ask(wire.OpSync, &wire.SyncRequest{}, nil), hongyan.Unauthenticated)
	if got := stranger.s.Deadline(); !got.Equal(start.Add(AuthDeadline)) {
		t.Errorf("talking gives a stranger until %v", got)
	}
	r.Advance(5 * time.Second)
	stranger.s.Expired(r.Now())
	stranger.wantClosed("a stranger", wire.CloseAuthTimeout)

	alice.must(wire.OpHeartbeat, nil, nil)
	if got := alice.s.Deadline(); !got.Equal(r.Now().Add(idle)) {
		t.Errorf("with a heartbeat a device has until %v", got)
	}
	alice.s.Expired(r.Now().Add(idle))
	alice.wantClosed("a silent device", wire.CloseIdle)
	operator := r.open(Peer{Secure: true, Operator: true})
	if got := operator.s.Deadline(); !got.Equal(r.Now().Add(idle)) {
		t.Errorf("the operator has until %v", got)
	}
}

// A login may have to wait for its turn. Who waits for the server is not closed for saying nothing.
func TestALoginUnderWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	c := r.open(secure)
	seq := c.post(wire.OpRegister, &wire.RegisterRequest{Name: "alice", Password: "long enough", Device: cli})
	r.Advance(AuthDeadline)
	c.s.Expired(r.Now())
	c.wantClosed("under way", 0)
	if got := c.s.Deadline(); !got.Equal(r.Now().Add(AuthDeadline)) {
		t.Errorf("the deadline is %v", got)
	}
	r.Rest()
	if err := c.result(seq, wire.OpRegister, new(wire.LoginReply)); err != nil {
		t.Error(err)
	}
	if c.s.Deadline().Before(r.Now().Add(idle)) {
		t.Errorf("the deadline is %v", c.s.Deadline())
	}
}

func TestAConnectionSaysOnceWhoItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, func(c *account.Config) { c.OnePerClass = true })
	alice, bob := r.account("alice"), r.account("bob")
	auth := func(c *conn) error { return c.ask(wire.OpAuth, &wire.AuthRequest{Token: alice.token}, nil) }
	wantCode(t, "another account", bob.ask(wire.OpAuth, &wire.AuthRequest{Token: alice.token}, nil), hongyan.Forbidden)
	wantCode(t, "the same account", auth(alice), hongyan.Forbidden)
	wantCode(t, "another registration", bob.ask(wire.OpRegister, &wire.RegisterRequest{Name: "carl", Password: "long enough", Device: cli}, nil), hongyan.Forbidden)

	// Two at once: the second is not even begun, or it would make a device that nobody knows, and end the first.
	c := r.open(secure)
	login := &wire.LoginRequest{Name: "bob", Password: "bob-secret", Device: wire.FromDevice(hongyan.Device{Class: hongyan.ClassWeb})}
	first, second := c.post(wire.OpLogin, login), c.post(wire.OpLogin, login)
	r.Rest()
	if err := c.result(first, wire.OpLogin, nil); err != nil {
		t.Errorf("the first: %v", err)
	}
	wantCode(t, "the second, at the same time", c.result(second, wire.OpLogin, nil), hongyan.Busy)
	wantCode(t, "a third, afterwards", c.ask(wire.OpLogin, login, nil), hongyan.Forbidden)
	devices := new(wire.DevicesReply)
	c.must(wire.OpDevices, &wire.DevicesRequest{}, devices)
	if len(devices.Devices) != 2 {
		t.Errorf("bob has the devices %v", devices.Devices)
	}

	// One that failed may be followed by another.
	c = r.open(secure)
	wantCode(t, "a wrong token", c.ask(wire.OpAuth, &wire.AuthRequest{Token: "nonsense"}, nil), hongyan.Unauthenticated)
	if err := auth(c); err != nil {
		t.Errorf("the right token after a wrong one: %v", err)
	}
	if open, known := r.hub.Counts(); open != 4 || known != 4 {
		t.Errorf("%d sessions are open, %d have said who they are", open, known)
	}
	for _, c := range []*conn{alice, bob, c} {
		c.s.Closed()
	}
	if open, known := r.hub.Counts(); open != 1 || known != 1 {
		t.Errorf("%d sessions are open, %d have said who they are", open, known)
	}
}

func TestFramesAreSmallUntilItIsKnownWhoSpeaks(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	c := r.open(secure)
	if c.s.Limit() != wire.MaxFrameUnauth {
		t.Errorf("a stranger may send %d bytes", c.s.Limit())
	}
	seq := c.post(wire.OpRegister, &wire.RegisterRequest{Name: "alice", Password: "long enough", Device: cli})
	if n := c.s.Limit(); n != wire.MaxFrameUnauth {
		t.Errorf("before the answer %d bytes may be sent", n)
	}
	r.Rest()
	if err := c.result(seq, wire.OpRegister, nil); err != nil || c.s.Limit() != wire.MaxFrame {
		t.Errorf("after the answer %d bytes may be sent, %v", c.s.Limit(), err)
	}
	c.post(wire.OpHeartbeat, nil)
	if n := c.s.Limit(); n != wire.MaxFrame {
		t.Errorf("the next frame may have %d bytes", n)
	}
	if operator := r.open(Peer{Secure: true, Operator: true}); operator.s.Limit() != wire.MaxFrame {
		t.Errorf("the operator may send %d bytes", operator.s.Limit())
	}
	c.s.Broken(r.Now(), errors.New("it cannot be read"))
	c.wantClosed("broken", wire.CloseProtocolError)
}

func TestPlainConnectionsFromElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice := r.account("alice")
	plain := r.open(Peer{})
	plain.must(wire.OpHeartbeat, nil, nil)
	plain.wantClosed("a heartbeat", 0)
	for name, ask := range map[string]func(c *conn) error{
		"auth":    func(c *conn) error { return c.ask(wire.OpAuth, &wire.AuthRequest{Token: alice.token}, nil) },
		"sync":    func(c *conn) error { return c.ask(wire.OpSync, &wire.SyncRequest{}, nil) },
		"status":  func(c *conn) error { return c.ask(wire.OpStatus, &wire.StatusRequest{}, nil) },
		"unknown": func(c *conn) error { return c.ask(999, nil, nil) },
	} {
		plain := r.open(Peer{})
		wantCode(t, name, ask(plain), hongyan.TLSRequired)
		plain.wantClosed(name, wire.CloseTLSRequired)
	}

	r = newRig(t, Config{AllowPlain: true}, nil)
	bob := r.account("bob")
	plain = r.open(Peer{})
	plain.must(wire.OpAuth, &wire.AuthRequest{Token: bob.token}, nil)
	encrypted := r.open(Peer{TLS: true, Secure: true})
	encrypted.must(wire.OpAuth, &wire.AuthRequest{Token: bob.token}, nil)
	operator := r.open(Peer{Secure: true, Operator: true})
	demand := func(name string) uint32 {
		reply := new(wire.DemandTLSReply)
		operator.must(wire.OpDemandTLS, &wire.DemandTLSRequest{Name: name}, reply)
		return reply.Closed
	}
	other := r.account("other") // on the server's own machine, plain as well
	if n := demand("other"); n != 1 {
		t.Errorf("%d connections of one account were sent away", n)
	}
	other.wantClosed("of the account", wire.CloseTLSRequired)
	plain.wantClosed("of another account", 0)
	if n := demand(""); n != 2+1 { // a closed one stays until its carrier says that it is gone
		t.Errorf("%d connections were sent away", n)
	}
	plain.wantClosed("of all", wire.CloseTLSRequired)
	encrypted.wantClosed("encrypted", 0)
	operator.wantClosed("the operator", 0)
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice := r.account("alice")
	var seqs []uint32
	for range MaxInFlight {
		seqs = append(seqs, alice.post(wire.OpSend, alice.draft(alice, "x")))
	}
	wantCode(t, "one more", alice.result(alice.post(wire.OpHeartbeat, nil), wire.OpHeartbeat, nil), hongyan.Busy)
	wantCode(t, "one more send", alice.result(alice.post(wire.OpSend, alice.draft(alice, "y")), wire.OpSend, nil), hongyan.Busy)
	r.Rest()
	for i, seq := range seqs {
		reply := new(wire.SendReply)
		if err := alice.result(seq, wire.OpSend, reply); err != nil || reply.Ordinal != uint64(i+1) {
			t.Fatalf("request %d: ordinal %d, %v", i, reply.Ordinal, err)
		}
	}
	alice.must(wire.OpHeartbeat, nil, nil)
}

func TestAnUnknownOperationIsRefusedAndTheLinkStays(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice := r.account("alice")
	for _, op := range []wire.Op{0, 19, 999, wire.OpNotify, wire.OpClose, wire.OpSignal, wire.OpError, wire.OpSync.Reply(), 1<<32 - 1} {
		wantCode(t, op.String(), alice.ask(op, nil, nil), hongyan.UnknownOperation)
	}
	wantCode(t, "an operator's", alice.ask(wire.OpStatus, nil, nil), hongyan.Forbidden)
	seq := alice.seq + 1
	alice.s.Frame(r.Now(), wire.Frame{Op: wire.OpSync, Seq: seq, Body: []byte{0xff}})
	alice.seq = seq
	wantCode(t, "a body that cannot be read", alice.result(seq, wire.OpSync, nil), hongyan.Invalid)
	alice.wantClosed("after all that", 0)
	alice.sync()
}

func TestAnAnswerThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	large := &wire.SendRequest{Content: &wire.Content{Caption: strings.Repeat("x", wire.MaxFrame)}}
	bad := &wire.RecallRequest{Conversation: "\xff"}
	for name, tt := range map[string]struct {
		frame func() ([]byte, bool)
		code  hongyan.Code
	}{
		"large": {func() ([]byte, bool) { return encode(wire.OpSend.Reply(), 7, large) }, hongyan.TooLarge},
		"bad":   {func() ([]byte, bool) { return encode(wire.OpSend.Reply(), 7, bad) }, hongyan.Internal},
	} {
		frame, whole := tt.frame()
		f, _, err := wire.ParseFrame(frame, wire.MaxFrame)
		body := new(wire.ErrorBody)
		if err != nil || whole || f.Op != wire.OpError || f.Seq != 7 || wire.Unmarshal(f.Body, body) != nil {
			t.Fatalf("%s: %v, %v", name, f, err)
		}
		wantCode(t, name, wire.ToError(body), tt.code)
		if body.Operation != uint32(wire.OpSend) {
			t.Errorf("%s: the refusal names operation %d", name, body.Operation)
		}
	}
}
