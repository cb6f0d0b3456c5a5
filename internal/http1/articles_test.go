package http1_test

import (
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/static"
	"github.com/hongyan-im/hongyan/internal/websocket/conntest"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// What much-copied articles and examples about these protocols get wrong, each as a conversation with the server's side.
// The client's side is tested in internal/ws.
func TestOldArticles(t *testing.T) {
	t.Parallel()

	const plain = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	const accept = "\r\nSec-WebSocket-Accept: "
	shake := func(t *testing.T, request string, pieces int) string {
		t.Helper()
		conn, _ := opened(t)
		conn.FeedPieces(start, []byte(request), pieces)
		return conn.Take()
	}

	// strlen of a binary digest ends at its first zero byte.
	t.Run("accept of a digest with a zero byte", func(t *testing.T) {
		for key, want := range map[string]string{
			"AAAAAAAAAAAAAAAAAAAADg==": "2hQNe2A6apmN/ve6xTsSExajZwA=",
			"x3JJHMbDL1EzLkh9GBhXDw==": "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
		} {
			if out := shake(t, plain+"Sec-WebSocket-Key: "+key+"\r\n\r\n", 1<<20); !strings.Contains(out, accept+want+"\r\n") {
				t.Errorf("%s: %q", key, out)
			}
		}
	})

	t.Run("Connection is a list", func(t *testing.T) {
		for _, list := range []string{"keep-alive, Upgrade", "Upgrade", "UPGRADE,keep-alive", "a , upgrade ,b", "keep-alive\r\nConnection: Upgrade"} {
			request := strings.Replace(plain, "Connection: Upgrade", "Connection: "+list, 1)
			if out := shake(t, request+"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 1<<20); !strings.HasPrefix(out, "HTTP/1.1 101 ") {
				t.Errorf("%q: %q", list, out)
			}
		}
	})

	t.Run("names in any case, any space, cut anywhere", func(t *testing.T) {
		const request = "GET /socket HTTP/1.1\r\nhOST:a\r\nCONNECTION:upgrade\r\nupgrade: \t WebSocket  \r\nsec-websocket-version:13\r\n" +
			"SEC-WEBSOCKET-KEY:   dGhlIHNhbXBsZSBub25jZQ== \r\n\r\n"
		for pieces := 1; pieces < 60; pieces++ {
			if out := shake(t, request, pieces); !strings.Contains(out, accept+"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") {
				t.Fatalf("pieces of %d: %q", pieces, out)
			}
		}
	})

	t.Run("no key", func(t *testing.T) {
		for _, field := range []string{"", "Sec-WebSocket-Key:\r\n", "Sec-WebSocket-Key: short\r\n"} {
			if out := shake(t, plain+field+"\r\n", 1<<20); !strings.HasPrefix(out, "HTTP/1.1 400 ") {
				t.Errorf("%q: %q", field, out)
			}
		}
	})

	// Browsers always send Origin, other clients seldom: it is checked where it is.
	t.Run("Origin", func(t *testing.T) {
		const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		for field, status := range map[string]string{
			"":                                  "101",
			"Origin: http://a\r\n":              "101",
			"Origin: https://evil.example\r\n":  "403",
			"Origin: http://a.evil.example\r\n": "403",
			"Origin: null\r\n":                  "403",
			"Origin:\r\n":                       "403",
		} {
			if out := shake(t, plain+key+field+"\r\n", 1<<20); !strings.HasPrefix(out, "HTTP/1.1 "+status+" ") {
				t.Errorf("%q: %q", field, out)
			}
		}
	})

	// open returns a connection after the handshake.
	open := func(t *testing.T) *conntest.Conn {
		t.Helper()
		conn, _ := opened(t)
		conn.Feed(start, []byte(upgrade+"\r\n"))
		if out := conn.Take(); !strings.HasPrefix(out, "HTTP/1.1 101 ") {
			t.Fatalf("%q", out)
		}
		return conn
	}
	key := ws.Key(0x3d21fa37)
	wantClose := func(t *testing.T, conn *conntest.Conn, code ws.Code) {
		t.Helper()
		out := conn.Take()
		if len(out) < 4 || out[0] != 0x88 || ws.Code(binary.BigEndian.Uint16([]byte(out[2:]))) != code || !conn.Ended {
			t.Fatalf("%q, ended %v", out, conn.Ended)
		}
	}

	t.Run("RSV bits are 0", func(t *testing.T) {
		for _, rsv := range []uint8{1, 2, 4, 7} {
			conn := open(t)
			conn.Feed(start, ws.AppendFrame(nil, ws.Header{Fin: true, Rsv: rsv, Op: ws.Text, Masked: true, Key: key}, []byte("x")))
			wantClose(t, conn, ws.CodeProtocolError)
		}
	})

	t.Run("lengths at the edges", func(t *testing.T) {
		for _, n := range []int{0, 125, 126, 127, 65535, 65536} {
			payload := strings.Repeat("x", n)
			header := []byte{0x82}
			switch {
			case n < 126:
				header = append(header, byte(n))
			case n < 65536:
				header = append(header, 126, byte(n>>8), byte(n))
			default:
				header = binary.BigEndian.AppendUint64(append(header, 127), uint64(n))
			}
			conn := open(t)
			conn.Feed(start, ws.AppendMessage(nil, ws.Binary, []byte(payload), &key))
			if out := conn.Take(); out != string(header)+payload {
				t.Errorf("%d bytes: answered with %d: %.20q", n, len(out), out)
			}
		}
	})

	t.Run("lengths in a longer form", func(t *testing.T) {
		for _, header := range []string{
			"\x82\xfe\x00\x00", "\x82\xfe\x00\x7d", "\x82\xff\x00\x00\x00\x00\x00\x00\x00\x7e", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff",
			"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", // the top bit
		} {
			conn := open(t)
			conn.Feed(start, []byte(header))
			wantClose(t, conn, ws.CodeProtocolError)
		}
	})

	t.Run("a lone Pong is legal", func(t *testing.T) {
		conn := open(t)
		conn.Feed(start, ws.AppendMessage(nil, ws.Pong, []byte("here"), &key))
		conn.Feed(start, ws.AppendMessage(nil, ws.Text, []byte("x"), &key))
		if out := conn.Take(); out != "\x81\x01x" || conn.Gone() {
			t.Fatalf("%q", out)
		}
	})

	t.Run("several frames in one piece, one frame in several", func(t *testing.T) {
		in := ws.AppendMessage(nil, ws.Text, []byte("one"), &key)
		in = ws.AppendMessage(in, ws.Text, []byte("two"), &key)
		for pieces := 1; pieces <= len(in); pieces++ {
			conn := open(t)
			conn.FeedPieces(start, in, pieces)
			if out := conn.Take(); out != "\x81\x03one\x81\x03two" {
				t.Fatalf("pieces of %d: %q", pieces, out)
			}
		}
	})

	t.Run("GET elsewhere in the line", func(t *testing.T) {
		for line, status := range map[string]string{
			"FORGET /hello HTTP/1.1":  "404", // routes may know it; this one has the path for every method
			"POST /GET HTTP/1.1":      "404",
			"get /hello HTTP/1.1":     "404",
			"GET  /hello HTTP/1.1":    "400",
			" GET /hello HTTP/1.1":    "400",
			"GET /hello HTTP/1.1 GET": "400",
			"GET http:// HTTP/1.1":    "400",
		} {
			conn := &conntest.Conn{}
			conn.Handler = http1.New(conn, reading{}, &limits, start)
			conn.Feed(start, []byte(line+"\r\nHost: a\r\n\r\n"))
			if out := conn.Take(); !strings.HasPrefix(out, "HTTP/1.1 "+status+" ") {
				t.Errorf("%q: %q", line, out)
			}
		}
	})

	t.Run("paths that escape", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "site"), 0o700); err != nil {
			t.Fatal(err)
		}
		site, err := static.Open(filepath.Join(dir, "site"))
		if err != nil {
			t.Fatal(err)
		}
		defer site.Close()
		for _, path := range []string{"/../secret", "/x/../../secret", "/..%2Fsecret", "/%2e%2e/secret", "/..\\secret", "//" + dir + "/secret"} {
			conn := &conntest.Conn{}
			conn.Handler = http1.New(conn, files{site}, &limits, start)
			conn.Feed(start, []byte(get(path)))
			if out := conn.Take(); !strings.HasPrefix(out, "HTTP/1.1 404 ") {
				t.Errorf("%s: %q", path, out)
			}
		}
	})
}

// reading answers GET only.
type reading struct{ http1.Router }

func (reading) Route(x *http1.Exchange) {
	if string(x.Method) == "GET" {
		x.Respond(http1.Response{Status: 200})
	}
}

type files struct{ *static.Site }

func (f files) Route(x *http1.Exchange) { f.Serve(x, "/") }
func (files) Take(net.Conn, []byte)     { panic("handed over") }
func (files) Closed()                   {}
