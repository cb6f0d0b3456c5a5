//go:build unix

package carriertest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// noise is n bytes that are the same every time.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

func (r Rig) testCuts(t *testing.T) {
	s := r.start(t, nil, nil)
	c := s.dial()
	stream := noise(600)
	for cut := 1; cut < len(stream); cut += 7 {
		// The bytes before the cut are answered before the rest is sent, so that the cut really is one.
		c.send(stream[:cut])
		c.wantEcho(stream[:cut])
		c.send(stream[cut:])
		c.wantEcho(stream[cut:])
	}
}

func (r Rig) testBytes(t *testing.T) {
	s := r.start(t, nil, nil)
	c := s.dial()
	stream := noise(500)
	for i := range stream {
		c.send(stream[i : i+1])
		if i%16 == 0 {
			time.Sleep(time.Millisecond) // or the network puts many together
		}
	}
	c.wantEcho(stream)
}

func (r Rig) testLarge(t *testing.T) {
	s := r.start(t, nil, nil)
	c := s.dial()
	for _, size := range []int{511, 512, 513, 16 << 10, 16<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 8 << 20} {
		stream := noise(size)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			if _, err := c.Write(stream); err != nil {
				t.Error(err)
			}
		}()
		c.wantEcho(stream)
		<-sent
	}
	eventually(t, "what came is counted", func() bool { return s.counters.Received.Load() > 8<<20 })
}

// testScribble relies on probe, which changes all input once it has used it.
func (r Rig) testScribble(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.onData = func(_ time.Time, p []byte) {
			for len(p) > 0 { // many copies of pieces that are overwritten before the last is encoded
				n := min(len(p), 3)
				h.conn.Write(carrier.Item{Kind: kindEcho, Bytes: p[:n]})
				clear(p[:n])
				p = p[n:]
			}
		}
	}, nil)
	c := s.dial()
	stream := noise(100 << 10)
	go func() {
		if _, err := c.Write(stream); err != nil {
			t.Error(err)
		}
	}()
	c.wantEcho(stream)
}

func (r Rig) testBecome(t *testing.T) {
	var second *probe
	s := r.start(t, func(h *probe) {
		second = newProbe(t, h.conn)
		h.onData = func(now time.Time, p []byte) {
			first, rest, found := bytes.Cut(p, []byte("\n"))
			h.conn.Write(carrier.Item{Kind: kindEcho, Bytes: first})
			if !found {
				return
			}
			h.conn.Become(second)
			h.left = true
			if len(rest) > 0 {
				second.Data(now, rest)
			}
		}
	}, nil)
	c := s.dial()
	c.send([]byte("first\nsecond"))
	c.wantEcho([]byte("first")) // encoded by the one that queued it
	c.next = 0
	c.wantEcho([]byte("second"))
	c.send([]byte("third"))
	c.wantEcho([]byte("third"))
	first := s.handler()
	second.expireIn(20 * time.Millisecond)
	c.send([]byte("fourth")) // the carrier asks the new handler for its deadline
	c.wantEcho([]byte("fourth"))
	c.wantLast("expired")
	c.Close()
	second.waitClosed()
	select {
	case <-first.closed:
		t.Error("Closed was called of the handler that was replaced")
	default:
	}
}

func (r Rig) testBecomeBusy(t *testing.T) {
	const size, n = 32 << 10, 400 // more than the sockets buffer
	var second *probe
	s := r.start(t, func(h *probe) {
		second = newProbe(t, h.conn)
		h.onData = func(_ time.Time, p []byte) {
			for i := range uint32(n) {
				h.conn.Reply(push(i, size))
			}
			h.conn.Become(second)
			h.left = true
			for i := range uint32(n) {
				h.conn.Reply(push(i, size))
			}
		}
	}, nil)
	c := s.dial()
	c.send([]byte("go"))
	c.wantPushes(0, n, size)
	c.next = 0
	c.wantPushes(0, n, size)
	c.send([]byte("alive"))
	c.wantEcho([]byte("alive"))
}

func (r Rig) testDetach(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.expireIn(50 * time.Millisecond) // is not the connection's any more once it is detached
		h.onExpired = func(time.Time) { h.expireIn(50 * time.Millisecond) }
		h.onData = func(_ time.Time, p []byte) {
			first := bytes.Clone(p)
			h.conn.Detach(func(nc net.Conn) {
				defer nc.Close()
				if h.conn.Send(push(0, 4)) {
					t.Error("Send queued after Detach")
				}
				h.conn.Reply(push(0, 4))
				h.conn.Abort()
				time.Sleep(100 * time.Millisecond)
				if _, err := io.Copy(nc, io.MultiReader(bytes.NewReader(first), nc)); err != nil {
					t.Error(err)
				}
			})
			h.left = true
		}
	}, nil)
	c := s.dial()
	stream := noise(1 << 20)
	go func() {
		if _, err := c.Write(stream); err != nil {
			t.Error(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, stream) {
		t.Fatalf("%d bytes came back, want %d: %v", len(got), len(stream), err)
	}
	h := s.handler()
	s.stop()
	select {
	case <-h.closed:
		t.Error("Closed was called of a connection that was detached")
	default:
	}
}

func (r Rig) testDetachClosing(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.onData = func(time.Time, []byte) {
			h.last("bye")
			h.conn.Detach(func(net.Conn) { t.Error("a connection that was closed was given away") })
		}
	}, nil)
	c := s.dial()
	c.send([]byte("x"))
	c.wantLast("bye")
	c.Close()
	s.handler().waitClosed()
}

func (r Rig) testRefused(t *testing.T) {
	var n atomic.Int32
	var counters carrier.Counters
	lim := limits()
	addr, stop := r.Listen(t, &lim, &counters, func(c carrier.Conn) carrier.Handler {
		if n.Add(1)%2 == 1 {
			return nil
		}
		return newProbe(t, c)
	})
	s := &server{t: t, rig: r, addr: addr, stop: stop}
	t.Cleanup(stop)
	for range 3 {
		s.dial().wantGone()
		c := s.dial()
		c.send([]byte("taken"))
		c.wantEcho([]byte("taken"))
	}
}
