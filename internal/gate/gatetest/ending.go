//go:build unix

package gatetest

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/wire"
)

func (r Rig) testHalfClose(t *testing.T) {
	s := r.start(t, nil, nil)
	c := s.dial()
	const n = 200
	var stream []byte
	for seq := range uint32(n) {
		stream = wire.AppendFrame(stream, wire.Frame{Op: wire.OpSend, Seq: seq, Body: make([]byte, 1000)})
	}
	c.send(stream)
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for seq := range uint32(n) {
		c.wantEcho(wire.Frame{Op: wire.OpSend, Seq: seq, Body: make([]byte, 1000)})
	}
	c.wantEnd()
	s.session().waitClosed()
}

func (r Rig) testReset(t *testing.T) {
	s := r.start(t, nil, nil)
	c, session := s.meet()
	other, _ := s.meet()
	c.send(wire.AppendFrame(nil, wire.Frame{Op: wire.OpSend, Seq: 2, Body: make([]byte, 1000)})[:500])
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	session.waitClosed()
	if n := session.frames.Load(); n != 1 {
		t.Errorf("%d frames, want the one before the reset", n)
	}
	if session.broken.Load() != nil {
		t.Error("Broken was called: there is nobody to answer")
	}
	if session.link.Send(closeFrame(wire.CloseIdle)) {
		t.Error("Send queued on a connection that is gone")
	}
	other.echo(2, "unharmed")
}

func (r Rig) testSilent(t *testing.T) {
	if r.Connect != nil {
		r.Dial = r.Connect
	}
	s := r.start(t, nil, func(cfg *gate.Config) { cfg.Limits.FirstByte = 100 * time.Millisecond })
	c := s.dial()
	c.wantGone()
	eventually(t, "the refusal was counted", func() bool { return s.metric("refused_total", "silent") == 1 })
	if n := len(s.opened); n != 0 {
		t.Errorf("%d sessions were opened", n)
	}
}

func (r Rig) testDeadlines(t *testing.T) {
	const step = 20 * time.Millisecond
	// That nothing expires before its time, although every frame moves it, is what probe watches. A test on a busy
	// machine may be late itself, so expiring is no fault while frames come.
	var quiet atomic.Bool
	var expired atomic.Int32
	s := r.start(t, func(session *probe) {
		session.expireIn(2 * step)
		echo := session.onFrame
		session.onFrame = func(now time.Time, f wire.Frame) {
			session.expireIn(10 * step)
			echo(now, f)
		}
		session.onExpired = func(time.Time) {
			if quiet.Load() && expired.Add(1) == 3 {
				session.link.Close(closeFrame(wire.CloseIdle))
				return
			}
			session.expireIn(step)
		}
	}, nil)
	c := s.dial()
	for seq := range uint32(15) {
		c.echo(seq, "beat")
		time.Sleep(step)
	}
	session := s.session()
	quiet.Store(true)
	c.wantClose(wire.CloseIdle)
	if n := expired.Load(); n != 3 {
		t.Errorf("expired %d times, want 3", n)
	}
	c.Close()
	session.waitClosed()

	// A deadline that comes nearer counts at once.
	nearer := r.start(t, func(session *probe) {
		session.expireIn(10 * hang)
		echo := session.onFrame
		session.onFrame = func(now time.Time, f wire.Frame) {
			if f.Op == wire.OpHeartbeat {
				session.expireIn(step)
			}
			echo(now, f)
		}
	}, nil)
	c, _ = nearer.meet()
	c.send(wire.AppendFrame(nil, wire.Frame{Op: wire.OpHeartbeat}))
	c.wantEcho(wire.Frame{Op: wire.OpHeartbeat})
	c.wantClose(wire.CloseIdle)

	// Without a deadline there is nothing to expire.
	never := r.start(t, func(session *probe) {
		session.onExpired = func(time.Time) { session.deadline.Store(nil) }
		session.expireIn(step)
	}, nil)
	c, session = never.meet()
	eventually(t, "the deadline was taken away", func() bool { return session.deadline.Load() == nil })
	time.Sleep(step)
	c.echo(2, "still here")
}

func (r Rig) testDeadlineIgnored(t *testing.T) {
	s := r.start(t, func(session *probe) {
		session.expireIn(50 * time.Millisecond)
		session.onExpired = func(time.Time) {}
	}, nil)
	c, session := s.meet()
	c.wantEnd()
	c.Close()
	session.waitClosed()
}

func (r Rig) testClose(t *testing.T) {
	s := r.start(t, nil, nil)
	c, session := s.meet()
	var closers sync.WaitGroup
	session.link.Send(wire.AppendFrame(nil, wire.Frame{Op: wire.OpNotify}))
	for range 4 {
		closers.Go(func() { session.link.Close(closeFrame(wire.CloseKicked)) })
	}
	closers.Wait()
	session.link.Close(closeFrame(wire.CloseIdle))
	session.link.Reply(wire.AppendFrame(nil, wire.Frame{Op: wire.OpNotify, Seq: 1}))
	if session.link.Send(wire.AppendFrame(nil, wire.Frame{Op: wire.OpNotify, Seq: 2})) {
		t.Error("Send queued after Close")
	}
	session.link.Drained(func() { t.Error("Drained called back after Close") })
	c.want(wire.Frame{Op: wire.OpNotify})
	c.wantClose(wire.CloseKicked)
	c.Close()
	session.waitClosed()

	// A peer that does not end its half is not waited for long.
	s = r.start(t, nil, func(cfg *gate.Config) {
		cfg.Limits.Flush, cfg.Limits.Linger = 10*hang, 100*time.Millisecond
		cfg.Limits.HardQueue = 1 << 30
	})
	c, session = s.meet()
	for seq := range uint32(256) { // more than the sockets buffer, so that it is being written for a while yet
		session.link.Reply(wire.AppendFrame(nil, push(seq, 128<<10)))
	}
	session.link.Close(nil)
	for seq := range uint32(256) {
		c.want(push(seq, 128<<10))
	}
	c.wantEnd()
	session.waitClosed()
}

func (r Rig) testCloseSlow(t *testing.T) {
	s := r.start(t, nil, func(cfg *gate.Config) {
		cfg.Limits.Flush = 500 * time.Millisecond
		cfg.Limits.Write = 10 * hang
		cfg.Limits.HardQueue = 1 << 30
	})
	c, session := s.meet()
	const all = 64 << 20
	for range all / (16 << 10) {
		session.link.Reply(wire.AppendFrame(nil, push(0, 16<<10)))
	}
	session.link.Close(nil)
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
		t.Error("a closing link wrote all that was queued, however long it took")
	}
	session.waitClosed()
}

func (r Rig) testCloseFlood(t *testing.T) {
	s := r.start(t, func(session *probe) { session.onFrame = func(time.Time, wire.Frame) {} }, nil)
	c := s.dial()
	var flood sync.WaitGroup
	stop := make(chan struct{})
	flood.Go(func() {
		chunk := make([]byte, 0, 32<<10)
		for len(chunk) < 30<<10 {
			chunk = wire.AppendFrame(chunk, wire.Frame{Op: wire.OpSend, Body: make([]byte, 1000)})
		}
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
	session := s.session()
	eventually(t, "frames came", func() bool { return session.frames.Load() > 1000 })
	session.link.Close(closeFrame(wire.CloseKicked))
	c.wantClose(wire.CloseKicked)
	close(stop)
	flood.Wait()
	c.Close()
	session.waitClosed()
}

func (r Rig) testCloseInOpen(t *testing.T) {
	s := r.start(t, func(session *probe) { session.link.Close(closeFrame(wire.CloseTLSRequired)) }, nil)
	c := s.dial()
	c.send(wire.AppendFrame(nil, wire.Frame{Op: wire.OpSend}))
	c.wantClose(wire.CloseTLSRequired)
	c.Close()
	session := s.session()
	session.waitClosed()
	if n := session.frames.Load(); n != 0 {
		t.Errorf("%d frames came after Close", n)
	}
}

func (r Rig) testDrain(t *testing.T) {
	s := r.start(t, nil, func(cfg *gate.Config) {
		cfg.Limits.Linger = 300 * time.Millisecond
		cfg.Limits.FirstByte = 10 * hang
	})
	silent := s.dial() // is not waited for
	eventually(t, "it was accepted", func() bool { return s.metric("connections") == 1 })
	var clients []*client
	for range 10 {
		c, _ := s.meet()
		clients = append(clients, c)
	}
	drained := make(chan error, 1)
	go func() {
		drained <- s.Drain(context.Background(), func(told gate.Session) {
			told.(*probe).link.Close(closeFrame(wire.CloseDraining))
		})
	}()
	for _, c := range clients[1:] {
		c.wantClose(wire.CloseDraining)
		c.Close()
	}
	select {
	case err := <-drained:
		// The one that has not closed is waited for, but for its Linger only.
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(hang):
		t.Fatal("Drain did not return")
	}
	clients[0].wantClose(wire.CloseDraining)
	silent.wantGone()
	if c, err := dial(t, r, s.Addrs()[0]); err == nil {
		c.wantGone()
		t.Error("a drained server accepted a connection")
	}
	if n := s.metric("connections"); n != 0 {
		t.Errorf("%v connections are counted", n)
	}
}

// testDrainOpening drains while peers begin to speak: each is told, or has not been heard. One that was forgotten would
// be waited for.
func (r Rig) testDrainOpening(t *testing.T) {
	const rounds, peers = 20, 8
	for range rounds {
		s := r.start(t, nil, nil)
		begin := make(chan struct{})
		var speaking sync.WaitGroup
		for range peers {
			c := s.dial()
			speaking.Go(func() {
				defer c.Close()
				<-begin
				if _, err := c.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpHeartbeat, Seq: 1})); err != nil {
					return
				}
				for {
					f, err := c.next()
					if err != nil || f.Op == wire.OpClose {
						return
					}
				}
			})
		}
		drained := make(chan error, 1)
		close(begin)
		go func() {
			drained <- s.Drain(t.Context(), func(told gate.Session) {
				told.(*probe).link.Close(closeFrame(wire.CloseDraining))
			})
		}()
		select {
		case err := <-drained:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(hang):
			t.Fatal("somebody was not told")
		}
		speaking.Wait()
	}
}

func (r Rig) testDrainCuts(t *testing.T) {
	s := r.start(t, nil, nil)
	c, session := s.meet()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	told := 0
	err := s.Drain(ctx, func(gate.Session) { told++ })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain returned %v, with a connection that had to be cut", err)
	}
	if told != 1 {
		t.Errorf("%d sessions were told", told)
	}
	session.waitClosed()
	c.wantGone()
}

func (r Rig) testServerClose(t *testing.T) {
	s := r.start(t, nil, nil)
	var sessions []*probe
	for i := range 10 {
		c, session := s.meet()
		sessions = append(sessions, session)
		if i%2 == 0 { // in the middle of a frame
			c.send(wire.AppendFrame(nil, wire.Frame{Op: wire.OpSend, Body: make([]byte, 1000)})[:500])
		}
	}
	s.Close()
	for _, session := range sessions {
		select {
		case <-session.closed:
		default:
			t.Fatal("Close returned before a session's Closed")
		}
	}
	s.Close() // once more does nothing
}
