package client

import (
	"cmp"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// Address is where a server is found.
type Address struct {
	Host string       // a name or an address: the certificate is checked by it
	Port uint16       // 0 stands for 8080, 80, 443 and 14000, on which servers can be told to listen
	IPs  []netip.Addr // of the host, for when its name does not resolve
}

// wellKnownPorts are those that a server listens on if it is told to be found without being asked for, in the order in
// which to try them.
var wellKnownPorts = []uint16{8080, 80, 443, 14000}

// Limits of what is tried.
const (
	maxPlaces = 32 // of a list
	maxIPs    = 4  // of a host
)

// Priorities of places behind those of lists, whose own end below.
const (
	maxPriority   = 999
	givenPriority = 1000
	builtPriority = 2000
)

// network is what a device knows about the ways to its server. It is kept in a file of its profile; whoever loses it
// begins with the address that people gave.
type network struct {
	path  string
	built []Address

	mu   sync.Mutex
	kept keptNetwork
}

// keptNetwork is the form of the file.
type keptNetwork struct {
	Server    string     `json:"server"` // the address that people gave: another one knows another network
	FetchedMS int64      `json:"fetched_ms,omitempty"`
	List      *placeList `json:"list,omitempty"`
	Last      *lastRoute `json:"last,omitempty"`
}

// placeList is the server's list of addresses, as GET /v1/addresses has it.
type placeList struct {
	Addresses []listedPlace `json:"addresses"`
	TTLMS     int64         `json:"ttlMs,string"`
	Hints     listedHints   `json:"hints"`
}

type listedPlace struct {
	Host       string       `json:"host"`
	Port       uint16       `json:"port"`
	IPs        []netip.Addr `json:"ips,omitempty"`
	Priority   int          `json:"priority"`
	Weight     uint32       `json:"weight"`
	Transports []string     `json:"transports"`
}

type listedHints struct {
	HeartbeatMinMS uint32 `json:"heartbeatMinMs"`
	HeartbeatMaxMS uint32 `json:"heartbeatMaxMs"`
	ReconnectMinMS uint32 `json:"reconnectMinMs"`
	ReconnectMaxMS uint32 `json:"reconnectMaxMs"`
}

// lastRoute is what won the last race.
type lastRoute struct {
	Transport string     `json:"transport"` // as lists call it
	Host      string     `json:"host"`
	Port      uint16     `json:"port"`
	IP        netip.Addr `json:"ip,omitzero"`
}

// openNetwork reads what a profile knows about its server. What cannot be read is as good as nothing.
func openNetwork(dir, server string, built []Address) *network {
	n := &network{path: filepath.Join(dir, networkFile), built: built}
	text, err := os.ReadFile(n.path)
	if err != nil || json.Unmarshal(text, &n.kept) != nil || n.kept.Server != server {
		n.kept = keptNetwork{Server: server}
	}
	return n
}

// change changes what is kept and writes it, if the profile is there already.
func (n *network) change(change func(*keptNetwork)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.kept)
	if _, err := os.Stat(filepath.Dir(n.path)); err != nil {
		return nil
	}
	return writeJSON(n.path, n.kept)
}

func (n *network) known() keptNetwork {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.kept
}

// remembered is the route that won the last race, nil if none did.
func (k *keptNetwork) remembered() *core.Route {
	if k.Last == nil {
		return nil
	}
	for _, t := range core.Transports() {
		if k.Last.Transport == t.Name(true) || k.Last.Transport == t.Name(false) {
			return &core.Route{Transport: t, Host: k.Last.Host, Port: k.Last.Port, IP: k.Last.IP}
		}
	}
	return nil
}

// due is when the list should be asked for again, the zero time if there is none or the clock was set back.
func (k *keptNetwork) due(now time.Time) time.Time {
	fetched := time.UnixMilli(k.FetchedMS)
	if k.List == nil || fetched.After(now) {
		return time.Time{}
	}
	return fetched.Add(min(max(time.Duration(k.List.TTLMS)*time.Millisecond, listMin), listMax))
}

// places are all where the server may be, the best first: those of its own list, then the address that people gave, then
// those that are built in. Each is named once, with all that is known of its IPs.
func (n *network) places(rand core.Rand) ([]core.Place, error) {
	kept := n.known()
	var all []core.Place
	if kept.List != nil {
		for _, p := range kept.List.Addresses {
			all = append(all, p.place())
		}
		all = core.Order(all, rand)
	}
	given, err := givenPlaces(kept.Server)
	if err != nil {
		return nil, err
	}
	for i, p := range given {
		p.Priority = givenPriority + i
		all = append(all, p)
	}
	for i, a := range n.built {
		ports := []uint16{a.Port}
		if a.Port == 0 {
			ports = wellKnownPorts
		}
		for j, port := range ports {
			all = append(all, core.Place{
				Host: a.Host, Port: port, IPs: a.IPs, Priority: builtPriority + len(wellKnownPorts)*i + j,
			})
		}
	}
	return merge(all, kept.Last), nil
}

// merge joins what is said of the same place and gives every place what is known of its host.
func merge(all []core.Place, last *lastRoute) []core.Place {
	ips := map[string][]netip.Addr{}
	for _, p := range all {
		for _, ip := range p.IPs {
			if !slices.Contains(ips[p.Host], ip) {
				ips[p.Host] = append(ips[p.Host], ip)
			}
		}
	}
	if last != nil && last.IP.IsValid() && !slices.Contains(ips[last.Host], last.IP) {
		ips[last.Host] = append([]netip.Addr{last.IP}, ips[last.Host]...)
	}
	var merged []core.Place
	for _, p := range all {
		if slices.ContainsFunc(merged, func(o core.Place) bool { return o.Host == p.Host && o.Port == p.Port }) {
			continue
		}
		p.IPs = ips[p.Host]
		merged = append(merged, p)
	}
	return merged
}

// givenPlaces are those that an address as people write it stands for. Without a port it is the one that servers listen on
// unless told otherwise, and, for a server on another machine, those that it may have been told.
func givenPlaces(address string) ([]core.Place, error) {
	host, hostPort, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	_, text, _ := net.SplitHostPort(hostPort)
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, err
	}
	places := []core.Place{{Host: host, Port: uint16(port)}}
	if _, _, err := net.SplitHostPort(address); err != nil && !loopback(host) {
		for _, p := range wellKnownPorts {
			places = append(places, core.Place{Host: host, Port: p})
		}
	}
	return places, nil
}

func (p *listedPlace) place() core.Place {
	place := core.Place{Host: p.Host, Port: p.Port, IPs: p.IPs, Priority: p.Priority, Weight: p.Weight}
	for _, t := range core.Transports() {
		if slices.Contains(p.Transports, t.Name(true)) || slices.Contains(p.Transports, t.Name(false)) {
			place.Transports = append(place.Transports, t)
		}
	}
	return place
}

// believe takes a list over, but for what it is not to be believed in. Whoever is no server on this machine cannot send
// the device's token to one there; and what came unencrypted may name no host that was not known before, because its
// certificate would prove nothing.
func (n *network) believe(list *placeList, encrypted bool, now time.Time) error {
	kept := n.known()
	given, err := givenPlaces(kept.Server)
	if err != nil {
		return err
	}
	home := given[0].Host
	known := func(host string) bool {
		return host == home || slices.ContainsFunc(n.built, func(a Address) bool { return a.Host == host })
	}
	list.Addresses = slices.DeleteFunc(list.Addresses, func(p listedPlace) bool {
		place := p.place()
		return p.Host == "" || p.Port == 0 || len(place.Transports) == 0 ||
			loopback(p.Host) && !loopback(home) || !encrypted && !known(p.Host)
	})
	list.Addresses = list.Addresses[:min(len(list.Addresses), maxPlaces)]
	for i := range list.Addresses {
		list.Addresses[i].Priority = min(max(list.Addresses[i].Priority, 0), maxPriority)
		ips := list.Addresses[i].IPs
		list.Addresses[i].IPs = ips[:min(len(ips), maxIPs)]
	}
	return n.change(func(k *keptNetwork) { k.List, k.FetchedMS = list, now.UnixMilli() })
}

// won remembers the route of a session, if it has one.
func (n *network) won(s *session) error {
	r := s.route
	if r.Host == "" {
		return nil
	}
	last := lastRoute{Transport: r.Transport.Name(s.secure), Host: r.Host, Port: r.Port, IP: r.IP}
	if kept := n.known(); kept.Last != nil && *kept.Last == last {
		return nil
	}
	return n.change(func(k *keptNetwork) { k.Last = &last })
}

// hints are what the list says of them, if there is one.
func (n *network) hints() core.Hints {
	kept := n.known()
	if kept.List == nil {
		return core.Hints{}
	}
	h := kept.List.Hints
	return hints(&wire.Hints{
		HeartbeatMinMs: h.HeartbeatMinMS, HeartbeatMaxMs: h.HeartbeatMaxMS,
		ReconnectMinMs: h.ReconnectMinMS, ReconnectMaxMs: h.ReconnectMaxMS,
	})
}

// addressOf is where a route leads, as it is dialled.
func addressOf(r core.Route) string {
	return net.JoinHostPort(cmp.Or(ipText(r.IP), r.Host), strconv.Itoa(int(r.Port)))
}

// nameOf is where a route leads, as people call it.
func nameOf(r core.Route) string { return net.JoinHostPort(r.Host, strconv.Itoa(int(r.Port))) }

func ipText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}
