package api

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hongyan-im/hongyan/wire"
)

// stream is an open stream as a test reads it, line by line.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

func (w *world) open(t *testing.T, query string, headers ...string) (*stream, answer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.http.URL+"/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	a, err := w.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{t, bufio.NewScanner(a.Body), func() { cancel(); a.Body.Close() }}
	s.lines.Buffer(nil, 4<<20)
	t.Cleanup(s.close)
	if a.StatusCode != http.StatusOK {
		s.lines.Scan()
		return nil, answer{a, s.lines.Bytes()}
	}
	if a.Header.Get("Content-Type") != "text/event-stream" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the headers of a stream are %v", a.Header)
	}
	return s, answer{a, nil}
}

// field returns the value of the next line of a field. False: the stream has ended.
func (s *stream) field(name string) (string, bool) {
	for s.lines.Scan() {
		if value, ok := strings.CutPrefix(s.lines.Text(), name+": "); ok {
			return value, true
		}
	}
	return "", false
}

// next returns the next page, with its id.
func (s *stream) next() (id string, page *wire.SyncReply) {
	s.t.Helper()
	id, _ = s.field("id")
	data, ok := s.field("data")
	page = new(wire.SyncReply)
	if err := protojson.Unmarshal([]byte(data), page); err != nil || !ok {
		s.t.Fatalf("%v in %q", err, data)
	}
	if id != base64.StdEncoding.EncodeToString(page.Key) {
		s.t.Errorf("the id is %q, the key %x", id, page.Key)
	}
	return id, page
}

// problem returns what the stream ends with.
func (s *stream) problem() (p problem) {
	s.t.Helper()
	if name, ok := s.field("event"); !ok || name != "problem" {
		s.t.Fatalf("the event %q, or none, but no problem", name)
	}
	data, _ := s.field("data")
	if err := json.Unmarshal([]byte(data), &p); err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (d *device) bearer() []string { return []string{"Authorization", "Bearer " + d.token} }

// ticket asks for a stream ticket.
func (d *device) ticket() string {
	d.tb.Helper()
	var reply struct {
		Ticket    string
		ExpiresMs int64 `json:",string"`
	}
	a := d.post("events/ticket", "")
	if err := json.Unmarshal(a.body, &reply); err != nil || !strings.HasPrefix(reply.Ticket, ticketPrefix) {
		d.tb.Fatalf("%v: %s %s", err, a.Status, a.body)
	}
	if left := time.Until(time.UnixMilli(reply.ExpiresMs)); left <= 0 || left > TicketLife {
		d.tb.Errorf("the ticket expires in %v", left)
	}
	return reply.Ticket
}

func TestAStreamBeginsAnewOrGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, bert := w.register("anna"), w.register("bert")
	bert.send("anna", "one")
	s, _ := w.open(t, "", anna.bearer()...)
	_, window := s.next()
	if got := window.GetReset_().GetConversations(); len(got) != 1 || got[0].LastMessage.GetContent().GetText() != "one" {
		t.Errorf("the window is %v", window)
	}
	bert.send("anna", "two")
	id, page := s.next()
	if len(page.Changes) != 1 || page.Changes[0].GetMessage().GetContent().GetText() != "two" {
		t.Errorf("the event is %v", page)
	}
	s.close()
	eventually(t, "the end of the stream", func() bool { return w.api.streams.count() == 0 && w.api.held.count() == 0 })

	bert.send("anna", "three")
	for name, open := range map[string]func() *stream{
		"header": func() *stream { s, _ := w.open(t, "", append(anna.bearer(), "Last-Event-ID", id)...); return s },
		"address": func() *stream {
			s, _ := w.open(t, "?key="+url.QueryEscape(id), anna.bearer()...)
			return s
		},
		"address, other alphabet": func() *stream {
			s, _ := w.open(t, "?key="+base64.RawURLEncoding.EncodeToString(page.Key), anna.bearer()...)
			return s
		},
		"address, unescaped": func() *stream { s, _ := w.open(t, "?key="+id, anna.bearer()...); return s },
		"the header goes first": func() *stream {
			s, _ := w.open(t, "?key=AAAA", append(anna.bearer(), "Last-Event-ID", id)...)
			return s
		},
		"with a ticket": func() *stream { s, _ := w.open(t, "?ticket="+anna.ticket()+"&key="+url.QueryEscape(id)); return s },
		"with a cookie": func() *stream {
			s, _ := w.open(t, "", "Last-Event-ID", id, "Cookie", "hongyan_events="+anna.token)
			return s
		},
	} {
		s := open()
		if s == nil {
			t.Errorf("%s: no stream", name)
			continue
		}
		_, page := s.next()
		if len(page.Changes) != 1 || page.Changes[0].GetMessage().GetContent().GetText() != "three" {
			t.Errorf("%s: the event is %v", name, page)
		}
		s.close()
	}
}

// TestAStreamAcknowledgesNothing: what was sent into a stream may not have arrived, so it is not delivered.
func TestAStreamAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, bert := w.register("anna"), w.register("bert")
	bert.send("anna", "one")
	delivered := func() uint64 {
		list := ask(bert, wire.OpConversations, &wire.ConversationsRequest{}, new(wire.ConversationsReply))
		return list.Conversations[0].Delivered
	}
	s, _ := w.open(t, "", anna.bearer()...)
	id, page := s.next()
	s.close()
	s, _ = w.open(t, "", append(anna.bearer(), "Last-Event-ID", id)...)
	bert.send("anna", "two")
	s.next()
	if got := delivered(); got != 0 {
		t.Errorf("%d messages count as delivered", got)
	}
	ask(anna, wire.OpAck, &wire.AckRequest{Key: page.Key}, new(wire.AckReply))
	eventually(t, "the receipt", func() bool { return delivered() == 1 })
}

func TestAStreamBringsSignals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, bert := w.register("anna"), w.register("bert")
	sent := bert.send("anna", "one")
	s, _ := w.open(t, "", anna.bearer()...)
	s.next()
	ask(bert, wire.OpTyping, &wire.TypingRequest{Conversation: sent.Conversation}, new(wire.TypingReply)) // it listens since before its first event
	if name, ok := s.field("event"); !ok || name != "signal" {
		t.Fatalf("the event is %q", name)
	}
	data, _ := s.field("data")
	signal := new(wire.Signal)
	if err := protojson.Unmarshal([]byte(data), signal); err != nil || signal.GetTyping().GetConversation() != sent.Conversation {
		t.Errorf("%v in %q", err, data)
	}
	bert.send("anna", "two")
	if _, page := s.next(); len(page.Changes) == 0 {
		t.Error("what is said then does not come")
	}
}

func TestAHeldLoginByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna := w.register("anna")
	nobody := &device{world: w, token: "hyd_old"}
	asked := ask(nobody, wire.OpAskLogin, &wire.AskLoginRequest{Device: &wire.Device{Class: 4}}, new(wire.AskLoginReply))
	states := make(chan wire.LoginState)
	go func() {
		r := ask(nobody, wire.OpAwaitLogin, &wire.AwaitLoginRequest{Secret: asked.Secret, WaitMs: 20_000}, new(wire.AwaitLoginReply))
		states <- r.State
	}()
	eventually(t, "the request", func() bool { return w.api.held.count() == 1 })
	ask(anna, wire.OpReadLogin, &wire.ReadLoginRequest{Code: asked.Code}, new(wire.ReadLoginReply))
	if got := <-states; got != wire.LoginScanned {
		t.Errorf("the state is %v", got)
	}
	problems := make(chan answer)
	go func() {
		problems <- w.do("POST", "/v1/await-login", `{"secret":"`+asked.Secret+`","known":"SCANNED","waitMs":20000}`, "Content-Type", "application/json")
	}()
	eventually(t, "the request", func() bool { return w.api.held.count() == 1 })
	w.api.Drain(func() time.Duration { return time.Second })
	a := <-problems
	if p := a.problem(t); p.Code != "UNAVAILABLE" {
		t.Errorf("when the server leaves: %+v", p)
	}
}

func TestWhoMayHaveAStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "https://friend.example")
	anna := w.register("anna")
	cookie := "hongyan_events=" + anna.token
	spent := anna.ticket()
	if s, _ := w.open(t, "?ticket="+spent); s == nil {
		t.Fatal("a fresh ticket opens nothing")
	}
	for _, tt := range []struct {
		name, query string
		headers     []string
		status      int
		code        string
	}{
		{"nobody", "", nil, 401, "UNAUTHENTICATED"},
		{"a spent ticket", "?ticket=" + spent, nil, 401, "UNAUTHENTICATED"},
		{"a spent ticket with a cookie", "?ticket=" + spent, []string{"Cookie", cookie}, 401, "UNAUTHENTICATED"},
		{"an invented ticket", "?ticket=hye_AAAAAAAAAAAAAAAAAAAAAAAAAA", nil, 401, "UNAUTHENTICATED"},
		{"a token in the address", "?ticket=" + anna.token, nil, 401, "UNAUTHENTICATED"},
		{"a ticket as a bearer", "", []string{"Authorization", "Bearer " + anna.ticket()}, 401, "UNAUTHENTICATED"},
		{"a cookie that is none", "", []string{"Cookie", "hongyan_events=x"}, 401, "UNAUTHENTICATED"},
		{"a cookie of another page's request", "", []string{"Cookie", cookie, "Origin", "https://friend.example"}, 401, "UNAUTHENTICATED"},
		{"a cookie of a sibling page", "", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site"}, 401, "UNAUTHENTICATED"},
		{"a page that is not listed", "", []string{"Cookie", cookie, "Origin", "https://evil.example"}, 403, "FORBIDDEN"},
		{"a key that is none", "?key=AAAA", anna.bearer(), 400, "KEY_INVALID"},
		{"a key that is no base64", "", append(anna.bearer(), "Last-Event-ID", "%%"), 400, "KEY_INVALID"},
	} {
		s, a := w.open(t, tt.query, tt.headers...)
		if s != nil {
			t.Errorf("%s: got a stream", tt.name)
			continue
		}
		if p := a.problem(t); p.Status != tt.status || p.Code != tt.code {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
	for _, headers := range [][]string{nil, {"Sec-Fetch-Site", "same-origin"}, {"Origin", w.http.URL}} {
		if s, a := w.open(t, "", append(headers, "Cookie", cookie)...); s == nil {
			t.Errorf("the cookie of its own page, with %v: %s", headers, a.body)
		}
	}
	if strings.Contains(w.log.String(), spent) {
		t.Error("the log holds a ticket")
	}
}

func TestTheCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna := w.register("anna")
	a := anna.post("events/cookie", "")
	if len(a.Cookies()) != 1 {
		t.Fatalf("%s %s: %d cookies", a.Status, a.body, len(a.Cookies()))
	}
	c := a.Cookies()[0]
	if c.Path != "/v1/events" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteStrictMode || time.Until(c.Expires) < time.Hour {
		t.Errorf("the cookie is %v", c)
	}
	if s, a := w.open(t, "", "Cookie", c.Name+"="+c.Value); s == nil {
		t.Errorf("it opens no stream: %s", a.body)
	}
	if p := w.do("POST", "/v1/events/cookie", "", "Cookie", c.Name+"="+c.Value).problem(t); p.Code != "UNAUTHENTICATED" {
		t.Errorf("a cookie for a cookie: %+v", p)
	}
	if p := w.do("POST", "/v1/sync", "", "Cookie", c.Name+"="+c.Value).problem(t); p.Code != "UNAUTHENTICATED" {
		t.Errorf("a request with the cookie: %+v", p)
	}
}

func TestAStreamEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, bert := w.register("anna"), w.register("bert")
	s, _ := w.open(t, "", anna.bearer()...)
	s.next()
	ask(anna, wire.OpLogout, &wire.LogoutRequest{}, new(wire.LogoutReply))
	if p := s.problem(); p.Code != "REVOKED" {
		t.Errorf("after the logout: %+v", p)
	}
	if _, ok := s.field("id"); ok {
		t.Error("the stream goes on")
	}

	s, _ = w.open(t, "", bert.bearer()...)
	s.next()
	eventually(t, "the hold", func() bool { return w.api.held.count() == 1 })
	w.api.Drain(func() time.Duration { return 1234 * time.Millisecond })
	if p := s.problem(); p.Code != "UNAVAILABLE" || p.RetryAfterMS != 1234 {
		t.Errorf("when the server leaves: %+v", p)
	}
	if retry, _ := s.field("retry"); retry != "1234" {
		t.Errorf("to come back after %q", retry)
	}
	if _, ok := s.field("id"); ok {
		t.Error("the stream goes on")
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, bert := w.register("anna"), w.register("bert")
	w.open(t, "", bert.bearer()...)
	var list []*stream
	for range MaxStreamsOfAccount + 1 {
		s, _ := w.open(t, "", anna.bearer()...)
		s.next()
		list = append(list, s)
	}
	if p := list[0].problem(); p.Code != "BUSY" || p.RetryAfterMS != 60_000 {
		t.Errorf("the oldest ends with %+v", p)
	}
	eventually(t, "the end of one", func() bool { return w.api.streams.count() == 1+MaxStreamsOfAccount })
	bert.send("anna", "x")
	for i, s := range list[1:] {
		if _, page := s.next(); len(page.Changes) == 0 {
			t.Errorf("stream %d: %v", i+1, page)
		}
	}
	w.api.streams.mu.Lock()
	w.api.streams.all += MaxStreams
	w.api.streams.mu.Unlock()
	if _, a := w.open(t, "", anna.bearer()...); a.problem(t).Code != "BUSY" || a.Header.Get("Retry-After") != "5" {
		t.Errorf("more than all: %s %s", a.Status, a.body)
	}
}

// TestASlowReader reads nothing while much comes: the stream asks for nothing meanwhile, so nothing piles up for it, and when
// it reads, all of it comes.
func TestASlowReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anna, bert := w.register("anna"), w.register("bert")
	key := base64.StdEncoding.EncodeToString(anna.synced())
	s, _ := w.open(t, "", append(anna.bearer(), "Last-Event-ID", key)...)
	eventually(t, "the hold", func() bool { return w.api.held.count() == 1 })
	const messages, size = 40, 60_000 // more than the buffers of both sockets hold
	for range messages {
		bert.send("anna", strings.Repeat("x", size))
	}
	eventually(t, "a full socket", func() bool { return w.api.held.count() == 0 })
	for seen := 0; seen < messages; {
		_, page := s.next()
		for _, c := range page.Changes {
			if c.GetMessage() != nil {
				seen++
			}
		}
	}
	eventually(t, "the hold", func() bool { return w.api.held.count() == 1 })
}
