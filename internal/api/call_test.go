package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/wire"
)

func TestPath(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Send": "send", "MarkRead": "mark-read", "DemandTLS": "demand-tls", "SetConversation": "set-conversation",
	} {
		if got := wire.Path(name); got != want {
			t.Errorf("%s lies at %s, want %s", name, got, want)
		}
	}
	seen := map[string]string{}
	for _, row := range wire.Operations {
		if other := seen[wire.Path(row.Name)]; other != "" {
			t.Errorf("%s and %s both lie at %s", row.Name, other, wire.Path(row.Name))
		}
		seen[wire.Path(row.Name)] = row.Name
	}
}

func TestEveryCodeIsAProblem(t *testing.T) {
	t.Parallel()
	for code, name := range hongyan.Codes() {
		v, ok := verdicts[code]
		if !ok || v.status < 400 || v.title == "" {
			t.Errorf("%s is the verdict %+v", name, v)
		}
		p := newProblem(hongyan.Errorf(code, "a"), "r")
		if p.Code != strings.ToUpper(name) || p.Status != v.status {
			t.Errorf("%s is the problem %+v", name, p)
		}
	}
	if len(verdicts) != len(hongyan.Codes()) {
		t.Errorf("%d verdicts for %d codes", len(verdicts), len(hongyan.Codes()))
	}
}

func TestAnErrorOfTheServerIsNotTold(t *testing.T) {
	t.Parallel()
	p := newProblem(fmt.Errorf("disk: secret %d", 1), "r")
	if p.Code != "INTERNAL" || strings.Contains(string(p.encode()), "secret") {
		t.Errorf("told %s", p.encode())
	}
}

// TestEveryOperationIsReachable asks for each operation without an account and with an empty body: each answers as it would
// on the long link.
func TestEveryOperationIsReachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, row := range wire.Operations {
		a := w.do(http.MethodPost, Prefix+wire.Path(row.Name), "")
		want := map[wire.Access]int{wire.User: 401, wire.Operator: 401}[row.Access]
		switch {
		case row.Op == wire.OpHeartbeat:
			if a.StatusCode != 200 || string(a.body) != "{}" {
				t.Errorf("Heartbeat: %s %s", a.Status, a.body)
			}
		case row.Access == wire.Anyone:
			if p := a.problem(t); p.Code == "UNKNOWN_OPERATION" || p.Code == "INTERNAL" {
				t.Errorf("%s: %+v", row.Name, p)
			}
		case a.problem(t).Status != want || a.Header.Get("WWW-Authenticate") != `Bearer realm="hongyan"`:
			t.Errorf("%s: %s %v", row.Name, a.Status, a.Header)
		}
	}
}

// TestBothFormats asks the same in JSON and in protobuf, with all that may follow the type of a body.
func TestBothFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna := w.register("anna")
	binary, err := proto.Marshal(&wire.ProfilesRequest{Names: []string{"anna"}})
	if err != nil {
		t.Fatal(err)
	}
	text := `{"names":["anna"],"fieldOfTheFuture":[{}]}`
	for _, tt := range []struct{ in, accept, body, out string }{
		{typeJSON, "", text, typeJSON},
		{typeJSON + "; charset=utf-8", "*/*", text, typeJSON},
		{typeJSON, "text/html, application/x-protobuf;q=0.5", text, typeProtobuf},
		{typeProtobuf, "", string(binary), typeProtobuf},
		{typeProtobufIANA, "", string(binary), typeProtobuf},
		{typeProtobuf, typeJSON, string(binary), typeJSON},
	} {
		headers := []string{"Authorization", "bearer " + anna.token, "Content-Type", tt.in}
		if tt.accept != "" {
			headers = append(headers, "Accept", tt.accept)
		}
		a := w.do(http.MethodPost, "/v1/profiles", tt.body, headers...)
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != tt.out {
			t.Errorf("%+v: %s %s %s", tt, a.Status, a.Header, a.body)
			continue
		}
		reply := new(wire.ProfilesReply)
		if tt.out == typeProtobuf {
			err = proto.Unmarshal(a.body, reply)
		} else {
			err = jsonInto(a.body, reply)
		}
		if err != nil || len(reply.Profiles) != 1 || reply.Profiles[0].User != anna.user {
			t.Errorf("%+v: %v, %v", tt, reply, err)
		}
	}
}

func jsonInto(b []byte, m proto.Message) error {
	_, err := formatJSON.decode(&wire.Operation{NewRequest: func() proto.Message { return m }}, b)
	return err
}

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna := w.register("anna")
	me := []string{"Authorization", "Bearer " + anna.token}
	mine := append(me, "Content-Type", typeJSON)
	open := []string{"Content-Type", typeJSON}
	for _, tt := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code, says               string
	}{
		{"no such path", "POST", "/v1/sing", "{}", mine, 404, "UNKNOWN_OPERATION", "/v1/sing"},
		{"another case", "POST", "/v1/Send", "{}", mine, 404, "UNKNOWN_OPERATION", "/v1/Send"},
		{"below a path", "POST", "/v1/send/x", "{}", mine, 404, "UNKNOWN_OPERATION", ""},
		{"GET", "GET", "/v1/send", "", me, 405, "INVALID", "GET"},
		{"GET with a body", "GET", "/v1/events", "{}", me, 400, "INVALID", "GET"},
		{"OPTIONS with a body", "OPTIONS", "/v1/sync", "{}", me, 400, "INVALID", "OPTIONS"},
		{"PUT", "PUT", "/v1/send", "", mine, 405, "INVALID", "PUT"},
		{"a form", "POST", "/v1/sync", "{}", append(me, "Content-Type", "application/x-www-form-urlencoded"), 415, "INVALID", "form"},
		{"text", "POST", "/v1/sync", "{}", append(me, "Content-Type", "text/plain"), 415, "INVALID", "text/plain"},
		{"no type", "POST", "/v1/sync", "{}", me, 415, "INVALID", `""`},
		{"a type that is none", "POST", "/v1/sync", "{}", append(me, "Content-Type", "\"/;;"), 415, "INVALID", ""},
		{"compressed", "POST", "/v1/sync", "{}", append(mine, "Content-Encoding", "gzip"), 415, "INVALID", "gzip"},
		{"no JSON", "POST", "/v1/sync", "{", mine, 400, "INVALID", "the body is no SyncRequest: unexpected"},
		{"a list", "POST", "/v1/sync", "[]", mine, 400, "INVALID", "SyncRequest"},
		{"two bodies", "POST", "/v1/sync", "{}{}", mine, 400, "INVALID", "SyncRequest"},
		{"a wrong type", "POST", "/v1/send", `{"content":{"text":5}}`, mine, 400, "INVALID", "SendRequest"},
		{"a number too large", "POST", "/v1/history", `{"before":"18446744073709551616"}`, mine, 400, "INVALID", "HistoryRequest"},
		{"a field twice", "POST", "/v1/sync", `{"limit":1,"limit":2}`, mine, 400, "INVALID", "limit"},
		{"both of one", "POST", "/v1/send", `{"conversation":"d:1:2","name":"x"}`, mine, 400, "INVALID", ""},
		{"no base64", "POST", "/v1/sync", `{"key":"!"}`, mine, 400, "INVALID", ""},
		{"no UTF-8", "POST", "/v1/profiles", "{\"names\":[\"\xff\"]}", mine, 400, "INVALID", ""},
		{"deep", "POST", "/v1/sync", `{"x":` + strings.Repeat("[", 100_000), mine, 400, "INVALID", ""},
		{"no protobuf", "POST", "/v1/sync", "\x0a\xff", append(me, "Content-Type", typeProtobuf), 400, "INVALID", "SyncRequest"},
		{"no key", "POST", "/v1/sync", `{"key":"AAAA"}`, mine, 400, "KEY_INVALID", ""},
		{"too large", "POST", "/v1/sync", `{"key":"` + strings.Repeat("A", MaxBody), mine, 413, "TOO_LARGE", "1048576"},
		{"too much to be held", "POST", "/v1/sync", `{"waitMs":9,"types":[` + strings.Repeat("1,", 5000) + `1]}`, mine, 413, "TOO_LARGE", "waits"},
		{"too large for a stranger", "POST", "/v1/login", `{"name":"` + strings.Repeat("a", MaxBodyUnauth), open, 413, "TOO_LARGE", "4096"},
		{"another scheme", "POST", "/v1/sync", "{}", append(open, "Authorization", "Basic YTpi"), 401, "UNAUTHENTICATED", "Authorization"},
		{"an empty token", "POST", "/v1/sync", "{}", append(open, "Authorization", "Bearer "), 401, "UNAUTHENTICATED", "Authorization"},
		{"no token", "POST", "/v1/sync", "{}", open, 401, "UNAUTHENTICATED", "Sync"},
		{"a token that is none", "POST", "/v1/sync", "{}", append(open, "Authorization", "Bearer x"), 401, "UNAUTHENTICATED", ""},
		{"a token that is no text", "POST", "/v1/sync", "{}", append(open, "Authorization", "Bearer \xff\xfe"), 401, "UNAUTHENTICATED", ""},
		{"the operator's", "POST", "/v1/status", "{}", mine, 403, "FORBIDDEN", "Status"},
		{"wrong password", "POST", "/v1/login", `{"name":"anna","password":"something","device":{"class":"WEB"}}`, open, 401, "BAD_CREDENTIALS", ""},
		{"the name again", "POST", "/v1/register", `{"name":"anna","password":"something","device":{"class":"WEB"}}`, open, 409, "EXISTS", "anna"},
		{"nobody", "POST", "/v1/send", `{"name":"nobody","clientId":"AAAAAAAAAAAAAAAAAAAAAQ==","firstAttemptMs":"` +
			fmt.Sprint(time.Now().UnixMilli()) + `","content":{"text":"x"}}`, mine, 404, "NOT_FOUND", "nobody"},
	} {
		a := w.do(tt.method, tt.path, tt.body, tt.headers...)
		p := a.problem(t)
		if p.Status != tt.status || p.Code != tt.code || !strings.Contains(p.Detail, tt.says) {
			t.Errorf("%s: %+v, want %d %s about %q", tt.name, p, tt.status, tt.code, tt.says)
		}
		if tt.status == 405 && a.Header.Get("Allow") != "POST, OPTIONS" {
			t.Errorf("%s: Allow is %q", tt.name, a.Header.Get("Allow"))
		}
	}
	anna.synced()
}

func TestPlainConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna := w.register("anna")
	w.peer.Store(&Peer{Peer: account.Peer{Addr: netip.MustParseAddr("203.0.113.7")}})
	for _, path := range []string{"register", "login", "auth", "sync", "events/ticket", "events/cookie"} {
		p := anna.post(path, "{}").problem(t)
		if p.Code != "TLS_REQUIRED" || p.Status != 403 {
			t.Errorf("%s without encryption: %+v", path, p)
		}
	}
	if p := w.do("GET", "/v1/events?ticket=x", "", "Authorization", "Bearer "+anna.token).problem(t); p.Code != "TLS_REQUIRED" {
		t.Errorf("a stream without encryption: %+v", p)
	}
}

func TestTheOperator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.peer.Store(&Peer{Secure: true, Operator: true})
	if a := w.do("POST", "/v1/status", ""); string(a.body) != `{"version":"test"}` {
		t.Errorf("by the socket: %s %s", a.Status, a.body)
	}
	made := ask(&device{world: w}, wire.OpCreateKey, &wire.CreateKeyRequest{Name: "bridge"}, new(wire.CreateKeyReply))
	w.peer.Store(&Peer{Secure: true})
	by := &device{world: w, token: made.Key}
	if a := by.post("status", "{}"); a.StatusCode != 200 {
		t.Errorf("by a key: %s %s", a.Status, a.body)
	}
	if p := by.post("events/ticket", "").problem(t); p.Code != "UNAUTHENTICATED" {
		t.Errorf("a stream for a key: %+v", p)
	}
	if p := by.post("sync", "{}").problem(t); p.Code != "UNAUTHENTICATED" {
		t.Errorf("a sync for a key: %+v", p)
	}
}

// TestWhoIsLocal: where only this machine may register, nobody does by a proxy on it or a name that leads to it.
func TestWhoIsLocal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		host, header string
		local        bool
	}{
		{"localhost", "", true}, {"LOCALHOST:80", "", true}, {"127.0.0.1:7878", "", true}, {"127.1.2.3", "", true},
		{"[::1]:7878", "", true}, {"[::1]", "", true}, {"[::ffff:127.0.0.1]", "", true},
		{"chat.example.com", "", false}, {"localhost.evil.example", "", false}, {"192.0.2.1", "", false}, {"", "", false},
		{"localhost", "X-Forwarded-For", false}, {"localhost", "Via", false}, {"localhost", "Forwarded", false},
	} {
		r := httptest.NewRequest("POST", "/v1/register", nil)
		r.Host = tt.host
		if tt.header != "" {
			r.Header.Set(tt.header, "x")
		}
		if got := direct(r); got != tt.local {
			t.Errorf("%q with %q: %v", tt.host, tt.header, got)
		}
	}
}

// TestTokens uses a device token as well as a ticket, and neither when its device has ended.
func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna := w.register("anna")
	ticket := anna.token
	anna.token = anna.deviceToken
	anna.synced()
	// One that is worth nothing any more does not stand in the way of a login.
	r := ask(&device{world: w, token: "hya_old"}, wire.OpLogin, &wire.LoginRequest{
		Name: "anna", Password: "anna-secret", Device: wire.FromDevice(hongyan.Device{Class: hongyan.ClassPhone}),
	}, new(wire.LoginReply))
	ask(&device{world: w, token: r.DeviceToken}, wire.OpLogout, &wire.LogoutRequest{}, new(wire.LogoutReply))
	for _, token := range []string{r.DeviceToken, r.Session.Ticket} {
		a := w.do("POST", "/v1/sync", "", "Authorization", "Bearer "+token)
		if p := a.problem(t); p.Code != "REVOKED" || !strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("after the logout: %+v %v", p, a.Header)
		}
	}
	anna.token = ticket
	anna.synced()
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for given, kept := range map[string]bool{
		"a-1": true, "urn:x.Y_9": true, strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false, "": false, "a b": false, "ä": false, `"`: false,
	} {
		a := w.do("POST", "/v1/heartbeat", "", "X-Request-Id", given)
		got := a.Header.Get("X-Request-Id")
		if (got == given) != kept || got == "" || len(got) > 64 {
			t.Errorf("the id %q became %q", given, got)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	const friend = "https://chat.example.com"
	w := newWorld(t, friend)
	host := strings.TrimPrefix(w.http.URL, "http://")
	for _, tt := range []struct {
		name, origin    string
		allowed, listed bool
	}{
		{"no page", "", true, false},
		{"its own page", "http://" + host, true, false},
		{"its own page behind a proxy", "https://" + host, true, false},
		{"a listed one", friend, true, true},
		{"the list in other letters", "https://CHAT.example.com", true, true},
		{"another", "https://evil.example", false, false},
		{"a listed one's namesake", friend + ".evil.example", false, false},
		{"a listed one at another port", friend + ":8443", false, false},
		{"a listed one in the clear", "http://chat.example.com", false, false},
		{"a sandbox", "null", false, false},
		{"no origin at all", "%", false, false},
	} {
		headers := []string{}
		if tt.origin != "" {
			headers = append(headers, "Origin", tt.origin)
		}
		for _, method := range []string{"POST", "OPTIONS"} {
			a := w.do(method, "/v1/heartbeat", "", append(headers, "Access-Control-Request-Method", "POST")...)
			if !tt.allowed {
				if p := a.problem(t); p.Code != "FORBIDDEN" || a.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s, %s: %+v %v", tt.name, method, p, a.Header)
				}
				continue
			}
			want := map[string]int{"POST": 200, "OPTIONS": 204}[method]
			if got := a.Header.Get("Access-Control-Allow-Origin"); a.StatusCode != want || (got == tt.origin) != tt.listed && tt.origin != "" {
				t.Errorf("%s, %s: %s, allows %q", tt.name, method, a.Status, got)
			}
			if got := a.Header.Get("Access-Control-Allow-Headers"); method == "OPTIONS" && (got != "") != tt.listed {
				t.Errorf("%s: allows the headers %q", tt.name, got)
			}
			if a.Header.Get("Access-Control-Allow-Credentials") != "" || a.Header.Get("Vary") != "Origin" {
				t.Errorf("%s: %v", tt.name, a.Header)
			}
		}
	}
	anyone := newWorld(t, "*")
	if a := anyone.do("POST", "/v1/heartbeat", "", "Origin", "null"); a.Header.Get("Access-Control-Allow-Origin") != "null" {
		t.Errorf("any origin: %s %v", a.Status, a.Header)
	}
}

// TestABodyThatDoesNotCome: a stranger may not hold a connection by sending a body slowly, and is told so.
func TestABodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.bodyTime, w.api.bodyTimeUnauth = 50*time.Millisecond, 50*time.Millisecond
	c, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusRequestTimeout || !r.Close {
		t.Errorf("%s, and the connection stays open: %v", r.Status, !r.Close)
	}
}

// TestARefusedBodyIsNotRead: what is refused by its head alone is refused before its body has come, and the connection
// does not stay for it.
func TestARefusedBodyIsNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.bodyTimeUnauth = 50 * time.Millisecond
	for _, head := range []string{
		"POST /v1/send HTTP/1.1\r\nAuthorization: Bearer x",
		"POST /v1/send HTTP/1.1\r\nContent-Type: application/json",
		"POST /v1/nothing HTTP/1.1\r\nContent-Type: application/json",
		"POST /v1/login HTTP/1.1\r\nContent-Type: text/plain",
		"POST /v1/events/ticket HTTP/1.1",
		"POST /v1/report HTTP/1.1\r\nContent-Type: text/plain",
		"POST /v1/send HTTP/1.1\r\nOrigin: https://evil.example",
		"OPTIONS /v1/send HTTP/1.1",
		"PUT /v1/media/uploads/u_x?offset=0 HTTP/1.1",
		"POST /v1/media/whole HTTP/1.1",
		"PUT /v1/send HTTP/1.1",
		"GET /v1/events HTTP/1.1",
		"GET /v1/ HTTP/1.1",
	} {
		for _, expect := range []string{"", "\r\nExpect: 100-continue"} {
			c, err := net.Dial("tcp", w.http.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			fmt.Fprint(c, head+expect+"\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
			in := bufio.NewReader(c)
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Error(err)
			}
			r.Body.Close()
			if r.StatusCode < 400 || !r.Close {
				t.Errorf("%s: %s, and the connection stays open: %v", head, r.Status, !r.Close)
			}
			if _, err := in.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s%s: the connection does not end: %v", head, expect, err)
			}
		}
	}
}

// TestDocumentedStatuses compares the table of docs/PROTOCOL.md with the verdicts.
func TestDocumentedStatuses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| status | codes |\n")
	documented := map[string]int{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			break
		}
		for code := range strings.SplitSeq(cells[2], ",") {
			documented[strings.Trim(code, " `")], _ = strconv.Atoi(strings.TrimSpace(cells[1]))
		}
	}
	for code, v := range verdicts {
		name := strings.ToUpper(code.String())
		if documented[name] != v.status {
			t.Errorf("%s has the status %d, the document says %d", name, v.status, documented[name])
		}
	}
}
