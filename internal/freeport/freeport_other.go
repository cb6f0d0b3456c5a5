//go:build !linux

package freeport

import (
	"io"
	"net"
	"net/netip"
)

// reserve returns a port that somebody could listen on a moment ago.
func reserve(ip netip.Addr) (netip.AddrPort, io.Closer, error) {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	return l.Addr().(*net.TCPAddr).AddrPort(), nothing{}, l.Close()
}

type nothing struct{}

func (nothing) Close() error { return nil }
