package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// line is the connection that Run or Sync keeps, for all who need it.
type line struct {
	mu      sync.Mutex
	kept    bool // Run or Sync works
	up      *session
	state   Link
	changed chan struct{} // closed at the next change
	idle    context.Context
	busy    context.CancelFunc // ends idle: Run or Sync begins
	tell    func(Event)
}

func (l *line) init(tell func(Event)) {
	l.changed = make(chan struct{})
	l.idle, l.busy = context.WithCancel(context.Background())
	l.tell = tell
}

func (l *line) set(kept bool, up *session, state Link) {
	l.mu.Lock()
	l.kept, l.up, l.state = kept, up, state
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	l.tell(LinkEvent{state})
}

func (l *line) online(s *session) {
	state := Link{Online: true}
	if s.route.Host != "" {
		state.Transport, state.Address = s.route.Transport.Name(s.secure), nameOf(s.route)
	}
	l.set(true, s, state)
}

func (l *line) down(err error, at time.Time) { l.set(true, nil, Link{Err: err, RetryAt: at}) }

// begin says that Run or Sync works. It reports whether none did.
func (l *line) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept {
		return false
	}
	l.kept = true
	l.busy()
	return true
}

func (l *line) end() {
	l.mu.Lock()
	l.idle, l.busy = context.WithCancel(context.Background())
	l.mu.Unlock()
	l.set(false, nil, Link{})
}

// dialing says that an attempt is being made.
func (l *line) dialing() {
	_, state, _ := l.now()
	l.set(true, nil, Link{Err: state.Err})
}

func (l *line) now() (up *session, state Link, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up, l.state, l.changed
}

// wait returns the session when there is one, or, if nobody keeps the line, none but a context that lasts as long as
// that. A caller that is not patient gets the error of the last attempt instead of waiting for the next.
func (l *line) wait(ctx context.Context, patient bool) (s *session, idle context.Context, err error) {
	for ctx.Err() == nil {
		l.mu.Lock()
		kept, up, state, changed := l.kept, l.up, l.state, l.changed
		idle = l.idle
		l.mu.Unlock()
		switch {
		case !kept:
			return nil, idle, nil
		case up != nil && up.conn.Err() == nil:
			return up, nil, nil
		case !patient && !state.RetryAt.IsZero():
			return nil, nil, fmt.Errorf("not connected: %w", state.Err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil, nil, context.Cause(ctx)
}

// keepLine keeps the connection until the context ends or the server wants this device no more. It begins with the one
// that a login or a request has left open.
func (c *Client) keepLine(ctx context.Context) error {
	s, link := c.takeSide()
	k := connector{c: c, link: link, patient: true, line: &c.line}
	k.outage = new(outage)
	acts := []core.Action{core.Up{}}
	if k.s = s; s == nil {
		acts = link.Start()
	}
	for {
		s, err := k.connect(ctx, acts)
		if err != nil {
			return err
		}
		*k.outage = outage{}
		c.feed.connect(s)
		c.line.online(s)
		acts = c.tend(ctx, link, s)
		c.feed.connect(nil)
	}
}

// tend beats until the session ends, and returns what the Link makes of that. When a better route opens, its session takes
// the place of the one at hand.
func (c *Client) tend(ctx context.Context, link *core.Link, s *session) []core.Action {
	better := search{c: c, found: make(chan *session), pause: c.searchPause}
	better.again(time.Now())
	defer better.end()
	for {
		timer := time.NewTimer(time.Until(minTime(link.WakeAt(), better.at)))
		select {
		case <-timer.C:
		case n := <-better.found:
			better.again(time.Now())
			if n != nil {
				c.feed.connect(n)
				c.line.online(n)
				c.retire(s)
				s = n
			}
		case <-s.conn.Done():
		case <-ctx.Done():
			s.conn.fail(context.Cause(ctx))
		}
		timer.Stop()
		if err := s.conn.Err(); err != nil {
			s.conn.Close()
			return link.Ended(time.Now(), ending(err))
		}
		if len(link.Tick(time.Now())) > 0 { // a Beat, there is no other while the link is up
			c.beat(ctx, link, s)
		}
		better.tick(ctx, s)
	}
}

// minTime returns the earlier of two times.
func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (c *Client) beat(ctx context.Context, link *core.Link, s *session) {
	reply := new(wire.HeartbeatReply)
	if err := s.do(ctx, wire.OpHeartbeat, &wire.HeartbeatRequest{Key: c.feed.presentable()}, reply); err != nil {
		// A heartbeat that is refused is no better than one that is not answered.
		s.conn.fail(err)
		return
	}
	link.Beaten(time.Now())
	if reply.TimeMs != 0 {
		c.setClock(reply.TimeMs)
	}
	if reply.Newer {
		c.feed.newer(s)
	}
	c.kick()
}
