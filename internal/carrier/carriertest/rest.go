//go:build unix

package carriertest

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// testRest sends much to a handler that rests after the first piece, and is told something meanwhile.
func (r Rig) testRest(t *testing.T) {
	const rest = 300 * time.Millisecond
	var first, second time.Time // when pieces came
	s := r.start(t, func(h *probe) {
		echo := h.onData
		h.onData = func(now time.Time, p []byte) {
			switch {
			case first.IsZero():
				first = now
				h.conn.Rest(now.Add(time.Hour))
				h.conn.Rest(now.Add(rest)) // the later call counts
			case second.IsZero():
				second = now
			}
			echo(now, p)
		}
	}, nil)
	c := s.dial()
	h := s.handler()
	c.send([]byte("first"))
	c.wantEcho([]byte("first"))
	stream := noise(8 << 20)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(stream)
		sent <- err
	}()
	h.conn.Reply(push(7, 100))
	c.want(kindPush, push(7, 100).Bytes)
	c.wantEcho(stream)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	// Carriers look at the clock up to a few ticks late, and tell handlers a time that may be some milliseconds old.
	if gap := second.Sub(first); gap < rest-20*time.Millisecond {
		t.Errorf("the next piece came %v after the one before a rest of %v", gap, rest)
	}
	if n := s.counters.Rests.Load(); n != 1 {
		t.Errorf("%d rests were counted", n)
	}
}

// testRestClose ends connections that rest: the last item reaches a peer that is sending, and its end is seen.
func (r Rig) testRestClose(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.onData = func(now time.Time, p []byte) { h.conn.Rest(now.Add(time.Hour)) }
	}, nil)
	c := s.dial()
	h := s.handler()
	c.send([]byte("first"))
	eventually(t, "it rests", func() bool { return s.counters.Rests.Load() == 1 })
	c.send(noise(100 << 10))
	h.last("bye")
	c.want(kindLast, []byte("bye"))
	c.wantEnd()
	c.Close()
	h.waitClosed()
}

// testRestDeadline lets a deadline come during a rest.
func (r Rig) testRestDeadline(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.onData = func(now time.Time, p []byte) {
			h.expireIn(100 * time.Millisecond)
			h.conn.Rest(now.Add(time.Hour))
		}
		h.onExpired = func(time.Time) { h.last("expired") }
	}, func(l *carrier.Limits) { l.Linger = 200 * time.Millisecond })
	c := s.dial()
	c.send([]byte("x"))
	c.want(kindLast, []byte("expired"))
	c.wantEnd()
	s.handler().waitClosed()
}
