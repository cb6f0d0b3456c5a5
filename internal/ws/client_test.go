package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]URL{
		"ws://h":                       {false, "h", "h:80", "/"},
		"ws://h/":                      {false, "h", "h:80", "/"},
		"ws://h:80/chat":               {false, "h", "h:80", "/chat"},
		"ws://h:8080/chat?a=b&c":       {false, "h:8080", "h:8080", "/chat?a=b&c"},
		"wss://h":                      {true, "h", "h:443", "/"},
		"WSS://h:443?x":                {true, "h", "h:443", "/?x"},
		"wss://h:80/":                  {true, "h:80", "h:80", "/"},
		"ws://[::1]:9000/a%20b":        {false, "[::1]:9000", "[::1]:9000", "/a%20b"},
		"ws://[::1]/":                  {false, "[::1]", "[::1]:80", "/"},
		"ws://h/%E9%B8%BF?q=%E9%9B%81": {false, "h", "h:80", "/%E9%B8%BF?q=%E9%9B%81"},
		"ws://h:/x":                    {false, "h", "h:80", "/x"},
	} {
		if got, err := ParseURL(raw); got != want || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", raw, got, err, want)
		}
	}
	for _, raw := range []string{"", "h", "http://h/", "https://h/", "ws:///x", "ws://", "ws://u:p@h/", "ws://h/#frag", "ws://h/#", "ws://h:x/", "ws://a b/", "//h/"} {
		if got, err := ParseURL(raw); err == nil {
			t.Errorf("%q was accepted: %+v", raw, got)
		}
	}
}

var hello = Hello{
	Host: "im.example.org:8080", Target: "/chat?room=7", Nonce: [16]byte([]byte("the sample nonce")),
	Protocols: []string{"hongyan.v1", "v12.stomp"}, Deflate: &Deflate{ServerNoContext: true, ServerWindowBits: 12},
	Fields: []Field{{"Cookie", "token=x"}, {"Authorization", "Bearer y"}},
}

func TestHelloRequest(t *testing.T) {
	t.Parallel()
	want := "GET /chat?room=7 HTTP/1.1\r\nHost: im.example.org:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Protocol: hongyan.v1, v12.stomp\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits\r\n" +
		"Cookie: token=x\r\nAuthorization: Bearer y\r\n\r\n"
	h := hello
	copy(h.Nonce[:], "the sample nonce")
	if got, err := h.AppendRequest(nil); string(got) != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestHelloRefusesToSend(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *Hello){
		"no host":                    func(h *Hello) { h.Host = "" },
		"line break in the host":     func(h *Hello) { h.Host = "h\r\nX: y" },
		"no target":                  func(h *Hello) { h.Target = "" },
		"relative target":            func(h *Hello) { h.Target = "chat" },
		"space in the target":        func(h *Hello) { h.Target = "/a b" },
		"fragment":                   func(h *Hello) { h.Target = "/a#b" },
		"line break in the origin":   func(h *Hello) { h.Origin = "https://a\r\nX: y" },
		"empty subprotocol":          func(h *Hello) { h.Protocols = []string{""} },
		"subprotocol with a comma":   func(h *Hello) { h.Protocols = []string{"a,b"} },
		"subprotocol twice":          func(h *Hello) { h.Protocols = []string{"a", "b", "a"} },
		"field of the handshake":     func(h *Hello) { h.Fields = []Field{{"Sec-WebSocket-Key", "x"}} },
		"body":                       func(h *Hello) { h.Fields = []Field{{"Content-Length", "5"}} },
		"malformed field name":       func(h *Hello) { h.Fields = []Field{{"X Y", "z"}} },
		"line break in a field":      func(h *Hello) { h.Fields = []Field{{"X", "y\r\nZ: z"}} },
		"zero byte in a field":       func(h *Hello) { h.Fields = []Field{{"X", "\x00"}} },
		"line break in a field name": func(h *Hello) { h.Fields = []Field{{"X:y\r\nZ", "z"}} },
	} {
		h := hello
		change(&h)
		if got, err := h.AppendRequest([]byte("before")); err == nil || string(got) != "before" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

const goodAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // for the nonce of hello

// verify runs a response through the client side.
func verify(h *Hello, response string) (Agreement, error) {
	var reader HeadReader
	head, _, err := reader.Next([]byte(response))
	if err != nil {
		return Agreement{}, err
	}
	var r Response
	if err := r.Parse(head); err != nil {
		return Agreement{}, err
	}
	return h.Verify(&r)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte("dGhlIHNhbXBsZSBub25jZQ==" + guid))
	hexAccept := base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))
	const up, conn, acc, resets = "Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Sec-WebSocket-Accept: " + goodAccept + "\r\n",
		"; server_no_context_takeover; server_max_window_bits=12"
	const ext, proto = "Sec-WebSocket-Extensions: ", "Sec-WebSocket-Protocol: "
	offer := Deflate{ServerNoContext: true, ServerWindowBits: 12}
	plain := &Hello{Nonce: hello.Nonce}
	told := &Hello{Nonce: hello.Nonce, Deflate: &Deflate{ClientWindowBits: 10}}
	for name, c := range map[string]struct {
		h        *Hello
		status   string
		fields   string
		want     Agreement
		wantFail error
	}{
		"plain":                   {fields: up + conn + acc},
		"names in any case":       {fields: "UPGRADE:WebSocket\r\nconnection:UPGRADE\r\nsec-websocket-accept:\t" + goodAccept + " \r\n"},
		"connection as a list":    {fields: up + "Connection: keep-alive, upgrade\r\n" + acc},
		"status without a phrase": {status: "HTTP/1.1 101", fields: up + conn + acc},
		"subprotocol":             {fields: up + conn + acc + proto + "v12.stomp\r\n", want: Agreement{Protocol: "v12.stomp"}},
		"extension":               {fields: up + conn + acc + ext + "permessage-deflate" + resets + "\r\n", want: Agreement{Compressed: true, Deflate: Deflate{true, false, 12, 15}}},
		"server reduces further": {fields: up + conn + acc + ext + `permessage-deflate; server_no_context_takeover; server_max_window_bits="9"; client_max_window_bits=10; client_no_context_takeover` + "\r\n",
			want: Agreement{Compressed: true, Deflate: Deflate{true, true, 9, 10}}},
		"smaller client window": {h: told, fields: up + conn + acc + ext + "permessage-deflate; client_max_window_bits=9\r\n", want: Agreement{Compressed: true, Deflate: Deflate{false, false, 15, 9}}},
		"client keeps its own":  {h: told, fields: up + conn + acc + ext + "permessage-deflate\r\n", want: Agreement{Compressed: true, Deflate: Deflate{false, false, 15, 10}}},

		"no upgrade":                   {fields: conn + acc, wantFail: errAnswerUpgrade},
		"other upgrade":                {fields: "Upgrade: h2c\r\n" + conn + acc, wantFail: errAnswerUpgrade},
		"list of upgrades":             {fields: "Upgrade: websocket, h2c\r\n" + conn + acc, wantFail: errAnswerUpgrade},
		"two upgrades":                 {fields: up + up + conn + acc, wantFail: errAnswerUpgrade},
		"no connection":                {fields: up + acc, wantFail: errAnswerConnection},
		"other connection":             {fields: up + "Connection: close\r\n" + acc, wantFail: errAnswerConnection},
		"no accept":                    {fields: up + conn, wantFail: errAnswerAccept},
		"empty accept":                 {fields: up + conn + "Sec-WebSocket-Accept:\r\n", wantFail: errAnswerAccept},
		"accept of another key":        {fields: up + conn + "Sec-WebSocket-Accept: 2hQNe2A6apmN/ve6xTsSExajZwA=\r\n", wantFail: errAnswerAccept},
		"accept of the hex digest":     {fields: up + conn + "Sec-WebSocket-Accept: " + hexAccept + "\r\n", wantFail: errAnswerAccept},
		"accept in another case":       {fields: up + conn + "Sec-WebSocket-Accept: " + strings.ToLower(goodAccept) + "\r\n", wantFail: errAnswerAccept},
		"two accepts":                  {fields: up + conn + acc + acc, wantFail: errAnswerAccept},
		"HTTP/1.0":                     {status: "HTTP/1.0 101 Switching Protocols", fields: up + conn + acc, wantFail: errAnswerVersion},
		"subprotocol not offered":      {fields: up + conn + acc + proto + "chat\r\n", wantFail: errAnswerProtocol},
		"subprotocol in another case":  {fields: up + conn + acc + proto + "V12.STOMP\r\n", wantFail: errAnswerProtocol},
		"two subprotocols":             {fields: up + conn + acc + proto + "v12.stomp\r\n" + proto + "hongyan.v1\r\n", wantFail: errAnswerProtocol},
		"list of subprotocols":         {fields: up + conn + acc + proto + "v12.stomp, hongyan.v1\r\n", wantFail: errAnswerProtocol},
		"empty subprotocol":            {fields: up + conn + acc + proto + "\r\n", wantFail: errAnswerProtocol},
		"subprotocol, none offered":    {h: plain, fields: up + conn + acc + proto + "chat\r\n", wantFail: errAnswerProtocol},
		"extension, none offered":      {h: plain, fields: up + conn + acc + ext + "permessage-deflate\r\n", wantFail: errAnswerExtension},
		"other extension":              {fields: up + conn + acc + ext + "mux\r\n", wantFail: errAnswerExtension},
		"other extension beside":       {fields: up + conn + acc + ext + "permessage-deflate" + resets + ", mux\r\n", wantFail: errAnswerExtension},
		"extension twice":              {fields: up + conn + acc + ext + "permessage-deflate" + resets + ", permessage-deflate" + resets + "\r\n", wantFail: errAnswerExtension},
		"extension twice, two fields":  {fields: up + conn + acc + ext + "permessage-deflate" + resets + "\r\n" + ext + "permessage-deflate" + resets + "\r\n", wantFail: errAnswerExtension},
		"malformed extension":          {fields: up + conn + acc + ext + "permessage-deflate;\r\n", wantFail: errAnswerExtension},
		"empty extension":              {fields: up + conn + acc + ext + "\r\n", wantFail: errAnswerExtension},
		"unknown parameter":            {fields: up + conn + acc + ext + "permessage-deflate" + resets + "; x\r\n", wantFail: errAnswerExtension},
		"parameter twice":              {fields: up + conn + acc + ext + "permessage-deflate" + resets + resets + "\r\n", wantFail: errAnswerExtension},
		"value of a flag":              {fields: up + conn + acc + ext + "permessage-deflate; server_no_context_takeover=1; server_max_window_bits=12\r\n", wantFail: errAnswerExtension},
		"client window without value":  {fields: up + conn + acc + ext + "permessage-deflate" + resets + "; client_max_window_bits\r\n", wantFail: errAnswerExtension},
		"server window without value":  {fields: up + conn + acc + ext + "permessage-deflate; server_no_context_takeover; server_max_window_bits\r\n", wantFail: errAnswerExtension},
		"server window of 16":          {fields: up + conn + acc + ext + "permessage-deflate; server_no_context_takeover; server_max_window_bits=16\r\n", wantFail: errAnswerExtension},
		"server window above offer":    {fields: up + conn + acc + ext + "permessage-deflate; server_no_context_takeover; server_max_window_bits=13\r\n", wantFail: errAnswerExtension},
		"server window not granted":    {fields: up + conn + acc + ext + "permessage-deflate; server_no_context_takeover\r\n", wantFail: errAnswerExtension},
		"server reset not granted":     {fields: up + conn + acc + ext + "permessage-deflate; server_max_window_bits=12\r\n", wantFail: errAnswerExtension},
		"client window above the hint": {h: told, fields: up + conn + acc + ext + "permessage-deflate; client_max_window_bits=11\r\n", wantFail: errAnswerExtension},
		"malformed status line":        {status: "HTTP/1.1 1x1 Hm", fields: up + conn + acc, wantFail: errStatusLine},
		"status of two digits":         {status: "HTTP/1.1 99", fields: up + conn + acc, wantFail: errStatusLine},
		"status of four digits":        {status: "HTTP/1.1 1010 Hm", fields: up + conn + acc, wantFail: errStatusLine},
		"status below 100":             {status: "HTTP/1.1 099 Hm", fields: up + conn + acc, wantFail: errStatusLine},
		"another protocol":             {status: "SSH-2.0-OpenSSH_9.6", fields: up + conn + acc, wantFail: errStatusLine},
		"HTTP/2":                       {status: "HTTP/2.0 101 Hm", fields: up + conn + acc, wantFail: errStatusLine},
	} {
		h := c.h
		if h == nil {
			h = &Hello{Nonce: hello.Nonce, Protocols: hello.Protocols, Deflate: &offer}
		}
		if c.status == "" {
			c.status = "HTTP/1.1 101 Switching Protocols"
		}
		got, err := verify(h, c.status+"\r\n"+c.fields+"\r\n")
		if got != c.want || err != c.wantFail {
			t.Errorf("%s: %+v, %v, want %+v, %v", name, got, err, c.want, c.wantFail)
		}
	}
}

// A status other than 101 is not a broken handshake but an answer.
func TestVerifyOtherStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 301, 401, 403, 404, 426, 503, 100} {
		_, err := verify(&hello, fmt.Sprintf("HTTP/1.1 %d Hm\r\nSec-WebSocket-Accept: %s\r\n\r\n", status, goodAccept))
		var answer *StatusError
		if !errors.As(err, &answer) || answer.Status != status {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// Both sides of this package agree with each other on whatever the one offers and the other wants.
func FuzzBothSides(f *testing.F) {
	f.Add(uint16(0), uint16(0), "/chat?a=b", "h:80", "chat", "chat")
	f.Add(uint16(0xFFFF), uint16(0x1234), "/", "[::1]", "v12.stomp", "x")
	f.Add(uint16(0x0ac1), uint16(0x0bd2), "/%e9", "h", "", "")
	deflate := func(bits uint16) *Deflate {
		if bits&1 == 0 {
			return nil
		}
		return &Deflate{bits&2 != 0, bits&4 != 0, int(bits >> 4 & 15), int(bits >> 8 & 15)}
	}
	f.Fuzz(func(t *testing.T, offer, policy uint16, target, host, offered, spoken string) {
		h := Hello{Host: host, Target: target, Deflate: deflate(offer)}
		if offered != "" {
			h.Protocols = []string{offered}
		}
		request, err := h.AppendRequest(nil)
		if err != nil {
			return
		}
		var reader HeadReader
		var q Request
		head, n, err := reader.Next(request)
		if err == nil {
			err = q.Parse(head)
		}
		if len(request) > MaxHead {
			return
		}
		path, query, _ := strings.Cut(target, "?")
		if err != nil || n != len(request) || string(q.Host()) != host || string(q.Path) != path || string(q.RawQuery) != query {
			t.Fatalf("%q: %v, host %q, path %q, query %q", request, err, q.Host(), q.Path, q.RawQuery)
		}
		a := Acceptor{Protocols: []string{spoken}, Deflate: deflate(policy)}
		response, agreed, err := a.Accept(nil, &q)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		got, err := verify(&h, string(response))
		if err != nil || got.Protocol != agreed.Protocol || got.Compressed != agreed.Compressed {
			t.Fatalf("%q answered with %q: %+v, %v, server: %+v", request, response, got, err, agreed)
		}
		if !got.Compressed {
			return
		}
		// The server may know less of what the client restricts by itself, never the other way round.
		g, s := got.Deflate, agreed.Deflate
		if g.ServerNoContext != s.ServerNoContext || g.ServerWindowBits != s.ServerWindowBits || g.ClientWindowBits > s.ClientWindowBits || !g.ClientNoContext && s.ClientNoContext {
			t.Fatalf("%q answered with %q: client %+v, server %+v", request, response, g, s)
		}
	})
}
