package ws

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// upgrade is a correct request, with lines changed: "name: value" replaces or adds that field, "-name" removes it, and
// a line without colon replaces the request line.
func upgrade(changes ...string) []byte {
	line := "GET /chat?room=7 HTTP/1.1"
	fields := []string{"Host: im.example.org", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}
	drop := func(name string) {
		kept := fields[:0:0]
		for _, f := range fields {
			if have, _, _ := strings.Cut(f, ":"); !strings.EqualFold(have, name) {
				kept = append(kept, f)
			}
		}
		fields = kept
	}
	for _, c := range changes {
		name, _, ok := strings.Cut(c, ":")
		switch {
		case strings.HasPrefix(c, "-"):
			drop(c[1:])
		case strings.HasPrefix(c, "+"): // one more of it
			fields = append(fields, c[1:])
		case ok && !strings.Contains(name, " "):
			drop(name)
			fields = append(fields, c)
		default:
			line = c
		}
	}
	return []byte(line + "\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n")
}

// accept runs a request through the whole server side.
func accept(t testing.TB, a *Acceptor, request []byte) (response string, agreed Agreement, refused *Refusal) {
	t.Helper()
	var h HeadReader
	defer h.Release()
	head, n, err := h.Next(request)
	if err == nil && (head == nil || n != len(request)) {
		t.Fatalf("no head in %q (%d used)", request, n)
	}
	var q Request
	if err == nil {
		err = q.Parse(head)
	}
	var out []byte
	if err == nil {
		out, agreed, err = a.Accept([]byte("before "), &q)
		if !bytes.HasPrefix(out, []byte("before ")) {
			t.Fatalf("what stood before the response is gone: %q", out)
		}
		out = out[len("before "):]
	}
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("%v is no *Refusal", err)
	}
	return string(out), agreed, refused
}

// RFC 6455 §1.3 and §4.2.2: the response to the letter.
func TestAcceptResponse(t *testing.T) {
	t.Parallel()
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	if got, agreed, refused := accept(t, &Acceptor{}, upgrade()); got != want || agreed != (Agreement{}) || refused != nil {
		t.Errorf("%q, %+v, %v", got, agreed, refused)
	}
}

// Keys whose digest holds a zero byte are where an Accept computed over a C string goes wrong.
func TestAcceptOfBinaryDigest(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"AAAAAAAAAAAAAAAAAAAADg==": "2hQNe2A6apmN/ve6xTsSExajZwA=",
		"x3JJHMbDL1EzLkh9GBhXDw==": "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
		"dGhlIHNhbXBsZSBub25jZQ==": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
	} {
		if got := string(appendAccept(nil, []byte(key))); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func TestAcceptChecks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request []byte
		status  int // 0: accepted
	}{
		"plain":                             {upgrade(), 0},
		"names in upper case":               {bytes.ReplaceAll(upgrade(), []byte("Sec-WebSocket"), []byte("SEC-WEBSOCKET")), 0},
		"names in lower case":               {bytes.ReplaceAll(upgrade(), []byte("Sec-WebSocket"), []byte("sec-websocket")), 0},
		"no space behind colons":            {bytes.ReplaceAll(upgrade(), []byte(": "), []byte(":")), 0},
		"much space around values":          {bytes.ReplaceAll(bytes.ReplaceAll(upgrade(), []byte(": "), []byte(": \t  ")), []byte("websocket\r"), []byte("websocket \t\r")), 0},
		"empty line before the request":     {append([]byte("\r\n"), upgrade()...), 0},
		"target in absolute form":           {upgrade("GET http://im.example.org/chat HTTP/1.1"), 0},
		"HTTP/1.2":                          {upgrade("GET /chat HTTP/1.2"), 0},
		"Connection as a list":              {upgrade("Connection: keep-alive, Upgrade"), 0},
		"Connection as a list, other order": {upgrade("Connection: upgrade ,keep-alive"), 0},
		"Connection in two fields":          {upgrade("Connection: keep-alive", "+Connection: UPGRADE"), 0},
		"Upgrade in another case":           {upgrade("Upgrade: WebSocket"), 0},
		"Upgrade as a list":                 {upgrade("Upgrade: h2c, websocket"), 0},
		"example key of the RFC":            {upgrade("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC=="), 0},
		"unknown fields":                    {upgrade("X-Forwarded-For: 10.0.0.1", "Cookie: a=b"), 0},
		"Content-Length of 0":               {upgrade("Content-Length: 0"), 0},

		"POST":                         {upgrade("POST /chat HTTP/1.1"), 405},
		"GET elsewhere in the line":    {upgrade("POST /GET HTTP/1.1"), 405},
		"GET as a header value":        {upgrade("PUT /chat HTTP/1.1", "X-Method: GET"), 405},
		"method in lower case":         {upgrade("get /chat HTTP/1.1"), 405},
		"HTTP/1.0":                     {upgrade("GET /chat HTTP/1.0"), 400},
		"HTTP/2.0":                     {upgrade("GET /chat HTTP/2.0"), 505},
		"other protocol":               {upgrade("GET /chat HTTQ/1.1"), 400},
		"version without dot":          {upgrade("GET /chat HTTP/1,1"), 400},
		"version without number":       {upgrade("GET /chat HTTP/1.x"), 400},
		"no version":                   {upgrade("GET /chat"), 400},
		"two spaces":                   {upgrade("GET  /chat HTTP/1.1"), 400},
		"space behind the line":        {upgrade("GET /chat HTTP/1.1 "), 400},
		"space in the target":          {upgrade("GET /a b HTTP/1.1"), 400},
		"fragment in the target":       {upgrade("GET /chat#top HTTP/1.1"), 400},
		"relative target":              {upgrade("GET chat HTTP/1.1"), 400},
		"ftp target":                   {upgrade("GET ftp://im.example.org/ HTTP/1.1"), 400},
		"control byte in the target":   {upgrade("GET /\x01 HTTP/1.1"), 400},
		"no Host":                      {upgrade("-Host"), 400},
		"empty Host":                   {upgrade("Host:"), 400},
		"two Hosts":                    {upgrade("+Host: im.example.org"), 400},
		"path in Host":                 {upgrade("Host: im.example.org/x"), 400},
		"no Upgrade":                   {upgrade("-Upgrade"), 426},
		"Upgrade to something else":    {upgrade("Upgrade: h2c"), 426},
		"Upgrade as part of a word":    {upgrade("Upgrade: websocket2"), 426},
		"Upgrade with a Kelvin sign":   {upgrade("Upgrade: websoc\u212aet"), 426},
		"no Connection":                {upgrade("-Connection"), 400},
		"Connection without upgrade":   {upgrade("Connection: keep-alive"), 400},
		"Connection with upgrade-ish":  {upgrade("Connection: upgrade-insecure"), 400},
		"no version field":             {upgrade("-Sec-WebSocket-Version"), 426},
		"version 8":                    {upgrade("Sec-WebSocket-Version: 8"), 426},
		"version 25":                   {upgrade("Sec-WebSocket-Version: 25"), 426},
		"version with a leading zero":  {upgrade("Sec-WebSocket-Version: 013"), 426},
		"list of versions":             {upgrade("Sec-WebSocket-Version: 13, 8"), 426},
		"two versions":                 {upgrade("+Sec-WebSocket-Version: 13"), 426},
		"no key":                       {upgrade("-Sec-WebSocket-Key"), 400},
		"empty key":                    {upgrade("Sec-WebSocket-Key:"), 400},
		"key of 15 bytes":              {upgrade("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"), 400},
		"key of 17 bytes":              {upgrade("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="), 400},
		"key of 18 bytes":              {upgrade("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA"), 400},
		"key not in base64":            {upgrade("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!=="), 400},
		"key without padding":          {upgrade("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"), 400},
		"two keys":                     {upgrade("+Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400},
		"body by length":               {upgrade("Content-Length: 5"), 400},
		"body in chunks":               {upgrade("Transfer-Encoding: chunked"), 400},
		"space before a colon":         {upgrade("Host : im.example.org"), 400},
		"folded field":                 {upgrade("X-Long: one\r\n two"), 400},
		"field without colon":          {upgrade("+Nonsense"), 400},
		"field without name":           {upgrade("+: value"), 400},
		"zero byte in a value":         {upgrade("X-Zero: a\x00b"), 400},
		"bare CR in a value":           {upgrade("X-CR: a\rb"), 400},
		"lines that end with LF":       {bytes.ReplaceAll(upgrade(), []byte("\r\n"), []byte("\n")), 400},
		"one line that ends with LF":   {bytes.Replace(upgrade(), []byte("\r\nConn"), []byte("\nConn"), 1), 400},
		"head too big":                 {upgrade("X-Long: " + strings.Repeat("x", MaxHead)), 431},
		"too many fields":              {upgrade(strings.Split(strings.Repeat("+X: y,", MaxFields)+"+X: y", ",")...), 431},
		"empty subprotocol list":       {upgrade("Sec-WebSocket-Protocol:"), 400},
		"malformed subprotocol":        {upgrade("Sec-WebSocket-Protocol: a b"), 400},
		"empty extension list":         {upgrade("Sec-WebSocket-Extensions:"), 400},
		"extension without name":       {upgrade("Sec-WebSocket-Extensions: ; a"), 400},
		"parameter without name":       {upgrade("Sec-WebSocket-Extensions: x; =1"), 400},
		"parameter with empty value":   {upgrade("Sec-WebSocket-Extensions: x; a="), 400},
		"quoted value that is no word": {upgrade(`Sec-WebSocket-Extensions: x; a="b c"`), 400},
		"quoted value without end":     {upgrade(`Sec-WebSocket-Extensions: x; a="b`), 400},
		"two words in an extension":    {upgrade("Sec-WebSocket-Extensions: x y"), 400},
		"malformed second extension":   {upgrade("Sec-WebSocket-Extensions: permessage-deflate, @"), 400},
	} {
		response, _, refused := accept(t, &Acceptor{Deflate: &Deflate{}}, c.request)
		status := 0
		if refused != nil {
			status = refused.Status
		}
		if status != c.status {
			t.Errorf("%s: %v, want %d", name, refused, c.status)
		}
		if c.status == 0 && !strings.HasPrefix(response, "HTTP/1.1 101 ") {
			t.Errorf("%s: response %q", name, response)
		}
	}
}

// A refusal is a complete HTTP response: its own status, its own length, and what the client should have asked for.
func TestRefusalResponses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		request []byte
		want    []string
	}{
		{upgrade("Sec-WebSocket-Version: 8"), []string{"HTTP/1.1 426 Upgrade Required\r\n", "\r\nSec-WebSocket-Version: 13\r\n", "\r\nUpgrade: websocket\r\n", "\r\nConnection: upgrade, close\r\n"}},
		{upgrade("-Upgrade"), []string{"HTTP/1.1 426 Upgrade Required\r\n", "\r\nUpgrade: websocket\r\n"}},
		{upgrade("POST / HTTP/1.1"), []string{"HTTP/1.1 405 Method Not Allowed\r\n", "\r\nAllow: GET\r\n", "\r\nConnection: close\r\n"}},
		{upgrade("Origin: https://evil.example"), []string{"HTTP/1.1 403 Forbidden\r\n", "\r\nConnection: close\r\n"}},
		{upgrade("-Sec-WebSocket-Key"), []string{"HTTP/1.1 400 Bad Request\r\n", "\r\nConnection: close\r\n"}},
	} {
		response, _, refused := accept(t, &Acceptor{}, c.request)
		for _, want := range c.want {
			if !strings.Contains(response, want) {
				t.Errorf("%v: %q lacks %q", refused, response, want)
			}
		}
		_, body, _ := strings.Cut(response, "\r\n\r\n")
		if !strings.Contains(response, fmt.Sprintf("\r\nContent-Length: %d\r\n", len(body))) || body != refused.Reason+"\n" {
			t.Errorf("%v: %q", refused, response)
		}
		if strings.Contains(response, "Sec-WebSocket-Accept") {
			t.Errorf("%v: a refusal with an Accept: %q", refused, response)
		}
	}
	for _, status := range []int{400, 401, 403, 404, 405, 426, 429, 431, 500, 503, 505, 418} {
		response := (&Refusal{status, "because"}).AppendResponse(nil)
		var h HeadReader
		var r Response
		head, n, err := h.Next(response)
		if err == nil {
			err = r.Parse(head)
		}
		if err != nil || r.Status != status || string(r.Get("content-length")) != "8" || string(response[n:]) != "because\n" {
			t.Errorf("%d: %q: %v", status, response, err)
		}
	}
}

// RFC 6455 §10.2. A host rule without an end must not let a longer host pass.
func TestOrigins(t *testing.T) {
	t.Parallel()
	list := &Acceptor{Origins: []string{"https://wx.qq.com", "http://localhost:8080"}}
	for name, c := range map[string]struct {
		a      *Acceptor
		fields []string
		status int
	}{
		"none, as from an app":         {list, nil, 0},
		"none, but one is demanded":    {&Acceptor{RequireOrigin: true}, nil, 403},
		"listed":                       {list, []string{"Origin: https://wx.qq.com"}, 0},
		"listed, in another case":      {list, []string{"Origin: HTTPS://WX.qq.Com"}, 0},
		"listed with port":             {list, []string{"Origin: http://localhost:8080"}, 0},
		"other port":                   {list, []string{"Origin: http://localhost:8081"}, 403},
		"other scheme":                 {list, []string{"Origin: http://wx.qq.com"}, 403},
		"longer host":                  {list, []string{"Origin: https://wx.qq.com.evil.example"}, 403},
		"host as user":                 {list, []string{"Origin: https://wx.qq.com@evil.example"}, 403},
		"subdomain":                    {list, []string{"Origin: https://a.wx.qq.com"}, 403},
		"prefix of a host":             {list, []string{"Origin: https://wx.qq.co"}, 403},
		"path behind it":               {list, []string{"Origin: https://wx.qq.com/"}, 403},
		"null":                         {list, []string{"Origin: null"}, 403},
		"empty":                        {list, []string{"Origin:"}, 403},
		"own host, but not listed":     {list, []string{"Origin: https://im.example.org"}, 403},
		"own host, listed as such":     {&Acceptor{Origins: []string{"https://wx.qq.com", SameHost}}, []string{"Origin: https://im.example.org"}, 0},
		"other host, own one listed":   {&Acceptor{Origins: []string{"https://wx.qq.com", SameHost}}, []string{"Origin: https://evil.example"}, 403},
		"two, the first one listed":    {list, []string{"Origin: https://wx.qq.com", "+Origin: https://evil.example"}, 400},
		"any":                          {&Acceptor{Origins: []string{"*"}}, []string{"Origin: https://evil.example"}, 0},
		"no list, own host":            {&Acceptor{}, []string{"Origin: https://im.example.org"}, 0},
		"no list, own host with port":  {&Acceptor{}, []string{"Host: im.example.org:8080", "Origin: http://IM.example.org:8080"}, 0},
		"no list, other port":          {&Acceptor{}, []string{"Origin: https://im.example.org:8443"}, 403},
		"no list, other host":          {&Acceptor{}, []string{"Origin: https://evil.example"}, 403},
		"no list, longer host":         {&Acceptor{}, []string{"Origin: https://im.example.org.evil.example"}, 403},
		"no list, null":                {&Acceptor{}, []string{"Origin: null"}, 403},
		"no list, scheme of a file":    {&Acceptor{}, []string{"Origin: file://im.example.org"}, 403},
		"demanded and listed":          {&Acceptor{RequireOrigin: true, Origins: list.Origins}, []string{"Origin: https://wx.qq.com"}, 0},
		"own host by absolute target":  {&Acceptor{}, []string{"GET http://a.example/ HTTP/1.1", "Origin: http://a.example"}, 0},
		"Host behind absolute target":  {&Acceptor{}, []string{"GET http://a.example/ HTTP/1.1", "Origin: http://im.example.org"}, 403},
		"listed name in another field": {list, []string{"Referer: https://wx.qq.com", "Origin: https://evil.example"}, 403},
	} {
		_, _, refused := accept(t, c.a, upgrade(c.fields...))
		status := 0
		if refused != nil {
			status = refused.Status
		}
		if status != c.status {
			t.Errorf("%s: %v, want %d", name, refused, c.status)
		}
	}
}

func TestSubprotocols(t *testing.T) {
	t.Parallel()
	a := &Acceptor{Protocols: []string{"v12.stomp", "v11.stomp", "hongyan.v1"}}
	for name, c := range map[string]struct {
		fields []string
		want   string
	}{
		"none offered":             {nil, ""},
		"one":                      {[]string{"Sec-WebSocket-Protocol: hongyan.v1"}, "hongyan.v1"},
		"the client's order":       {[]string{"Sec-WebSocket-Protocol: v11.stomp, v12.stomp"}, "v11.stomp"},
		"unknown ones are skipped": {[]string{"Sec-WebSocket-Protocol: chat,superchat ,\tv12.stomp"}, "v12.stomp"},
		"only unknown ones":        {[]string{"Sec-WebSocket-Protocol: chat, superchat"}, ""},
		"case matters":             {[]string{"Sec-WebSocket-Protocol: V12.STOMP"}, ""},
		"in two fields":            {[]string{"Sec-WebSocket-Protocol: chat", "+Sec-WebSocket-Protocol: v12.stomp"}, "v12.stomp"},
		"empty elements":           {[]string{"Sec-WebSocket-Protocol: ,, v12.stomp ,"}, "v12.stomp"},
	} {
		response, agreed, refused := accept(t, a, upgrade(c.fields...))
		if refused != nil || agreed.Protocol != c.want {
			t.Errorf("%s: %q, %v", name, agreed.Protocol, refused)
		}
		line := "Sec-WebSocket-Protocol: " + c.want + "\r\n"
		if strings.Contains(response, line) != (c.want != "") || strings.Contains(response, "Sec-WebSocket-Protocol") != (c.want != "") {
			t.Errorf("%s: %q", name, response)
		}
	}
}

// RFC 7692 §7.1: which offers are kept, and the answer to each.
func TestDeflateOffers(t *testing.T) {
	t.Parallel()
	all := Deflate{}
	for name, c := range map[string]struct {
		policy *Deflate
		offers string   // | between fields
		answer string   // "" if declined
		want   *Deflate // unless it is the default
	}{
		"not wanted here":         {nil, "permessage-deflate", "", nil},
		"other extensions":        {&all, "x-webkit-deflate-frame, mux; max-channels=4; flow-control", "", nil},
		"plain":                   {&all, "permessage-deflate", "permessage-deflate", nil},
		"name in another case":    {&all, "PerMessage-Deflate", "permessage-deflate", nil},
		"as browsers send it":     {&all, "permessage-deflate; client_max_window_bits", "permessage-deflate", nil},
		"among others":            {&all, "mux, permessage-deflate, bbf-usp-protocol", "permessage-deflate", nil},
		"in the second field":     {&all, "mux|permessage-deflate", "permessage-deflate", nil},
		"server resets":           {&all, "permessage-deflate;server_no_context_takeover", "permessage-deflate; server_no_context_takeover", &Deflate{true, false, 15, 15}},
		"client resets":           {&all, "permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover", &Deflate{false, true, 15, 15}},
		"server window":           {&all, "permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10", &Deflate{false, false, 10, 15}},
		"server window, quoted":   {&all, `permessage-deflate; server_max_window_bits="10"`, "permessage-deflate; server_max_window_bits=10", &Deflate{false, false, 10, 15}},
		"quoted with backslashes": {&all, `permessage-deflate; server_max_window_bits="\1\0"`, "permessage-deflate; server_max_window_bits=10", &Deflate{false, false, 10, 15}},
		"space around all signs":  {&all, "permessage-deflate\t; server_max_window_bits = 10 ;client_max_window_bits , x", "permessage-deflate; server_max_window_bits=10", &Deflate{false, false, 10, 15}},
		"server window of 15":     {&all, "permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15", nil},
		"server window of 8":      {&all, "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8", &Deflate{false, false, 8, 15}},
		"client window":           {&all, "permessage-deflate; client_max_window_bits=11", "permessage-deflate; client_max_window_bits=11", &Deflate{false, false, 15, 11}},
		"everything": {&all, "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9; server_no_context_takeover; client_no_context_takeover",
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9", &Deflate{true, true, 9, 9}},
		"unknown parameter":              {&all, "permessage-deflate; x", "", nil},
		"unknown parameter, then better": {&all, "permessage-deflate; x, permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover", &Deflate{true, false, 15, 15}},
		"the first good one counts":      {&all, "permessage-deflate; server_max_window_bits=9, permessage-deflate", "permessage-deflate; server_max_window_bits=9", &Deflate{false, false, 9, 15}},
		"parameter twice":                {&all, "permessage-deflate; server_no_context_takeover; server_no_context_takeover", "", nil},
		"window twice":                   {&all, "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", "", nil},
		"hint twice":                     {&all, "permessage-deflate; client_max_window_bits; client_max_window_bits", "", nil},
		"value for a flag":               {&all, "permessage-deflate; server_no_context_takeover=1", "", nil},
		"server window without value":    {&all, "permessage-deflate; server_max_window_bits", "", nil},
		"window of 7":                    {&all, "permessage-deflate; server_max_window_bits=7", "", nil},
		"window of 16":                   {&all, "permessage-deflate; client_max_window_bits=16", "", nil},
		"window of 010":                  {&all, "permessage-deflate; server_max_window_bits=010", "", nil},
		"window of +9":                   {&all, "permessage-deflate; server_max_window_bits=+9", "", nil},
		"window of ten":                  {&all, "permessage-deflate; server_max_window_bits=ten", "", nil},
		"policy: no context": {&Deflate{ServerNoContext: true, ClientNoContext: true}, "permessage-deflate; client_max_window_bits",
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover", &Deflate{true, true, 15, 15}},
		"policy: windows": {&Deflate{ServerWindowBits: 12, ClientWindowBits: 11}, "permessage-deflate; client_max_window_bits",
			"permessage-deflate; server_max_window_bits=12; client_max_window_bits=11", &Deflate{false, false, 12, 11}},
		"policy: the smaller window counts": {&Deflate{ServerWindowBits: 12, ClientWindowBits: 11}, "permessage-deflate; client_max_window_bits=9; server_max_window_bits=13",
			"permessage-deflate; server_max_window_bits=12; client_max_window_bits=9", &Deflate{false, false, 12, 9}},
		"policy: client cannot be told its window": {&Deflate{ClientWindowBits: 11}, "permessage-deflate",
			"permessage-deflate; client_no_context_takeover", &Deflate{false, true, 15, 15}},
	} {
		fields := []string{"-x"}
		for f := range strings.SplitSeq(c.offers, "|") {
			fields = append(fields, "+Sec-WebSocket-Extensions: "+f)
		}
		response, agreed, refused := accept(t, &Acceptor{Deflate: c.policy}, upgrade(fields...))
		want := Agreement{Compressed: c.answer != ""}
		if want.Compressed {
			want.Deflate = Deflate{}.normal()
			if c.want != nil {
				want.Deflate = *c.want
			}
		}
		if refused != nil || agreed != want {
			t.Errorf("%s: %+v, %v, want %+v", name, agreed, refused, want)
		}
		_, answer, _ := strings.Cut(response, "Sec-WebSocket-Extensions: ")
		if answer, _, _ = strings.Cut(answer, "\r\n"); answer != c.answer {
			t.Errorf("%s: answer %q, want %q", name, answer, c.answer)
		}
	}
}

func TestAcceptAllocatesNothing(t *testing.T) {
	request := upgrade("Origin: https://im.example.org", "Sec-WebSocket-Protocol: chat, hongyan.v1", "Connection: keep-alive, Upgrade",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "User-Agent: Mozilla/5.0", "Cookie: a=b; token=c")
	a := &Acceptor{Protocols: []string{"hongyan.v1"}, Deflate: &Deflate{ServerNoContext: true}}
	var q Request
	var out []byte
	if n := testing.AllocsPerRun(100, func() {
		var h HeadReader
		head, _, err := h.Next(request)
		if err == nil {
			err = q.Parse(head)
		}
		if err == nil {
			out, _, err = a.Accept(out[:0], &q)
		}
		if _, ok := q.Cookie("token"); err != nil || !ok {
			t.Fatal(err, ok)
		}
		if room, ok := q.Query("room"); string(room) != "7" || !ok {
			t.Fatal(room, ok)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAccept(b *testing.B) {
	request := upgrade("Origin: https://im.example.org", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: zh-CN,zh;q=0.9",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Cache-Control: no-cache", "Pragma: no-cache",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36")
	a := &Acceptor{Deflate: &Deflate{ServerNoContext: true, ClientNoContext: true}}
	var q Request
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		var h HeadReader
		head, _, err := h.Next(request)
		if err == nil {
			err = q.Parse(head)
		}
		if err == nil {
			out, _, err = a.Accept(out[:0], &q)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
