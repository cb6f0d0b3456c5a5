// Package freeport finds ports for servers that have to come back at the same address after they were killed.
package freeport

import (
	"fmt"
	"net/netip"
)

// Reserve returns a free port on an IPv4 address of this machine, as "address:port". On Linux nobody else gets it until
// it is released: a server may listen there, again and again, since it asks for the port by its number, but the
// system chooses it neither for a listener on port 0 nor for a connection that leaves. Elsewhere it is free for now.
func Reserve(address string) (found string, release func(), err error) {
	ip, err := netip.ParseAddr(address)
	if err == nil && !ip.Is4() {
		err = fmt.Errorf("%s is not an IPv4 address", address)
	}
	if err != nil {
		return "", nil, err
	}
	at, release, err := reserve(ip)
	if err != nil {
		return "", nil, fmt.Errorf("no free port on %s: %w", address, err)
	}
	return at.String(), release, nil
}
