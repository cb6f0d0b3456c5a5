package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// Bounds of the pause after the system has refused to accept, and how often it is logged.
const (
	minPause      = 5 * time.Millisecond
	maxPause      = time.Second
	pauseLogEvery = 10 * time.Second
)

func (s *Server) bind() error {
	// Without keep-alive probes: they would wake every phone's radio each few seconds. The session's deadline finds
	// peers that are gone.
	lc := net.ListenConfig{KeepAlive: -1}
	for _, addr := range s.cfg.Listen {
		ln, err := lc.Listen(context.Background(), "tcp", addr)
		if err != nil {
			return fmt.Errorf("gate: %w", err)
		}
		s.listeners = append(s.listeners, ln)
	}
	if s.cfg.Operator != "" {
		ln, err := listenUnix(s.cfg.Operator)
		if err != nil {
			return fmt.Errorf("gate: operator's socket: %w", err)
		}
		s.listeners = append(s.listeners, ln)
	}
	return nil
}

// listenUnix binds a socket that only this user can open. A socket that a crashed process has left behind is removed;
// one that is answered is somebody's.
func listenUnix(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: ownerOnly}
	ln, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil { // for systems on which ownerOnly cannot
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is no socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = c.Close()
		return fmt.Errorf("%s is in use by another process", path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot tell whether %s is in use: %w", path, err)
	}
	return os.Remove(path)
}

// accept lets connections in until the listener is closed. When the system refuses, for want of file descriptors or
// memory, it pauses: who waits in the backlog keeps waiting, and who is inside is not touched.
func (s *Server) accept(ln net.Listener) {
	var pause time.Duration
	for {
		raw, err := ln.Accept()
		if err == nil {
			pause = 0
			s.accepted(raw)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		pause = min(max(2*pause, minPause), maxPause)
		s.paused(err)
		select {
		case <-time.After(pause):
		case <-s.stop:
			return
		}
	}
}

// paused counts and logs that the system refuses to accept.
func (s *Server) paused(err error) {
	s.m.pauses.Inc()
	now, last := time.Now().UnixNano(), s.pausedAt.Load()
	if now-last > int64(pauseLogEvery) && s.pausedAt.CompareAndSwap(last, now) {
		s.log.Warn("accepting pauses", "error", err)
	}
}

// accepted has a goroutine carry a connection, if the limits let it in.
func (s *Server) accepted(raw net.Conn) {
	var remote netip.AddrPort
	addr, tcp := raw.RemoteAddr().(*net.TCPAddr)
	if tcp {
		remote = addr.AddrPort()
	}
	c := s.enter(remote, !tcp)
	if c == nil {
		_ = raw.Close()
		return
	}
	go carrier.Serve(raw, raw, &s.limits, &s.counters, c.detect)
}
