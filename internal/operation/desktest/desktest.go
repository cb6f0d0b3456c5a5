// Package desktest gives tests a desk whose services stand on a shard that they step by hand: nothing happens on another
// goroutine, and timers run when a test says so.
package desktest

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// Desk is a desk under a test's control. The fields of its Desk may be replaced before the first request.
type Desk struct {
	*shardtest.Shard
	Desk *operation.Desk

	Signals []Signal // that were given

	parked []*parking
	timers []*timer
}

// Signal is a signal with the account that it is for.
type Signal struct {
	User   hongyan.UserID
	Signal *wire.Signal
}

type parking struct {
	user hongyan.UserID
	wake func()
}

type timer struct {
	at time.Time
	f  func()
}

// New makes a desk at which anybody may register. change, which may be nil, sets what else an operator decides.
func New(tb testing.TB, change func(*account.Config)) *Desk {
	tb.Helper()
	d := &Desk{Shard: shardtest.New(tb)}
	hasher, err := auth.NewHasher(auth.Params{Memory: 8, Time: 1, Threads: 1}, 1, 8)
	if err != nil {
		tb.Fatal(err)
	}
	keys, err := auth.NewKeyRing(d.Random)
	if err != nil {
		tb.Fatal(err)
	}
	c := account.Config{
		Registration: account.Open, MaxDevices: 8, Hasher: hasher, Keys: keys, Random: d.Random, Now: d.Now,
		Slow:  func(job func(context.Context)) error { job(context.Background()); return nil },
		Ended: func(hongyan.UserID, hongyan.DeviceID, uint32, account.EndReason) {},
	}
	if change != nil {
		change(&c)
	}
	d.Desk = &operation.Desk{
		Chat:     chat.New(d.Shard.Shard, chat.Config{RecallWindow: 2 * time.Minute}, d.Random),
		Accounts: account.New(d.Shard.Shard, c),
		Now:      d.Now, Hints: &wire.Hints{MaxFrame: wire.MaxFrame}, Pin: func() string { return "" },
		Park: d.park, After: d.after,
		Signal:    func(u hongyan.UserID, s *wire.Signal) { d.Signals = append(d.Signals, Signal{u, s}) },
		Listen:    func(hongyan.UserID, func(*wire.Signal)) func() { return func() {} },
		DemandTLS: func(hongyan.UserID) int { return 0 },
		Status:    func() *wire.StatusReply { return &wire.StatusReply{} },
	}
	return d
}

func (d *Desk) park(u hongyan.UserID, wake func()) (cancel func()) {
	p := &parking{u, wake}
	d.parked = append(d.parked, p)
	return func() { d.parked = slices.DeleteFunc(d.parked, func(o *parking) bool { return o == p }) }
}

// Begin makes a request and returns what takes its answer once the test has stepped the shard.
func (d *Desk) Begin(c operation.Caller, op wire.Op, req proto.Message) (answer func() (operation.Reply, error)) {
	body, err := proto.Marshal(req)
	return shardtest.Begin(d.Shard, func(done func(operation.Reply, error)) {
		if err != nil {
			done(operation.Reply{}, err)
			return
		}
		d.Desk.Do(c, op, body, done)
	})
}

// Ask makes a request, steps the shard until nothing waits and returns the body of the answer.
func Ask[R proto.Message](d *Desk, c operation.Caller, op wire.Op, req proto.Message) (reply R, err error) {
	answer := d.Begin(c, op, req)
	d.Rest()
	r, err := answer()
	if err == nil {
		reply = r.Body.(R)
	}
	return reply, err
}

// Parked is how many requests are held.
func (d *Desk) Parked() int { return len(d.parked) }

// Wake lets the held requests of an account look again, as a change of its log does.
func (d *Desk) Wake(u hongyan.UserID) {
	due := slices.Clone(d.parked)
	d.parked = slices.DeleteFunc(d.parked, func(p *parking) bool { return p.user == u })
	for _, p := range due {
		if p.user == u {
			p.wake()
		}
	}
	d.Rest()
}

func (d *Desk) after(wait time.Duration, f func()) (stop func()) {
	t := &timer{d.Now().Add(wait), f}
	d.timers = append(d.timers, t)
	return func() { d.timers = slices.DeleteFunc(d.timers, func(o *timer) bool { return o == t }) }
}

// Timers is how many are set.
func (d *Desk) Timers() int { return len(d.timers) }

// Pass lets time pass and runs the timers that are due.
func (d *Desk) Pass(span time.Duration) {
	d.Advance(span)
	due := slices.Clone(d.timers)
	d.timers = slices.DeleteFunc(d.timers, func(t *timer) bool { return !t.at.After(d.Now()) })
	for _, t := range due {
		if !t.at.After(d.Now()) {
			t.f()
		}
	}
	d.Rest()
}
