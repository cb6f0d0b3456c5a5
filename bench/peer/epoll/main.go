//go:build linux

// Epoll is the reference: a plain TCP echo on one epoll loop, what a reactor in Go costs before it parses anything. It
// speaks no WebSocket and knows no paths.
package main

import (
	"flag"
	"log"
	"net/netip"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	backlog       = 4096
	edgeTriggered = 1 << 31
	events        = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | edgeTriggered
)

type loop struct {
	epoll, listener int
	buf             []byte
	waiting         map[int][]byte // what sockets have not taken yet
}

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address, of IPv4")
	flag.Parse()
	addr, err := netip.ParseAddrPort(*listen)
	if err != nil {
		log.Fatal(err)
	}
	runtime.LockOSThread()
	l := &loop{buf: make([]byte, 256<<10), waiting: make(map[int][]byte)}
	if err := l.open(addr); err != nil {
		log.Fatal(err)
	}
	l.run()
}

func (l *loop) open(addr netip.AddrPort) (err error) {
	if l.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(l.listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(l.listener, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.Listen(l.listener, backlog); err != nil {
		return err
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.listener, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.listener)})
}

func (l *loop) run() {
	ready := make([]unix.EpollEvent, 512)
	for {
		for _, e := range ready[:wait(l.epoll, ready)] {
			if fd := int(e.Fd); fd == l.listener {
				l.accept()
			} else if !l.serve(fd, e.Events) {
				delete(l.waiting, fd)
				unix.Close(fd)
			}
		}
	}
}

func (l *loop) accept() {
	for {
		// Without the peer's address, which package unix would allocate for every connection.
		n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(l.listener), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if errno != 0 {
			return
		}
		fd := int(n)
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	}
}

// serve echoes what a socket has, and reports whether it lives on.
func (l *loop) serve(fd int, ready uint32) bool {
	if ready&unix.EPOLLOUT != 0 && len(l.waiting) > 0 {
		if rest, ok := l.waiting[fd]; ok {
			delete(l.waiting, fd)
			if !l.send(fd, rest) {
				return false
			}
		}
	}
	if ready&^unix.EPOLLOUT == 0 {
		return true
	}
	for {
		n, errno := call(unix.SYS_READ, fd, l.buf)
		if errno == unix.EAGAIN {
			return true
		}
		if errno != 0 || n == 0 || !l.send(fd, l.buf[:n]) {
			return false
		}
		if n < len(l.buf) && ready&unix.EPOLLRDHUP == 0 {
			return true
		}
	}
}

func (l *loop) send(fd int, b []byte) bool {
	if rest, ok := l.waiting[fd]; ok {
		l.waiting[fd] = append(rest, b...)
		return true
	}
	n, errno := call(unix.SYS_WRITE, fd, b)
	if errno == unix.EAGAIN {
		n = 0
	} else if errno != 0 {
		return false
	}
	if n < len(b) {
		l.waiting[fd] = append([]byte(nil), b[n:]...)
	}
	return true
}

// call is a read or a write that cannot block and so goes past the scheduler.
func call(number uintptr, fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}

// wait looks before it sleeps, and only sleeping tells the scheduler.
func wait(epoll int, ready []unix.EpollEvent) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&ready[0])), uintptr(len(ready)), 0, 0, 0)
	if errno == 0 && n > 0 {
		return int(n)
	}
	k, err := unix.EpollWait(epoll, ready, -1)
	if err != nil {
		return 0
	}
	return k
}
