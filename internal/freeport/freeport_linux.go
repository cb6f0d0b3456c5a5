package freeport

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// reserve binds a socket that never listens. As both sides set SO_REUSEADDR, which Go's listeners do, it is in nobody's
// way who asks for its port by number (ip(7)).
func reserve(ip netip.Addr) (netip.AddrPort, func(), error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.AddrPort{}, nil, os.NewSyscallError("socket", err)
	}
	release := func() { unix.Close(fd) }
	port, err := bind(fd, ip)
	if err != nil {
		release()
		return netip.AddrPort{}, nil, err
	}
	return netip.AddrPortFrom(ip, port), release, nil
}

// bind binds a socket to a port that the system chooses, and returns it.
func bind(fd int, ip netip.Addr) (uint16, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: ip.As4()}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return uint16(bound.(*unix.SockaddrInet4).Port), nil
}
