package client

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// answerUpgrade plays a server that takes an opening handshake and answers as it is told. It returns what came behind the
// handshake, up to the end of the connection.
func answerUpgrade(nc net.Conn, protocol string, say []byte) []byte {
	var heads ws.HeadReader
	var request ws.Request
	chunk := make([]byte, 4096)
	for {
		n, err := nc.Read(chunk)
		if err != nil {
			return nil
		}
		head, _, err := heads.Next(chunk[:n])
		if err != nil || head != nil && request.Parse(head) != nil {
			return nil
		}
		if head != nil {
			break
		}
	}
	acceptor := &ws.Acceptor{Protocols: []string{protocol}}
	response, _, _ := acceptor.Accept(nil, &request)
	for _, b := range append(response, say...) { // in pieces as small as they can be
		if _, err := nc.Write([]byte{b}); err != nil {
			break // it has heard enough: what it said before it left can still be read
		}
	}
	rest, _ := io.ReadAll(nc)
	return rest
}

func TestWebSocketStream(t *testing.T) {
	t.Parallel()
	frames := func(op ws.Opcode, payload string) []byte { return ws.AppendMessage(nil, op, []byte(payload), nil) }
	var closing ws.Closing
	bye := closing.Start(nil, ws.CodeNormal, "", nil)
	for name, tt := range map[string]struct {
		protocol string
		say      []byte
		want     string // that is read
		refused  bool   // the handshake
		answer   byte   // the first byte of what the client says then
	}{
		"messages are a stream": {webSocketProtocol, bytes.Join([][]byte{frames(ws.Binary, "ab"), frames(ws.Binary, ""), frames(ws.Binary, "c"), bye}, nil), "abc", false, 0x88},
		"a ping between":        {webSocketProtocol, bytes.Join([][]byte{frames(ws.Ping, "x"), frames(ws.Binary, "a"), bye}, nil), "a", false, 0x8A},
		"text":                  {webSocketProtocol, frames(ws.Text, "{}"), "", false, 0x88},
		"a masked frame":        {webSocketProtocol, []byte{0x82, 0x81, 0, 0, 0, 0, 'a'}, "", false, 0x88},
		"another protocol":      {"chat", nil, "", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			said := make(chan []byte, 1)
			go func() {
				far, err := ln.Accept()
				if err != nil {
					said <- nil
					return
				}
				defer far.Close()
				said <- answerUpgrade(far, tt.protocol, tt.say)
			}()
			near, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			s, err := upgrade(within(t), near, "chat.example:80")
			if (err != nil) != tt.refused {
				t.Fatalf("the handshake ended with %v", err)
			}
			if err == nil {
				got, _ := io.ReadAll(s)
				if string(got) != tt.want {
					t.Errorf("read %q", got)
				}
				s.Close()
			}
			if got := <-said; tt.answer != 0 && (len(got) < 2 || got[0] != tt.answer || got[1]&0x80 == 0) {
				t.Errorf("the client said %x", got)
			}
		})
	}
}

func TestShortAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status     int
		kind, body string
		code       hongyan.Code // of a refusal
		fails      bool
	}{
		"an answer":               {200, "application/x-protobuf", "x", 0, false},
		"JSON":                    {200, "application/json; charset=utf-8", "{}", 0, false},
		"a refusal":               {507, "application/problem+json", `{"code":"STORAGE_LOW","detail":"full","retryAfterMs":5}`, hongyan.StorageLow, true},
		"of a later version":      {409, "application/problem+json", `{"code":"NEWER"}`, hongyan.Internal, true},
		"a refusal that is none":  {400, "application/problem+json", "<", 0, true},
		"a page to log in to":     {200, "text/html", "<html>", 0, true},
		"a redirection":           {302, "text/html", "", 0, true},
		"a gateway":               {502, "text/html", "bad gateway", 0, true},
		"more than anybody sends": {200, "application/json", strings.Repeat("x", maxShortAnswer+1), 0, true},
	} {
		r := &http.Response{
			StatusCode: tt.status, Status: http.StatusText(tt.status), Header: http.Header{"Content-Type": {tt.kind}},
			Body: io.NopCloser(strings.NewReader(tt.body)),
		}
		body, err := readShort(r)
		var e *hongyan.Error
		if (err != nil) != tt.fails || errors.As(err, &e) != (tt.code != 0) || e != nil && e.Code != tt.code {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && string(body) != tt.body {
			t.Errorf("%s: %q", name, body)
		}
	}
}
