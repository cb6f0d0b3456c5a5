//go:build unix

package http1_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/carrier/carriertest"
	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/static"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/ws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang is how long these tests wait for what must happen.
const hang = 20 * time.Second

// rigs are the carriers that HTTP is tested on.
var rigs = map[string]carriertest.Rig{"tcp": carriertest.TCP(), "tls": carriertest.TLS()}

// host is a whole server: files, an echo, polls, and net/http for the rest.
type host struct {
	site  *static.Site
	conns chan net.Conn
	done  chan struct{}
	polls chan *http1.Parked
}

func (h *host) Route(x *http1.Exchange) {
	switch path := string(x.Path); {
	case path == "/hello":
		x.Respond(http1.Response{Status: 200, Type: "text/plain", Body: []byte("hello")})
	case path == "/poll":
		h.polls <- x.Park(x.Now.Add(hang), h)
	case path == "/soon":
		x.Park(x.Now.Add(50*time.Millisecond), h)
	case path == "/echo":
		_ = x.Upgrade(&ws.Acceptor{Deflate: &ws.Deflate{}}, nil, func(c carrier.Conn, agreed ws.Agreement) carrier.Handler {
			return websocket.New(c, agreed, 16<<20, func(c *websocket.Conn) websocket.Receiver { return &echo{c} })
		})
	case strings.HasPrefix(path, "/files/"):
		h.site.Serve(x, "/files/")
	default:
		x.HandOver()
	}
}

func (h *host) Expired(time.Time) http1.Response {
	return http1.Response{Status: 200, Body: []byte("nothing")}
}
func (h *host) Gone()   {}
func (h *host) Closed() {}

// replay is a connection whose first bytes have been read already.
type replay struct {
	net.Conn
	io.Reader
}

func (r replay) Read(p []byte) (int, error) { return r.Reader.Read(p) }

func (h *host) Take(c net.Conn, first []byte) {
	select {
	case h.conns <- replay{c, io.MultiReader(bytes.NewReader(first), c)}:
	case <-h.done:
		c.Close()
	}
}

// Accept, Close and Addr make net/http's listener of it.
func (h *host) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}
func (h *host) Close() error   { return nil }
func (h *host) Addr() net.Addr { return &net.TCPAddr{} }

// serve starts a host on a rig, and returns its address and an HTTP client for it.
func serve(t *testing.T, rig carriertest.Rig) (*host, net.Addr, *http.Client) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big.bin"), noise(2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	site, err := static.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{site: site, conns: make(chan net.Conn), done: make(chan struct{}), polls: make(chan *http1.Parked, 10)}
	rest := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "net/http: %s %s %d", r.Method, r.URL.Path, len(body))
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = rest.Serve(h) })
	limits := carrier.Limits{Write: hang, Flush: hang, Linger: hang, SoftQueue: 1 << 20, HardQueue: 64 << 20}
	times := http1.Limits{Head: hang, Idle: hang}
	addr, stop := rig.Listen(t, &limits, new(carrier.Counters), func(c carrier.Conn) carrier.Handler {
		return http1.New(c, h, &times, time.Now())
	})
	dial := func(context.Context, string, string) (net.Conn, error) { return rig.Dial(addr) }
	transport := &http.Transport{DialContext: dial, DialTLSContext: dial, TLSClientConfig: &tls.Config{}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		close(h.done)
		rest.Close()
		serving.Wait()
		stop()
		site.Close()
	})
	return h, addr, &http.Client{Transport: transport, Timeout: hang}
}

func noise(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(p)
	return p
}

func fetch(t testing.TB, client *http.Client, method, path string, body io.Reader) string {
	t.Helper()
	req, err := http.NewRequest(method, "http://test"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, got)
}

func TestOverSockets(t *testing.T) {
	t.Parallel()
	for name, rig := range rigs {
		for part, test := range map[string]func(*testing.T, carriertest.Rig){
			"answers": testAnswers, "files": testFiles, "polls": testPolls, "net-http": testHandOver, "websocket": testWebSocket,
		} {
			t.Run(name+"/"+part, func(t *testing.T) {
				t.Parallel()
				test(t, rig)
			})
		}
	}
}

func testAnswers(t *testing.T, rig carriertest.Rig) {
	_, addr, client := serve(t, rig)
	for range 50 {
		if got := fetch(t, client, "GET", "/hello", nil); got != "200 hello" {
			t.Fatal(got)
		}
	}
	c, err := rig.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(hang))
	in := strings.Repeat(get("/hello"), 999) + "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	go func() {
		if _, err := io.WriteString(c, in[:len(in)/3]); err == nil {
			_, _ = io.WriteString(c, in[len(in)/3:])
		}
	}()
	out, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := answers(t, string(out)); len(got) != 1000 {
		t.Fatalf("%d answers to 1000 requests in a row", len(got))
	}
}

func testFiles(t *testing.T, rig carriertest.Rig) {
	_, _, client := serve(t, rig)
	want := noise(2 << 20)
	for range 3 {
		if got := fetch(t, client, "GET", "/files/big.bin", nil); got != "200 "+string(want) {
			t.Fatalf("%d bytes", len(got))
		}
		if got := fetch(t, client, "GET", "/files/missing", nil); !strings.HasPrefix(got, "404 ") {
			t.Fatal(got)
		}
	}
}

func testPolls(t *testing.T, rig carriertest.Rig) {
	h, _, client := serve(t, rig)
	for i := range 20 {
		go func() {
			p := <-h.polls
			if !p.Respond(http1.Response{Status: 200, Body: fmt.Append(nil, i)}) {
				t.Error("nobody waits")
			}
		}()
		if got := fetch(t, client, "GET", "/poll", nil); got != fmt.Sprint("200 ", i) {
			t.Fatal(got)
		}
	}
	if got := fetch(t, client, "GET", "/soon", nil); got != "200 nothing" {
		t.Fatal(got)
	}
}

// A connection is handed over right behind an answer, again and again: whatever the carrier still has to do with that
// answer must not stand in the way.
func testHandOver(t *testing.T, rig carriertest.Rig) {
	_, addr, client := serve(t, rig)
	body := noise(300 << 10)
	for range 30 {
		client.CloseIdleConnections()
		if got := fetch(t, client, "GET", "/hello", nil); got != "200 hello" {
			t.Fatal(got)
		}
		if got := fetch(t, client, "POST", "/things", bytes.NewReader(body)); got != "200 net/http: POST /things 307200" {
			t.Fatal(got)
		}
		if got := fetch(t, client, "GET", "/hello", nil); got != "200 net/http: GET /hello 0" && got != "200 hello" {
			t.Fatal(got)
		}
	}
	// Sent before the answer has left, so handed over when nothing comes any more.
	c, err := rig.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(hang))
	send(t, c, get("/hello")+"POST /things HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody")
	out, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "answers", answers(t, string(out)), "200 hello", "200 net/http: POST /things 4 (close)")
}

func testWebSocket(t *testing.T, rig carriertest.Rig) {
	_, addr, _ := serve(t, rig)
	c, err := rig.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(hang))
	hello := ws.Hello{Host: "test", Target: "/echo", Nonce: [16]byte{7}}
	out, err := hello.AppendRequest(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := ws.Key(0x3d21fa37)
	messages := []string{"one", "", strings.Repeat("鸿", 10), string(bytes.Repeat([]byte("long "), 1<<20)), "last"}
	for _, m := range messages {
		out = ws.AppendMessage(out, ws.Text, []byte(m), &key)
	}
	var closing ws.Closing
	out = closing.Start(out, ws.CodeNormal, "done", &key)
	go func() {
		if _, err := c.Write(out); err != nil {
			t.Error(err)
		}
	}()
	got, err := io.ReadAll(c) // until the server ends the connection
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.Index(got, []byte("\r\n\r\n")) + 4
	if !bytes.HasPrefix(got, []byte("HTTP/1.1 101 ")) || end < 4 {
		t.Fatalf("%.100q", got)
	}
	reader := ws.NewReader(ws.Client, 16<<20, nil)
	for in, i := got[end:], 0; ; i++ {
		ev, n, err := reader.Next(in)
		if err != nil {
			t.Fatal(err)
		}
		in = in[n:]
		if ev.Op == ws.Close {
			if i != len(messages) || ev.Code != ws.CodeNormal || len(in) > 0 {
				t.Fatalf("closed with %d behind %d messages, %d bytes more", ev.Code, i, len(in))
			}
			return
		}
		if i >= len(messages) || string(ev.Data) != messages[i] {
			t.Fatalf("message %d: %.100q", i, ev.Data)
		}
	}
}
