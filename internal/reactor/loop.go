//go:build linux

package reactor

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes and counts. The buffers are a loop's, not a connection's.
const (
	maxEvents   = 512       // taken from the system at a time
	readSize    = 256 << 10 // of the buffer to read into; of one connection, this much is read in a turn
	restedSize  = 4 << 10   // and of one that has asked for too much, lest the next piece of that is as much again
	writeSize   = 256 << 10 // above which encoded output is written even if more follows
	maxAccepts  = 64        // from one listener in a turn
	keptEntries = 64        // of a queue that goes back to the pool
	fileSize    = 1 << 20   // of a file, this much is sent in a turn

	tick = 10 * time.Millisecond // resolution of deadlines
)

// loop is one goroutine with its connections.
type loop struct {
	r     *Reactor
	poll  *poll
	conns []*conn // by file descriptor
	count int
	wheel wheel
	rests map[*conn]uint32 // the tick from which on each is read again; those with flag resting

	now       time.Time
	in        []byte         // what is read
	out       []byte         // what is encoded, for holder
	holder    *conn          // whose output is in out; nil if it is empty
	again     []*conn        // with flag unread, to be read in the next turn
	batch     []entry        // taken from a queue, to be encoded
	detach    func(net.Conn) // asked for by the handler that is being called
	listeners []*Listener
	stopping  bool

	received, sent uint64 // in this turn

	mu     sync.Mutex
	asleep bool          // waiting for events, or about to
	closed bool          // takes no jobs any more
	jobs   []func(*loop) // to be done by the loop
	dirty  []*conn       // with output to look at
	spare  []*conn       // the loop's own, the array of dirty in the turn before
}

func newLoop(r *Reactor) (*loop, error) {
	p, err := newPoll()
	if err != nil {
		return nil, err
	}
	return &loop{r: r, poll: p, rests: map[*conn]uint32{}, in: make([]byte, readSize), out: make([]byte, 0, writeSize+writeSize/4)}, nil
}

// post has f done by the loop. False: the loop has ended.
func (l *loop) post(f func(*loop)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.jobs = append(l.jobs, f)
	l.rouse()
	return true
}

// do is post that waits until f has been done.
func (l *loop) do(f func(*loop)) {
	done := make(chan struct{})
	if l.post(func(l *loop) { f(l); close(done) }) {
		<-done
	}
}

// touched has c flushed by the loop.
func (l *loop) touched(c *conn) {
	l.mu.Lock()
	l.dirty = append(l.dirty, c)
	l.rouse()
	l.mu.Unlock()
}

// rouse wakes the loop, once for all that comes while it sleeps. Under mu.
func (l *loop) rouse() {
	if l.asleep {
		l.asleep = false
		l.poll.ring()
	}
}

func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for !l.stopping {
		events := l.events()
		l.now = time.Now()
		for i := range events {
			l.handle(int(events[i].Fd), events[i].Events)
		}
		l.readAgain()
		l.wheel.advance(l.tick(l.now), l.expire)
		l.resume()
		l.work()
		l.tally()
	}
	l.end()
}

// events returns what is ready. It waits only if there is nothing to do, and no longer than to the next deadline.
func (l *loop) events() []unix.EpollEvent {
	if events := l.poll.look(); len(events) > 0 || len(l.again) > 0 {
		return events
	}
	l.mu.Lock()
	l.asleep = len(l.jobs) == 0 && len(l.dirty) == 0
	asleep := l.asleep
	l.mu.Unlock()
	if !asleep {
		return nil
	}
	events := l.poll.wait(l.patience())
	l.mu.Lock()
	l.asleep = false
	l.mu.Unlock()
	return events
}

// patience is the time to the next deadline, below zero if there is none.
func (l *loop) patience() time.Duration {
	d := time.Duration(-1)
	now := time.Now()
	if ticks, ok := l.wheel.wake(); ok {
		ahead := int32(l.wheel.now + ticks - l.tick(now))
		d = max(time.Duration(ahead)*tick-now.Sub(l.r.start)%tick, 0)
	}
	for _, a := range l.listeners {
		if !a.resume.IsZero() && (d < 0 || a.resume.Sub(now) < d) {
			d = max(a.resume.Sub(now), 0)
		}
	}
	return d
}

// tick is the last one that has begun at t.
func (l *loop) tick(t time.Time) uint32 { return uint32(t.Sub(l.r.start) / tick) }

func (l *loop) handle(fd int, events uint32) {
	c := l.at(fd)
	if c == nil {
		l.handleOther(fd)
		return
	}
	if events&unix.EPOLLOUT != 0 && c.flags&full != 0 {
		c.flags &^= full
		c.flush()
	}
	if events&^unix.EPOLLOUT != 0 && c.flags&gone == 0 {
		// Only when the peer has ended its half a short read may leave something that no further event tells of.
		c.read(events&^(unix.EPOLLIN|unix.EPOLLOUT) != 0)
	}
}

func (l *loop) at(fd int) *conn {
	if fd < len(l.conns) {
		return l.conns[fd]
	}
	return nil
}

func (l *loop) readAgain() {
	again := l.again
	l.again = nil
	for _, c := range again {
		if c.flags&gone == 0 && c.flags&unread != 0 {
			c.flags &^= unread
			c.read(true)
		}
	}
}

// work does what other goroutines have asked for, and flushes what is queued.
func (l *loop) work() {
	l.mu.Lock()
	jobs, dirty := l.jobs, l.dirty
	l.jobs, l.dirty, l.spare = nil, l.spare[:0], dirty
	l.mu.Unlock()
	for _, job := range jobs {
		job(l)
	}
	for i, c := range dirty {
		c.flush()
		dirty[i] = nil
	}
}

// tally adds what the turn has moved to the counters that everybody shares.
func (l *loop) tally() {
	if l.received > 0 {
		l.r.cfg.Counters.Received.Add(l.received)
		l.received = 0
	}
	if l.sent > 0 {
		l.r.cfg.Counters.Sent.Add(l.sent)
		l.sent = 0
	}
}

// add begins a connection.
func (l *loop) add(fd int, remote netip.AddrPort, open Open) {
	c := &conn{loop: l, fd: int32(fd)}
	if err := l.poll.add(fd, connEvents); err != nil {
		l.r.cfg.Log.Warn("a connection cannot be watched", "error", err)
		_ = unix.Close(fd)
		return
	}
	if fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*conn, max(fd+1-len(l.conns), len(l.conns)/4, 64))...)
	}
	l.conns[fd] = c
	l.count++
	if c.handler = open(c, remote); c.handler == nil {
		c.forget()
		_ = unix.Close(fd)
		return
	}
	c.arm()
}

// end closes everything.
func (l *loop) end() {
	l.mu.Lock()
	l.closed = true
	jobs := l.jobs
	l.mu.Unlock()
	for _, job := range jobs { // somebody may wait for them
		job(l)
	}
	for _, a := range l.listeners {
		_ = unix.Close(a.fd)
	}
	for _, c := range l.conns {
		if c != nil {
			c.destroy(hangUp)
		}
	}
	l.tally()
	l.poll.close()
}

// use makes the loop's output buffer that of c.
func (l *loop) use(c *conn) {
	if l.holder != c {
		if l.holder != nil {
			l.holder.flushBuffer()
		}
		l.holder = c
	}
}
