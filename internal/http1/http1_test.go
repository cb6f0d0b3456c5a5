package http1_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/websocket/conntest"
	"github.com/hongyan-im/hongyan/internal/ws"
)

var (
	start  = time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	limits = http1.Limits{Head: 10 * time.Second, Idle: time.Minute}
)

// site routes by path, and writes down what it is asked.
type site struct {
	t      testing.TB
	asked  []string
	parked []*http1.Parked
	told   []string
	closed int
	taken  []string // what net/http has got
	file   string
	socket *websocket.Conn
}

func (s *site) Route(x *http1.Exchange) {
	s.asked = append(s.asked, string(x.Method)+" "+string(x.Path))
	switch string(x.Path) {
	case "/hello":
		x.Respond(http1.Response{Status: 200, Type: "text/plain", Body: []byte("hello")})
	case "/none":
		x.Respond(http1.Response{Status: 204})
	case "/big":
		x.Respond(http1.Response{Status: 200, Body: bytes.Repeat([]byte("x"), 40<<10)})
	case "/file":
		f, err := os.Open(s.file)
		if err != nil {
			s.t.Fatal(err)
		}
		x.RespondFile(http1.Response{Status: 200}, f, 2, 3)
	case "/poll":
		s.parked = append(s.parked, x.Park(x.Now.Add(25*time.Second), s))
	case "/socket":
		err := x.Upgrade(&ws.Acceptor{}, nil, func(conn carrier.Conn, agreed ws.Agreement) carrier.Handler {
			s.socket = websocket.New(conn, agreed, 1<<20, func(c *websocket.Conn) websocket.Receiver {
				c.Write(ws.Text, []byte("welcome"))
				return &echo{c}
			})
			return s.socket
		})
		if err != nil {
			s.told = append(s.told, err.Error())
		}
	case "/other":
		x.HandOver()
	}
}

func (s *site) Take(c net.Conn, first []byte) { s.taken = append(s.taken, string(first)) }
func (s *site) Expired(now time.Time) http1.Response {
	s.told = append(s.told, "expired "+now.Sub(start).String())
	return http1.Response{Status: 200, Body: []byte("nothing")}
}
func (s *site) Gone()   { s.told = append(s.told, "gone") }
func (s *site) Closed() { s.closed++ }

type echo struct{ conn *websocket.Conn }

func (e *echo) Alive(time.Time)                             {}
func (e *echo) Message(_ time.Time, op ws.Opcode, p []byte) { e.conn.Write(op, p) }
func (e *echo) Deadline() time.Time                         { return time.Time{} }
func (e *echo) Expired(time.Time)                           {}
func (e *echo) Closed(websocket.End)                        {}

func opened(t testing.TB) (*conntest.Conn, *site) {
	t.Helper()
	conn, s := &conntest.Conn{}, &site{t: t, file: filepath.Join(t.TempDir(), "f")}
	if err := os.WriteFile(s.file, []byte("0123456"), 0o600); err != nil {
		t.Fatal(err)
	}
	conn.Handler = http1.New(conn, s, &limits, start)
	return conn, s
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }

// answers are the responses in what the client has got, as net/http reads them: "status body".
func answers(t testing.TB, out string, methods ...string) (list []string) {
	t.Helper()
	in := bufio.NewReader(strings.NewReader(out))
	for i := 0; ; i++ {
		if _, err := in.Peek(1); err == io.EOF {
			return list
		}
		r := &http.Request{Method: "GET"}
		if i < len(methods) {
			r.Method = methods[i]
		}
		resp, err := http.ReadResponse(in, r)
		if err != nil {
			t.Fatalf("after %q: %v in %q", list, err, out)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("after %q: %v", list, err)
		}
		if resp.Header.Get("Date") == "" && resp.StatusCode >= 200 && resp.StatusCode < 400 {
			t.Errorf("%d without a Date", resp.StatusCode)
		}
		if resp.ContentLength < 0 && resp.StatusCode != 204 && resp.StatusCode != 304 && resp.StatusCode != 101 {
			t.Errorf("%d without a length", resp.StatusCode)
		}
		said := fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(body)))
		if resp.Close {
			said += " (close)"
		}
		list = append(list, said)
	}
}

func want(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

func TestPipelinedInOrder(t *testing.T) {
	t.Parallel()
	in := []byte(get("/hello") + "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" + "\r\n" + get("/none") + get("/file") + get("/nowhere") + get("/hello"))
	for _, size := range []int{1, 2, 5, 40, len(in)} {
		conn, _ := opened(t)
		conn.FeedPieces(start, in, size)
		want(t, fmt.Sprint("pieces of ", size), answers(t, conn.Take(), "GET", "HEAD"),
			"200 hello", "200 ", "204 ", "200 234", "404 there is nothing here", "200 hello")
		if conn.Gone() {
			t.Fatal("closed")
		}
	}
}

func TestConnectionEndsWithTheAnswer(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"close":       "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n",
		"HTTP/1.0":    "GET /hello HTTP/1.0\r\n\r\n",
		"1.0 keeping": "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"file":        "GET /file HTTP/1.0\r\n\r\n",
	} {
		conn, s := opened(t)
		conn.Feed(start, []byte(in+get("/hello")))
		said := "200 hello (close)"
		if name == "file" {
			said = "200 234 (close)"
		}
		want(t, name, answers(t, conn.Take()), said)
		if !conn.Ended || len(s.asked) != 1 {
			t.Errorf("%s: ended %v, asked %q", name, conn.Ended, s.asked)
		}
	}
}

// Every page has the length of its own body, and a status of its own, whatever came before it on the connection.
func TestEveryPageHasItsOwnLength(t *testing.T) {
	t.Parallel()
	conn, _ := opened(t)
	conn.Feed(start, []byte(get("/nowhere")+get("/hello")+get("/nowhere")+"BROKEN\r\n\r\n"))
	want(t, "answers", answers(t, conn.Take()),
		"404 there is nothing here", "200 hello", "404 there is nothing here", "400 malformed request line (close)")
}

func TestNoRequest(t *testing.T) {
	t.Parallel()
	for in, said := range map[string]string{
		"FORGET /hello\r\n\r\n":                                          "400 malformed request line (close)",
		"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n":                         "505 HTTP version other than 1 (close)",
		"GET /hello HTTP/1.1\r\n\r\n":                                    "400 no Host field, several, or a malformed one (close)",
		"GET /hello HTTP/1.1\nHost: a\n\n":                               "400 line that does not end with CR LF (close)",
		"GET /hello HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n":                "400 malformed header field (close)",
		"GET /" + strings.Repeat("x", 20000):                             "431 head of more than 16384 bytes (close)",
		"xGET /hello HTTP/1.1\r\nHost: a\r\nGET /hello HTTP/1.1\r\n\r\n": "400 malformed header field (close)",
	} {
		for _, size := range []int{1, len(in)} {
			conn, s := opened(t)
			conn.FeedPieces(start, []byte(in+get("/hello")), size)
			want(t, fmt.Sprintf("%.40q", in), answers(t, conn.Take()), said)
			if len(s.asked) > 0 || !conn.Ended {
				t.Errorf("%.40q: asked for %q, ended %v", in, s.asked, conn.Ended)
			}
		}
	}
}

// What could be read in two ways is read by net/http alone, from its first byte, and never here again.
func TestHandedOver(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get("/hello"),
		"POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n",
		get("/other") + get("/hello"),
	} {
		for _, before := range []string{"", get("/hello")} {
			conn, s := opened(t)
			conn.Feed(start, []byte(before))
			conn.Take()
			conn.Feed(start, []byte(in))
			if conn.Detached == nil || conn.Take() != "" {
				t.Fatalf("%q is not handed over", in)
			}
			conn.Detached(nil)
			want(t, "taken", s.taken, in)
			if slices.Contains(s.asked[min(len(s.asked), len(before)):], "POST /hello") {
				t.Errorf("asked for %q", s.asked)
			}
		}
	}
}

// A request that comes before the answer to the one before it has left is handed over when that has.
func TestHandedOverBehindAnAnswer(t *testing.T) {
	t.Parallel()
	const post = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
	conn, s := opened(t)
	conn.Feed(start, []byte(get("/hello")+post+"ab"))
	if conn.Detached != nil || len(answers(t, conn.Take())) != 1 {
		t.Fatal("handed over too early, or the answer is missing")
	}
	conn.Feed(start, []byte("cd"))
	conn.Detached(nil)
	want(t, "taken", s.taken, post+"abcd")

	conn, s = opened(t)
	conn.Feed(start, []byte(get("/hello")+post))
	conn.Pass(start.Add(time.Second))
	conn.Detached(nil)
	want(t, "taken", s.taken, post)
}

const upgrade = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

func TestUpgrade(t *testing.T) {
	t.Parallel()
	key := ws.Key(0x01020304)
	in := []byte(get("/hello") + upgrade + "\r\n" + string(ws.AppendMessage(nil, ws.Text, []byte("first"), &key)))
	for _, size := range []int{1, len(in)} {
		conn, s := opened(t)
		conn.FeedPieces(start, in, size)
		out := conn.Take()
		if tail := "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x07welcome\x81\x05first"; !strings.HasSuffix(out, tail) {
			t.Fatalf("sent %q", out)
		}
		want(t, "answers", answers(t, out[:strings.Index(out, "\x81")]), "200 hello", "101 ")
		if conn.Handler != carrier.Handler(s.socket) {
			t.Fatal("still HTTP")
		}
	}
}

func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	for in, status := range map[string]string{
		upgrade + "Origin: https://evil.example\r\n\r\n":                                            "403 ",
		strings.Replace(upgrade, "Version: 13", "Version: 8", 1) + "\r\n":                           "426 ",
		strings.Replace(upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 1) + "\r\n": "400 ",
		"GET /socket HTTP/1.1\r\nHost: a\r\n\r\n":                                                   "426 ",
		strings.Replace(upgrade, "GET", "PUT", 1) + "\r\n":                                          "405 ",
	} {
		conn, s := opened(t)
		conn.Feed(start, []byte(in+get("/hello")))
		got := answers(t, conn.Take())
		if len(got) != 1 || !strings.HasPrefix(got[0], status) || !strings.HasSuffix(got[0], "(close)") || !conn.Ended || len(s.told) != 1 {
			t.Errorf("%q: answers %q, ended %v, %q", in, got, conn.Ended, s.told)
		}
	}
}

// A file that has become shorter since its length was told must not look like a whole one.
func TestShortFileAborts(t *testing.T) {
	t.Parallel()
	conn, s := opened(t)
	if err := os.WriteFile(s.file, []byte("0123"), 0o600); err != nil {
		t.Fatal(err)
	}
	conn.Feed(start, []byte(get("/file")))
	if !conn.Aborted {
		t.Fatal("not aborted")
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		ends time.Duration
		said []string
	}{
		"silent":            {"", limits.Head, nil},
		"half a head":       {"GET /hello HTT", limits.Head, []string{"408 the request did not come in time (close)"}},
		"idle":              {get("/hello"), limits.Idle, []string{"200 hello"}},
		"half a second one": {get("/hello") + "GET", limits.Head, []string{"200 hello", "408 the request did not come in time (close)"}},
	} {
		conn, _ := opened(t)
		conn.Feed(start, []byte(c.in))
		conn.Pass(start.Add(c.ends - 1))
		if conn.Gone() {
			t.Errorf("%s: ended early", name)
		}
		conn.Pass(start.Add(c.ends))
		if !conn.Ended {
			t.Errorf("%s: not ended", name)
		}
		want(t, name, answers(t, conn.Take()), c.said...)
	}
}

// One byte a second does not move the deadline of a head.
func TestSlowHead(t *testing.T) {
	t.Parallel()
	conn, _ := opened(t)
	now := start
	for _, b := range []byte(get("/hello")) {
		conn.Pass(now)
		conn.Feed(now, []byte{b})
		now = now.Add(time.Second)
	}
	if !conn.Ended {
		t.Fatal("waited for the whole head")
	}
}

func TestRequestAllocatesNothing(t *testing.T) {
	conn := &conntest.Conn{}
	conn.Handler = http1.New(conn, quiet{}, &limits, start)
	in := []byte("GET /hello?a=b HTTP/1.1\r\nHost: im.example.org\r\nUser-Agent: test\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n")
	buf := make([]byte, len(in))
	round := func() {
		copy(buf, in)
		conn.Feed(start, buf)
		conn.Out = conn.Out[:0]
	}
	round()
	if n := testing.AllocsPerRun(1000, round); n > poolLosses {
		t.Errorf("%v allocations", n)
	}
}

type quiet struct{ http1.Router }

var body = []byte("hello")

func (quiet) Route(x *http1.Exchange) {
	x.Respond(http1.Response{Status: 200, Type: "text/plain", Body: body})
}

func TestConnIsSmall(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(http1.Conn{}); size > 112 {
		t.Fatalf("%d bytes", size)
	}
}

// However the input is cut, the same comes out.
func FuzzSplit(f *testing.F) {
	f.Add([]byte(get("/hello")+get("/file")+get("/poll")+get("/none")), uint8(3), uint8(100))
	f.Add([]byte(upgrade+"\r\n\x81\x80\x00\x00\x00\x00"), uint8(7), uint8(1))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd"), uint8(30), uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, a, b uint8) {
		run := func(sizes ...int) string {
			conn, s := opened(t)
			rest := slices.Clone(in)
			for i := 0; len(rest) > 0; i++ {
				n := min(sizes[i%len(sizes)], len(rest))
				conn.Feed(start, rest[:n])
				rest = rest[n:]
				for _, p := range s.parked {
					p.Respond(http1.Response{Status: 200, Body: []byte("news")})
				}
				conn.Pass(start.Add(5 * time.Second))
			}
			return fmt.Sprintf("%q %q %v", s.asked, dateless(conn.Take()), conn.Ended)
		}
		whole, cut := run(max(1, len(in))), run(int(a)+1, int(b)+1)
		if whole != cut && !strings.Contains(whole, " /other") { // may be routed again
			t.Fatalf("whole: %s\nin pieces: %s", whole, cut)
		}
	})
}

func dateless(out string) string {
	for {
		i := strings.Index(out, "Date: ")
		if i < 0 {
			return out
		}
		out = out[:i] + out[i+len("Date: ")+len(http.TimeFormat)+2:]
	}
}
