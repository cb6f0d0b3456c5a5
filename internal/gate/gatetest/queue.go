//go:build unix

package gatetest

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/wire"
)

// push is a frame with a number, of the given size.
func push(seq uint32, size int) wire.Frame {
	return wire.Frame{Op: wire.OpNotify, Seq: seq, Body: make([]byte, size-wire.HeaderSize)}
}

// testRest lets a session rest after each frame for a while.
func (r Rig) testRest(t *testing.T) {
	const rest, frames = 50 * time.Millisecond, 6
	s := r.start(t, func(session *probe) {
		echo := session.onFrame
		session.onFrame = func(now time.Time, f wire.Frame) {
			session.rest = now.Add(rest)
			echo(now, f)
		}
	}, nil)
	c, _ := s.meet()
	begin := time.Now()
	for seq := range uint32(frames) {
		c.echo(seq, "all in good time")
	}
	// The first of them finds no rest, and carriers' clocks are some milliseconds coarse.
	if took := time.Since(begin); took < (frames-1)*(rest-20*time.Millisecond) {
		t.Errorf("%d frames took %v with a rest of %v after each", frames, took, rest)
	}
	if n := s.metric("rests_total"); n < frames || n > frames+1 { // meet's own frame is one more
		t.Errorf("%v rests are counted", n)
	}
}

func (r Rig) testSoftBound(t *testing.T) {
	const size, soft = 16 << 10, 128 << 10
	s := r.start(t, nil, func(cfg *gate.Config) { cfg.Limits.SoftQueue = soft })
	slow, session := s.meet()
	fast, _ := s.meet()

	sent := fill(t, session, soft, size)
	if s.metric("queue_overflows_total", "refused") == 0 {
		t.Error("no refusal is counted")
	}
	drained := make(chan struct{})
	session.link.Drained(func() { close(drained) })

	for seq := range uint32(200) {
		fast.echo(seq, "not bothered")
	}
	select {
	case <-drained:
		t.Fatal("drained, and nobody has read")
	default:
	}
	for seq := range sent {
		slow.want(push(seq, size))
	}
	select {
	case <-drained:
	case <-time.After(hang):
		t.Fatal("Drained did not call back")
	}
	if !session.link.Send(wire.AppendFrame(nil, push(sent, size))) {
		t.Fatal("Send refused with an empty queue")
	}
	slow.want(push(sent, size))
	slow.echo(9, "and alive")
}

// fill sends to a peer that does not read until neither the queue nor the operating system, which buffers megabytes,
// takes any more. It returns how many frames were queued.
func fill(t *testing.T, session *probe, soft, size int) (sent uint32) {
	t.Helper()
	for stuck := 0; stuck < 100; {
		pending := session.link.Pending()
		if pending > soft {
			t.Fatalf("%d bytes are pending", pending)
		}
		switch {
		case session.link.Send(wire.AppendFrame(nil, push(sent, size))):
			stuck = 0
			if sent++; sent > 1<<30/uint32(size) {
				t.Fatal("Send never refused")
			}
		case session.link.Pending() == pending:
			stuck++
			time.Sleep(2 * time.Millisecond)
		default:
			stuck = 0
		}
	}
	return sent
}

// overrun replies to a peer that does not read, until the link gives it up.
func (s *server) overrun(session *probe, size int) {
	s.t.Helper()
	for n := 0; s.metric("queue_overflows_total", "slow") == 0; n++ {
		for i := range 64 {
			session.link.Reply(wire.AppendFrame(nil, push(uint32(n*64+i), size)))
		}
		if n*64*size > 1<<30 {
			s.t.Fatal("the link never closed")
		}
	}
}

func (r Rig) testHardBound(t *testing.T) {
	const size = 16 << 10
	tune := func(cfg *gate.Config) {
		cfg.Limits.HardQueue = 1 << 20
	}
	t.Run("peer that never reads", func(t *testing.T) {
		t.Parallel()
		s := r.start(t, nil, func(cfg *gate.Config) {
			tune(cfg)
			cfg.Limits.Flush, cfg.Limits.Linger = 200*time.Millisecond, 200*time.Millisecond
		})
		_, session := s.meet()
		fast, _ := s.meet()
		s.overrun(session, size)
		if n := session.link.Pending(); n > 300<<10 { // a write under way
			t.Errorf("%d bytes are still pending for a peer that was given up", n)
		}
		fast.echo(2, "not bothered")
		session.waitClosed()
	})
	t.Run("peer that reads in the end", func(t *testing.T) {
		t.Parallel()
		s := r.start(t, nil, tune)
		c, session := s.meet()
		s.overrun(session, size)
		for {
			f, err := c.next()
			if err != nil {
				t.Fatalf("no Close frame: %v", err)
			}
			if f.Op == wire.OpClose {
				c.isClose(f, wire.CloseSlow)
				break
			}
			if f.Op != wire.OpNotify {
				t.Fatalf("got %v", f.Op)
			}
		}
		c.wantEnd()
		c.Close()
		session.waitClosed()
	})
}

func (r Rig) testStuckWrite(t *testing.T) {
	s := r.start(t, nil, func(cfg *gate.Config) {
		cfg.Limits.Write = 200 * time.Millisecond
		cfg.Limits.HardQueue = 1 << 30
	})
	c, session := s.meet()
	fast, _ := s.meet()
	for range 2048 { // more than any socket's buffers
		session.link.Reply(wire.AppendFrame(nil, push(0, 16<<10)))
	}
	fast.echo(2, "not bothered")
	session.waitClosed()
	if n := s.metric("queue_overflows_total", "stuck"); n != 1 {
		t.Errorf("%v stuck peers are counted", n)
	}
	if n := session.link.Pending(); n != 0 {
		t.Errorf("%d bytes are pending on a link that is gone", n)
	}
	c.wantGone()
}

func (r Rig) testConcurrentSends(t *testing.T) {
	const senders, each = 16, 500
	s := r.start(t, nil, func(cfg *gate.Config) { cfg.Limits.HardQueue = 64 << 20 })
	c, session := s.meet()
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for i := range each {
				// Every sender has bodies of its own size and content, numbered.
				body := make([]byte, 8+sender*97)
				binary.BigEndian.PutUint32(body, uint32(i))
				for j := 8; j < len(body); j++ {
					body[j] = byte(sender + i)
				}
				frame := wire.AppendFrame(nil, wire.Frame{Op: wire.OpNotify, Seq: uint32(sender), Body: body})
				if i%2 == 0 || !session.link.Send(frame) {
					session.link.Reply(frame)
				}
			}
		})
	}
	next := make([]uint32, senders)
	for range senders * each {
		f, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		sender := int(f.Seq)
		if sender >= senders || len(f.Body) != 8+sender*97 {
			t.Fatalf("a frame of nobody: sender %d, %d bytes", sender, len(f.Body))
		}
		i := binary.BigEndian.Uint32(f.Body)
		if i != next[sender] {
			t.Fatalf("frame %d of sender %d, want %d", i, sender, next[sender])
		}
		next[sender]++
		for _, b := range f.Body[8:] {
			if b != byte(sender+int(i)) {
				t.Fatalf("frame %d of sender %d is torn", i, sender)
			}
		}
	}
	wg.Wait()
	eventually(t, "nothing is pending", func() bool { return session.link.Pending() == 0 })
}

func (r Rig) testDrained(t *testing.T) {
	s := r.start(t, nil, nil)
	c, session := s.meet()
	var calls atomic.Int32
	done := make(chan struct{})
	// A callback may send, and ask to be called again.
	var again func()
	again = func() {
		if n := calls.Add(1); n < 5 {
			session.link.Send(wire.AppendFrame(nil, push(uint32(n), 100)))
			session.link.Drained(again)
			return
		}
		close(done)
	}
	session.link.Drained(again)
	for n := range uint32(4) {
		c.want(push(n+1, 100))
	}
	select {
	case <-done:
	case <-time.After(hang):
		t.Fatal("Drained did not call back")
	}
	c.echo(2, "alive")
	if n := calls.Load(); n != 5 {
		t.Errorf("%d calls, want 5", n)
	}
	c.CloseWrite()
	if _, err := c.next(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	session.waitClosed()
}
