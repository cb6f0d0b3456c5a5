package api

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/wire"
)

// throughGate has the requests of a world come by a gate, which tries Poll first, as in the server.
func (w *world) throughGate(t *testing.T) {
	t.Helper()
	g, err := gate.Listen(gate.Config{
		Listen: []string{"127.0.0.1:0"}, HTTP: w.api,
		Open:  func(gate.Link, gate.Peer) gate.Session { panic("nobody speaks the long link here") },
		Route: func(r *gate.Request) { w.api.Poll(r.Exchange, *w.peer.Load()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	w.http.Client().Transport.(*http.Transport).CloseIdleConnections()
	w.http.Client().Transport = &http.Transport{}
	t.Cleanup(w.http.Client().CloseIdleConnections)
	w.http.URL = "http://" + g.Addrs()[0].String()
}

// poll asks by GET, and gives the answer when it has come. The connection is a new one: what net/http has once taken over
// stays with it.
func (d *device) poll(ctx context.Context, key []byte, more string) chan answer {
	got := make(chan answer, 1)
	go func() {
		defer close(got)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet,
			d.http.URL+"/v1/sync?key="+url.QueryEscape(base64.StdEncoding.EncodeToString(key))+more, nil)
		if err != nil {
			d.tb.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+d.token)
		a, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			if ctx.Err() == nil {
				d.tb.Error(err)
			}
			return
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		if err != nil {
			d.tb.Error(err)
		}
		got <- answer{a, body}
	}()
	return got
}

func TestPollByGet(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"net/http", "http1"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if by == "http1" {
				w.throughGate(t)
			}
			anna, bert := w.register("anna"), w.register("bert")
			key := anna.synced()
			held := func() { eventually(t, "the hold", func() bool { return w.api.held.count() == 1 }) }
			page := func(got chan answer) *wire.SyncReply {
				t.Helper()
				a, ok := <-got
				reply := new(wire.SyncReply)
				if !ok || a.StatusCode != 200 || a.Header.Get("Content-Type") != typeJSON || a.Header.Get("X-Request-Id") == "" ||
					a.Header.Get("Cache-Control") != "no-store" || (a.Header.Get("Vary") == "") != (by == "http1") ||
					jsonInto(a.body, reply) != nil {
					t.Fatalf("the answer is %s %v %s", a.Status, a.Header, a.body)
				}
				return reply
			}

			if p := page(anna.poll(t.Context(), key, "")); len(p.Changes) != 0 {
				t.Errorf("without waiting: %v", p)
			}
			if p := page(anna.poll(t.Context(), key, "&waitMs=30")); len(p.Changes) != 0 {
				t.Errorf("in vain: %v", p)
			}
			got := anna.poll(t.Context(), key, "&waitMs=25000")
			held()
			bert.send("anna", "one")
			if p := page(got); len(p.Changes) != 1 || p.Changes[0].GetMessage().GetContent().GetText() != "one" {
				t.Errorf("with news: %v", p)
			} else {
				key = p.Key
			}
			bert.send("anna", "two")
			bert.send("anna", "three")
			if p := page(anna.poll(t.Context(), key, "&waitMs=25000&limit=1")); len(p.Changes) != 1 || !p.More {
				t.Errorf("one of two: %v", p)
			}

			key = anna.synced()
			ctx, cancel := context.WithCancel(t.Context())
			anna.poll(ctx, key, "&waitMs=25000")
			held()
			cancel()
			eventually(t, "the end of what nobody waits for", func() bool { return w.api.held.count() == 0 })

			for more, code := range map[string]string{
				"&waitMs=x": "INVALID", "&limit=-1": "INVALID", "&waitMs=4294967296": "INVALID",
			} {
				if p := (<-anna.poll(t.Context(), key, more)).problem(t); p.Code != code {
					t.Errorf("%s: %+v", more, p)
				}
			}
			if p := (<-anna.poll(t.Context(), []byte("no key"), "")).problem(t); p.Code != "KEY_INVALID" {
				t.Errorf("no key: %+v", p)
			}
			if p := w.do("GET", "/v1/sync?key=%25", "", anna.bearer()...).problem(t); p.Code != "KEY_INVALID" {
				t.Errorf("no base64: %+v", p)
			}
			for name, token := range map[string]string{"none": "", "a wrong": "Bearer x", "no": "Basic x"} {
				a := w.do("GET", "/v1/sync", "", "Authorization", token)
				if p := a.problem(t); p.Code != "UNAUTHENTICATED" || a.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s token: %+v %v", name, p, a.Header)
				}
			}
			w.peer.Store(&Peer{})
			if p := w.do("GET", "/v1/sync", "", anna.bearer()...).problem(t); p.Code != "TLS_REQUIRED" {
				t.Errorf("without encryption: %+v", p)
			}
			w.peer.Store(&Peer{Secure: true})
			own := w.do("GET", "/v1/sync", "", append(anna.bearer(), "Origin", w.http.URL)...)
			if own.StatusCode != 200 || own.Header.Get("Vary") != "Origin" {
				t.Errorf("by a page: %s %v", own.Status, own.Header)
			}
			if p := w.do("GET", "/v1/sync", "", append(anna.bearer(), "Origin", "https://evil.example")...).problem(t); p.Code != "FORBIDDEN" {
				t.Errorf("by a page from elsewhere: %+v", p)
			}

			got = bert.poll(t.Context(), bert.synced(), "&waitMs=25000")
			held()
			ask(bert, wire.OpLogout, &wire.LogoutRequest{}, new(wire.LogoutReply))
			if p := (<-got).problem(t); p.Code != "REVOKED" {
				t.Errorf("after the logout: %+v", p)
			}
			got = anna.poll(t.Context(), key, "&waitMs=25000")
			held()
			w.api.Drain(func() time.Duration { return 1500 * time.Millisecond })
			if a := <-got; a.problem(t).Code != "UNAVAILABLE" || a.Header.Get("Retry-After") != "2" {
				t.Errorf("when the server leaves: %s %v", a.body, a.Header)
			}
		})
	}
}

// TestPollsOnOneConnection asks for the next page on the connection of the last, and ahead of its answer.
func TestPollsOnOneConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.throughGate(t)
	anna := w.register("anna")
	key := url.QueryEscape(base64.StdEncoding.EncodeToString(anna.synced()))
	c, err := net.Dial("tcp", strings.TrimPrefix(w.http.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	const polls = 10
	request := "GET /v1/sync?waitMs=5&key=" + key + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + anna.token + "\r\n\r\n"
	if _, err := c.Write([]byte(strings.Repeat(request, polls))); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	for n := range polls {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("after %d answers: %v", n, err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != 200 {
			t.Fatalf("answer %d: %s, %v", n, r.Status, err)
		}
		r.Body.Close()
	}
}
