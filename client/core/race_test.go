package core

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// tries drives a race for a time in which nothing ends, and returns what was begun and when.
func tries(r *Race, from time.Time, d time.Duration) string {
	var list []string
	for now := from; !now.After(from.Add(d)); now = now.Add(time.Millisecond) {
		for route, ok := r.Next(now); ok; route, ok = r.Next(now) {
			list = append(list, fmt.Sprintf("%d %s:%d", now.Sub(epoch).Milliseconds(), route.Transport.Name(true), route.Port))
		}
	}
	return strings.Join(list, ", ")
}

func routesTo(ports ...uint16) []Route {
	var list []Route
	for rank, port := range ports {
		p := Place{Host: "h", Port: port}
		list = append(list, p.Routes(rank, []netip.Addr{netip.MustParseAddr("192.0.2.1")})...)
	}
	return list
}

func routeTo(t Transport, port uint16) Route {
	return Route{Transport: t, Host: "h", Port: port, IP: netip.MustParseAddr("192.0.2.1")}
}

// TestRaceOrder: transport first, then place, a moment apart; other transports of an endpoint wait until it is known that
// one can connect there.
func TestRaceOrder(t *testing.T) {
	t.Parallel()
	r := NewRace(nil)
	r.Add(routesTo(8080, 80, 14000))
	if got := tries(r, epoch, 10*time.Second); got != "0 tls:8080, 250 tls:80, 500 tls:14000" {
		t.Errorf("nothing answers: %s", got)
	}
	if !r.WakeAt().IsZero() || r.Over() {
		t.Errorf("the race goes on at %v, over: %v", r.WakeAt(), r.Over())
	}
	r.Connected(routeTo(LongLink, 80))
	r.Failed(routeTo(LongLink, 8080))
	at := epoch.Add(10 * time.Second)
	if got := tries(r, at, time.Second); got != "10000 wss:80, 10250 https:80" {
		t.Errorf("one connects, one is shut: %s", got)
	}
	r.Failed(routeTo(LongLink, 80))
	r.Failed(routeTo(LongLink, 14000))
	r.Failed(routeTo(WebSocket, 80))
	if r.Over() {
		t.Error("it is over while an attempt runs")
	}
	r.Failed(routeTo(LongPoll, 80))
	if !r.Over() {
		t.Error("it is not over")
	}
}

// TestRaceGoesOnAtOnce: after a failure nobody waits.
func TestRaceGoesOnAtOnce(t *testing.T) {
	t.Parallel()
	r := NewRace(nil)
	r.Add(routesTo(8080, 80))
	if got := tries(r, epoch, 10*time.Millisecond); got != "0 tls:8080" {
		t.Fatal(got)
	}
	r.Failed(routeTo(LongLink, 8080))
	if got := tries(r, epoch.Add(20*time.Millisecond), 10*time.Millisecond); got != "20 tls:80" {
		t.Error(got)
	}
}

// TestRaceRemembers: what won the last time is tried first, whatever it is, and routes that come late fall into place.
func TestRaceRemembers(t *testing.T) {
	t.Parallel()
	last := routeTo(LongPoll, 80)
	r := NewRace(&last)
	r.Add(routesTo(8080))
	r.Add(append(routesTo(8080, 80), routesTo(443)...))
	if got := tries(r, epoch, 5*time.Second); got != "0 https:80, 250 tls:8080, 500 tls:443" {
		t.Error(got)
	}
	r.Add(routesTo(8080)) // is known
	r.Connected(last)
	if got := tries(r, epoch.Add(6*time.Second), 5*time.Second); got != "6000 tls:80, 6250 wss:80" {
		t.Error(got)
	}
}

// TestOrder: lower priorities first, and places of one priority as often as their weights say.
func TestOrder(t *testing.T) {
	t.Parallel()
	places := []Place{
		{Port: 3, Priority: 2}, {Port: 1, Priority: 1, Weight: 3}, {Port: 2, Priority: 1, Weight: 1}, {Port: 4, Priority: 3},
	}
	first := map[uint16]int{}
	for n := range int64(400) {
		got := Order(places, func(total int64) int64 { return n % total })
		first[got[0].Port]++
		if got[0].Priority != 1 || got[1].Priority != 1 || got[0].Port == got[1].Port || got[2].Port != 3 || got[3].Port != 4 {
			t.Fatalf("the order is %v", got)
		}
	}
	if first[1] != 300 || first[2] != 100 {
		t.Errorf("the first were %v", first)
	}
	if places[0].Port != 3 {
		t.Error("the argument was changed")
	}
	if got := Order(nil, noJitter); len(got) != 0 {
		t.Errorf("no places: %v", got)
	}
}

func TestTransportsOfAPlace(t *testing.T) {
	t.Parallel()
	ips := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	p := Place{Host: "h", Port: 1, Transports: []Transport{LongPoll}}
	if got := p.Routes(0, ips); len(got) != 2 || got[0].Transport != LongPoll || got[1].IP != ips[1] {
		t.Errorf("the routes are %v", got)
	}
	better, worse := Route{Transport: LongLink, Priority: 9}, Route{Transport: WebSocket}
	if !better.Better(worse) || worse.Better(better) || better.Better(better) {
		t.Error("the transport counts first")
	}
	if !(Route{Priority: 1}).Better(Route{Priority: 2}) || (Route{Rank: 1}).Better(Route{Rank: 2}) {
		t.Error("then the priority, and not the luck of the draw")
	}
}
