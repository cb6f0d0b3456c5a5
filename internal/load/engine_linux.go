package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan/internal/ws"
)

const (
	readBuffer = 256 << 10
	turnEvents = 512   // handled in one turn of the loop
	hellos     = 64    // different handshakes
	dialWindow = 128   // connections dialled at once where there is no hurry
	perSource  = 12000 // connections from one loopback address: under half of the ports that Linux has for them
	spareFiles = 64
	tick       = 100 * time.Millisecond // how late, at most, the loop sees that it is to end
)

// An engine is one epoll set with its connections. It belongs to one goroutine, on a thread of its own.
type engine struct {
	ctx     context.Context
	o       *Options
	to      endpoint
	epoll   int
	buf     []byte
	events  []unix.EpollEvent
	conns   []conn
	script  *script
	hellos  []ws.Hello
	asked   [][]byte      // the requests that go with hellos
	head    ws.HeadReader // of answers that come in one piece
	answer  ws.Response
	remote  unix.Sockaddr
	sources int  // addresses 127.0.0.1, 127.0.0.2 … to dial from, or 0
	answers bool // what comes is answers: no more than messages were sent on the same connection
	random  *mathrand.ChaCha8
	checked int64
	server  []int // processes
	moved   bool  // a connection has opened or something that is wanted has come
	last    int64 // when that was, as turn saw it
}

// run does what o says on a thread of its own.
func run(ctx context.Context, o *Options, to endpoint) (*Report, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e, err := newEngine(ctx, o, to)
	if err != nil {
		return nil, err
	}
	defer e.close()
	r := &Report{Mode: o.Mode, URL: o.URL, Connections: o.Connections, Size: o.Size, Type: "binary"}
	if o.Text {
		r.Type = "text"
	}
	switch o.Mode {
	case Echo:
		err = e.echo(r)
	case Connect:
		err = e.connect(r)
	case Idle:
		err = e.idle(r)
	case Broadcast:
		err = e.broadcast(r)
	case Storm:
		err = e.storm(r)
	}
	r.Checked = e.checked
	return r, err
}

func newEngine(ctx context.Context, o *Options, to endpoint) (*engine, error) {
	if err := raiseFiles(uint64(o.Connections) + spareFiles); err != nil {
		return nil, err
	}
	var seed [32]byte
	rand.Read(seed[:])
	e := &engine{
		ctx: ctx, o: o, to: to, buf: make([]byte, readBuffer), events: make([]unix.EpollEvent, turnEvents),
		conns: make([]conn, o.Connections), random: mathrand.NewChaCha8(seed), answers: true, last: nanos(),
	}
	if o.PID > 0 {
		e.server = []int{o.PID}
	} else {
		e.server = listeners(to.addr)
	}
	port := int(to.addr.Port())
	if to.addr.Addr().Is4() {
		e.remote = &unix.SockaddrInet4{Port: port, Addr: to.addr.Addr().As4()}
		if to.addr.Addr().IsLoopback() {
			e.sources = min(1+o.Connections/perSource, 254)
		}
	} else {
		e.remote = &unix.SockaddrInet6{Port: port, Addr: to.addr.Addr().As16()}
	}
	if err := e.greet(to.target); err != nil {
		return nil, err
	}
	var err error
	if e.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	return e, nil
}

// greet prepares handshakes for target.
func (e *engine) greet(target string) error {
	if e.to.raw {
		return nil
	}
	e.hellos, e.asked = make([]ws.Hello, hellos), make([][]byte, hellos)
	for i := range e.hellos {
		h := &e.hellos[i]
		*h = ws.Hello{Host: e.to.host, Target: target}
		rand.Read(h.Nonce[:])
		var err error
		if e.asked[i], err = h.AppendRequest(nil); err != nil {
			return err
		}
	}
	return nil
}

// close resets all connections.
func (e *engine) close() {
	for i := range e.conns {
		e.cut(&e.conns[i])
	}
	unix.Close(e.epoll)
}

// cut resets a connection: nothing of it remains, not even in TIME_WAIT.
func (e *engine) cut(c *conn) {
	if c.phase != closed {
		unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(c.fd)
	}
	*c = conn{}
}

// dial begins connection i.
func (e *engine) dial(i int) error {
	family := unix.AF_INET
	if e.to.addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	e.conns[i] = conn{fd: fd, phase: dialling, hello: uint8(i % hellos), began: nanos()}
	if e.sources > 1 {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + i%e.sources)}}); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("TCP_NODELAY: %w", err)
	}
	if err := unix.Connect(fd, e.remote); err != nil && err != unix.EINPROGRESS {
		return fmt.Errorf("connecting to %v: %w", e.to.addr, err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | edgeTriggered, Fd: int32(i)}
	if err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// shake takes a connection through connect and upgrade and reports whether it has just become open.
func (e *engine) shake(c *conn, events uint32) (bool, error) {
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		code, _ := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if code == 0 {
			return false, errCut
		}
		return false, fmt.Errorf("connecting to %v: %w", e.to.addr, unix.Errno(code))
	}
	if c.phase == dialling && events&unix.EPOLLOUT != 0 {
		if e.to.raw {
			c.phase, e.moved = open, true
			return true, nil
		}
		asked := e.asked[c.hello]
		if n, err := writeSome(c.fd, asked); err != nil || n != len(asked) {
			return false, fmt.Errorf("sending the request: %d of %d bytes, %w", n, len(asked), err)
		}
		c.phase = greeting
	}
	if c.phase != greeting || events&unix.EPOLLIN == 0 {
		return false, nil
	}
	n, errno := readSome(c.fd, e.buf)
	switch {
	case errno == unix.EAGAIN:
		return false, nil
	case errno != 0:
		return false, fmt.Errorf("reading the answer to the upgrade: %w", errno)
	case n == 0:
		return false, errCut
	}
	opened, err := e.greeted(c, e.buf[:n])
	if err == nil && events&unix.EPOLLRDHUP != 0 {
		return false, errCut // and no further event would tell
	}
	return opened, err
}

// greeted takes bytes of the answer to an upgrade. What follows it is compared like everything else.
func (e *engine) greeted(c *conn, b []byte) (bool, error) {
	reader := &e.head
	if c.aside != nil {
		reader = &c.aside.head
	}
	head, n, err := reader.Next(b)
	if err != nil {
		return false, err
	}
	if head == nil {
		if c.aside == nil {
			c.aside, e.head = &aside{head: e.head}, ws.HeadReader{}
		}
		return false, nil
	}
	if err := e.answer.Parse(head); err != nil {
		return false, err
	}
	if _, err := e.hellos[c.hello].Verify(&e.answer); err != nil {
		return false, err
	}
	e.checked += int64(n)
	reader.Release()
	c.aside, c.phase, e.moved = nil, open, true
	if n < len(b) {
		if e.script == nil {
			return true, errors.New("the server speaks first")
		}
		_, err = e.take(c, b[n:])
	}
	return true, err
}

// openRange opens connections from to (not included), dialWindow at a time.
func (e *engine) openRange(from, to int) error {
	next, done := from, 0
	for done < to-from {
		for next < to && next-from-done < dialWindow {
			if err := e.dial(next); err != nil {
				return err
			}
			next++
		}
		err := e.turn(func(i int, events uint32) error {
			c := &e.conns[i]
			if c.phase == open {
				return e.stir(c, events)
			}
			opened, err := e.shake(c, events)
			if opened {
				done++
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%d of %d connections open: %w", done, to-from, err)
		}
	}
	return nil
}

// stir takes what an open connection receives while nothing is measured, which may be a ping but no message.
func (e *engine) stir(c *conn, events uint32) error {
	ended, err := e.serve(c, events)
	if ended > 0 && err == nil {
		err = errors.New("the server sent a message that nobody asked for")
	}
	return err
}

// rest keeps the connections as they are for a while.
func (e *engine) rest(d time.Duration) error {
	for end := nanos() + int64(d); nanos() < end; {
		e.moved = true
		if err := e.turn(func(i int, events uint32) error { return e.stir(&e.conns[i], events) }); err != nil {
			return err
		}
	}
	return nil
}

// turn waits for events, for a tick at the most, and handles them.
func (e *engine) turn(handle func(i int, events uint32) error) error {
	n, err := wait(e.epoll, e.events, tick)
	if err != nil {
		return err
	}
	for _, event := range e.events[:n] {
		if err := handle(int(event.Fd), event.Events); err != nil {
			return err
		}
	}
	now := nanos()
	switch {
	case e.moved:
		e.last, e.moved = now, false
	case now-e.last > int64(Stall):
		return fmt.Errorf("nothing has come for %v", Stall)
	}
	return e.ctx.Err()
}
