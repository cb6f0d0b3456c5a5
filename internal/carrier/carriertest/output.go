//go:build unix

package carriertest

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

func (r Rig) testSizes(t *testing.T) {
	s := r.start(t, nil, nil)
	c, h := s.meet()
	sizes := []int{0, 1, 15, 16<<10 - headerSize, 16 << 10, 64<<10 - headerSize, 64<<10 - 1, 64 << 10, 64<<10 + 1, 4 << 20, 0, 3}
	for range 3 {
		for _, size := range sizes {
			h.conn.Reply(push(7, size))
		}
		for _, size := range sizes {
			c.want(kindPush, push(7, size).Bytes)
		}
	}
	eventually(t, "nothing is pending", func() bool { return h.conn.Pending() == 0 })
	eventually(t, "what was sent is counted", func() bool { return s.counters.Sent.Load() > 3*(4<<20) })
}

// testOrder mixes the ways to queue, from within Data and without.
func (r Rig) testOrder(t *testing.T) {
	const rounds = 500
	s := r.start(t, func(h *probe) {
		var n uint32
		h.onData = func(_ time.Time, p []byte) {
			for range p {
				switch n % 3 {
				case 0:
					h.conn.Write(push(n, 5+int(n)))
				case 1:
					h.conn.Reply(push(n, 5+int(n)))
				default:
					if !h.conn.Send(push(n, 5+int(n))) {
						t.Error("Send refused to a peer that reads")
					}
				}
				n++
			}
		}
	}, nil)
	c := s.dial()
	for i := range rounds {
		c.send([]byte("x"))
		if i%10 == 9 {
			for n := i - 9; n <= i; n++ {
				c.want(kindPush, push(uint32(n), 5+n).Bytes)
			}
		}
	}
}

// testTogether counts nothing but what comes: a single Read of the client finds the answers to one piece of input.
func (r Rig) testTogether(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.onData = func(_ time.Time, p []byte) {
			for i := range uint32(10) {
				h.conn.Write(push(i, 8))
				time.Sleep(time.Millisecond)
			}
		}
	}, nil)
	c := s.dial()
	together := 0
	for range 10 {
		c.send([]byte("x"))
		b := make([]byte, 4096)
		n, err := c.Conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if n == 10*(headerSize+8) {
			together++
			c.next += 10
			continue
		}
		for n < 10*(headerSize+8) {
			more, err := c.Conn.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			n += more
		}
	}
	if together < 9 {
		t.Errorf("in %d of 10 rounds the answers came together", together)
	}
}

func (r Rig) testConcurrentSends(t *testing.T) {
	const senders, each = 16, 400
	s := r.start(t, nil, nil)
	c, h := s.meet()
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for i := range each {
				// Every sender has items of its own size and content, numbered.
				b := make([]byte, 8+sender*97)
				binary.BigEndian.PutUint32(b, uint32(i))
				binary.BigEndian.PutUint32(b[4:], uint32(sender))
				for j := 8; j < len(b); j++ {
					b[j] = byte(sender + i)
				}
				it := carrier.Item{Kind: kindPush, Bytes: b}
				if i%2 == 0 || !h.conn.Send(it) {
					h.conn.Reply(it)
				}
			}
		})
	}
	next := make([]uint32, senders)
	for range senders * each {
		got, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		i, sender := binary.BigEndian.Uint32(got.body), binary.BigEndian.Uint32(got.body[4:])
		if int(sender) >= senders || len(got.body) != 8+int(sender)*97 || i != next[sender] {
			t.Fatalf("item %d of sender %d with %d bytes", i, sender, len(got.body))
		}
		next[sender]++
		for _, b := range got.body[8:] {
			if b != byte(sender+i) {
				t.Fatalf("item %d of sender %d is torn", i, sender)
			}
		}
	}
	wg.Wait()
	eventually(t, "nothing is pending", func() bool { return h.conn.Pending() == 0 })
}

func (r Rig) testSoftBound(t *testing.T) {
	const size, soft = 16 << 10, 128 << 10
	s := r.start(t, nil, func(l *carrier.Limits) { l.SoftQueue = soft })
	slow, h := s.meet()
	fast, _ := s.meet()
	sent := h.fill(size)
	if n := h.conn.Pending(); n > soft {
		t.Errorf("%d bytes are pending", n)
	}
	if s.counters.OverSoft.Load() == 0 {
		t.Error("no refusal is counted")
	}
	drained := make(chan struct{})
	h.conn.Drained(func() { close(drained) })
	for range 200 {
		fast.send([]byte("not bothered"))
		fast.wantEcho([]byte("not bothered"))
	}
	select {
	case <-drained:
		t.Fatal("drained, and nobody has read")
	default:
	}
	slow.wantPushes(0, sent, size)
	await(t, "Drained called back", drained)
	if !h.conn.Send(push(sent, 2*soft)) {
		t.Fatal("Send refused with an empty queue")
	}
	slow.want(kindPush, push(sent, 2*soft).Bytes)
	slow.send([]byte("and alive"))
	slow.wantEcho([]byte("and alive"))
}

func (r Rig) testHardBound(t *testing.T) {
	const size = 16 << 10
	tune := func(l *carrier.Limits) { l.HardQueue = 1 << 20 }
	overrun := func(s *server, h *probe) {
		for n := 0; s.counters.OverHard.Load() == 0; n++ {
			if h.conn.Reply(push(uint32(n), size)); n > 1<<30/size {
				t.Fatal("the connection never closed")
			}
		}
		if h.conn.Send(push(0, 1)) {
			t.Error("Send queued for a peer that was given up")
		}
		if n := h.conn.Pending(); n > 300<<10 {
			t.Errorf("%d bytes are still pending for a peer that was given up", n)
		}
	}
	t.Run("peer that never reads", func(t *testing.T) {
		t.Parallel()
		s := r.start(t, nil, func(l *carrier.Limits) {
			tune(l)
			l.Flush, l.Linger = 200*time.Millisecond, 200*time.Millisecond
		})
		_, h := s.meet()
		fast, _ := s.meet()
		overrun(s, h)
		fast.send([]byte("not bothered"))
		fast.wantEcho([]byte("not bothered"))
		h.waitClosed()
	})
	t.Run("peer that reads in the end", func(t *testing.T) {
		t.Parallel()
		s := r.start(t, nil, tune)
		c, h := s.meet()
		overrun(s, h)
		for n := uint32(0); ; n++ {
			got, err := c.read()
			if err != nil {
				t.Fatalf("the last item did not come: %v", err)
			}
			if got.kind == kindSlow {
				break
			}
			if got.kind != kindPush || binary.BigEndian.Uint32(got.body) != n {
				t.Fatalf("got an item of kind %d instead of push %d", got.kind, n)
			}
		}
		c.wantEnd()
		c.Close()
		h.waitClosed()
	})
}

// testEmptyItems queues items that have no bytes, which take memory all the same.
func (r Rig) testEmptyItems(t *testing.T) {
	const soft, hard = 128 << 10, 1 << 20
	s := r.start(t, nil, func(l *carrier.Limits) { l.SoftQueue, l.HardQueue = soft, hard })
	c, h := s.meet()
	h.fill(16 << 10)
	for n := 0; h.conn.Send(push(0, 0)); n++ {
		if n > soft/carrier.ItemCost {
			t.Fatal("Send never refused an item without bytes")
		}
	}
	for n := 0; s.counters.OverHard.Load() == 0; n++ {
		if h.conn.Reply(push(0, 0)); n > hard/carrier.ItemCost {
			t.Fatal("a peer was never given up for items without bytes")
		}
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	h.waitClosed()
}

// testHardBoundInside overruns the queue within Data, by Write.
func (r Rig) testHardBoundInside(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.onData = func(time.Time, []byte) {
			it := push(0, 16<<10)
			for range 2048 { // more than any socket's buffers
				h.conn.Write(it)
				h.conn.Reply(it)
			}
		}
	}, func(l *carrier.Limits) { l.HardQueue = 256 << 10 })
	c := s.dial()
	c.send([]byte("x"))
	for {
		got, err := c.read()
		if err != nil {
			t.Fatalf("the last item did not come: %v", err)
		}
		if got.kind == kindSlow {
			break
		}
	}
	c.wantEnd()
	c.Close()
	s.handler().waitClosed()
	if n := s.counters.OverHard.Load(); n != 1 {
		t.Errorf("%d peers are counted as given up", n)
	}
}

func (r Rig) testStuckWrite(t *testing.T) {
	s := r.start(t, nil, func(l *carrier.Limits) { l.Write = 200 * time.Millisecond })
	c, h := s.meet()
	fast, _ := s.meet()
	for n := range uint32(2048) { // more than any socket's buffers
		h.conn.Reply(push(n, 16<<10))
	}
	fast.send([]byte("not bothered"))
	fast.wantEcho([]byte("not bothered"))
	h.waitClosed()
	if n := s.counters.Stuck.Load(); n != 1 {
		t.Errorf("%d stuck peers are counted", n)
	}
	if n := h.conn.Pending(); n != 0 {
		t.Errorf("%d bytes are pending on a connection that is gone", n)
	}
	c.wantCut()

	// One that reads slowly, but all the time, is not stuck. Its buffer is small, or the system would let it wait for
	// megabytes before it told either side that there is room.
	s = r.start(t, nil, func(l *carrier.Limits) { l.Write = 4 * time.Second })
	c, h = s.meet()
	c.readLittle()
	for n := range uint32(512) {
		h.conn.Reply(push(n, 16<<10))
	}
	for n := range uint32(512) {
		if n%8 == 0 {
			time.Sleep(80 * time.Millisecond) // more than 5 s in all; a slow machine may add to each
		}
		c.want(kindPush, push(n, 16<<10).Bytes)
	}
}

func (r Rig) testDrained(t *testing.T) {
	s := r.start(t, nil, nil)
	c, h := s.meet()
	var calls atomic.Int32
	done := make(chan struct{})
	// A callback may send, and ask to be called again.
	var again func()
	again = func() {
		if n := calls.Add(1); n < 5 {
			h.conn.Send(push(uint32(n), 100))
			h.conn.Drained(again)
			return
		}
		close(done)
	}
	h.conn.Drained(again)
	c.wantPushes(1, 5, 100)
	await(t, "Drained called back", done)
	c.send([]byte("alive"))
	c.wantEcho([]byte("alive"))
	if n := calls.Load(); n != 5 {
		t.Errorf("%d calls, want 5", n)
	}
	h.last("bye")
	h.conn.Drained(func() { t.Error("Drained called back after Close") })
	c.wantLast("bye")
	c.Close()
	h.waitClosed()
}

func (r Rig) testPause(t *testing.T) {
	const pause = 64 << 10
	s := r.start(t, nil, func(l *carrier.Limits) { l.Pause = pause })
	c, h := s.meet()
	h.conn.Reply(push(0, 16<<20)) // more than any socket's buffers
	eventually(t, "it is being written", func() bool { return h.conn.Pending() < 16<<20 })
	before := h.received.Load()
	// What was under way when the queue grew may still come; then nothing does, however much is sent.
	sent := make(chan error, 1)
	stream := noise(8 << 20)
	go func() {
		_, err := c.Write(stream)
		sent <- err
	}()
	select {
	case <-sent:
		t.Error("everything was read from a peer that does not read")
	case <-time.After(200 * time.Millisecond):
	}
	if n := h.received.Load() - before; n > 1<<20 {
		t.Errorf("%d bytes were read from a peer that does not read", n)
	}
	c.want(kindPush, push(0, 16<<20).Bytes)
	c.wantEcho(stream)
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func (r Rig) testPauseDeadline(t *testing.T) {
	s := r.start(t, func(h *probe) {
		h.expireIn(300 * time.Millisecond)
		h.onData = func(time.Time, []byte) { h.conn.Reply(push(0, 16<<20)) }
	}, func(l *carrier.Limits) {
		l.Pause = 64 << 10
		l.Flush, l.Linger = 200*time.Millisecond, 200*time.Millisecond
	})
	c := s.dial()
	c.send([]byte("x"))
	s.handler().waitClosed()
	c.wantGone()
}
