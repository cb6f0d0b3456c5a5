package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
)

// Limits of the address list.
const (
	addressTTL  = time.Hour       // how long clients keep the list
	resolvedFor = 5 * time.Minute // how long the server keeps what a name resolves to
	resolveTime = 2 * time.Second // for all names together
)

// Place is where clients may connect to.
type Place struct {
	Host   string // a name or an address
	Port   uint16
	Weight uint32 // its share among those of the same priority
}

// address is a place as clients read it.
type address struct {
	Host       string       `json:"host"`
	Port       uint16       `json:"port"`
	IPs        []netip.Addr `json:"ips,omitempty"` // of the host, for clients whose own resolver is dead
	Priority   int          `json:"priority"`      // lower ones first
	Weight     uint32       `json:"weight"`
	Transports []string     `json:"transports"` // what it speaks, the best first
}

// addresses answers with the places where this server is found, whoever asks: whoever cannot log in needs them most.
func (x *exchange) addresses() {
	hints, err := protojson.Marshal(x.api.desk.Hints)
	if err != nil {
		x.refuse(err)
		return
	}
	transports := []string{"tls", "wss", "https"}
	if x.caller.Secure && !x.tls { // as this client does
		transports = append(transports, "tcp", "ws", "http")
	}
	list := []address{}
	for _, p := range x.places() {
		list = append(list, address{
			Host: p.Host, Port: p.Port, IPs: x.api.resolver.of(p.Host), Priority: priority(p.Port), Weight: p.Weight,
			Transports: transports,
		})
	}
	slices.SortStableFunc(list, func(a, b address) int { return cmp.Compare(a.Priority, b.Priority) })
	body, err := json.Marshal(struct {
		Addresses []address       `json:"addresses"`
		TTLMS     int64           `json:"ttlMs,string"`
		Hints     json.RawMessage `json:"hints"`
		TLSPin    string          `json:"tlsPin,omitempty"`
	}{list, addressTTL.Milliseconds(), hints, x.api.desk.Pin()})
	x.finish(typeJSON, body, err)
}

// priority is the place of a port in the order in which clients try them: 8080, then 80 and 443, and 14000 last.
func priority(port uint16) int {
	switch port {
	case 8080:
		return 1
	case 80, 443:
		return 2
	case 14000:
		return 4
	}
	return 3
}

// places are those that the operator has named. Otherwise the client has found the server, so it is there: under the same
// name at the other ports too.
func (x *exchange) places() []Place {
	if len(x.api.places) > 0 {
		return x.api.places
	}
	host, port := hostOf(x.r)
	ports := append([]uint16{port}, x.api.ports...)
	slices.Sort(ports)
	var list []Place
	for _, p := range slices.Compact(ports) {
		list = append(list, Place{Host: host, Port: p, Weight: 1})
	}
	return list
}

// hostOf is where a request was sent to, as its client says.
func hostOf(r *http.Request) (host string, port uint16) {
	host, digits, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, digits = r.Host, "80"
		if r.TLS != nil {
			digits = "443"
		}
	}
	n, _ := strconv.ParseUint(digits, 10, 16)
	return host, uint16(n)
}

// resolver remembers what the names of the operator's places resolve to.
type resolver struct {
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	now    func() time.Time
	names  []string

	asking sync.Mutex // held while it asks
	mu     sync.Mutex
	known  map[string][]netip.Addr
	until  time.Time
}

func newResolver(places []Place, now func() time.Time) *resolver {
	s := &resolver{lookup: net.DefaultResolver.LookupNetIP, now: now, known: map[string][]netip.Addr{}}
	for _, p := range places {
		if ip, err := netip.ParseAddr(p.Host); err == nil {
			s.known[p.Host] = []netip.Addr{ip}
		} else if !slices.Contains(s.names, p.Host) {
			s.names = append(s.names, p.Host)
		}
	}
	return s
}

// of returns the addresses of a host, as far as they are known. One caller after the other asks anew when it is time;
// whoever comes meanwhile takes what is there.
func (s *resolver) of(host string) []netip.Addr {
	s.mu.Lock()
	due := len(s.names) > 0 && !s.now().Before(s.until)
	s.mu.Unlock()
	if due && s.asking.TryLock() {
		s.ask()
		s.asking.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[host]
}

// ask looks all names up. What does not answer keeps the addresses that it had.
func (s *resolver) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTime)
	defer cancel()
	found := map[string][]netip.Addr{}
	for _, name := range s.names {
		if ips, err := s.lookup(ctx, "ip", name); err == nil {
			for i := range ips {
				ips[i] = ips[i].Unmap()
			}
			found[name] = ips
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, ips := range found {
		s.known[name] = ips
	}
	s.until = s.now().Add(resolvedFor)
}
