package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hongyan-im/hongyan/wire"
)

// stream is an open stream of events, read as the HTML Standard has a browser do (§9.2.6).
type stream struct {
	t      *testing.T
	body   io.ReadCloser
	in     *bufio.Scanner
	cancel context.CancelFunc
}

// event is one of them.
type event struct{ id, name, data string }

// events opens a stream. change sets the headers of the request that opens it.
func (h *short) events(query string, change func(http.Header)) (*stream, error) {
	ctx, cancel := context.WithCancel(h.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base+"events"+query, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	change(r.Header)
	answer, err := h.client.Do(r)
	if err != nil {
		cancel()
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		defer cancel()
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		p := new(problem)
		if err := json.Unmarshal(text, p); err != nil {
			h.t.Errorf("events: status %d with the body %q", answer.StatusCode, text)
		}
		return nil, p
	}
	if got := answer.Header.Get("Content-Type"); got != "text/event-stream" {
		h.t.Errorf("the stream is of the type %q", got)
	}
	s := &stream{h.t, answer.Body, bufio.NewScanner(answer.Body), cancel}
	s.in.Buffer(nil, 4<<20)
	return s, nil
}

func (s *stream) close() {
	s.cancel()
	s.body.Close()
}

// next returns the next event. False: the stream has ended, within an event or between two.
func (s *stream) next() (e event, ok bool) {
	for s.in.Scan() {
		field, value, _ := strings.Cut(s.in.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case s.in.Text() == "":
			if e.data != "" {
				return e, true
			}
			e = event{}
		case field == "id":
			e.id = value
		case field == "event":
			e.name = value
		case field == "data":
			e.data += value
		}
	}
	return event{}, false
}

// page reads the page of an event, whose id must be its key.
func (e event) page(t *testing.T) *wire.SyncReply {
	t.Helper()
	page := new(wire.SyncReply)
	if err := protojson.Unmarshal([]byte(e.data), page); err != nil {
		t.Fatalf("%v in the event %q", err, e)
	}
	if key := base64.StdEncoding.EncodeToString(page.Key); e.id != key || e.name != "" {
		t.Errorf("the event %q %q holds the key %q", e.name, e.id, key)
	}
	return page
}

// grant asks for a ticket or a cookie for a stream.
func (h *short) grant(what string) (ticket string, cookies []*http.Cookie, err error) {
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.base+"events/"+what, nil)
	if err != nil {
		return "", nil, err
	}
	r.Header.Set("Authorization", "Bearer "+h.token)
	answer, err := h.client.Do(r)
	if err != nil {
		return "", nil, err
	}
	defer answer.Body.Close()
	var reply struct {
		Ticket, Code string
		Detail       string
	}
	if err := json.NewDecoder(answer.Body).Decode(&reply); err != nil {
		return "", nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return "", nil, &problem{Code: reply.Code, Detail: reply.Detail}
	}
	return reply.Ticket, answer.Cookies(), nil
}

// TestEventsThroughDisconnects cuts a stream 50 times at random moments while messages come. Each time it is resumed after
// the last event that had come whole, as browsers do it with a cookie and as scripts do it with a ticket, and nothing is
// missed or comes twice.
func TestEventsThroughDisconnects(t *testing.T) {
	s := newServer(t, t.TempDir(), "--log.level", "debug")
	s.addUser("alice", "bob")
	alice, bob := s.shortLogin("alice"), s.shortLogin("bob")
	const cuts, messages = 50, 400
	go func() {
		for n := 1; n <= messages; n++ {
			if err := alice.ask("send", message("bob", numbered("alice", n)), new(wire.SendReply)); err != nil {
				t.Errorf("message %d: %v", n, err)
				return
			}
			time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
		}
	}()

	page := new(wire.SyncReply)
	bob.must("sync", &wire.SyncRequest{}, page)
	first := base64.StdEncoding.EncodeToString(page.Key)
	last, next := first, 1
	_, cookies, err := bob.grant("cookie")
	if err != nil || len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("the cookie: %v, %v", cookies, err)
	}
	// What came before the first key is not for the stream.
	for token := page.GetReset_().GetBackfill(); len(token) > 0; {
		more := new(wire.BackfillReply)
		bob.must("backfill", &wire.BackfillRequest{Token: token}, more)
		next = countMessages(t, more.Changes, next)
		token = more.Token
	}
	var spent []string
	for cut := 0; next <= messages; cut++ {
		var query string
		if cut%2 == 0 {
			ticket, _, err := bob.grant("ticket")
			if err != nil {
				t.Fatal(err)
			}
			query = "?ticket=" + ticket + "&key=" + url.QueryEscape(last)
			spent = append(spent, ticket)
		}
		in, err := bob.events(query, func(h http.Header) {
			if query == "" {
				h.Set("Cookie", cookies[0].Name+"="+cookies[0].Value)
				h.Set("Last-Event-ID", last)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if cut < cuts {
			time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, in.cancel)
		} else {
			time.AfterFunc(hang, in.cancel)
		}
		for next <= messages || cut < cuts {
			e, ok := in.next()
			if !ok {
				break
			}
			next = countMessages(t, e.page(t).Changes, next)
			last = e.id
		}
		in.close()
		if cut > cuts && next <= messages {
			t.Fatalf("after %d cuts the stream has brought %d of %d messages", cuts, next-1, messages)
		}
	}
	if last == first {
		t.Error("everything had come before the stream began")
	}

	for _, ticket := range spent {
		var p *problem
		if _, err := bob.events("?ticket="+ticket, func(http.Header) {}); !asProblem(err, &p) || p.Code != "UNAUTHENTICATED" {
			t.Errorf("a spent ticket: %v", err)
		}
	}
	for _, secret := range append(spent, alice.token, bob.token, cookies[0].Value) {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	// Nothing was acknowledged by resuming: only the key itself does that.
	peerHas := func() uint64 {
		list := new(wire.ConversationsReply)
		alice.must("conversations", &wire.ConversationsRequest{}, list)
		return list.Conversations[0].Delivered
	}
	if got := peerHas(); got != 0 {
		t.Errorf("%d messages count as delivered before bob has acknowledged any", got)
	}
	key, err := base64.StdEncoding.DecodeString(last)
	if err != nil {
		t.Fatal(err)
	}
	bob.must("ack", &wire.AckRequest{Key: key}, new(wire.AckReply))
	for begin := time.Now(); peerHas() != messages; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > hang {
			t.Fatalf("%d messages count as delivered after bob has acknowledged %d", peerHas(), messages)
		}
	}
}

// countMessages checks that the messages among changes are the ones expected next, and returns the number after them.
func countMessages(t *testing.T, changes []*wire.Change, next int) int {
	t.Helper()
	for _, c := range changes {
		m := c.GetMessage()
		if m == nil {
			continue
		}
		if got, want := m.GetContent().GetText(), numbered("alice", next); got != want {
			t.Fatalf("the message %q came, want %q", got, want)
		}
		next++
	}
	return next
}
