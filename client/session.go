package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// errNoReply ends a connection on which a request was not answered within ReplyTimeout.
var errNoReply = fmt.Errorf("the server did not answer within %v", ReplyTimeout)

// session is an authenticated connection.
type session struct {
	conn   *Conn
	route  core.Route
	secure bool // encrypted
}

// do makes a request. A connection that does not answer is given up.
func (s *session) do(ctx context.Context, op wire.Op, request, reply proto.Message) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ReplyTimeout, errNoReply)
	defer cancel()
	err := s.conn.Do(ctx, op, request, reply)
	if err == errNoReply {
		s.conn.fail(err)
	}
	return err
}

// refusal returns the server's refusal of a request, nil if err is another failure: then the outcome is unknown.
func refusal(err error) *hongyan.Error {
	var e *hongyan.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// serverClock tells the server's time from one that it has told. It runs on while somebody sets the device's clock.
type serverClock struct {
	ms int64 // Unix milliseconds
	at time.Time
}

// nowMS is the server's time, the device's while the server has not told any.
func (s serverClock) nowMS() int64 {
	if s.at.IsZero() {
		return time.Now().UnixMilli()
	}
	return s.ms + time.Since(s.at).Milliseconds()
}

func (c *Client) setClock(ms int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock = serverClock{ms: ms, at: time.Now()}
}

func (c *Client) serverMS() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock.nowMS()
}

// session returns a connection to make requests on: that of Run or Sync if one works, or one of its own. A patient
// caller waits for it and tries again and again, until the context ends or there is no hope.
func (c *Client) session(ctx context.Context, patient bool) (*session, error) {
	for ctx.Err() == nil {
		s, idle, err := c.line.wait(ctx, patient)
		if s != nil || err != nil {
			return s, err
		}
		if s, err = c.sideSession(ctx, idle, patient); err != errKept {
			return s, err
		}
	}
	return nil, context.Cause(ctx)
}

// errKept says that Run or Sync has begun to keep a connection.
var errKept = errors.New("run or sync has begun")

// sideSession returns the connection that is there while neither Run nor Sync works. If one of them begins in the
// meantime, which ends idle, the error is errKept.
func (c *Client) sideSession(ctx, idle context.Context, patient bool) (*session, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(idle, func() { cancel(errKept) })()
	select {
	case c.sideTurn <- struct{}{}:
		defer func() { <-c.sideTurn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	k := connector{c: c, link: c.sideLink, patient: patient}
	var acts []core.Action
	if s := c.side; s != nil {
		err := s.conn.Err()
		if err == nil {
			return s, nil
		}
		s.conn.Close()
		c.side = nil
		acts = k.link.Ended(time.Now(), ending(err))
	}
	// Who is patient comes back as slowly as the server likes, who is not asks now or never.
	if len(acts) == 0 || !patient {
		k.link = c.newLink()
		acts = k.link.Start()
	}
	s, err := k.connect(ctx, acts)
	if err != nil {
		if k.failed != nil && ctx.Err() != nil && err != errKept {
			err = fmt.Errorf("%w: %v", err, k.failed)
		}
		return nil, err
	}
	if ctx.Err() != nil { // Close, Run or Sync may have looked for it already
		s.conn.Close()
		return nil, context.Cause(ctx)
	}
	c.side, c.sideLink = s, k.link
	return s, nil
}

// takeSide hands the connection that requests have opened over to Run or Sync, and the Link that made it; without a
// connection that works it makes a new Link.
func (c *Client) takeSide() (*session, *core.Link) {
	c.sideTurn <- struct{}{} // nobody keeps it for long: see sideSession
	defer func() { <-c.sideTurn }()
	s, link := c.side, c.sideLink
	c.side, c.sideLink = nil, nil
	if s == nil {
		return nil, c.newLink()
	}
	if s.conn.Err() != nil {
		s.conn.Close()
		return nil, c.newLink()
	}
	return s, link
}

// newLink makes a Link that knows what the device holds.
func (c *Client) newLink() *core.Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	link := core.NewLink(c.creds.Secure, c.ticket != "", rand.Int64N)
	link.Hint(c.network.hints())
	return link
}

// connector drives a core.Link until it is up.
type connector struct {
	c       *Client
	link    *core.Link
	patient bool    // wait for the next attempt when one has failed
	line    *line   // where to report how it goes, may be nil
	outage  *outage // nil where line is

	s      *session
	pin    string // of a certificate that was trusted just now
	failed error  // the last attempt
}

// connect carries out the actions of the Link until it is up, and returns the session; until it has stopped, and returns
// why; or until it is down, if nobody is patient.
func (k *connector) connect(ctx context.Context, acts []core.Action) (*session, error) {
	for {
		for len(acts) > 0 {
			if acts[0] == (core.Up{}) {
				return k.s, nil
			}
			more, err := k.carryOut(ctx, acts[0])
			if err != nil {
				if k.s != nil {
					k.s.conn.Close()
				}
				return nil, err
			}
			acts = append(acts[1:], more...)
		}
		if err := sleepUntil(ctx, k.link.WakeAt()); err != nil {
			return nil, err
		}
		acts = k.link.Tick(time.Now())
	}
}

// carryOut carries out one action, and returns those that follow from it. An error ends the attempts.
func (k *connector) carryOut(ctx context.Context, act core.Action) ([]core.Action, error) {
	switch act := act.(type) {
	case core.Dial:
		if k.line != nil {
			k.line.dialing()
		}
		return k.dial(ctx, act.Secure), nil
	case core.Authenticate:
		return k.authenticate(ctx, act.WithTicket), nil
	case core.Drop:
		k.s.conn.Close()
	case core.Down:
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		k.failed = act.Err
		if k.line != nil {
			k.line.down(act.Err, act.At)
			k.c.attemptsFailed(k.outage)
		}
		if !k.patient && act.At.After(time.Now()) {
			return nil, act.Err
		}
	case core.Stop:
		return nil, act.Err
	}
	return nil, nil
}

func (k *connector) dial(ctx context.Context, secure bool) []core.Action {
	var err error
	if k.s, k.pin, err = k.c.dial(ctx, secure); err != nil {
		return k.link.Ended(time.Now(), ending(err))
	}
	return k.link.Dialed()
}

// authenticate says who the device is.
func (k *connector) authenticate(ctx context.Context, withTicket bool) []core.Action {
	k.c.mu.Lock()
	user, token := k.c.creds.User, k.c.creds.DeviceToken
	if withTicket {
		token = k.c.ticket
	}
	k.c.mu.Unlock()
	reply := new(wire.AuthReply)
	err := k.s.do(ctx, wire.OpAuth, &wire.AuthRequest{Token: token}, reply)
	now := time.Now()
	if e := refusal(err); e != nil {
		return k.link.Refused(now, e)
	}
	if err == nil && reply.User != uint64(user) {
		err = fmt.Errorf("the server takes this device for one of account %d, not %d: log in again", reply.User, user)
		k.s.conn.Close()
		return k.link.Ended(now, core.Ending{Err: err, Final: true})
	}
	if err == nil {
		err = k.c.authenticated(k.s, k.link.Secure(), k.pin, reply)
	}
	if err != nil {
		k.s.conn.Close()
		return k.link.Ended(now, ending(err))
	}
	return k.link.Authenticated(now, hints(reply.Hints), reply.Ticket != "")
}

// learn returns the fingerprint that a server tells of itself, if none is kept yet. It is believed over a plain connection,
// which leads to this machine alone; an encrypted one has checked the certificate already.
func (c *credentials) learn(secure bool, reply *wire.AuthReply) string {
	if secure || c.Pin != "" {
		return ""
	}
	return reply.TlsPin
}

// authenticated keeps what the device has learnt by connecting.
func (c *Client) authenticated(s *session, secure bool, pin string, reply *wire.AuthReply) error {
	c.setClock(reply.TimeMs)
	if err := c.network.won(s); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ticket = reply.Ticket
	if pin == "" {
		pin = c.creds.learn(secure, reply)
	}
	if secure == c.creds.Secure && pin == "" {
		return nil
	}
	c.creds.Secure = secure
	if pin != "" {
		c.creds.Pin = pin
	}
	return c.creds.save(c.dir)
}

func hints(h *wire.Hints) core.Hints {
	ms := func(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
	return core.Hints{
		HeartbeatMin: ms(h.GetHeartbeatMinMs()),
		HeartbeatMax: ms(h.GetHeartbeatMaxMs()),
		ReconnectMin: ms(h.GetReconnectMinMs()),
		ReconnectMax: ms(h.GetReconnectMaxMs()),
	}
}

// ending tells a Link how a connection ended.
func ending(err error) core.Ending {
	e := core.Ending{Err: err}
	var closed *ClosedError
	if errors.As(err, &closed) {
		e.ReconnectAfter, e.NeedTLS, e.Final = closed.ReconnectAfter, closed.NeedsTLS(), closed.Final
		e.Slowly = closed.Reason == wire.CloseProtocolError
	}
	return e
}

// sleepUntil waits for a time, zero for never, or for the end of the context.
func sleepUntil(ctx context.Context, t time.Time) error {
	if t.IsZero() {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
