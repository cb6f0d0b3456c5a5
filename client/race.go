package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

const (
	// dialTimeout bounds the attempts to connect, from the first to the last.
	dialTimeout = 10 * time.Second

	// namePatience is how long a name may take to resolve before its known addresses are tried meanwhile.
	namePatience = 300 * time.Millisecond
)

// errTooLong ends attempts that take longer than dialTimeout.
var errTooLong = fmt.Errorf("no connection within %v", dialTimeout)

// errOutrun ends the attempts that others have outrun.
var errOutrun = errors.New("another way was faster")

// racer drives a core.Race: it resolves names, tries routes, and keeps the first over which the server answers.
type racer struct {
	c       *Client
	o       DialOptions
	secure  bool // TLS for loopback too
	trust   *trust
	race    *core.Race
	allow   func(core.Route) bool
	all     bool
	ctx     context.Context // until it is decided
	results chan result
	work    sync.WaitGroup

	first *result // the failure that tells most
}

// result is what became of an attempt, or that it has got as far as a connection, or what a name resolves to.
type result struct {
	route     core.Route
	connected bool
	session   *session
	pin       string // of a certificate that was trusted just now
	err       error

	name string // instead of a route
	ips  []netip.Addr
}

// dial opens a connection over the best way that is open at present; its notifications go to the feed. It returns a new
// pin if the options name one or TrustFirst has accepted it.
func (c *Client) dial(ctx context.Context, secure bool) (s *session, pin string, err error) {
	return c.dialBy(ctx, secure, everyRoute, false)
}

func everyRoute(core.Route) bool { return true }

// dialBy is dial over the routes that are allowed. If all are to be tried, none wins.
func (c *Client) dialBy(ctx context.Context, secure bool, allow func(core.Route) bool, all bool) (*session, string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, errTooLong)
	defer cancel()
	ctx, decide := context.WithCancelCause(ctx)
	defer decide(nil)
	creds, o := c.credentials(), c.opts.Dial
	o.Pin = pinOf(o, creds)
	if strings.HasPrefix(creds.Server, "unix:") {
		return c.dialSocket(ctx, creds.Server)
	}
	kept := c.network.known()
	r := &racer{
		c: c, o: o, secure: o.Secure || secure, trust: newTrust(o.TrustFirst), race: core.NewRace(kept.remembered()),
		allow: allow, all: all, ctx: ctx, results: make(chan result),
	}
	won, err := r.run()
	decide(errOutrun)
	r.work.Wait()
	if err != nil {
		return nil, "", err
	}
	if won.pin == "" && o.Pin != creds.Pin {
		won.pin = o.Pin
	}
	return won.session, won.pin, nil
}

// pinOf is the one fingerprint to accept: what the program says, or what the profile knows.
func pinOf(o DialOptions, creds credentials) string {
	if o.Pin != "" {
		return o.Pin
	}
	return creds.Pin
}

// dialSocket opens a connection to a socket of this machine.
func (c *Client) dialSocket(ctx context.Context, server string) (*session, string, error) {
	s := new(session)
	o := DialOptions{OnNotify: func(n *wire.Notify) { c.feed.notify(s, n) }}
	var err error
	s.conn, err = Dial(ctx, server, o)
	return s, "", err
}

// run returns the winner, or why there is none.
func (r *racer) run() (result, error) {
	places, err := r.c.network.places(rand.Int64N)
	if err != nil {
		return result{}, err
	}
	unresolved := r.resolve(places)
	patience := time.NewTimer(namePatience)
	defer patience.Stop()
	for {
		for route, ok := r.race.Next(time.Now()); ok; route, ok = r.race.Next(time.Now()) {
			r.work.Go(func() { r.try(route) })
		}
		if r.race.Over() && len(unresolved) == 0 {
			return result{}, r.failure(errors.New("there is no way to try"))
		}
		var next <-chan time.Time
		if at := r.race.WakeAt(); !at.IsZero() {
			next = time.After(time.Until(at))
		}
		select {
		case got := <-r.results:
			if got.name != "" {
				delete(unresolved, got.name)
				r.add(places, got.name, got.ips)
			}
			if decided, err := r.take(got); decided {
				return got, err
			}
		case <-patience.C:
			for name := range unresolved {
				r.add(places, name, nil)
			}
		case <-next:
		case <-r.ctx.Done():
			if cause := context.Cause(r.ctx); cause != errTooLong {
				return result{}, cause
			}
			return result{}, r.failure(errTooLong)
		}
	}
}

// failure is the one that tells most, or otherwise if there was none.
func (r *racer) failure(otherwise error) error {
	if r.first == nil {
		return otherwise
	}
	return r.first.err
}

// take notes what became of an attempt. It reports whether that decides the race: somebody has answered, be it that the
// server sends this device away.
func (r *racer) take(got result) (decided bool, err error) {
	var closed *ClosedError
	switch {
	case got.connected:
		r.race.Connected(got.route)
	case got.session != nil && r.all:
		got.session.conn.Close()
		r.race.Failed(got.route)
	case got.session != nil:
		return true, nil
	case errors.As(got.err, &closed) && !r.all:
		return true, got.err
	case got.err != nil:
		if got.name == "" {
			r.race.Failed(got.route)
		}
		if r.first == nil || stageOf(got.err) > stageOf(r.first.err) {
			r.first = &got
		}
	}
	return false, nil
}

// stages are in the order in which an attempt passes them.
var stages = []string{stageName, stageConnect, stageTLS, stageAnswer}

// stageOf is how far an attempt has got that has failed.
func stageOf(err error) int {
	if e, ok := errors.AsType[*stageError](err); ok {
		return slices.Index(stages, e.stage)
	}
	return slices.Index(stages, stageAnswer)
}

// resolve adds the routes that need no name to be resolved, and looks the names of the others up, which it returns. Whoever
// dials for us, a proxy too, resolves names by itself.
func (r *racer) resolve(places []core.Place) (unresolved map[string]bool) {
	unresolved = map[string]bool{}
	for rank, p := range places {
		if ip, err := netip.ParseAddr(p.Host); err == nil {
			r.addRoutes(p.Routes(rank, []netip.Addr{ip.Unmap()}))
			continue
		}
		if proxy, err := r.o.proxyFor(net.JoinHostPort(p.Host, "443")); err != nil || proxy != nil || r.o.DialContext != nil {
			r.addRoutes(p.Routes(rank, append([]netip.Addr{{}}, p.IPs...)))
			continue
		}
		if !unresolved[p.Host] {
			unresolved[p.Host] = true
			r.work.Go(func() { r.lookUp(p.Host) })
		}
	}
	return unresolved
}

func (r *racer) lookUp(name string) {
	began := time.Now()
	ips, err := net.DefaultResolver.LookupNetIP(r.ctx, "ip", name)
	if err != nil {
		if e, ok := errors.AsType[*net.DNSError](err); ok {
			err = errors.New(e.Err)
		}
		err = &stageError{stageName, fmt.Errorf("cannot find %s: %w", name, err)}
		r.c.attempts.add(r.ctx, Attempt{Address: name, At: began, Took: time.Since(began), Stage: stageName, Err: err})
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	r.tell(result{name: name, ips: ips[:min(len(ips), maxIPs)], err: err})
}

// add adds the routes to the places of a name: by the addresses that it has been found to have, and by those that were
// known.
func (r *racer) add(places []core.Place, name string, found []netip.Addr) {
	for rank, p := range places {
		if p.Host != name {
			continue
		}
		ips := slices.Clone(found)
		for _, ip := range p.IPs {
			if !slices.Contains(ips, ip) {
				ips = append(ips, ip)
			}
		}
		r.addRoutes(p.Routes(rank, ips[:min(len(ips), maxIPs)]))
	}
}

func (r *racer) addRoutes(routes []core.Route) {
	r.race.Add(slices.DeleteFunc(routes, func(route core.Route) bool { return !r.allow(route) }))
}

// tell reports a result. It reports whether somebody still wants to know.
func (r *racer) tell(got result) bool {
	select {
	case r.results <- got:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// try connects by a route and asks for a sign of life: what merely takes connections is no server.
func (r *racer) try(route core.Route) {
	secure := r.secure || !loopback(route.Host)
	a := Attempt{Transport: route.Transport.Name(secure), Address: addressOf(route), At: time.Now(), Stage: stageOK}
	o := r.o
	var pin atomic.Pointer[string]
	if r.trust != nil {
		o.TrustFirst = func(fingerprint string) error {
			err := r.trust.first(fingerprint)
			if err == nil {
				pin.Store(&fingerprint)
			}
			return err
		}
	}
	s := &session{route: route, secure: secure}
	stream, err := o.open(r.ctx, route, secure, func() { r.tell(result{route: route, connected: true}) })
	if err == nil {
		s.conn = newConn(stream, func(n *wire.Notify) { r.c.feed.notify(s, n) })
		if _, err = s.conn.Heartbeat(r.ctx, nil); refusal(err) != nil {
			err = nil // a server, if one that is busy
		}
		if err != nil {
			s.conn.Close()
		}
	}
	a.Took = time.Since(a.At)
	if err != nil {
		a.Stage, a.Err = stages[stageOf(err)], err
		r.c.attempts.add(r.ctx, a)
		r.tell(result{route: route, err: err})
		return
	}
	won := result{route: route, session: s}
	if fingerprint := pin.Load(); fingerprint != nil {
		won.pin = *fingerprint
	}
	if !r.tell(won) {
		s.conn.Close()
		return
	}
	r.c.attempts.add(context.Background(), a)
}

// open makes the stream of frames of a route.
func (o *DialOptions) open(ctx context.Context, r core.Route, secure bool, connected func()) (stream, error) {
	dial := func(ctx context.Context) (net.Conn, error) {
		return o.reach(ctx, r.Host, addressOf(r), secure, connected)
	}
	if r.Transport == core.LongPoll {
		return newPoller(dial, nameOf(r), secure), nil
	}
	nc, err := dial(ctx)
	if err != nil || r.Transport == core.LongLink {
		return nc, err
	}
	socket, err := upgrade(ctx, nc, nameOf(r))
	if err != nil {
		return nil, &stageError{stageAnswer, fmt.Errorf("no WebSocket with %s: %w", addressOf(r), err)}
	}
	return socket, nil
}

// trust asks about each unknown certificate once, however many attempts meet it.
type trust struct {
	ask func(fingerprint string) error

	mu       sync.Mutex // held while somebody is asked
	verdicts map[string]error
}

func newTrust(ask func(string) error) *trust {
	if ask == nil {
		return nil
	}
	return &trust{ask: ask, verdicts: map[string]error{}}
}

func (t *trust) first(fingerprint string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	verdict, asked := t.verdicts[fingerprint]
	if !asked {
		verdict = t.ask(fingerprint)
		t.verdicts[fingerprint] = verdict
	}
	return verdict
}
