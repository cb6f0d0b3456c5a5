//go:build linux

// Package reactor carries plain connections on a few epoll loops. It is a carrier: what it moves is a carrier.Handler's
// business, and it knows nothing about it.
//
//	epoll_wait ─► read into the loop's buffer ─► Handler.Data ─┬─ Conn.Write ─► the loop's buffer ─► one write
//	                                                           └─ Conn.Send, Reply (any goroutine) ─► queue
//	end of the turn: deadlines, then every connection with a queue ─► Handler.Encode ─► one write each
//
// Each connection belongs to one loop, a goroutine with a thread of its own, which alone reads, writes and closes its
// socket and calls its handler. Other goroutines queue items and wake the loop, once for all that comes while it sleeps.
//
// Buffers: a loop reads into one buffer and encodes into another, both shared by all its connections. The first is valid
// during Data only, the second until the write at the end of the event. A connection has memory of its own only while
// something waits to be written; an idle one is its conn, its handler and a place in the loop's table. With
// the build tag hostile, used input is overwritten, so that a handler that keeps it is found out.
package reactor

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// Config is what a Reactor is made of.
type Config struct {
	Loops    int               // how many; 0 means one for each processor that Go may use
	Limits   carrier.Limits    // of every connection
	Counters *carrier.Counters // counts what is moved; nil for nobody
	Log      *slog.Logger      // nil for nobody

	// Paused is told each time that accepting pauses because the system refuses, mostly for want of file descriptors;
	// nil for nobody. It runs on a loop and must not block.
	Paused func(error)
}

// Reactor is a set of loops.
type Reactor struct {
	cfg   Config
	loops []*loop
	next  atomic.Uint32 // whose turn it is to get a connection
	start time.Time     // what the loops' ticks count from
	ended sync.WaitGroup

	spares spares
	once   sync.Once
}

// Open makes the handler of a new connection, which it may already use, also to close it at once. It runs on the loop of
// the connection. nil refuses: the connection is closed.
type Open func(c carrier.Conn, remote netip.AddrPort) carrier.Handler

// New starts the loops.
func New(cfg Config) (*Reactor, error) {
	if err := cfg.Limits.Check(); err != nil {
		return nil, err
	}
	if cfg.Loops == 0 {
		cfg.Loops = runtime.GOMAXPROCS(0)
	}
	if cfg.Counters == nil {
		cfg.Counters = new(carrier.Counters)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Reactor{cfg: cfg, start: time.Now()}
	for range cfg.Loops {
		l, err := newLoop(r)
		if err != nil {
			for _, l := range r.loops {
				l.poll.close()
			}
			return nil, fmt.Errorf("reactor: %w", err)
		}
		r.loops = append(r.loops, l)
	}
	r.spares.fill()
	for _, l := range r.loops {
		r.ended.Go(l.run)
	}
	return r, nil
}

// Listen accepts from ln until Forget or Close. ln stays the caller's to close, after Forget.
func (r *Reactor) Listen(ln *net.TCPListener, open Open) (*Listener, error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("reactor: %w", err)
	}
	a := &Listener{open: open, loop: r.loops[int(r.next.Add(1))%len(r.loops)]}
	failed := raw.Control(func(fd uintptr) {
		// A descriptor of the reactor's own: what the caller does to the listener's then cannot reach another file.
		a.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err := errors.Join(failed, err); err != nil {
		return nil, fmt.Errorf("reactor: %w", err)
	}
	// Accepted connections inherit it: answers are whole when they are written, and wait for nothing.
	if err := unix.SetsockoptInt(a.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		_ = unix.Close(a.fd)
		return nil, fmt.Errorf("reactor: TCP_NODELAY: %w", err)
	}
	if !a.loop.post(func(l *loop) { l.listen(a) }) {
		_ = unix.Close(a.fd)
		return nil, net.ErrClosed
	}
	return a, nil
}

// Adopt carries a connected or connecting non-blocking TCP socket, which belongs to the reactor from then on, whatever
// the outcome.
func (r *Reactor) Adopt(fd int, open Open) error {
	if !r.give(fd, netip.AddrPort{}, open) {
		_ = unix.Close(fd)
		return net.ErrClosed
	}
	return nil
}

// give hands a socket to the loop whose turn it is. False: the reactor is closed, and the socket the caller's.
func (r *Reactor) give(fd int, remote netip.AddrPort, open Open) bool {
	return r.loops[int(r.next.Add(1))%len(r.loops)].post(func(l *loop) { l.add(fd, remote, open) })
}

// Close ends all connections at once, calls Closed of their handlers and returns when every loop has ended.
func (r *Reactor) Close() {
	r.once.Do(func() {
		for _, l := range r.loops {
			l.post(func(l *loop) { l.stopping = true })
		}
	})
	r.ended.Wait()
	r.spares.close()
}

// Listener is a listening socket on a loop.
type Listener struct {
	fd   int
	loop *loop
	open Open

	pause  time.Duration // of the last refusal, zero after a success
	resume time.Time     // when to accept again, zero while it accepts
}

// Forget stops accepting and returns when no further connection will be opened from it.
func (a *Listener) Forget() {
	a.loop.do(func(l *loop) { l.forget(a) })
	for _, l := range a.loop.r.loops {
		l.do(func(*loop) {}) // behind the last socket that it was dealt
	}
}
