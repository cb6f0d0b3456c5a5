//go:build linux

package reactor

import (
	"errors"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxSpares is how many descriptors are held back.
const maxSpares = 4

// spares are descriptors that stand for nothing. Making a net.Conn of a socket takes a second descriptor for a moment:
// with one held back it is there when the process has no other, and connections that were let in can still be handed on.
type spares struct {
	mu     sync.Mutex
	fds    []int
	closed bool
}

// netConn makes a net.Conn of a socket, which is closed: the new one is another descriptor of it. It has no keep-alive
// probes, which package net turns on, as no connection here has.
func (s *spares) netConn(fd int) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := os.NewFile(uintptr(fd), "")
	c, err := net.FileConn(f)
	// More than once, for somebody else may be quicker to take what is given back.
	for errors.Is(err, unix.EMFILE) && s.spend() {
		c, err = net.FileConn(f)
	}
	_ = f.Close()
	s.refill()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetKeepAlive(false)
	}
	return c, err
}

// spend gives one back to the system. False: there is none. Under mu.
func (s *spares) spend() bool {
	last := len(s.fds) - 1
	if last < 0 {
		return false
	}
	_ = unix.Close(s.fds[last])
	s.fds = s.fds[:last]
	return true
}

func (s *spares) fill() {
	s.mu.Lock()
	s.refill()
	s.mu.Unlock()
}

// refill takes as many as there are to be had. Under mu.
func (s *spares) refill() {
	for !s.closed && len(s.fds) < maxSpares {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			return
		}
		s.fds = append(s.fds, fd)
	}
}

func (s *spares) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.spend() {
	}
}
