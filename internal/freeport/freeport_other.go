//go:build !linux

package freeport

import (
	"net"
	"net/netip"
)

// reserve returns a port that somebody could listen on a moment ago.
func reserve(ip netip.Addr) (netip.AddrPort, func(), error) {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	return l.Addr().(*net.TCPAddr).AddrPort(), func() {}, l.Close()
}
