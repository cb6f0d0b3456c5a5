//go:build unix

package carriertest

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

func (r Rig) testHalfClose(t *testing.T) {
	s := r.start(t, nil, nil)
	c := s.dial()
	stream := noise(200 << 10)
	go func() {
		if _, err := c.Write(stream); err != nil {
			t.Error(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
	}()
	c.wantEcho(stream)
	c.wantEnd()
	s.handler().waitClosed()
}

// testHalfCloseBusy ends the peer's half while much is queued for it, all of which it gets.
func (r Rig) testHalfCloseBusy(t *testing.T) {
	const size, n = 64 << 10, 200
	s := r.start(t, nil, nil)
	c, h := s.meet()
	for i := range uint32(n) {
		h.conn.Reply(push(i, size))
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end was seen", func() bool { return !h.conn.Send(push(0, 0)) || h.conn.Pending() == 0 })
	c.wantPushes(0, n, size)
	h.waitClosed()
}

func (r Rig) testReset(t *testing.T) {
	s := r.start(t, nil, nil)
	other, _ := s.meet()
	c, h := s.meet()
	c.send([]byte("the middle of something"))
	c.wantEcho([]byte("the middle of something"))
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	h.waitClosed()
	if h.conn.Send(push(0, 1)) {
		t.Error("Send queued on a connection that is gone")
	}
	h.conn.Reply(push(0, 1))
	h.last("bye")
	h.conn.Abort()
	other.send([]byte("unharmed"))
	other.wantEcho([]byte("unharmed"))
}

func (r Rig) testAbort(t *testing.T) {
	s := r.start(t, nil, nil)
	c, h := s.meet()
	h.conn.Abort()
	if h.conn.Send(push(0, 1)) {
		t.Error("Send queued after Abort")
	}
	h.conn.Drained(func() { t.Error("Drained called back after Abort") })
	h.conn.Abort()
	c.wantCut()
	h.waitClosed()

	inside := r.start(t, func(h *probe) { h.onData = func(time.Time, []byte) { h.conn.Abort() } }, nil)
	c = inside.dial()
	c.send([]byte("x"))
	c.wantCut()
	inside.handler().waitClosed()

	while := r.start(t, func(h *probe) { h.conn.Abort() }, nil)
	if c, err := r.Dial(while.addr); err == nil { // else it was quicker
		c.Close()
	}
	while.handler().waitClosed()
}

// testAbortSlow aborts with a full queue and full sockets: what has not reached the peer is thrown away.
func (r Rig) testAbortSlow(t *testing.T) {
	s := r.start(t, nil, nil)
	c, h := s.meet()
	h.fill(16 << 10)
	h.conn.Abort()
	h.waitClosed()
	if n := h.conn.Pending(); n != 0 {
		t.Errorf("%d bytes are pending on a connection that is gone", n)
	}
	c.wantCut()
}

func (r Rig) testAbortClosing(t *testing.T) {
	s := r.start(t, nil, nil)
	c, h := s.meet()
	h.fill(16 << 10)
	h.last("never read") // waits for the peer, for long
	h.conn.Abort()
	h.waitClosed()
	c.wantCut()

	c, h = s.meet()
	h.last("read") // and waits for the peer's end, for long
	c.wantLast("read")
	h.conn.Abort()
	h.waitClosed()
}

func (r Rig) testDeadlines(t *testing.T) {
	const step = 20 * time.Millisecond
	// That nothing expires before its time, although every piece moves it, is what probe watches. A test on a busy
	// machine may be late itself, so expiring is no fault while something comes.
	var quiet atomic.Bool
	var expired atomic.Int32
	s := r.start(t, func(h *probe) {
		h.expireIn(2 * step)
		echo := h.onData
		h.onData = func(now time.Time, p []byte) {
			h.expireIn(10 * step)
			echo(now, p)
		}
		h.onExpired = func(time.Time) {
			if quiet.Load() && expired.Add(1) == 3 {
				h.last("expired")
				return
			}
			h.expireIn(step)
		}
	}, nil)
	c := s.dial()
	for range 15 {
		c.send([]byte("beat"))
		c.wantEcho([]byte("beat"))
		time.Sleep(step)
	}
	quiet.Store(true)
	c.wantLast("expired")
	if n := expired.Load(); n != 3 {
		t.Errorf("expired %d times, want 3", n)
	}
	c.Close()
	s.handler().waitClosed()

	// What a handler queues when it expires is written.
	says := r.start(t, func(h *probe) {
		h.onExpired = func(time.Time) {
			h.deadline.Store(nil)
			h.conn.Write(push(0, 5))
		}
		h.expireIn(step)
	}, nil)
	c = says.dial()
	c.wantPushes(0, 1, 5)
	time.Sleep(2 * step) // without a deadline there is nothing to expire
	c.send([]byte("still here"))
	c.wantEcho([]byte("still here"))
}

func (r Rig) testDeadlineNearer(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.expireIn(10 * hang)
		echo := h.onData
		h.onData = func(now time.Time, p []byte) {
			h.expireIn(20 * time.Millisecond)
			echo(now, p)
		}
	}, nil)
	c := s.dial()
	c.send([]byte("x"))
	c.wantEcho([]byte("x"))
	c.wantLast("expired")
}

func (r Rig) testDeadlineIgnored(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.expireIn(50 * time.Millisecond)
		h.onExpired = func(time.Time) {}
	}, nil)
	c := s.dial()
	c.wantEnd()
	c.Close()
	s.handler().waitClosed()
}

func (r Rig) testSilent(t *testing.T) {
	s := r.start(t, func(h *probe) { h.expireIn(50 * time.Millisecond) }, nil)
	c := s.dial()
	c.wantLast("expired")
	c.Close()
	s.handler().waitClosed()
}

func (r Rig) testClose(t *testing.T) {
	s := r.start(t, nil, nil)
	c, h := s.meet()
	h.conn.Send(push(1, 10))
	var closers sync.WaitGroup
	for range 4 {
		closers.Go(func() { h.last("bye") })
	}
	closers.Wait()
	h.last("again")
	h.conn.Reply(push(2, 10))
	if h.conn.Send(push(3, 10)) {
		t.Error("Send queued after Close")
	}
	c.wantPushes(1, 2, 10)
	c.wantLast("bye")
	c.Close()
	h.waitClosed()

	// None is not the same as an empty one.
	c, h = s.meet()
	h.last("")
	c.wantLast("")
	c, h = s.meet()
	h.conn.Close(carrier.Item{})
	c.wantEnd()
	c.Close()
	h.waitClosed()

	// A peer that does not end its half is not waited for long.
	s = r.start(t, nil, func(l *carrier.Limits) { l.Linger = 100 * time.Millisecond })
	c, h = s.meet()
	h.last("bye")
	h.waitClosed()
	c.wantLast("bye")
}

func (r Rig) testCloseInside(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.onData = func(_ time.Time, p []byte) {
			h.conn.Write(carrier.Item{Kind: kindEcho, Bytes: p[:1]})
			h.last("bye")
			h.conn.Write(carrier.Item{Kind: kindEcho, Bytes: p[1:]})
		}
	}, nil)
	c, stream := s.dial(), noise(1<<20)
	go func() { _, _ = c.Write(stream) }()
	c.wantEcho(stream[:1])
	c.wantLast("bye")
	c.Close()
	s.handler().waitClosed()
}

func (r Rig) testCloseFlushes(t *testing.T) {
	const size, n = 128 << 10, 256 // more than the sockets buffer, so that it is being written for a while yet
	s := r.start(t, nil, func(l *carrier.Limits) { l.Flush, l.Linger = 10*hang, 100*time.Millisecond })
	c, h := s.meet()
	for i := range uint32(n) {
		h.conn.Reply(push(i, size))
	}
	h.last("bye")
	c.wantPushes(0, n, size)
	c.wantLast("bye")
	h.waitClosed()
}

func (r Rig) testCloseFlood(t *testing.T) {
	s := r.start(t, func(h *probe) { h.onData = func(time.Time, []byte) {} }, nil)
	c := s.dial()
	var flood sync.WaitGroup
	stop := make(chan struct{})
	flood.Go(func() {
		chunk := noise(32 << 10)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	})
	h := s.handler()
	eventually(t, "bytes came", func() bool { return h.received.Load() > 1<<20 })
	h.last("bye")
	c.wantLast("bye")
	close(stop)
	flood.Wait()
	c.Close()
	h.waitClosed()
}

func (r Rig) testCloseSlow(t *testing.T) {
	s := r.start(t, nil, func(l *carrier.Limits) { l.Flush = 500 * time.Millisecond })
	c, h := s.meet()
	const all = 64 << 20
	for n := range uint32(all / (16 << 10)) {
		h.conn.Reply(push(n, 16<<10))
	}
	h.last("never written")
	// It reads all the time, but would take more than a second for everything.
	var read int64
	for {
		n, err := io.CopyN(io.Discard, c, 1<<20)
		read += n
		if err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if read >= all {
		t.Error("a closing connection wrote all that was queued, however long it took")
	}
	h.waitClosed()
}

func (r Rig) testStop(t *testing.T) {
	s := r.start(t, nil, nil)
	var handlers []*probe
	for i := range 8 {
		c, h := s.meet()
		handlers = append(handlers, h)
		switch i % 4 {
		case 0:
			h.fill(16 << 10)
		case 1:
			h.last("bye") // and waits for the peer's end
		case 2:
			c.send([]byte("more"))
		}
	}
	s.stop()
	for _, h := range handlers {
		select {
		case <-h.closed:
		default:
			t.Fatal("a carrier stopped before the Closed of a handler")
		}
	}
}
