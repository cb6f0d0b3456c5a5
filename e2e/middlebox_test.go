package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// middlebox stands between clients and a server and lets through what it understands.
type middlebox struct {
	to    string
	allow func(first string) bool // by the first line and headers of HTTP, or by the first byte of anything else
	ln    net.Listener
	work  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool
}

func newMiddlebox(t *testing.T, to string, allow func(string) bool) *middlebox {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &middlebox{to: to, allow: allow, ln: ln, open: map[net.Conn]bool{}}
	m.work.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			m.work.Go(func() { m.carry(nc) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		m.cut()
		m.work.Wait()
	})
	return m
}

// carry carries one connection, as far as its beginning is liked.
func (m *middlebox) carry(nc net.Conn) {
	defer nc.Close()
	m.keep(nc, true)
	defer m.keep(nc, false)
	in := bufio.NewReader(nc)
	begin, err := in.ReadString('\n') // or a piece of what is no text, at the end of the connection or of patience
	for err == nil && begin[0] >= 'A' && !strings.HasSuffix(begin, "\r\n\r\n") {
		var line string
		line, err = in.ReadString('\n')
		begin += line
	}
	if err != nil || !m.allow(begin) {
		return
	}
	out, err := net.Dial("tcp", m.to)
	if err != nil {
		return
	}
	defer out.Close()
	m.keep(out, true)
	defer m.keep(out, false)
	if _, err := io.WriteString(out, begin); err != nil {
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(nc, out)
		nc.Close()
	}()
	_, _ = io.Copy(out, in)
	out.Close()
	<-back
}

func (m *middlebox) keep(nc net.Conn, open bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if open {
		m.open[nc] = true
	} else {
		delete(m.open, nc)
	}
}

// cut cuts all connections.
func (m *middlebox) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for nc := range m.open {
		nc.Close()
	}
}

// TestThroughMiddleboxes talks through boxes that let HTTP alone through, with WebSocket and without, and that cut what
// they carry now and then. Nothing is lost, doubled or out of order.
func TestThroughMiddleboxes(t *testing.T) {
	s := newServer(t, t.TempDir())
	s.addUser("alice", "bob")
	var told inbound
	bob := s.login("bob", told.on)
	run(t, bob)
	var acked, answered outbound
	n := 0
	for _, tt := range []struct {
		transport string
		allow     func(string) bool
	}{
		{"ws", func(begin string) bool { return begin[0] >= 'A' }},
		{"http", func(begin string) bool {
			return begin[0] >= 'A' && !strings.Contains(strings.ToLower(begin), "\r\nupgrade:")
		}},
	} {
		t.Run(tt.transport, func(t *testing.T) {
			box := newMiddlebox(t, s.addr, tt.allow)
			ctx, cancel := context.WithTimeout(t.Context(), hang)
			defer cancel()
			var heard inbound
			alice, err := client.Login(ctx, filepath.Join(t.TempDir(), "alice"), box.ln.Addr().String(), "alice", "alice-secret",
				client.Options{OnEvent: func(e client.Event) error { heard.on(e); return nil }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { alice.Close() })
			run(t, alice)
			began := time.Now()
			var slowest time.Duration
			for i := range 20 {
				n++
				sent, err := alice.Send(ctx, client.ToName("bob"), hongyan.Text(numbered("alice", n)))
				if err != nil {
					t.Fatal(err)
				}
				acked.add(sent)
				if i%7 == 3 {
					box.cut()
				}
				sent, err = bob.Send(ctx, client.ToName("alice"), hongyan.Text(numbered("bob", n)))
				if err != nil {
					t.Fatal(err)
				}
				answered.add(sent)
				asked := time.Now()
				heard.waitFor(t, []client.Sent{sent})
				slowest = max(slowest, time.Since(asked))
			}
			if got := alice.Link().Transport; got != tt.transport {
				t.Errorf("the link is %q", got)
			}
			told.waitFor(t, acked.sent())
			heard.waitFor(t, answered.sent())
			t.Logf("20 messages each way with three cuts took %v, the slowest %v", time.Since(began), slowest)
		})
	}
	checkHistory(t, "bob", told.messages(), append(acked.sent(), answered.sent()...))
}
