package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// ErrRunning is the error of Run and Sync while one of them works already.
var ErrRunning = errors.New("the client is running already")

// errCaughtUp ends Sync.
var errCaughtUp = errors.New("caught up")

// How many changes a page may have: as many as servers give, because a page costs a round trip and a commit.
const (
	pullLimit     = 500
	backfillLimit = 200
)

// outboxPoll is how often Run looks for messages that another process has left in the outbox.
const outboxPoll = 30 * time.Second

// Run keeps the device connected, in sync and sending until the context ends, and returns nil then. It reconnects by
// itself for as long as it takes. It returns an error if the server wants this device no more (a final *ClosedError, or
// a *hongyan.Error about the device token: somebody has to log in again), if the profile cannot be read or written,
// if another process keeps it (*LockedError), or if OnEvent does.
func (c *Client) Run(ctx context.Context) error {
	err := c.keep(ctx, false)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// Sync brings the device up to date, sends what waits in the outbox, and returns when both is done. Like Run it tries
// until the context ends, which is an error here.
func (c *Client) Sync(ctx context.Context) error { return c.keep(ctx, true) }

// StartOver makes the next Run or Sync fetch everything from the server anew, with an empty key. Only a person should
// want that: after a KeyAhead in a TroubleEvent, which says that the server has lost data that this device still has.
func (c *Client) StartOver() error {
	if !c.line.begin() {
		return ErrRunning
	}
	defer c.line.end()
	s, err := c.openState()
	if err != nil {
		return err
	}
	return s.startOver()
}

// keep runs the goroutines of a device: one for the connection, one for what comes in, one for what goes out, and one that
// keeps the list of the server's addresses.
func (c *Client) keep(ctx context.Context, once bool) error {
	if !c.line.begin() {
		return ErrRunning
	}
	c.work.Add(1)
	defer c.work.Done()
	defer c.line.end()
	ctx, cancel := c.bound(ctx)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	state, err := c.openState()
	if err != nil {
		return err
	}
	c.feed.setOpen(true)
	defer c.feed.setOpen(false)

	sent := make(chan struct{}) // closed when the outbox was worked off for the first time
	var parts sync.WaitGroup
	parts.Go(func() { stop(c.keepLine(ctx)) })
	parts.Go(func() { stop(c.keepSending(ctx, sent)) })
	parts.Go(func() { c.keepPlaces(ctx) })
	parts.Go(func() {
		f := follower{c: c, state: state, once: once, sent: sent}
		stop(f.follow(ctx))
	})
	parts.Wait()
	if err := context.Cause(ctx); err != errCaughtUp {
		return err
	}
	return nil
}

// follower drives the core.Sync of a Client and tells its events.
type follower struct {
	c     *Client
	state *stateStore
	sync  *core.Sync

	session  *session // nil while there is none
	told     bool     // the program was told of the last Commit
	once     bool     // end when caught up
	caughtUp bool
	sent     <-chan struct{}
}

// follow keeps the state up to date until the context ends or the state cannot be kept.
func (f *follower) follow(ctx context.Context) error {
	held, err := f.state.held()
	if err != nil {
		return err
	}
	f.sync = core.NewSync(held, rand.Int64N)
	err = f.carryOut(ctx, f.sync.Start())
	for err == nil {
		var acts []core.Action
		if acts, err = f.eat(f.c.feed.take()); err == nil {
			err = f.carryOut(ctx, acts)
		}
		if err == nil && f.once && f.caughtUp {
			err = f.finish(ctx)
		}
		if err == nil {
			err = f.wait(ctx)
		}
	}
	if ended := f.end(); ended != nil && ctx.Err() != nil {
		return ended
	}
	return err
}

// end records that the program has dealt with the last commit, if it was told all of it.
func (f *follower) end() error {
	if !f.told || !f.sync.Held().Unhanded {
		return nil
	}
	return f.state.handed()
}

// eat reports what the feed has collected to the machine, and tells the events that are no changes.
func (f *follower) eat(in food) ([]core.Action, error) {
	now := time.Now()
	var acts []core.Action
	if in.connected {
		f.sync.Disconnected()
		if f.session = in.session; f.session != nil {
			acts = append(acts, f.sync.Connected(now)...)
		}
	}
	for _, e := range in.soft {
		if err := f.tell(e); err != nil {
			return nil, err
		}
	}
	for _, n := range in.notices {
		known, err := f.state.knows(n.Changes)
		if err != nil {
			return nil, err
		}
		if !known {
			n.Changes = nil // a pull brings the state of the conversation too
		}
		acts = append(acts, f.sync.Notified(now, n)...)
	}
	if in.newer {
		acts = append(acts, f.sync.Newer(now)...)
	}
	return append(acts, f.sync.Tick(now)...), nil
}

// finish ends a Sync if the outbox has been worked off too.
func (f *follower) finish(ctx context.Context) error {
	select {
	case <-f.sent:
	default:
		return nil
	}
	if err := f.carryOut(ctx, f.sync.Flush()); err != nil {
		return err
	}
	return errCaughtUp
}

// wait waits until there is something to do.
func (f *follower) wait(ctx context.Context) error {
	var tick <-chan time.Time
	if at := f.sync.WakeAt(); !at.IsZero() {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		tick = timer.C
	}
	var sent <-chan struct{}
	if f.once && f.caughtUp {
		sent = f.sent
	}
	select {
	case <-f.c.feed.wake:
	case <-tick:
	case <-sent:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// carryOut carries out actions and those that follow from them. An error ends the follower.
func (f *follower) carryOut(ctx context.Context, acts []core.Action) error {
	for len(acts) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		more, err := f.do(ctx, acts[0])
		if err != nil {
			return err
		}
		acts = append(acts[1:], more...)
	}
	key := f.sync.Presentable()
	f.c.feed.present(key)
	if f.session != nil {
		f.session.conn.present(key)
	}
	return nil
}

func (f *follower) do(ctx context.Context, act core.Action) ([]core.Action, error) {
	switch act := act.(type) {
	case core.Commit:
		f.caughtUp, f.told = false, false
		return nil, f.state.commit(act)
	case core.Deliver:
		return nil, f.deliver()
	case core.Handed:
		return nil, f.state.handed()
	case core.CaughtUp:
		f.caughtUp = true
	case core.Pull:
		reply := new(wire.SyncReply)
		return f.ask(ctx, wire.OpSync, &wire.SyncRequest{Key: act.Key, Limit: pullLimit}, reply, func(now time.Time) []core.Action {
			return f.sync.Pulled(now, pageOf(reply))
		}), nil
	case core.Backfill:
		reply := new(wire.BackfillReply)
		return f.ask(ctx, wire.OpBackfill, &wire.BackfillRequest{Token: act.Token, Limit: backfillLimit}, reply, func(now time.Time) []core.Action {
			return f.sync.Backfilled(now, olderOf(reply))
		}), nil
	case core.Ack:
		// Whatever comes of it: the next pull or heartbeat acknowledges the same.
		_ = f.session.do(ctx, wire.OpAck, &wire.AckRequest{Key: act.Key}, new(wire.AckReply))
	case core.Trouble:
		return nil, f.tell(TroubleEvent{act.Err})
	}
	return nil, nil
}

// ask makes a request of the machine and reports what comes of it.
func (f *follower) ask(
	ctx context.Context, op wire.Op, request, reply proto.Message, answered func(time.Time) []core.Action,
) []core.Action {
	err := f.session.do(ctx, op, request, reply)
	now := time.Now()
	if e := refusal(err); e != nil {
		return f.sync.Refused(now, e)
	}
	if err != nil {
		f.sync.Disconnected() // the connection is lost, or everything ends
		return nil
	}
	return answered(now)
}

// deliver tells the program what the last Commit stored.
func (f *follower) deliver() error {
	events, err := f.state.unhanded()
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := f.tell(e); err != nil {
			return err
		}
	}
	f.told = true
	return nil
}

func (f *follower) tell(e Event) error {
	if f.c.opts.OnEvent == nil {
		return nil
	}
	return f.c.opts.OnEvent(e)
}
