// Package faultproxy is a relay for TCP connections that breaks them on demand, in the ways in which networks do. Tests
// and torture put it between a client and a server that know nothing of it.
//
//	client ⇄ connection ⇄ server      Reset, HalfOpen, Stall, Refuse, Crawl ──► Proxy, any number of times
//
// It works on whole connections and on the bytes of a direction, not on packets: what a kernel makes up for by itself,
// lost or doubled packets, cannot be seen here.
package faultproxy

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Limits of a Proxy.
const (
	// MaxConnections bounds how many there are at a time, dead ones of HalfOpen included; more are refused.
	MaxConnections = 4096

	dialTimeout = 5 * time.Second
	chunk       = 32 << 10             // bytes in flight in one direction
	crawlChunk  = 7                    // bytes at a time while a proxy crawls
	crawlRest   = 2 * time.Millisecond // between them
)

// Proxy relays the connections to one address on loopback to a target. Its methods may be called by several goroutines.
type Proxy struct {
	target   string
	listener net.Listener
	workers  sync.WaitGroup

	mu       sync.Mutex
	conns    map[*connection]bool
	closed   bool
	refusing bool
	crawling bool
	flow     chan struct{} // closed while bytes flow; open during a stall
}

// Listen starts a Proxy on a free port of loopback.
func Listen(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: l, conns: map[*connection]bool{}, flow: make(chan struct{})}
	close(p.flow)
	p.workers.Add(1)
	go p.accept()
	return p, nil
}

// Addr is where clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends all connections and waits for all goroutines.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.Resume()
	p.each(1, (*connection).reset)
	p.workers.Wait()
}

// Reset breaks a share of the connections, 0 to 1, so that both sides see a reset. It returns how many.
func (p *Proxy) Reset(share float64) int { return p.each(share, (*connection).reset) }

// HalfOpen breaks a share of the connections for one side only: the other hears nothing of it and writes into the void.
// It returns how many.
func (p *Proxy) HalfOpen(share float64) int {
	return p.each(share, func(c *connection) { c.halve(rand.IntN(2) == 0) })
}

// Stall stops all bytes of all connections, new ones too, until Resume.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow:
		p.flow = make(chan struct{})
	default:
	}
}

// Refuse refuses new connections until Resume. Those that are there stay.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = true
}

// Crawl lets bytes through a few at a time, slowly, until Resume.
func (p *Proxy) Crawl() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crawling = true
}

// Resume ends Stall, Refuse and Crawl.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing, p.crawling = false, false
	select {
	case <-p.flow:
	default:
		close(p.flow)
	}
}

// Heal does what Resume does, and ends what HalfOpen has left: the side that was deceived learns of it.
func (p *Proxy) Heal() {
	p.Resume()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.halved {
			c.reset()
		}
	}
}

// each breaks a share of the connections.
func (p *Proxy) each(share float64, do func(*connection)) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for c := range p.conns {
		if rand.Float64() < share {
			do(c)
			n++
		}
	}
	return n
}

func (p *Proxy) accept() {
	defer p.workers.Done()
	for {
		near, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of file descriptors, say
			continue
		}
		p.workers.Go(func() { p.relay(near.(*net.TCPConn)) })
	}
}

// relay connects to the target and moves bytes until one of both ends.
func (p *Proxy) relay(near *net.TCPConn) {
	far, err := net.DialTimeout("tcp", p.target, dialTimeout)
	if err != nil {
		abort(near)
		return
	}
	c := &connection{p: p, near: near, far: far.(*net.TCPConn), cut: make(chan struct{})}
	if !p.add(c) {
		c.reset()
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { c.move(c.near, c.far) })
	ways.Go(func() { c.move(c.far, c.near) })
	ways.Wait()
	c.near.Close()
	c.far.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) add(c *connection) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.refusing || len(p.conns) >= MaxConnections {
		return false
	}
	p.conns[c] = true
	return true
}

// pace returns what has to be waited for before bytes may be written, and whether few go at a time.
func (p *Proxy) pace() (flow <-chan struct{}, crawling bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flow, p.crawling
}

// connection is one pair of connections.
type connection struct {
	p         *Proxy
	near, far *net.TCPConn
	cut       chan struct{} // closed by reset

	// Under the lock of p:
	halved bool
	over   bool
}

// reset breaks both sides. Under the lock of the proxy, or before it knows the connection.
func (c *connection) reset() {
	if c.over {
		return
	}
	c.over = true
	close(c.cut)
	abort(c.near)
	abort(c.far)
}

// halve breaks one side. The other stays open, and what it writes is thrown away. Under the lock of the proxy.
func (c *connection) halve(near bool) {
	if c.halved || c.over {
		return
	}
	c.halved = true
	if near {
		abort(c.near)
	} else {
		abort(c.far)
	}
}

// abort closes a connection so that its peer sees a reset.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}

// move moves bytes from one side to the other until either fails.
func (c *connection) move(from, to *net.TCPConn) {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		if n > 0 && !c.pass(to, buf[:n]) {
			err = net.ErrClosed
		}
		if err == nil {
			continue
		}
		if c.deceives() {
			<-c.cut
			return
		}
		// The end of one direction ends the connection: what talks through here never closes one half.
		from.Close()
		to.Close()
		return
	}
}

// deceives reports whether one side must not learn that the other is gone.
func (c *connection) deceives() bool {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.halved && !c.over
}

// pass writes what was read, when it may and as slowly as it has to. False: the connection is over.
func (c *connection) pass(to *net.TCPConn, b []byte) bool {
	for len(b) > 0 {
		flow, crawling := c.p.pace()
		select {
		case <-flow:
		case <-c.cut:
			return false
		}
		n := len(b)
		if crawling {
			n = min(n, crawlChunk)
			time.Sleep(crawlRest)
		}
		if _, err := to.Write(b[:n]); err != nil {
			if c.deceives() {
				return true // into the void
			}
			return false
		}
		b = b[n:]
	}
	return true
}
