package client

import (
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// TestPinIsLearnt: what a server says of its key over loopback is believed once, and no other key afterwards.
func TestPinIsLearnt(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	first := s.pin()
	s.tellsPin = first
	alice := register(t, s, "alice", Options{})
	if pin := alice.credentials().Pin; pin != first {
		t.Fatalf("learnt %q, want %q", pin, first)
	}
	alice.Close()

	// The key is accepted though nobody known has signed the certificate, and nobody is asked.
	s.do(func() { s.needTLS, s.tellsPin = true, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" })
	open := func() *Client {
		t.Helper()
		c, err := Open(alice.dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	again := open()
	send(t, again, "alice", "over TLS")
	if creds := again.credentials(); creds.Pin != first || !creds.Secure {
		t.Errorf("over TLS the client learnt the key %q, want %q, and that TLS is needed: %v", creds.Pin, first, creds.Secure)
	}
	again.Close()

	// Another key is refused, at a login with the same profile too.
	s.do(func() { s.cert = selfSigned(t) })
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "not the pinned one") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, _, err := open().History(within(t), hongyan.Direct(alice.User(), alice.User()), 0, 0, 1)
	refused("a request", err)
	_, err = Login(within(t), alice.dir, s.addr(), "alice", "password", Options{})
	refused("a login", err)

	// Whoever knows better names the new key.
	c, err := Login(within(t), alice.dir, s.addr(), "alice", "password", Options{Dial: DialOptions{Pin: s.pin()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if pin := c.credentials().Pin; pin != s.pin() {
		t.Errorf("the profile keeps %q, want %q", pin, s.pin())
	}
}
