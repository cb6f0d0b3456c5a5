package core

import (
	"cmp"
	"net/netip"
	"slices"
)

// Transport is how the frames of a link travel. Lower ones are better.
type Transport uint8

// The transports, the best first.
const (
	LongLink  Transport = iota // the stream of frames itself
	WebSocket                  // the same stream in the messages of a WebSocket
	LongPoll                   // each request by HTTP, and one that waits for news
)

// Transports are all of them, the best first.
func Transports() []Transport { return []Transport{LongLink, WebSocket, LongPoll} }

var transportNames = [...][2]string{LongLink: {"tcp", "tls"}, WebSocket: {"ws", "wss"}, LongPoll: {"http", "https"}}

// Name is what address lists and reports call the transport, in the clear or inside TLS.
func (t Transport) Name(secure bool) string {
	if secure {
		return transportNames[t][1]
	}
	return transportNames[t][0]
}

// Place is where a server is found.
type Place struct {
	Host     string       // a name or an address: the certificate is checked by it
	Port     uint16       //
	IPs      []netip.Addr // of the host, for when its name does not resolve
	Priority int          // lower ones are tried first
	Weight   uint32       // its share among those of the same priority; 0 counts as 1

	// Transports are those that it speaks; none stands for all.
	Transports []Transport
}

// Order puts places in the order in which to try them: the lowest priority first, those of one priority at random by their
// weights.
func Order(places []Place, rand Rand) []Place {
	places = slices.Clone(places)
	slices.SortStableFunc(places, func(a, b Place) int { return cmp.Compare(a.Priority, b.Priority) })
	for first := range places {
		var total int64
		end := first
		for ; end < len(places) && places[end].Priority == places[first].Priority; end++ {
			total += places[end].weight()
		}
		drawn := first
		for left := rand(total); left >= places[drawn].weight(); drawn++ {
			left -= places[drawn].weight()
		}
		chosen := places[drawn]
		copy(places[first+1:drawn+1], places[first:drawn])
		places[first] = chosen
	}
	return places
}

func (p *Place) weight() int64 { return max(int64(p.Weight), 1) }

// Route is one way to a server.
type Route struct {
	Transport Transport
	Host      string
	Port      uint16
	IP        netip.Addr // to connect to; the zero Addr leaves it to whoever connects to find it
	Rank      int        // of its place among all: lower ones are tried first
	Priority  int        // of its place
}

// endpoint is what a connection is made to.
type endpoint struct {
	host string
	port uint16
	ip   netip.Addr
}

func (r Route) endpoint() endpoint { return endpoint{r.Host, r.Port, r.IP} }

// Same reports whether both are the same way, wherever they rank.
func (r Route) Same(o Route) bool { return r.Transport == o.Transport && r.endpoint() == o.endpoint() }

// Better reports whether r promises more than o: by its transport first, then by the priority of its place.
func (r Route) Better(o Route) bool {
	return cmp.Or(cmp.Compare(r.Transport, o.Transport), cmp.Compare(r.Priority, o.Priority)) < 0
}

func (r Route) compare(o Route) int {
	return cmp.Or(cmp.Compare(r.Transport, o.Transport), cmp.Compare(r.Rank, o.Rank))
}

// Routes returns the ways to a place of a rank by each of the addresses that its host is found at, the best first.
func (p *Place) Routes(rank int, ips []netip.Addr) []Route {
	transports := p.Transports
	if len(transports) == 0 {
		transports = Transports()
	}
	var list []Route
	for _, t := range transports {
		for _, ip := range ips {
			list = append(list, Route{Transport: t, Host: p.Host, Port: p.Port, IP: ip, Rank: rank, Priority: p.Priority})
		}
	}
	return list
}
