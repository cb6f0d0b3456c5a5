//go:build linux

package reactor

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Bounds of the pause after the system has refused to accept.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

func (l *loop) listen(a *Listener) {
	l.listeners = append(l.listeners, a)
	if l.stopping {
		return // end closes it
	}
	if err := l.poll.add(a.fd, listenerEvents); err != nil {
		l.pauseAccepting(a, err)
	}
}

func (l *loop) forget(a *Listener) {
	for i, other := range l.listeners {
		if other == a {
			l.listeners = append(l.listeners[:i], l.listeners[i+1:]...)
			_ = unix.Close(a.fd)
			return
		}
	}
}

// handleOther is an event of a descriptor that is no connection: a listener, or the one that wakes the loop.
func (l *loop) handleOther(fd int) {
	for _, a := range l.listeners {
		if a.fd == fd {
			l.accept(a)
			return
		}
	}
}

// accept lets connections in. When the system refuses, for want of descriptors or memory, it pauses: who waits in the
// backlog keeps waiting, and who is inside is not touched.
//
// One loop accepts for a listener and deals out the sockets in turn. A socket for each loop with SO_REUSEPORT would save
// the dealing, but lets another process of the same user bind the port unnoticed, and the system deals by hash, not evenly.
func (l *loop) accept(a *Listener) {
	for range maxAccepts {
		fd, remote, e := accept(a.fd)
		switch e {
		case 0:
			a.pause = 0
			if to := l.r.loops[int(l.r.next.Add(1))%len(l.r.loops)]; to == l {
				l.add(fd, remote, a.open)
			} else if !to.post(func(l *loop) { l.add(fd, remote, a.open) }) {
				_ = unix.Close(fd)
			}
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN:
			return
		default:
			l.pauseAccepting(a, e)
			return
		}
	}
}

func (l *loop) pauseAccepting(a *Listener, err error) {
	l.poll.remove(a.fd)
	a.pause = min(max(2*a.pause, minPause), maxPause)
	a.resume = time.Now().Add(a.pause)
	if l.r.cfg.Paused != nil {
		l.r.cfg.Paused(err)
	}
}

// resume takes listeners up again whose pause is over.
func (l *loop) resume() {
	for _, a := range l.listeners {
		if a.resume.IsZero() || l.now.Before(a.resume) {
			continue
		}
		a.resume = time.Time{}
		if err := l.poll.add(a.fd, listenerEvents); err != nil {
			l.pauseAccepting(a, err)
		}
	}
}

// accept is accept4(2) without memory for the address.
func accept(fd int) (int, netip.AddrPort, syscall.Errno) {
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	n, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&sa)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if e != 0 {
		return -1, netip.AddrPort{}, e
	}
	return int(n), addrPort(&sa), 0
}

// addrPort reads an address; IPv4 is never in its IPv6-mapped form.
func addrPort(sa *unix.RawSockaddrAny) netip.AddrPort {
	port := func(p *uint16) uint16 { return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:]) }
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), port(&in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom16(in.Addr).Unmap(), port(&in.Port))
	}
	return netip.AddrPort{}
}
