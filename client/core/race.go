package core

import (
	"slices"
	"time"
)

// RaceStagger is how long an attempt to connect has before the next one starts beside it (RFC 8305 §5 calls it the
// Connection Attempt Delay).
const RaceStagger = 250 * time.Millisecond

// Race decides which routes to a server are tried when, until one has won: the remembered one first, then the others in
// order of transport and place, one RaceStagger after the other, and at once when one has failed. An endpoint that cannot
// be connected to is not tried by another transport.
type Race struct {
	waiting   []Route // best first
	running   []Route
	endpoints map[endpoint]reach
	remember  *Route
	startAt   time.Time // of the next
}

// reach is what is known of an endpoint.
type reach uint8

const (
	connecting reach = iota + 1
	connected
	shut
)

// NewRace makes a race without routes. Remembered is what won the last one, nil if that is not known.
func NewRace(remembered *Route) *Race {
	return &Race{endpoints: map[endpoint]reach{}, remember: remembered}
}

// Add adds routes, but for those that have been added.
func (r *Race) Add(routes []Route) {
	for _, route := range routes {
		same := func(o Route) bool { return o.Same(route) }
		if !slices.ContainsFunc(r.waiting, same) && !slices.ContainsFunc(r.running, same) && r.endpoints[route.endpoint()] == 0 {
			r.waiting = append(r.waiting, route)
		}
	}
	slices.SortStableFunc(r.waiting, func(a, b Route) int {
		if r.remember != nil {
			if fa, fb := a.Same(*r.remember), b.Same(*r.remember); fa != fb {
				if fa {
					return -1
				}
				return 1
			}
		}
		return a.compare(b)
	})
}

// Next returns a route to be tried now. It reports whether there is one; ask again until there is none.
func (r *Race) Next(now time.Time) (Route, bool) {
	i := r.next()
	if i < 0 || now.Before(r.startAt) {
		return Route{}, false
	}
	route := r.waiting[i]
	r.waiting = slices.Delete(r.waiting, i, i+1)
	r.running = append(r.running, route)
	r.startAt = now.Add(RaceStagger)
	if e := route.endpoint(); r.endpoints[e] == 0 {
		r.endpoints[e] = connecting
	}
	return route, true
}

// next is the index of the best route that may be tried, -1 if there is none at present.
func (r *Race) next() int {
	return slices.IndexFunc(r.waiting, func(route Route) bool { return r.endpoints[route.endpoint()] != connecting })
}

// WakeAt is when Next has something if nothing else happens, zero for never.
func (r *Race) WakeAt() time.Time {
	if r.next() < 0 {
		return time.Time{}
	}
	return r.startAt
}

// Connected says that a route has got as far as a connection, whatever comes of it.
func (r *Race) Connected(route Route) { r.endpoints[route.endpoint()] = connected }

// Failed says that a route leads nowhere. The next one starts at once.
func (r *Race) Failed(route Route) {
	r.running = slices.DeleteFunc(r.running, route.Same)
	r.startAt = time.Time{}
	if e := route.endpoint(); r.endpoints[e] != connected {
		r.endpoints[e] = shut
		r.waiting = slices.DeleteFunc(r.waiting, func(o Route) bool { return o.endpoint() == e })
	}
}

// Over reports whether nothing is under way and nothing is left to try.
func (r *Race) Over() bool { return len(r.waiting) == 0 && len(r.running) == 0 }
