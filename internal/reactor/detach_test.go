//go:build linux

package reactor_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/reactor"
)

// leaver detaches itself with the first byte.
type leaver struct {
	echo
	to chan net.Conn
}

func (l *leaver) Data(time.Time, []byte) { l.Detach(func(c net.Conn) { l.to <- c }) }

// TestDetachedSocket looks at the options of a socket that was detached: package net has its own opinion on them.
func TestDetachedSocket(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r, err := reactor.New(reactor.Config{Limits: carrier.Limits{
		Write: hang, Flush: hang, Linger: hang, SoftQueue: 1 << 20, HardQueue: 16 << 20,
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	to := make(chan net.Conn, 1)
	if _, err := r.Listen(ln.(*net.TCPListener), func(c carrier.Conn, _ netip.AddrPort) carrier.Handler {
		return &leaver{echo{Conn: c}, to}
	}); err != nil {
		t.Fatal(err)
	}
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	var detached net.Conn
	select {
	case detached = <-to:
	case <-time.After(hang):
		t.Fatal("the connection was not given away")
	}
	defer detached.Close()
	raw, err := detached.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var keepAlive, noDelay int
	if err := raw.Control(func(fd uintptr) {
		keepAlive, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		noDelay, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY)
	}); err != nil {
		t.Fatal(err)
	}
	if keepAlive != 0 || noDelay == 0 {
		t.Errorf("keep-alive probes %d, no delay %d: want the first off and the second on", keepAlive, noDelay)
	}
}
