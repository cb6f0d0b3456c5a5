//go:build linux

package reactor

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Edge-triggered and registered once for both directions: back pressure then needs no further system call.
const (
	connEvents     = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET
	listenerEvents = unix.EPOLLIN
)

// poll is an epoll set with an event descriptor that wakes whoever waits for it.
type poll struct {
	epoll  int
	wake   int
	events []unix.EpollEvent
}

func newPoll() (*poll, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	p := &poll{epoll: epoll, events: make([]unix.EpollEvent, maxEvents)}
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(epoll)
		return nil, err
	}
	// Edge-triggered: its counter need not be read.
	if err := p.add(p.wake, unix.EPOLLIN|unix.EPOLLET); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poll) add(fd int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.epoll), unix.EPOLL_CTL_ADD, uintptr(fd),
		uintptr(unsafe.Pointer(&event)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

func (p *poll) remove(fd int) {
	_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil)
}

func (p *poll) close() {
	_ = unix.Close(p.wake)
	_ = unix.Close(p.epoll)
}

// ring makes wait return.
func (p *poll) ring() {
	one := [8]byte{1} // in any byte order not zero
	_, _ = write(p.wake, one[:])
}

// look returns what is ready, without waiting.
//
// The calls that cannot block go past Go's scheduler: telling it of every read and write costs a sixth of an echo. While
// such a call runs, the garbage collector waits for it.
func (p *poll) look() []unix.EpollEvent {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), 0, 0, 0)
	if e != 0 {
		return nil
	}
	return p.events[:n]
}

// wait returns what is ready, after up to d; below zero is without end.
func (p *poll) wait(d time.Duration) []unix.EpollEvent {
	ms := -1
	if d >= 0 {
		ms = int((d + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := unix.EpollWait(p.epoll, p.events, ms)
	if err != nil { // EINTR
		return nil
	}
	return p.events[:n]
}

// read and write are for sockets that do not block. They return a negative n with the error.
func read(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if e != 0 {
		return -1, e
	}
	return int(n), 0
}

func write(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if e != 0 {
		return -1, e
	}
	return int(n), 0
}

// hangUp closes a socket, which does not block: nobody has asked it to linger.
func hangUp(fd int) error {
	if _, _, e := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0); e != 0 {
		return e
	}
	return nil
}

// reset closes a socket by a TCP reset, with which the system forgets what it still holds for the peer. For one that
// does not read that can be megabytes.
func reset(fd int) error {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	return hangUp(fd)
}
