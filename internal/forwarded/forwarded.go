// Package forwarded finds out who has sent an HTTP request that came by a reverse proxy, from what the proxy says of it:
//
//	address of the peer, header → Trusted.Client → address of the client, and whether it has encrypted
//
// Anybody can write such a header, so only the networks that the operator names are believed, and of what they say only the
// part that no client can have written before them.
package forwarded

import (
	"net/netip"
	"slices"
	"strings"
)

// The fields that are read, in lower case: those that most proxies write, and that of RFC 7239.
const (
	fieldFor       = "x-forwarded-for"
	fieldProto     = "x-forwarded-proto"
	fieldForwarded = "forwarded"
)

// maxHops is how many proxies are looked through; what is before them is not believed.
const maxHops = 16

// Trusted are the networks whose hosts are believed.
type Trusted []netip.Prefix

// Client is who has sent a request to the first proxy that is believed.
type Client struct {
	Addr   netip.Addr
	Secure bool // it has encrypted, as the proxy says
}

// Contains reports whether a host is believed.
func (t Trusted) Contains(addr netip.Addr) bool {
	return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Client returns who has sent a request that came from a peer, by the values of its header, whose fields it asks for in
// lower case. False: the peer is not believed, or says nothing; it is the client then.
//
// Where X-Forwarded-For and Forwarded do not agree, one of them is the client's own invention and none is believed: the
// request counts as the proxy's own, and as one that was not encrypted.
func (t Trusted) Client(peer netip.Addr, header func(field string) []string) (Client, bool) {
	if !t.Contains(peer) {
		return Client{}, false
	}
	hosts, protos := elements(header(fieldFor), ","), elements(header(fieldProto), ",")
	rfcHosts, rfcProtos := parse(header(fieldForwarded))
	unclear := Client{Addr: peer}
	switch {
	case len(hosts) == 0 && len(rfcHosts) == 0 && len(protos) == 0 && len(rfcProtos) == 0:
		return Client{}, false
	case len(hosts) > 0 && len(rfcHosts) > 0 && t.client(peer, hosts) != t.client(peer, rfcHosts),
		len(protos) > 0 && len(rfcProtos) > 0 && secure(protos) != secure(rfcProtos):
		return unclear, true
	}
	if len(hosts) == 0 {
		hosts = rfcHosts
	}
	if len(protos) == 0 {
		protos = rfcProtos
	}
	return Client{Addr: t.client(peer, hosts), Secure: secure(protos)}, true
}

// client goes back from the peer, from one who is believed to whom it has named, and returns the first who is not.
func (t Trusted) client(peer netip.Addr, hosts []string) netip.Addr {
	for _, text := range slices.Backward(hosts[max(0, len(hosts)-maxHops):]) {
		addr, ok := parseHost(text)
		if !ok {
			return peer // somebody hidden behind the last one who is known
		}
		if peer = addr; !t.Contains(addr) {
			return addr
		}
	}
	return peer
}

// secure reports whether the last proxy says that it was asked over TLS. What stands before that anybody may have written.
func secure(protos []string) bool {
	return len(protos) > 0 && strings.EqualFold(protos[len(protos)-1], "https")
}

// elements splits the values of a field.
func elements(values []string, separator string) (list []string) {
	for _, v := range values {
		for e := range strings.SplitSeq(v, separator) {
			if e = strings.Trim(e, " \t"); e != "" {
				list = append(list, e)
			}
		}
	}
	return list
}

// parse reads the values of Forwarded (RFC 7239 §4): one host for each element, empty if it names none, and the protocols.
// A quoted comma or semicolon, which no host and no protocol has, cuts an element in two that are no better.
func parse(values []string) (hosts, protos []string) {
	for _, element := range elements(values, ",") {
		host := ""
		for _, pair := range elements([]string{element}, ";") {
			name, value, _ := strings.Cut(pair, "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(name) {
			case "for":
				host = value
			case "proto":
				protos = append(protos, value)
			}
		}
		hosts = append(hosts, host)
	}
	return hosts, protos
}

// parseHost reads an address with or without a port; IPv6 with a port is in brackets (RFC 7239 §6).
func parseHost(text string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return addr.Unmap().WithZone(""), err == nil
}
