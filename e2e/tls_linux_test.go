package e2e

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

// pin is the fingerprint that the server printed at its start.
func (s *server) pin() string {
	s.t.Helper()
	found := regexp.MustCompile(`pin="(sha256//[^"]+)"`).FindStringSubmatch(s.log.String())
	if found == nil {
		s.t.Fatalf("the server printed no fingerprint:\n%s", s.log.String())
	}
	return found[1]
}

// plain connects without encryption, which the client does by itself to loopback only.
func (s *server) plain(t *testing.T) *client.Conn {
	t.Helper()
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := client.NewConn(raw, nil)
	t.Cleanup(c.Close)
	return c
}

// TestNothingPlainFromOtherMachines: over a network the server takes a login over TLS only, on the same port, and a
// client that knows the key's fingerprint accepts that key and no other.
func TestNothingPlainFromOtherMachines(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		host := becomeHost(t, 192, 0, 2, 1)
		s := newServerAt(t, host, t.TempDir())
		s.addUser("alice", "bob")

		plain := s.plain(t)
		login := &wire.LoginRequest{Name: "alice", Password: "alice-secret"}
		if err := plain.Do(t.Context(), wire.OpLogin, login, new(wire.LoginReply)); hongyan.CodeOf(err) != hongyan.TLSRequired {
			t.Errorf("a login in the clear was answered by %v", err)
		}
		<-plain.Done()
		var closed *client.ClosedError
		if err := plain.Err(); !errors.As(err, &closed) || !closed.NeedsTLS() {
			t.Errorf("the connection ended with %v", err)
		}

		options := client.Options{Dial: client.DialOptions{Pin: s.pin()}}
		alice := s.loginWith("alice", options)
		run(t, alice)
		if _, err := alice.Send(t.Context(), client.ToName("bob"), hongyan.Text("over TLS")); err != nil {
			t.Error(err)
		}
		options.Dial.Pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		if c, err := client.Login(t.Context(), filepath.Join(t.TempDir(), "p"), s.addr, "bob", "bob-secret", options); err == nil {
			c.Close()
			t.Error("another fingerprint was accepted")
		}
	})
}

// TestTLSIsDemanded: the operator sends live plain connections to TLS; clients come back encrypted by themselves and
// lose nothing. They know the certificate, which nobody has signed, from the connection before.
func TestTLSIsDemanded(t *testing.T) {
	s := newServer(t, t.TempDir())
	s.addUser("alice", "bob")
	var told inbound
	bob := s.login("bob", told.on)
	run(t, bob)
	alice := s.login("alice", nil)
	run(t, alice)
	var acked outbound
	send := func(n int) {
		ctx, cancel := context.WithTimeout(t.Context(), hang)
		defer cancel()
		sent, err := alice.Send(ctx, client.ToName("bob"), hongyan.Text(numbered("alice", n)))
		if err != nil {
			t.Fatal(err)
		}
		acked.add(sent)
	}
	send(1)
	r := new(wire.DemandTLSReply)
	if err := s.operator().Do(t.Context(), wire.OpDemandTLS, &wire.DemandTLSRequest{}, r); err != nil {
		t.Fatal(err)
	}
	if r.Closed != 2 {
		t.Errorf("%d connections were sent to TLS, want one of each device", r.Closed)
	}
	send(2)
	told.waitFor(t, acked.sent())
	if err := s.operator().Do(t.Context(), wire.OpDemandTLS, &wire.DemandTLSRequest{}, r); err != nil {
		t.Fatal(err)
	}
	if r.Closed != 0 {
		t.Errorf("%d connections are plain after the demand", r.Closed)
	}
	// The devices keep the demand, the server does not: over loopback it takes the next plain connection as before.
	login := &wire.LoginRequest{Name: "bob", Password: "bob-secret", Device: wire.FromDevice(hongyan.Device{Name: "new", Class: hongyan.ClassBot})}
	if err := s.plain(t).Do(t.Context(), wire.OpLogin, login, new(wire.LoginReply)); err != nil {
		t.Errorf("a plain login after the demand: %v", err)
	}
	checkHistory(t, "bob", told.messages(), acked.sent())
}
