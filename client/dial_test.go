package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// beat checks that a connection works.
func beat(t *testing.T, c *Conn) {
	t.Helper()
	if _, err := c.Heartbeat(within(t), nil); err != nil {
		t.Error(err)
	}
}

func TestDialCertificates(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	pin := s.pin()
	roots := x509.NewCertPool()
	leaf, _ := x509.ParseCertificate(s.cert.Certificate[0])
	roots.AddCert(leaf)
	var asked string
	accept := func(f string) error { asked = f; return nil }
	doubt := errors.New("never seen that one")
	refuse := func(f string) error { asked = f; return doubt }
	known := &tls.Config{RootCAs: roots}
	for _, tt := range []struct {
		name  string
		o     DialOptions
		ok    bool
		asked bool
	}{
		{"unknown", DialOptions{}, false, false},
		{"known", DialOptions{TLS: known}, true, false},
		{"another name", DialOptions{TLS: &tls.Config{RootCAs: roots, ServerName: "other.example"}}, false, false},
		{"pinned", DialOptions{Pin: pin}, true, false},
		{"another pinned", DialOptions{Pin: strings.Repeat("0", 64)}, false, false},
		{"another pinned, though known", DialOptions{Pin: strings.Repeat("0", 64), TLS: known}, false, false},
		{"pinned, with a question", DialOptions{Pin: strings.Repeat("0", 64), TrustFirst: accept}, false, false},
		{"accepted", DialOptions{TrustFirst: accept}, true, true},
		{"refused", DialOptions{TrustFirst: refuse}, false, true},
		{"known, with a question", DialOptions{TLS: known, TrustFirst: refuse}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked = ""
			tt.o.Secure = true
			c, err := Dial(within(t), s.addr(), tt.o)
			if (err == nil) != tt.ok || (asked != "") != tt.asked || (tt.asked && asked != pin) {
				t.Errorf("got %v, asked about %q", err, asked)
			}
			if tt.name == "refused" && !errors.Is(err, doubt) {
				t.Errorf("got %v", err)
			}
			if err == nil {
				beat(t, c)
				c.Close()
			}
		})
	}
}

// TestDialPlain: loopback is dialled in the clear, everything else is not, wherever the name leads.
func TestDialPlain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c, err := Dial(within(t), s.addr(), DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	beat(t, c)
	c.Close()
	var address string
	o := DialOptions{Pin: s.pin(), DialContext: func(ctx context.Context, network, a string) (net.Conn, error) {
		address = a
		return new(net.Dialer).DialContext(ctx, network, s.addr())
	}}
	if c, err = Dial(within(t), "chat.example", o); err != nil {
		t.Fatal(err)
	}
	beat(t, c)
	c.Close()
	if address != "chat.example:7878" {
		t.Errorf("dialled %s", address)
	}
	s.do(func() {
		if s.plain != 1 {
			t.Errorf("%d plain connections", s.plain)
		}
	})
}

func TestDialUnix(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		buf := make([]byte, wire.HeaderSize)
		nc.Read(buf)
		nc.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpStatus.Reply(), Seq: 1}))
		nc.Read(buf)
	}()
	c, err := Dial(within(t), "unix:"+path, DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Do(within(t), wire.OpStatus, nil, new(wire.StatusReply)); err != nil {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"chat.example":        "chat.example:7878",
		"chat.example:443":    "chat.example:443",
		"192.0.2.1":           "192.0.2.1:7878",
		"192.0.2.1:80":        "192.0.2.1:80",
		"::1":                 "[::1]:7878",
		"[::1]":               "[::1]:7878",
		"[::1]:80":            "[::1]:80",
		"":                    "",
		":8080":               "",
		"a:b:c":               "",
		"http://chat.example": "",
		"chat example":        "",
	} {
		_, got, err := splitAddress(address)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", address, got, err)
		}
		if err != nil && hongyan.CodeOf(err) != hongyan.Invalid {
			t.Errorf("%q: %v", address, err)
		}
	}
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"localhost.example": false, "192.0.2.1": false, "chat.example": false,
	} {
		if loopback(host) != want {
			t.Errorf("%s: loopback is %v", host, !want)
		}
	}
}

func TestDialFails(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	for _, a := range []string{address, "unix:/no/such/socket", "no address"} {
		if c, err := Dial(within(t), a, DialOptions{}); err == nil {
			c.Close()
			t.Errorf("%s was reached", a)
		}
	}
}

// TestWhyItWaits: who gives a message up learns why it could not be sent.
func TestWhyItWaits(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ctx, giveUp := context.WithCancelCause(within(t))
	var attempts atomic.Int64
	alice := register(t, s, "alice", Options{Dial: DialOptions{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			switch attempts.Add(1) {
			case 1: // the registration
				return new(net.Dialer).DialContext(ctx, network, address)
			case 3:
				giveUp(errors.New("too long"))
			}
			return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("a wall")}
		},
	}})
	s.cutAll()
	_, err := alice.Send(ctx, ToName("bob"), hongyan.Text("x"))
	if want := fmt.Sprintf("the message waits in the outbox: too long: cannot reach %s: a wall", s.addr()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}
