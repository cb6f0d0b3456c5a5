package http1_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/http1"
)

func TestParked(t *testing.T) {
	t.Parallel()
	conn, s := opened(t)
	conn.Feed(start, []byte(get("/poll")))
	conn.Pass(start.Add(24 * time.Second))
	if out := conn.Take(); out != "" || conn.Gone() {
		t.Fatalf("answered %q, gone %v", out, conn.Gone())
	}
	if !s.parked[0].Respond(http1.Response{Status: 200, Body: []byte("news")}) || s.parked[0].Respond(http1.Response{Status: 200}) {
		t.Fatal("not answered once")
	}
	want(t, "answers", answers(t, conn.Take()), "200 news")
	conn.Feed(start.Add(24*time.Second), []byte(get("/hello")))
	want(t, "answers", answers(t, conn.Take()), "200 hello")
	conn.End()
	want(t, "told", s.told)
}

func TestParkedExpires(t *testing.T) {
	t.Parallel()
	conn, s := opened(t)
	conn.Feed(start, []byte("HEAD /poll HTTP/1.1\r\nHost: a\r\n\r\n"))
	conn.Pass(start.Add(30 * time.Second))
	want(t, "answers", answers(t, conn.Take(), "HEAD"), "200 ")
	if s.parked[0].Respond(http1.Response{Status: 200}) {
		t.Fatal("answered twice")
	}
	want(t, "told", s.told, "expired 25s")
	conn.Pass(start.Add(2 * time.Minute))
	if !conn.Ended {
		t.Fatal("idle for ever")
	}
	conn.End()
	want(t, "told", s.told, "expired 25s")
}

func TestParkedClientGone(t *testing.T) {
	t.Parallel()
	conn, s := opened(t)
	conn.Feed(start, []byte(get("/poll")))
	conn.End()
	want(t, "told", s.told, "gone")
	if s.closed != 1 {
		t.Fatalf("closed %d times", s.closed)
	}
	if s.parked[0].Respond(http1.Response{Status: 200}) {
		t.Fatal("answered to nobody")
	}
}

// Requests behind a parked one are answered after it, in order, however long it takes.
func TestBehindParked(t *testing.T) {
	t.Parallel()
	conn, s := opened(t)
	conn.Feed(start, []byte(get("/poll")+get("/hello")+get("/poll")[:10]))
	conn.Feed(start, []byte(get("/poll")[10:]+get("/none")))
	if out := conn.Take(); out != "" {
		t.Fatalf("answered %q", out)
	}
	s.parked[0].Respond(http1.Response{Status: 200, Body: []byte("first")})
	conn.Pass(start.Add(5 * time.Second))
	want(t, "answers", answers(t, conn.Take()), "200 first", "200 hello")
	s.parked[1].Respond(http1.Response{Status: 200, Body: []byte("second")})
	conn.Pass(start.Add(10 * time.Second))
	want(t, "answers", answers(t, conn.Take()), "200 second", "204 ")
}

func TestBehindParkedIsBounded(t *testing.T) {
	t.Parallel()
	conn, s := opened(t)
	conn.Feed(start, []byte(get("/poll")))
	for range 1000 {
		conn.Feed(start, []byte(get("/hello")))
	}
	conn.End()
	want(t, "told", s.told, "gone")
	if len(s.asked) != 1 {
		t.Fatalf("asked for %d", len(s.asked))
	}
}

// A client that asks and does not read has its requests wait, not the answers pile up.
func TestUnreadAnswersAreBounded(t *testing.T) {
	t.Parallel()
	conn, s := opened(t)
	conn.Stalled = true
	conn.Feed(start, []byte(strings.Repeat(get("/big"), 100)))
	if len(s.asked) > 3 {
		t.Fatalf("%d answers of 40 KiB made", len(s.asked))
	}
	conn.Stalled = false
	conn.Flush()
	conn.Pass(start.Add(30 * time.Second))
	if n := len(answers(t, conn.Take())); n != 100 {
		t.Fatalf("%d answers", n)
	}
}

func TestFilesUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	conn, s := opened(t)
	conn.Stalled = true
	conn.Feed(start, []byte(strings.Repeat(get("/file"), 100)))
	if len(s.asked) > 8 {
		t.Fatalf("%d files are open", len(s.asked))
	}
	conn.Pass(start.Add(10 * time.Minute)) // the client is reading: that is not idle
	if conn.Gone() {
		t.Fatal("gone")
	}
	conn.Stalled = false
	conn.Flush()
	conn.Pass(start.Add(20 * time.Minute))
	if n := len(answers(t, conn.Take())); n != 100 {
		t.Fatalf("%d answers", n)
	}
}

// TestLeave ends connections of a server that is leaving: one that waits for a request at once, one whose request is
// parked behind its answer.
func TestLeave(t *testing.T) {
	t.Parallel()
	conn, s := opened(t)
	conn.Feed(start, []byte(get("/poll")))
	conn.Handler.(*http1.Conn).Leave()
	if conn.Ended {
		t.Fatal("closed before the answer")
	}
	s.parked[0].Respond(http1.Response{Status: 200, Body: []byte("news")})
	want(t, "answers", answers(t, conn.Take()), "200 news (close)")
	if !conn.Ended {
		t.Error("still open behind the answer")
	}

	conn, _ = opened(t)
	conn.Feed(start, []byte(get("/hello")))
	conn.Handler.(*http1.Conn).Leave()
	want(t, "answers", answers(t, conn.Take()), "200 hello")
	if !conn.Ended {
		t.Error("an idle connection stays")
	}
}
