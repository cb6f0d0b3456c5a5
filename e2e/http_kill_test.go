package e2e

import (
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/wire"
)

// sendThrough sends a message until it is acknowledged, whatever breaks: the same request each time.
func (h *short) sendThrough(to, text string) {
	req := message(to, text)
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := h.ask("send", req, new(wire.SendReply))
		var p *problem
		if err == nil || h.t.Context().Err() != nil {
			return
		}
		if asProblem(err, &p) && p.Status < 500 || time.Since(begin) > hang {
			h.t.Errorf("%s: %v", text, err)
			return
		}
	}
}

// receive pulls messages by long-poll until count have come, whatever breaks, and gives each to got.
func (h *short) receive(count int, got func(text string)) {
	var key []byte
	page := new(wire.SyncReply)
	pull := func(path string, ask func() error) {
		for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			err := ask()
			var p *problem
			if err == nil || h.t.Context().Err() != nil {
				return
			}
			if asProblem(err, &p) && p.Status < 500 || time.Since(begin) > hang {
				h.t.Errorf("%s: %v", path, err)
				return
			}
		}
	}
	take := func(changes []*wire.Change) {
		for _, c := range changes {
			if m := c.GetMessage(); m != nil {
				got(m.GetContent().GetText())
				count--
			}
		}
	}
	for count > 0 && !h.t.Failed() {
		pull("sync", func() error {
			page = new(wire.SyncReply)
			return h.ask("sync", &wire.SyncRequest{Key: key, WaitMs: 20_000}, page)
		})
		for token := page.GetReset_().GetBackfill(); len(token) > 0; {
			more := new(wire.BackfillReply)
			pull("backfill", func() error { return h.ask("backfill", &wire.BackfillRequest{Token: token}, more) })
			take(more.Changes)
			token = more.Token
		}
		take(page.Changes)
		key = page.Key
	}
}

// TestLongPollThroughKills kills the server again and again while one client, in Go, sends by POST, and two, one of them in
// Python, wait for it by long-poll. What was acknowledged comes to both, once and in order.
func TestLongPollThroughKills(t *testing.T) {
	s := pythonServer(t)
	alice, bob := s.shortLogin("alice"), s.shortLogin("bob")
	const messages, kills = 60, 5
	want := make([]string, messages)
	for i := range want {
		want[i] = numbered("alice", i+1)
	}
	script := start(t, interpreter("testdata/poll.py", s.addr, "bob", "bob-secret", "60"))

	received := make(chan []string, 1)
	go func() {
		var list []string
		bob.receive(messages, func(text string) { list = append(list, text) })
		received <- list
	}()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, text := range want {
			alice.sendThrough("bob", text)
			time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		}
	}()
	for range kills {
		time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		s.kill()
		s.start()
	}
	<-sent
	var printed []string
	for range messages {
		printed = append(printed, strings.TrimSpace(string(script.next())))
	}
	for name, got := range map[string][]string{"Go": <-received, "Python": printed} {
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s received %d messages, want %d in order:\n%s", name, len(got), messages, strings.Join(got, "\n"))
		}
	}
}

// TestDrainAnswersPolls stops the server while requests are held: they are told to come back, and it ends at once.
func TestDrainAnswersPolls(t *testing.T) {
	s := newServer(t, t.TempDir(), "--drain.spread", "3s", "--drain.timeout", "1m")
	s.addUser("alice")
	alice := s.shortLogin("alice")
	page := new(wire.SyncReply)
	alice.must("sync", &wire.SyncRequest{}, page)
	const polls = 20
	answers := make(chan error, polls)
	for n := range polls {
		go func() {
			if n%2 == 0 {
				answers <- alice.ask("sync", &wire.SyncRequest{Key: page.Key, WaitMs: 25_000}, new(wire.SyncReply))
				return
			}
			answers <- alice.do(http.MethodGet, "sync?waitMs=25000&key="+url.QueryEscape(base64.StdEncoding.EncodeToString(page.Key)),
				nil, new(wire.SyncReply))
		}()
	}
	in, err := alice.events("", func(h http.Header) { h.Set("Authorization", "Bearer "+alice.token) })
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	if e, ok := in.next(); !ok || e.page(t).Reset_ == nil {
		t.Fatalf("the stream begins with %v", e)
	}
	s.waitForMetric("hongyan_api_held 21")

	begin := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range polls {
		var p *problem
		if err := <-answers; !asProblem(err, &p) || p.Code != "UNAVAILABLE" || p.RetryAfterMs > 3000 {
			t.Errorf("a held request was answered with %v", err)
		}
	}
	if e, ok := in.next(); !ok || e.name != "problem" || !strings.Contains(e.data, "UNAVAILABLE") {
		t.Errorf("the stream ends with %+v", e)
	}
	err = <-s.exited
	s.exited <- err
	if err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if span := time.Since(begin); span > 20*time.Second {
		t.Errorf("to leave took %v: held requests were waited for", span)
	}
}

// waitForMetric waits until the server shows a line among its metrics.
func (s *server) waitForMetric(line string) {
	s.t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		r, err := http.Get("http://" + s.addr + "/metrics")
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if strings.Contains(string(text), line+"\n") {
			return
		}
		if time.Since(begin) > hang {
			s.t.Fatalf("no %q among the metrics, error %v", line, err)
		}
	}
}
