package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Place is where clients find the server.
type Place struct {
	Host   string
	Port   uint16
	Weight uint32 // its share of the clients, from 1 to maxWeight
}

// Places reads Advertise.
func (h HTTP) Places() ([]Place, error) {
	list := make([]Place, len(h.Advertise))
	for i, text := range h.Advertise {
		p, err := parsePlace(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		list[i] = p
	}
	return list, nil
}

// Proxies reads TrustedProxies.
func (h HTTP) Proxies() ([]netip.Prefix, error) {
	list := make([]netip.Prefix, len(h.TrustedProxies))
	for i, text := range h.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); single == nil {
			p, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no network", text)
		}
		list[i] = p.Masked()
	}
	return list, nil
}

// maxWeight is the largest weight of a place.
const maxWeight = 1000

func parsePlace(text string) (Place, error) {
	addr, share, weighted := strings.Cut(text, "=")
	p := Place{Weight: 1}
	if err := checkAddress(addr); err != nil {
		return p, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return p, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" {
		return p, errors.New("a client needs both a host and a port")
	}
	p.Host, p.Port = host, uint16(n)
	if weighted {
		w, err := strconv.ParseUint(share, 10, 32)
		if err != nil || w < 1 || w > maxWeight {
			return p, fmt.Errorf("%q is no weight from 1 to %d", share, maxWeight)
		}
		p.Weight = uint32(w)
	}
	return p, nil
}

// WellKnown, among the addresses to listen on, stands for the ports that clients try without being told.
const WellKnown = "well-known"

var wellKnown = []string{":8080", ":80", ":443", ":14000"}
