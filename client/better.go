package client

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// How often a device looks for a better route than the one it uses.
const (
	searchMin = time.Minute // doubled each time,
	searchMax = time.Hour   // up to this

	retireLook = 50 * time.Millisecond // between looks at whether an old session has had its answers
)

// search looks for a better route now and then, while a session is up.
type search struct {
	c     *Client
	at    time.Time // when to look the next time; far away while it looks
	pause time.Duration
	found chan *session // what came of a look, nil: nothing
	stop  context.CancelFunc
	work  sync.WaitGroup
}

// again says when to look the next time.
func (f *search) again(now time.Time) {
	f.at = now.Add(f.pause + time.Duration(rand.Int64N(int64(f.pause/4)+1)))
	f.pause = min(2*f.pause, searchMax)
}

// tick looks if it is time.
func (f *search) tick(ctx context.Context, s *session) {
	if now := time.Now(); now.Before(f.at) {
		return
	} else if _, hope := f.c.placed(s); !hope {
		f.again(now)
		return
	}
	f.at = time.Now().Add(searchMax)
	ctx, f.stop = context.WithCancel(ctx)
	f.work.Go(func() {
		n := f.c.better(ctx, s)
		select {
		case f.found <- n:
		case <-ctx.Done():
			if n != nil {
				n.conn.Close()
			}
		}
	})
}

// end stops looking.
func (f *search) end() {
	if f.stop != nil {
		f.stop()
	}
	f.work.Wait()
}

// placed returns the route of a session with the priority that its place has now, and whether any known place may be
// better.
func (c *Client) placed(s *session) (route core.Route, hope bool) {
	route = s.route
	places, err := c.network.places(rand.Int64N)
	if err != nil || route.Host == "" {
		return route, false
	}
	for _, p := range places {
		if p.Host == route.Host && p.Port == route.Port {
			route.Priority = p.Priority
		}
	}
	return route, slices.ContainsFunc(places, func(p core.Place) bool {
		return slices.ContainsFunc(p.Routes(0, make([]netip.Addr, 1)), func(r core.Route) bool { return r.Better(route) })
	})
}

// better opens a session over a better route than that of s, nil if there is none.
func (c *Client) better(ctx context.Context, s *session) *session {
	route, _ := c.placed(s)
	n, pin, err := c.dialBy(ctx, s.secure, func(r core.Route) bool { return r.Better(route) }, false)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	secure, token := c.creds.Secure, c.ticket
	if token == "" {
		token = c.creds.DeviceToken
	}
	c.mu.Unlock()
	reply := new(wire.AuthReply)
	if err := n.do(ctx, wire.OpAuth, &wire.AuthRequest{Token: token}, reply); err != nil || reply.User != uint64(c.User()) {
		n.conn.Close()
		return nil
	}
	if err := c.authenticated(n, secure, pin, reply); err != nil {
		n.conn.Close()
		return nil
	}
	return n
}

// retire closes a session when its requests have their answers, which come in time or not at all.
func (c *Client) retire(s *session) {
	c.work.Go(func() {
		late := time.Now().Add(ReplyTimeout)
		for s.conn.waiting() && time.Now().Before(late) && sleepUntil(c.ctx, time.Now().Add(retireLook)) == nil {
		}
		s.conn.Close()
	})
}
