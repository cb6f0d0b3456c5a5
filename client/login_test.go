package client

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// TestEndOfTheDevice: a final close ends Run, and a revoked token the next one.
func TestEndOfTheDevice(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice := register(t, s, "alice", Options{OnEvent: w.tell})
	s.on(wire.OpHeartbeat, func(ts *testSession, _ wire.Frame) verdict {
		if ts.account == nil { // asking whether anybody is there
			return verdict{}
		}
		return verdict{close: &wire.Close{Reason: wire.CloseKicked, Message: "by the tablet", Final: true}}
	})
	err := <-start(t, alice)
	var closed *ClosedError
	if !errors.As(err, &closed) || closed.Reason != wire.CloseKicked || !closed.Final {
		t.Errorf("Run ended with %v", err)
	}
	s.do(func() { clear(s.accounts[alice.User()].tokens) })
	s.cutAll()
	if err := alice.Run(within(t)); hongyan.CodeOf(err) != hongyan.Revoked {
		t.Errorf("Run ended with %v", err)
	}
	if err := alice.Sync(within(t)); hongyan.CodeOf(err) != hongyan.Revoked {
		t.Errorf("Sync ended with %v", err)
	}
	if _, err := alice.Send(within(t), ToName("x"), hongyan.Text("x")); hongyan.CodeOf(err) != hongyan.Revoked {
		t.Errorf("Send ended with %v", err)
	}
}

// TestAnothersToken: a device that turns out to be another account's does not mix the two.
func TestAnothersToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{})
	bob.Close()
	creds := alice.credentials()
	creds.User = bob.User()
	if err := creds.save(bob.dir); err != nil {
		t.Fatal(err)
	}
	mixed, err := Open(bob.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer mixed.Close()
	for _, err := range []error{mixed.Run(within(t)), mixed.Recall(within(t), hongyan.Direct(1, 2), 1)} {
		if err == nil || !strings.Contains(err.Error(), "log in again") {
			t.Errorf("got %v", err)
		}
	}
}

// TestBadProfiles: files that are damaged are named.
func TestBadProfiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no JSON": "{", "empty": "{}", "no token": `{"server":"a","user":1}`, "another type": `{"server":1}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, credentialsFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), credentialsFile) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	s := newServer(t)
	alice := register(t, s, "alice", Options{})
	for _, file := range []string{stateFile, outboxFile} {
		if err := os.WriteFile(filepath.Join(alice.dir, file), []byte("not a database"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := alice.Sync(within(t)); err == nil || !strings.Contains(err.Error(), stateFile) {
		t.Errorf("synced: %v", err)
	}
	if _, err := alice.Send(within(t), ToName("bob"), hongyan.Text("x")); err == nil || !strings.Contains(err.Error(), outboxFile) {
		t.Errorf("sent: %v", err)
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"process 17 is keeping /p/state.db: end it first, or use a profile in another directory":      &LockedError{"/p/state.db", 17},
		"another process is keeping /p/state.db: end it first, or use a profile in another directory": &LockedError{"/p/state.db", 0},
		"process 17 is sending from /p/outbox.db: try again when it has finished":                     &LockedError{"/p/outbox.db", 17},
		"another part of this process is sending from /p/outbox.db: try again when it has finished":   &LockedError{"/p/outbox.db", os.Getpid()},
		"the server closed the connection (IDLE)":                                                     &ClosedError{Reason: wire.CloseIdle},
		"the server closed the connection (DRAINING): upgrade":                                        &ClosedError{Reason: wire.CloseDraining, Message: "upgrade"},
		"the message waits in the outbox: closed":                                                     &QueuedError{Err: ErrClosed},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

// TestReconnectHint: a server that leaves is not asked before the time it gave.
func TestReconnectHint(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice := register(t, s, "alice", Options{OnEvent: w.tell})
	s.on(wire.OpHeartbeat, func(*testSession, wire.Frame) verdict {
		return verdict{close: &wire.Close{Reason: wire.CloseDraining, ReconnectAfterMs: 3_600_000}}
	})
	start(t, alice)
	w.until(t, "down", count(func(e LinkEvent) bool {
		var closed *ClosedError
		return errors.As(e.Link.Err, &closed) && closed.Reason == wire.CloseDraining && time.Until(e.Link.RetryAt) > 50*time.Minute
	}))
	if l := alice.Link(); l.Online || l.Err == nil {
		t.Errorf("the link is %+v", l)
	}
	if err := alice.MarkRead(within(t), hongyan.Direct(1, 2), 1); err == nil || !strings.Contains(err.Error(), "not connected") {
		t.Errorf("a request went somewhere: %v", err)
	}
}

// TestTLSDemand: the client comes back encrypted at once, and remembers that and the certificate it was told to trust.
func TestTLSDemand(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	asked := 0
	o := Options{OnEvent: w.tell, Dial: DialOptions{TrustFirst: func(string) error { asked++; return nil }}}
	alice := register(t, s, "alice", o)
	start(t, alice)
	w.untilOnline(t)
	s.do(func() { s.needTLS = true })
	w.until(t, "the demand", count(func(e LinkEvent) bool { return e.Link.Err != nil }))
	if err := alice.Do(within(t), wire.OpAck, nil, new(wire.AckReply)); err != nil {
		t.Log(err) // the moment between the connections
	}
	send(t, alice, "alice", "secret")
	if asked != 1 {
		t.Errorf("asked %d times about the certificate", asked)
	}
	alice.Close()
	var before int
	s.do(func() { before = s.plain })
	again, err := Open(alice.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	send(t, again, "alice", "secret too")
	s.do(func() {
		if s.plain != before {
			t.Error("the next connection was plain")
		}
	})
}

// TestOneConnection: a device needs one connection, which passes from the login to Run, and from requests that wait to
// Run.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWitness()
	alice := register(t, s, "alice", Options{OnEvent: w.tell})
	start(t, alice)
	w.untilOnline(t)
	send(t, alice, "alice", "a note")
	w.untilText(t, "a note")
	s.do(func() {
		if s.accepted != 1 {
			t.Errorf("%d connections for a login and Run", s.accepted)
		}
	})

	bob := register(t, s, "bob", Options{})
	refused := make(chan struct{}, 1)
	s.on(wire.OpAuth, func(*testSession, wire.Frame) verdict {
		refused <- struct{}{}
		return verdict{err: hongyan.Errorf(hongyan.Busy, "not now").WithRetryAfter(time.Hour)}
	})
	bob.side.conn.fail(errNoReply)
	sent := make(chan error, 1)
	go func() {
		_, err := bob.Send(within(t), ToName("alice"), hongyan.Text("patience"))
		sent <- err
	}()
	<-refused
	s.do(func() { s.intercept = nil })
	start(t, bob)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	s.do(func() {
		// Alice's, Bob's at the login, the one on which he was refused, and Run's.
		if s.accepted != 4 {
			t.Errorf("%d connections", s.accepted)
		}
	})
}

func TestLoginOverTLS(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.needTLS = true
	dir := filepath.Join(t.TempDir(), "alice")
	r := Registration{Name: "alice", Password: "password"}
	if _, err := Register(within(t), dir, s.addr(), r, Options{}); err == nil {
		t.Fatal("an unknown certificate was accepted")
	}
	c, err := Register(within(t), dir, s.addr(), r, Options{Dial: DialOptions{Pin: s.pin()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, "alice", "note to self")
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir := filepath.Join(t.TempDir(), "deep", "alice")
	if _, err := Open(dir, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opened nothing: %v", err)
	}
	if _, err := Login(within(t), dir, s.addr(), "alice", "password", Options{}); hongyan.CodeOf(err) != hongyan.BadCredentials {
		t.Errorf("logged in as nobody: %v", err)
	}
	register(t, s, "bob", Options{})
	alice, err := Register(within(t), dir, s.addr(), Registration{Name: "alice", Password: "password"},
		Options{Device: hongyan.Device{Name: "phone", Class: hongyan.ClassPhone}})
	if err != nil {
		t.Fatal(err)
	}
	device := alice.Device()
	alice.Close()
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, credentialsFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
	if alice, err = Login(within(t), dir, s.addr(), "alice", "password", Options{}); err != nil {
		t.Fatal(err)
	}
	if alice.Device() != device || alice.Name() != "alice" || alice.Server() != s.addr() {
		t.Errorf("logged in again as device %d of %s at %s, was %d", alice.Device(), alice.Name(), alice.Server(), device)
	}
	token := alice.credentials().DeviceToken
	alice.Close()
	if _, err := Login(within(t), dir, s.addr(), "bob", "password", Options{}); hongyan.CodeOf(err) != hongyan.Exists {
		t.Errorf("another account took the profile: %v", err)
	}
	bot, err := LoginToken(within(t), filepath.Join(t.TempDir(), "bot"), s.addr(), token, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if bot.Name() != "alice" || bot.Device() != device {
		t.Errorf("the token is device %d of %s", bot.Device(), bot.Name())
	}
	send(t, bot, "bob", "hello")
	bot.Close()
	if _, err := bot.Send(within(t), ToName("bob"), hongyan.Text("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("sent after Close: %v", err)
	}
	if _, err := bot.Conversations(); err != ErrClosed {
		t.Errorf("read after Close: %v", err)
	}
	if err := bot.Sync(within(t)); err != ErrClosed {
		t.Errorf("synced after Close: %v", err)
	}
}
