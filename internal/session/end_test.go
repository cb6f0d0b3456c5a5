package session

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/wire"
)

func TestTheEndOfADeviceEndsItsConnections(t *testing.T) {
	t.Parallel()
	login := func(c *conn, name, token string) error {
		return c.r.open(secure).ask(wire.OpLogin, &wire.LoginRequest{Name: name, Password: name + "-secret", Device: cli, DeviceToken: token}, nil)
	}
	yes := true
	for name, tt := range map[string]struct {
		end         func(alice, desk *conn) error
		alice, desk wire.CloseReason
	}{
		"logout": {func(alice, _ *conn) error { return alice.ask(wire.OpLogout, &wire.LogoutRequest{}, nil) }, wire.CloseLoggedOut, 0},
		"kick": {func(alice, desk *conn) error {
			devices := new(wire.DevicesReply)
			alice.must(wire.OpDevices, nil, devices)
			return desk.ask(wire.OpKick, &wire.KickRequest{Device: devices.Current}, nil)
		}, wire.CloseKicked, 0},
		"a login of the class":  {func(alice, _ *conn) error { return login(alice, "alice", "") }, wire.CloseReplaced, 0},
		"a login of the device": {func(alice, _ *conn) error { return login(alice, "alice", alice.token) }, wire.CloseReplaced, 0},
		"a new password": {func(_, desk *conn) error {
			return desk.ask(wire.OpSetPassword, &wire.SetPasswordRequest{OldPassword: "alice-secret", NewPassword: "long enough"}, nil)
		}, wire.CloseRevoked, 0},
		"the operator": {func(alice, _ *conn) error {
			operator := alice.r.open(Peer{Secure: true, Operator: true})
			return operator.ask(wire.OpSetAccount, &wire.SetAccountRequest{Name: "alice", Disabled: &yes}, nil)
		}, wire.CloseRevoked, wire.CloseRevoked},
		"the end of another account's": {func(alice, _ *conn) error {
			return alice.r.account("bob").ask(wire.OpLogout, nil, nil)
		}, 0, 0},
	} {
		r := newRig(t, Config{}, func(c *account.Config) { c.OnePerClass = true })
		alice := r.account("alice")
		alice2 := alice.again()
		desk := r.open(secure)
		reply := new(wire.LoginReply)
		desk.must(wire.OpLogin, &wire.LoginRequest{
			Name: "alice", Password: "alice-secret", Device: wire.FromDevice(hongyan.Device{Class: hongyan.ClassDesktop}),
		}, reply)
		desk.user, desk.token = hongyan.UserID(reply.Session.User), reply.DeviceToken
		if err := tt.end(alice, desk); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		alice.wantClosed(name, tt.alice)
		alice2.wantClosed(name+", its other connection", tt.alice)
		desk.wantClosed(name+", the other device", tt.desk)
	}
}

// A device that ends while it is being let in does not get in; one that begins anew does.
func TestADeviceThatEndedWhileItWasLetIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice := r.account("alice")
	devices := new(wire.DevicesReply)
	alice.must(wire.OpDevices, nil, devices)
	device := hongyan.DeviceID(devices.Current)
	again := func() error {
		return r.open(secure).ask(wire.OpAuth, &wire.AuthRequest{Token: alice.token}, new(wire.AuthReply))
	}
	r.hub.Ended(alice.user, device+1, 1, account.Kicked)
	wantCode(t, "another device ended", again(), 0)
	r.hub.Ended(alice.user, device, 1, account.Kicked) // the token was looked up before, in the store
	wantCode(t, "the device ended", again(), hongyan.Revoked)
	alice.wantClosed("what it was", wire.CloseKicked)
	r.hub.Ended(alice.user, device, 0, account.Kicked)
	wantCode(t, "news of an older end", again(), hongyan.Revoked)

	r = newRig(t, Config{}, nil)
	bob := r.account("bob")
	reply := new(wire.LoginReply)
	fresh := r.open(secure)
	fresh.must(wire.OpLogin, &wire.LoginRequest{Name: "bob", Password: "bob-secret", Device: cli, DeviceToken: bob.token}, reply)
	bob.wantClosed("taken over", wire.CloseReplaced)
	fresh.wantClosed("who took it over", 0)
	bob.token = reply.DeviceToken
	bob.again().wantClosed("by the new token", 0)
}

func TestAnAnswerToAConnectionThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice := r.account("alice")
	alice.post(wire.OpSend, alice.draft(alice, "x"))
	alice.post(wire.OpSync, &wire.SyncRequest{Key: alice.key, WaitMs: 1000})
	stranger := r.open(secure)
	stranger.post(wire.OpRegister, &wire.RegisterRequest{Name: "bob", Password: "long enough", Device: cli})
	for _, c := range []*conn{alice, stranger} {
		c.fakeLink.Close(mustFrame(t))
		c.s.Closed()
	}
	r.Rest()
	r.Pass(time.Minute)
	if open, known := r.hub.Counts(); open != 0 || known != 0 {
		t.Errorf("%d sessions are open, %d have said who they are", open, known)
	}
	alice = r.open(secure)
	alice.must(wire.OpLogin, &wire.LoginRequest{Name: "alice", Password: "alice-secret", Device: cli}, nil)
}

func mustFrame(t *testing.T) []byte {
	t.Helper()
	frame, err := wire.Append(nil, wire.OpClose, 0, &wire.Close{Reason: wire.CloseIdle})
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestDraining(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice, bob, stranger := r.account("alice"), r.account("bob"), r.open(secure)
	alice.sync()
	bob.sync()
	sent := alice.post(wire.OpSend, alice.draft(alice, "x"))
	held := bob.post(wire.OpSync, &wire.SyncRequest{Key: bob.key, WaitMs: 25_000})
	for _, c := range []*conn{alice, bob, stranger} {
		c.s.Drain(1500 * time.Millisecond)
	}
	stranger.wantClosed("nothing under way", wire.CloseDraining)
	if stranger.closed.ReconnectAfterMs != 1500 {
		t.Errorf("it is to come back after %d ms", stranger.closed.ReconnectAfterMs)
	}
	page := new(wire.SyncReply)
	if err := bob.result(held, wire.OpSync, page); err != nil || len(page.Changes) != 0 {
		t.Errorf("what was held is answered with %v, %v", page, err)
	}
	bob.wantClosed("what was held is answered", wire.CloseDraining)
	alice.wantClosed("a send under way", 0)
	wantCode(t, "one request more", alice.ask(wire.OpHeartbeat, nil, nil), hongyan.Unavailable)
	r.Rest()
	if err := alice.result(sent, wire.OpSend, new(wire.SendReply)); err != nil {
		t.Error(err)
	}
	alice.wantClosed("the send is answered", wire.CloseDraining)
	if last := alice.frames[len(alice.frames)-1]; last.Seq != sent {
		t.Errorf("the last answer is to %d, want %d", last.Seq, sent)
	}
}

// A request that was admitted before the server drains and is parked after it has woken all that were held.
func TestDrainingWhileARequestIsParked(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice := r.account("alice")
	alice.sync()
	r.Desk.Desk.Park = func(u hongyan.UserID, wake func()) func() {
		alice.s.Drain(time.Second)
		return r.hub.Park(u, wake)
	}
	seq := alice.post(wire.OpSync, &wire.SyncRequest{Key: alice.key, WaitMs: 25_000})
	r.Rest()
	if err := alice.result(seq, wire.OpSync, new(wire.SyncReply)); err != nil {
		t.Error(err)
	}
	alice.wantClosed("answered", wire.CloseDraining)
}

func TestHeldRequestsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, nil)
	alice := r.account("alice")
	alice.sync()
	other := alice.again()
	var seqs []uint32
	for range MaxParked {
		seqs = append(seqs, alice.post(wire.OpSync, &wire.SyncRequest{Key: alice.key, WaitMs: 25_000}))
	}
	r.Rest()
	for _, seq := range seqs {
		if alice.answer(seq) != nil {
			t.Fatal("a request was not held")
		}
	}
	last := other.post(wire.OpSync, &wire.SyncRequest{Key: alice.key, WaitMs: 25_000})
	r.Rest()
	answered := 0
	for _, seq := range seqs {
		if alice.answer(seq) != nil {
			answered++
		}
	}
	if answered != 1 || alice.answer(seqs[0]) == nil || other.answer(last) != nil {
		t.Errorf("%d requests were answered, the oldest: %v, the newest: %v", answered, alice.answer(seqs[0]) != nil,
			other.answer(last) != nil)
	}
	other.says(other, "x")
	for _, seq := range seqs[1:] {
		if err := alice.result(seq, wire.OpSync, new(wire.SyncReply)); err != nil {
			t.Fatal(err)
		}
	}
	if r.Timers() != 0 {
		t.Errorf("%d timers are left", r.Timers())
	}
}
