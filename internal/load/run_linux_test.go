package load

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan/internal/ws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// brief is a short run of a mode.
func brief(mode Mode, url string) Options {
	return Options{
		Mode: mode, URL: url, Publish: "/pub", Connections: 20, InFlight: 4, Size: 100,
		Warmup: 20 * time.Millisecond, Duration: 100 * time.Millisecond, Rest: 20 * time.Millisecond, Steps: []int{10, 20}, Rounds: 2,
	}
}

func mustRun(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// check looks at what every report of a timed run has to hold.
func check(t *testing.T, r *Report) {
	t.Helper()
	if r.Count < 1 || r.Seconds <= 0 || r.PerSecond <= 0 || r.Checked < 1 {
		t.Errorf("nothing was measured: %+v", r)
	}
	l := r.Latency
	if l == nil || l.P50 <= 0 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max {
		t.Errorf("latencies are out of order: %+v", l)
	}
	if r.Generator == nil || r.Generator.Core <= 0 {
		t.Errorf("the generator did nothing: %+v", r.Generator)
	}
	if r.Server == nil || !slices.Equal(r.Server.PIDs, []int{os.Getpid()}) {
		t.Errorf("the server is %+v, want this process", r.Server)
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(o *Options){
		"plain":       func(*Options) {},
		"one at once": func(o *Options) { o.InFlight = 1 },
		"text":        func(o *Options) { o.Text = true },
		"empty":       func(o *Options) { o.Size = 0 },
		"large":       func(o *Options) { o.Size, o.Connections, o.InFlight = 300<<10, 3, 2 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := brief(Echo, serve(t, nil).url+"/echo")
			change(&o)
			r := mustRun(t, o)
			check(t, r)
			if most := float64(r.Count) * float64(o.Size); o.Size > 0 && float64(r.Checked) < most {
				t.Errorf("%d messages and only %d bytes checked", r.Count, r.Checked)
			}
		})
	}
}

// Answers may come in fragments, in small pieces and with pings in between.
func TestEchoInOtherForms(t *testing.T) {
	t.Parallel()
	fragments := func(_ int, dst []byte, ev ws.Event) []byte {
		half := len(ev.Data) / 2
		dst = ws.AppendFrame(dst, ws.Header{Op: ev.Op}, ev.Data[:half])
		dst = ws.AppendMessage(dst, ws.Ping, []byte("inside"), nil)
		return ws.AppendFrame(dst, ws.Header{Fin: true, Op: ws.Continuation}, ev.Data[half:])
	}
	forms := map[string]func(n int, dst []byte, ev ws.Event) []byte{
		"fragments": fragments,
		"some in fragments": func(n int, dst []byte, ev ws.Event) []byte {
			if n%3 == 1 {
				return fragments(n, dst, ev)
			}
			return echoed(n, dst, ev)
		},
		"pings": func(n int, dst []byte, ev ws.Event) []byte {
			dst = ws.AppendMessage(dst, ws.Ping, []byte("are you there?"), nil)
			return echoed(n, ws.AppendMessage(dst, ws.Pong, nil, nil), ev)
		},
	}
	for name, answer := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(s *server) { s.answer = answer })
			check(t, mustRun(t, brief(Echo, s.url+"/echo")))
		})
	}
}

// Whatever is wrong with one message of one connection is found.
func TestEchoFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	const at = 9
	for name, c := range map[string]struct {
		answer func(n int, dst []byte, ev ws.Event) []byte
		want   string
	}{
		"a flipped bit": {func(n int, dst []byte, ev ws.Event) []byte {
			if n == at {
				ev.Data[len(ev.Data)-1] ^= 1
			}
			return echoed(n, dst, ev)
		}, "wrong bytes"},
		"a flipped bit in a fragment": {func(n int, dst []byte, ev ws.Event) []byte {
			if n == at {
				ev.Data[len(ev.Data)-1] ^= 1
				dst = ws.AppendFrame(dst, ws.Header{Op: ev.Op}, ev.Data[:3])
				return ws.AppendFrame(dst, ws.Header{Fin: true, Op: ws.Continuation}, ev.Data[3:])
			}
			return echoed(n, dst, ev)
		}, "wrong answer"},
		"a lost message": {func(n int, dst []byte, ev ws.Event) []byte {
			if n == at {
				return dst
			}
			return echoed(n, dst, ev)
		}, "wrong bytes"},
		"a message twice": {func(n int, dst []byte, ev ws.Event) []byte {
			if n == at {
				dst = echoed(n, dst, ev)
			}
			return echoed(n, dst, ev)
		}, "wrong bytes"},
		"another type": {func(n int, dst []byte, ev ws.Event) []byte {
			if n == at {
				ev.Op, ev.Data = ws.Text, []byte("text")
			}
			return echoed(n, dst, ev)
		}, "wrong answer"},
		"a close": {func(n int, dst []byte, ev ws.Event) []byte {
			if n == at {
				return new(ws.Closing).Start(dst, ws.CodeGoingAway, "enough", nil)
			}
			return echoed(n, dst, ev)
		}, "1001"},
		"a masked frame": {func(n int, dst []byte, ev ws.Event) []byte {
			key := ws.Key(0x01020304)
			return ws.AppendMessage(dst, ev.Op, ev.Data, &key)
		}, "wrong bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(s *server) { s.answer = c.answer })
			o := brief(Echo, s.url+"/echo")
			o.Connections, o.InFlight = 2, 2
			_, err := Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

// A server that hangs up is found out at once, not after Stall.
func TestEchoEndsWithTheServer(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *server) { s.leave = true })
	if _, err := Run(t.Context(), brief(Echo, s.url+"/echo")); !errors.Is(err, errCut) && !errors.Is(err, unix.ECONNRESET) &&
		!errors.Is(err, unix.EPIPE) {
		t.Errorf("error is %v", err)
	}
}

// A plain echo of bytes has the same frames, unchanged.
func TestEchoOfBytes(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 1000)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	check(t, mustRun(t, brief(Echo, "tcp://"+listener.Addr().String())))
}

func TestConnect(t *testing.T) {
	t.Parallel()
	r := mustRun(t, brief(Connect, serve(t, nil).url+"/echo"))
	check(t, r)
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	for _, window := range []int{1, 8} {
		s := serve(t, nil)
		o := brief(Broadcast, s.url+"/sub")
		o.InFlight = window
		check(t, mustRun(t, o))
		s.mu.Lock()
		if n := len(s.subscribers); n != o.Connections {
			t.Errorf("%d subscribers, want %d", n, o.Connections)
		}
		s.mu.Unlock()
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	r := mustRun(t, brief(Idle, s.url+"/echo"))
	var got []int
	for _, m := range r.Memory {
		got = append(got, m.Connections)
		if m.RSS <= 0 || m.Slab <= 0 {
			t.Errorf("no memory %q: %+v", m.At, m)
		}
	}
	if want := []int{0, 10, 20, 20}; !slices.Equal(got, want) {
		t.Errorf("looked at %v connections, want %v", got, want)
	}
	if r.IdleCore == nil || r.Count != 20 || s.accepted != 20 {
		t.Errorf("%d connections of %d, idle share %v", s.accepted, r.Count, r.IdleCore)
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	const refused = 7 // during the first storm, which follows 20 connections
	s := serve(t, func(s *server) {
		s.refuse = func(n int) bool { return n >= 20 && n < 20+refused }
	})
	r := mustRun(t, brief(Storm, s.url+"/echo"))
	check(t, r)
	if r.Count != 40 || len(r.Back) != 2 || r.Failed != refused || s.accepted != 60+refused {
		t.Errorf("%d reconnects in %d storms, %d failed; %d accepted", r.Count, len(r.Back), r.Failed, s.accepted)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for name, change := range map[string]func(o *Options){
		"nobody there":      func(o *Options) { o.URL = "ws://" + gone.Addr().String() + "/" },
		"TLS":               func(o *Options) { o.URL = "wss://127.0.0.1:1/" },
		"another scheme":    func(o *Options) { o.URL = "http://127.0.0.1:1/" },
		"tcp with a path":   func(o *Options) { o.URL = "tcp://127.0.0.1:1/echo" },
		"no connections":    func(o *Options) { o.Connections = 0 },
		"nothing in flight": func(o *Options) { o.InFlight = 0 },
		"no time":           func(o *Options) { o.Duration = 0 },
		"huge messages":     func(o *Options) { o.Size = MaxSize + 1 },
		"steps back":        func(o *Options) { o.Mode, o.Steps = Idle, []int{15, 10, 20} },
		"steps that end":    func(o *Options) { o.Mode, o.Steps = Idle, []int{10} },
		"another mode":      func(o *Options) { o.Mode = "sleep" },
	} {
		o := brief(Echo, "ws://127.0.0.1:1/")
		change(&o)
		if r, err := Run(t.Context(), o); err == nil {
			t.Errorf("%s: no error, %+v", name, r)
		}
	}
}

func TestRunEndsWhenAsked(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	o := brief(Echo, serve(t, nil).url+"/echo")
	o.Duration = time.Hour
	if _, err := Run(ctx, o); err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
		t.Errorf("error is %v", err)
	}
}

// The names in the JSON are what programs rely on.
func TestReportJSON(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for mode, want := range map[Mode][]string{
		Echo: {
			"bytes_checked", "connections", "count", "generator", "in_flight", "latency_us", "mode", "per_second", "seconds",
			"server", "size", "type", "url", "what",
		},
		Idle: {
			"bytes_checked", "connections", "count", "idle_server_core", "memory", "mode", "per_second", "seconds", "size",
			"type", "url", "what",
		},
		Storm: {
			"all_back_seconds", "bytes_checked", "connections", "count", "generator", "latency_us", "mode", "per_second",
			"seconds", "server", "size", "type", "url", "what",
		},
	} {
		text, err := json.Marshal(mustRun(t, brief(mode, s.url+"/echo")))
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		var got []string
		for name := range fields {
			got = append(got, name)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has the fields %q, want %q", mode, got, want)
		}
	}
}

func TestReportText(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for mode, want := range map[Mode]string{
		Echo: "messages a second", Connect: "handshakes a second", Idle: "for each", Storm: "all back after",
	} {
		var b strings.Builder
		if err := mustRun(t, brief(mode, s.url+"/echo")).WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) || !strings.Contains(b.String(), "every byte right") {
			t.Errorf("%s says nothing of %q:\n%s", mode, want, b.String())
		}
	}
}
