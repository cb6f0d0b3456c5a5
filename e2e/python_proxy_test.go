package e2e

import (
	"bytes"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/wire"
)

// proxy passes frames between clients and a server, and loses those it is told to lose.
type proxy struct {
	t            *testing.T
	addr, server string
	lost         chan struct{} // a frame was lost

	mu     sync.Mutex
	losing []wire.Op
	asked  []wire.Frame // by clients, in order
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, addr: l.Addr().String(), server: server, lost: make(chan struct{}, 1)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return p
}

// serve passes the frames of a connection until either side ends it.
func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer s.Close()
	stop := p.t.Context().Done()
	ended := make(chan struct{}, 2)
	pass := func(from, to net.Conn) {
		p.pass(from, to, from == c)
		ended <- struct{}{}
	}
	go pass(c, s)
	go pass(s, c)
	rest := 1
	select {
	case <-ended:
	case <-stop:
		rest = 2
	}
	c.Close()
	s.Close()
	for range rest {
		<-ended
	}
}

func (p *proxy) pass(from io.Reader, to io.Writer, asking bool) {
	var d wire.Decoder
	d.SetLimit(wire.MaxFrame)
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		for d.Feed(piece[:n]); ; {
			f, ok, err := d.Next()
			if err != nil {
				p.t.Errorf("what passes is no frame: %v", err)
				return
			}
			if !ok {
				break
			}
			if p.keep(f, asking) {
				continue
			}
			if _, err := to.Write(wire.AppendFrame(nil, f)); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// keep takes note of a frame, and reports whether it is to be lost.
func (p *proxy) keep(f wire.Frame, asking bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if asking {
		p.asked = append(p.asked, wire.Frame{Op: f.Op, Seq: f.Seq, Body: bytes.Clone(f.Body)})
	}
	if !slices.Contains(p.losing, f.Op) {
		return false
	}
	select {
	case p.lost <- struct{}{}:
	default:
	}
	return true
}

// lose says which frames are lost from now on.
func (p *proxy) lose(ops ...wire.Op) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losing = ops
}

func (p *proxy) waitForLoss() {
	p.t.Helper()
	select {
	case <-p.lost:
	case <-time.After(hang):
		p.t.Fatal("nothing was lost")
	}
}

// requests lists what clients asked by an operation.
func (p *proxy) requests(op wire.Op) (list []wire.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.asked {
		if f.Op == op {
			list = append(list, f)
		}
	}
	return list
}
