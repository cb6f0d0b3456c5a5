//go:build unix

package gatetest

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier/carriertest"
	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/wire"
)

// RunListeners runs the suite of what one TCP port recognises. What carries it is configure's to choose, which may be
// nil.
func RunListeners(t *testing.T, configure func(*gate.Config)) {
	l := listeners{plain: TCP(configure), secure: TLS(configure)}
	for name, test := range map[string]func(*testing.T){
		"everything on one port":       l.testOnePort,
		"first bytes one at a time":    l.testSlowFirstBytes,
		"unknown first bytes":          l.testUnknown,
		"TLS and HTTP not offered":     l.testNotOffered,
		"TLS handshake that stalls":    l.testStalledHandshake,
		"HTTP requests":                l.testHTTP,
		"HTTP header that never ends":  l.testSlowHeader,
		"HTTP client that reads not":   l.testHTTPStuck,
		"HTTP connection taken over":   l.testHijack,
		"drain waits for HTTP":         l.testDrainHTTP,
		"server close with HTTP there": l.testCloseHTTP,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// listeners has two rigs for the same listener: they differ in how they dial.
type listeners struct{ plain, secure Rig }

// start starts a server that offers TLS, and HTTP if there is a handler.
func (l listeners) start(t *testing.T, handler http.HandlerFunc, tune func(*gate.Config)) *server {
	return l.secure.start(t, nil, func(cfg *gate.Config) {
		if handler != nil {
			cfg.HTTP = handler
		}
		if tune != nil {
			tune(cfg)
		}
	})
}

// raw dials without saying anything.
func (s *server) raw() *client {
	s.t.Helper()
	c, err := dial(s.t, TCP(nil), s.Addrs()[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// web is an HTTP client for s, whatever the URL's host.
func (s *server) web() *http.Client {
	transport := &http.Transport{
		TLSClientConfig: carriertest.ClientTLS,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", s.Addrs()[0].String())
		},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: hang}
}

func (s *server) get(web *http.Client, url string) string {
	s.t.Helper()
	resp, err := web.Get(url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

func (l listeners) testOnePort(t *testing.T) {
	s := l.start(t, func(w http.ResponseWriter, r *http.Request) {
		p, ok := gate.PeerOf(r.Context())
		if !ok || p.TLS != (r.TLS != nil) || !p.Secure || !p.Loopback || p.Operator || p.Addr.String() != r.RemoteAddr {
			t.Errorf("peer %+v of a request from %s", p, r.RemoteAddr)
		}
		io.WriteString(w, string(p.Transport))
	}, nil)
	for range 3 {
		for _, rig := range []Rig{l.plain, l.secure} {
			c, err := dial(t, rig, s.Addrs()[0])
			if err != nil {
				t.Fatal(err)
			}
			c.echo(1, "long link")
			want := gate.Peer{
				Addr:      netip.MustParseAddrPort(c.LocalAddr().String()),
				Transport: gate.TransportTCP, Secure: true, Loopback: true,
			}
			if _, ok := c.Conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
				want.Transport, want.TLS = gate.TransportTLS, true
			}
			if got := s.session().peer; got != want {
				t.Errorf("peer %+v, want %+v", got, want)
			}
		}
		web := s.web()
		for _, scheme := range []string{"http", "https"} {
			if got := s.get(web, scheme+"://hongyan.example/"); got != scheme {
				t.Errorf("%s came by the transport %s", scheme, got)
			}
		}
	}
	for transport, want := range map[string]float64{"tcp": 3, "tls": 3, "http": 3, "https": 3, "new": 0} {
		if got := s.metric("connections", transport); got != want {
			t.Errorf("%v connections of %s are counted, want %v", got, transport, want)
		}
	}
}

// trickle is a connection whose writes leave one byte at a time.
type trickle struct{ net.Conn }

func (c trickle) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
		if i < 8 {
			time.Sleep(time.Millisecond) // or the network puts them together
		}
	}
	return len(b), nil
}

func (l listeners) testSlowFirstBytes(t *testing.T) {
	s := l.start(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }, nil)
	frame := wire.AppendFrame(nil, wire.Frame{Op: wire.OpHeartbeat, Seq: 15})
	reply := wire.AppendFrame(nil, wire.Frame{Op: wire.OpHeartbeat.Reply(), Seq: 15})
	request := "GET /slowly HTTP/1.1\r\nHost: hongyan.example\r\nConnection: close\r\n\r\n"
	for _, secure := range []bool{false, true} {
		open := func() net.Conn {
			var c net.Conn = trickle{s.raw()}
			if secure {
				c = trickle{tls.Client(c, carriertest.ClientTLS)}
			}
			return c
		}
		c := open()
		got := make([]byte, len(reply))
		if _, err := c.Write(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, got); err != nil || string(got) != string(reply) {
			t.Fatalf("read % x, %v, want % x", got, err, reply)
		}
		c = open()
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(c)
		if err != nil || !strings.HasSuffix(string(text), "\r\n\r\n/slowly") {
			t.Fatalf("read %q, %v", text, err)
		}
	}
}

func (l listeners) testUnknown(t *testing.T) {
	s := l.start(t, func(w http.ResponseWriter, _ *http.Request) { t.Error("taken for HTTP") }, nil)
	unknown := []byte{0x01, '\n', '1', 'a', '@', '[', 0x15, 0x17, 0x80, 0xff}
	for _, b := range unknown {
		c := s.raw()
		c.send([]byte{b, b, b, b, b, b, b, b})
		c.wantGone()
	}
	for _, b := range append(unknown, 0x16) { // no TLS inside TLS
		c := s.dial()
		c.send([]byte{b, b, b, b, b, b, b, b})
		c.wantGone()
	}
	eventually(t, "every refusal was counted", func() bool {
		return s.metric("refused_total", "unknown") == float64(2*len(unknown)+1)
	})
	if n := len(s.opened); n != 0 {
		t.Errorf("%d sessions were opened", n)
	}
}

func (l listeners) testNotOffered(t *testing.T) {
	s := l.plain.start(t, nil, nil)
	if c, err := l.secure.Dial(s.Addrs()[0]); err == nil {
		c.Close()
		t.Error("a TLS handshake without a certificate")
	}
	c := s.raw()
	c.send([]byte("GET / HTTP/1.1\r\n\r\n"))
	c.wantGone()
	s.dial().echo(1, "alive")
}

func (l listeners) testStalledHandshake(t *testing.T) {
	s := l.start(t, nil, func(cfg *gate.Config) { cfg.Limits.Handshake = 100 * time.Millisecond })
	c := s.raw()
	c.send([]byte{0x16, 3, 1, 2, 0}) // a record of 512 bytes that do not come
	c.wantGone()
	c = s.raw()
	c.send([]byte{0x16, 0, 0, 0, 0, 0, 0, 0}) // no record at all
	c.wantGone()
	eventually(t, "the failures were counted", func() bool { return s.metric("tls_handshake_failures_total") == 2 })
	s.dial().echo(1, "alive")
}

func (l listeners) testHTTP(t *testing.T) {
	content := strings.Repeat("a large file\n", 100_000)
	s := l.start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			w.Write(body)
			return
		}
		http.ServeContent(w, r, "file", time.Time{}, strings.NewReader(content))
	}, nil)
	for _, scheme := range []string{"http", "https"} {
		web := s.web()
		for range 2 { // on one connection
			if got := s.get(web, scheme+"://hongyan.example/"); got != content {
				t.Errorf("%s: %d bytes came, want %d", scheme, len(got), len(content))
			}
			resp, err := web.Post(scheme+"://hongyan.example/", "text/plain", strings.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			echoed, err := io.ReadAll(resp.Body)
			if err != nil || string(echoed) != content {
				t.Errorf("%s: %d bytes came back, want %d: %v", scheme, len(echoed), len(content), err)
			}
			resp.Body.Close()
		}
		if got := s.metric("connections", scheme); got != 1 {
			t.Errorf("%v connections of %s are counted", got, scheme)
		}
		web.CloseIdleConnections()
		eventually(t, "the connection was let go", func() bool { return s.metric("connections", scheme) == 0 })
	}
	if in, out := s.metric("received_bytes_total"), s.metric("sent_bytes_total"); in < 4*float64(len(content)) || out < 8*float64(len(content)) {
		t.Errorf("%v bytes in and %v out are counted, with %d to a file", in, out, len(content))
	}
}

func (l listeners) testSlowHeader(t *testing.T) {
	s := l.start(t, func(http.ResponseWriter, *http.Request) {}, func(cfg *gate.Config) {
		cfg.Limits.FirstByte = 200 * time.Millisecond
	})
	c := s.raw()
	c.send([]byte("GET / HTTP/1.1\r\nHost:"))
	c.wantGone()
	eventually(t, "the connection was let go", func() bool { return s.metric("connections") == 0 })
}

func (l listeners) testHTTPStuck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 1<<30); err != nil { // a hole
		t.Fatal(err)
	}
	ended := make(chan string, 4)
	s := l.start(t, func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- r.URL.Path }()
		if r.URL.Path == "/file" {
			http.ServeFile(w, r, file)
			return
		}
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}, func(cfg *gate.Config) { cfg.Limits.Write = 200 * time.Millisecond })
	for _, secure := range []bool{false, true} {
		for _, path := range []string{"/file", "/stream"} {
			open := s.raw
			if secure {
				open = s.dial
			}
			c := open()
			c.send([]byte("GET " + path + " HTTP/1.1\r\nHost: hongyan.example\r\n\r\n"))
			select {
			case got := <-ended:
				if got != path {
					t.Errorf("%s ended, want %s", got, path)
				}
			case <-time.After(hang):
				t.Fatalf("the handler of %s is still writing", path)
			}
		}
	}
	eventually(t, "the connections were let go", func() bool { return s.metric("connections") == 0 })
}

func (l listeners) testHijack(t *testing.T) {
	s := l.start(t, func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		rw.WriteString("taken: " + line)
		rw.Flush()
	}, nil)
	c := s.raw()
	c.send([]byte("GET / HTTP/1.1\r\nHost: hongyan.example\r\n\r\nwhat comes behind\n"))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || line != "taken: what comes behind\n" {
		t.Fatalf("%q, %v", line, err)
	}
	c.wantGone()
	eventually(t, "the connection was let go", func() bool { return s.metric("connections") == 0 })

	c = s.raw()
	c.send([]byte("GET / HTTP/1.1\r\nHost: hongyan.example\r\n\r\n"))
	eventually(t, "the connection is there", func() bool { return s.metric("connections", "http") == 1 })
	s.Close() // must not wait for a line that never comes
	c.wantGone()
}

func (l listeners) testDrainHTTP(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := l.start(t, func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "finished")
	}, nil)
	c, session := s.meet()
	got := make(chan string, 1)
	go func() { got <- s.get(s.web(), "http://hongyan.example/") }()
	<-entered
	drained := make(chan error, 1)
	go func() {
		drained <- s.Drain(t.Context(), func(told gate.Session) {
			told.(*probe).link.Close(closeFrame(wire.CloseDraining))
		})
	}()
	c.wantClose(wire.CloseDraining)
	c.Close()
	session.waitClosed()
	select {
	case <-drained:
		t.Fatal("Drain returned during a request")
	case <-time.After(100 * time.Millisecond):
	}
	close(leave)
	if body := <-got; body != "finished" {
		t.Errorf("the answer is %q", body)
	}
	select {
	case err := <-drained:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(hang):
		t.Fatal("Drain did not return")
	}
}

func (l listeners) testCloseHTTP(t *testing.T) {
	entered := make(chan struct{})
	s := l.start(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}, nil)
	c := s.raw()
	c.send([]byte("GET / HTTP/1.1\r\nHost: hongyan.example\r\n\r\n"))
	<-entered
	s.Close()
	c.wantGone()
}
