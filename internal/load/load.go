// Package load puts load on a WebSocket server and checks every byte that comes back: echoes, handshakes, idle
// connections, broadcasts and reconnecting crowds. The server may be anybody's.
//
//	script ─► conn.out ─► socket ─► server ─► socket ─► compared with the script at conn.in ─► Histogram, Report
//
// One thread runs one edge-triggered epoll loop over all connections, so that the generator costs less than the server
// that it measures. What it sends is a ring of messages that are framed and masked beforehand, and what has to come back
// is known to the byte: a message that is lost, doubled, swapped or damaged ends the run with an error. Answers that are
// right in another form (fragments, pings in between) are decoded by internal/ws.
//
// A Report says what the generator itself used. If that is close to a whole core, rates and latencies are the
// generator's and only the server's CPU per operation is the server's.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/ws"
)

// Mode is what a run does.
type Mode string

// The modes.
const (
	Echo      Mode = "echo"      // messages there and back, a fixed number of them in flight on each connection
	Connect   Mode = "connect"   // connect, upgrade, reset, again
	Idle      Mode = "idle"      // connections that do nothing: what they cost the server
	Broadcast Mode = "broadcast" // one publisher, many subscribers
	Storm     Mode = "storm"     // all connections are cut at once and come back at once
)

// Limits of a run.
const (
	MaxConnections = 1 << 20
	MaxSize        = 16 << 20  // bytes of one message
	maxScript      = 512 << 20 // bytes of all messages in flight on one connection, framed
	maxFlying      = 1 << 24   // messages in flight on all connections
	maxWindow      = 1 << 12   // broadcasts under way
)

// Stall is how long nothing that is waited for may come before a run gives up.
const Stall = 20 * time.Second

// Options describe a run. The zero value of a field that its mode does not use is right.
type Options struct {
	Mode Mode
	// URL is the server: ws://host:port/path, for Broadcast that of the subscribers, or tcp://host:port for a plain echo
	// of bytes, which gets the same frames without a handshake.
	URL string
	// Publish is the path (and query) of the publisher of a Broadcast.
	Publish string
	// Connections is how many there are; for Connect, how many handshakes are under way at once.
	Connections int
	InFlight    int  // messages under way on each connection of an Echo, or of the publisher of a Broadcast
	Size        int  // bytes of a message
	Text        bool // text messages, of ASCII, instead of binary ones

	Warmup   time.Duration // load before the measurement of Echo, Connect and Broadcast
	Duration time.Duration // of that measurement, at least
	Rest     time.Duration // before Idle reads the server's memory
	Steps    []int         // numbers of connections at which Idle reads it, growing; the last is Connections
	Rounds   int           // how often a Storm breaks loose

	// PID is the server's process; 0 is whoever listens on the port, if that is on this machine.
	PID int
}

// Run does what o says. The error is that of a wrong option, of a server that cannot be reached or that answered
// anything but what it should, or of ctx.
func Run(ctx context.Context, o Options) (*Report, error) {
	to, err := o.check(ctx)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	r, err := run(ctx, &o, to)
	if err != nil {
		return nil, fmt.Errorf("load: %s: %w", o.Mode, err)
	}
	return r, nil
}

// endpoint is the server as the engine dials it.
type endpoint struct {
	addr   netip.AddrPort
	raw    bool // a plain echo of bytes
	host   string
	target string
}

func (o *Options) check(ctx context.Context) (endpoint, error) {
	switch {
	case o.Connections < 1 || o.Connections > MaxConnections:
		return endpoint{}, fmt.Errorf("%d connections are not between 1 and %d", o.Connections, MaxConnections)
	case o.Size < 0 || o.Size > MaxSize:
		return endpoint{}, fmt.Errorf("messages of %d bytes are not between 0 and %d", o.Size, MaxSize)
	case o.Duration < 0 || o.Warmup < 0 || o.Rest < 0:
		return endpoint{}, errors.New("a duration is negative")
	}
	timed := false
	switch o.Mode {
	case Echo:
		timed = true
		if o.InFlight < 1 || o.InFlight*o.Size > maxScript || o.InFlight*o.Connections > maxFlying {
			return endpoint{}, fmt.Errorf("%d messages in flight are none or too many", o.InFlight)
		}
	case Broadcast:
		timed = true
		if o.InFlight < 1 || o.InFlight > maxWindow || o.InFlight*o.Size > maxScript {
			return endpoint{}, fmt.Errorf("%d broadcasts under way are not between 1 and %d, or too many bytes", o.InFlight, maxWindow)
		}
		if o.Publish == "" {
			return endpoint{}, errors.New("the publisher has no path")
		}
	case Idle:
		for i, n := range o.Steps {
			if n < 1 || i > 0 && n <= o.Steps[i-1] {
				return endpoint{}, fmt.Errorf("the steps %d do not grow", o.Steps)
			}
		}
		if len(o.Steps) == 0 || o.Steps[len(o.Steps)-1] != o.Connections {
			return endpoint{}, fmt.Errorf("the steps %d do not end with all %d connections", o.Steps, o.Connections)
		}
	case Storm:
		if o.Rounds < 1 {
			return endpoint{}, fmt.Errorf("%d rounds are not at least one", o.Rounds)
		}
	case Connect:
		timed = true
	default:
		return endpoint{}, fmt.Errorf("there is no mode %q", o.Mode)
	}
	if timed && o.Duration == 0 {
		return endpoint{}, errors.New("the measurement takes no time")
	}
	return resolve(ctx, o)
}

// resolve finds the address of the server.
func resolve(ctx context.Context, o *Options) (endpoint, error) {
	var to endpoint
	dial, raw := strings.CutPrefix(o.URL, "tcp://")
	if raw {
		if strings.Contains(dial, "/") {
			return endpoint{}, fmt.Errorf("%s: a plain echo has an address and no path", o.URL)
		}
		if o.Mode == Broadcast || o.Size == 0 && o.Mode != Connect {
			return endpoint{}, errors.New("a plain echo has neither broadcasts nor empty messages")
		}
		to.raw = true
	} else {
		u, err := ws.ParseURL(o.URL)
		if err != nil {
			return endpoint{}, err
		}
		if u.Secure {
			return endpoint{}, errors.New("wss is not measured: use a ws address of the server")
		}
		dial, to.host, to.target = u.Addr, u.Host, u.Target
	}
	host, port, err := net.SplitHostPort(dial)
	if err != nil {
		return endpoint{}, err
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return endpoint{}, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return endpoint{}, err
	}
	to.addr = netip.AddrPortFrom(addrs[0].Unmap(), uint16(number))
	for _, a := range addrs { // localhost is both: servers listen on 127.0.0.1 more often than on ::1
		if a.Unmap().Is4() {
			to.addr = netip.AddrPortFrom(a.Unmap(), uint16(number))
			break
		}
	}
	return to, nil
}
