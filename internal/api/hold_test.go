package api

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/internal/operation/desktest"
	"github.com/hongyan-im/hongyan/wire"
)

// bench is an API over a desk whose time and rounds the test steps.
type bench struct {
	*desktest.Desk
	t   *testing.T
	api *API
	id  byte
}

func newBench(t *testing.T) *bench {
	d := desktest.New(t, nil)
	a, err := New(Config{Desk: d.Desk, Peer: func(*http.Request) Peer { return Peer{} }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{Desk: d, t: t, api: a}
}

// person is somebody with a device who has synced.
type person struct {
	operation.Caller
	token string
	key   []byte
}

func (b *bench) register(name string) person {
	b.t.Helper()
	r, err := desktest.Ask[*wire.LoginReply](b.Desk, operation.Caller{Secure: true}, wire.OpRegister, &wire.RegisterRequest{
		Name: name, Password: name + "-secret", Device: wire.FromDevice(hongyan.Device{Class: hongyan.ClassWeb}),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	c := operation.Caller{User: hongyan.UserID(r.Session.User), Device: hongyan.DeviceID(r.Session.Device), Secure: true}
	page, err := desktest.Ask[*wire.SyncReply](b.Desk, c, wire.OpSync, &wire.SyncRequest{})
	if err != nil {
		b.t.Fatal(err)
	}
	return person{c, r.Session.Ticket, page.Key}
}

// note writes a note to oneself: a change.
func (b *bench) note(p person) {
	b.t.Helper()
	b.id++
	_, err := desktest.Ask[*wire.SendReply](b.Desk, p.Caller, wire.OpSend, &wire.SendRequest{
		Target: &wire.SendToConversation{Conversation: hongyan.Direct(p.User, p.User).String()}, ClientId: append(make([]byte, 15), b.id),
		FirstAttemptMs: b.Now().UnixMilli(), Content: wire.FromContent(hongyan.Text("x")),
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// poll is a Sync that waits, and what came of it.
type poll struct {
	release func()
	answers int
	page    *wire.SyncReply
	err     error
}

func (b *bench) poll(p person, wait time.Duration) *poll {
	b.t.Helper()
	body, err := proto.Marshal(&wire.SyncRequest{Key: p.key, WaitMs: uint32(wait.Milliseconds())})
	if err != nil {
		b.t.Fatal(err)
	}
	got := new(poll)
	got.release = b.api.Start(Request{Op: wire.OpSync, Caller: p.Caller, Token: p.token, Body: body}, func(r operation.Reply, err error) {
		got.answers++
		got.page, _ = r.Body.(*wire.SyncReply)
		got.err = err
	})
	b.Rest()
	return got
}

func TestAHeldPoll(t *testing.T) {
	t.Parallel()
	soon := func() time.Duration { return 3 * time.Second }
	tests := []struct {
		name    string
		happens func(b *bench, me person, p *poll)
		changes int
		code    hongyan.Code
	}{
		{"the time is up", func(b *bench, _ person, _ *poll) { b.Pass(10 * time.Second) }, 0, 0},
		{"news", func(b *bench, me person, _ *poll) { b.note(me); b.Wake(me.User) }, 1, 0},
		{"the client goes", func(b *bench, _ person, p *poll) { p.release(); b.Rest() }, 0, 0},
		{"the client goes twice", func(b *bench, _ person, p *poll) { p.release(); p.release(); b.Rest() }, 0, 0},
		{"the server leaves", func(b *bench, _ person, _ *poll) { b.api.Drain(soon); b.Rest() }, 0, hongyan.Unavailable},
		{"news as the server leaves", func(b *bench, me person, _ *poll) { b.note(me); b.api.Drain(soon); b.Rest() }, 1, 0},
		{"the device ends", func(b *bench, me person, _ *poll) {
			if _, err := desktest.Ask[*wire.LogoutReply](b.Desk, me.Caller, wire.OpLogout, &wire.LogoutRequest{}); err != nil {
				b.t.Error(err)
			}
			b.Wake(me.User)
		}, 0, hongyan.Revoked},
		{"everything at once", func(b *bench, me person, p *poll) {
			b.note(me)
			b.HoldReads()
			b.Wake(me.User)
			p.release()
			b.api.Drain(soon)
			b.Pass(time.Minute)
			b.ReadOn()
			b.Rest()
		}, 1, 0},
	}
	for _, tt := range tests {
		b := newBench(t)
		me := b.register("anna")
		p := b.poll(me, 10*time.Second)
		if p.answers != 0 || b.Parked() != 1 || b.api.held.count() != 1 {
			t.Fatalf("%s: %d answers, %d parked, %d held", tt.name, p.answers, b.Parked(), b.api.held.count())
		}
		tt.happens(b, me, p)
		if p.answers != 1 || hongyan.CodeOf(p.err) != tt.code || len(p.page.GetChanges()) != tt.changes {
			t.Errorf("%s: %d answers, %v, %v", tt.name, p.answers, p.page, p.err)
		}
		if b.Parked() != 0 || b.Timers() != 0 || b.api.held.count() != 0 {
			t.Errorf("%s: afterwards %d parked, %d timers, %d held", tt.name, b.Parked(), b.Timers(), b.api.held.count())
		}
		p.release()
		b.Rest()
		if p.answers != 1 {
			t.Errorf("%s: a release afterwards gave another answer", tt.name)
		}
	}
}

// TestALeavingServerHoldsNothing: what comes during a drain is not held, and what is released before it was parked is not
// either.
func TestALeavingServerHoldsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	me := b.register("anna")
	b.api.Drain(func() time.Duration { return time.Second })
	p := b.poll(me, 10*time.Second)
	if p.answers != 1 || hongyan.CodeOf(p.err) != hongyan.Unavailable || p.err.(*hongyan.Error).RetryAfter != time.Second {
		t.Errorf("%d answers, %v", p.answers, p.err)
	}
	if p := b.poll(me, 0); p.answers != 1 || p.err != nil {
		t.Errorf("without waiting: %d answers, %v", p.answers, p.err)
	}
	if b.Parked() != 0 || b.api.held.count() != 0 {
		t.Errorf("%d parked, %d held", b.Parked(), b.api.held.count())
	}
}

func TestPollsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	me := b.register("anna")
	b.api.held.limit = 2
	first := b.poll(me, time.Second)
	b.poll(me, time.Second)
	third := b.poll(me, time.Second)
	if hongyan.CodeOf(third.err) != hongyan.Busy || third.err.(*hongyan.Error).RetryAfter == 0 {
		t.Errorf("beyond the limit: %v", third.err)
	}
	if p := b.poll(me, 0); p.answers != 1 || p.err != nil {
		t.Errorf("without waiting: %d answers, %v", p.answers, p.err)
	}
	first.release()
	b.Rest()
	if p := b.poll(me, time.Second); p.answers != 0 || p.err != nil {
		t.Errorf("when one had gone: %d answers, %v", p.answers, p.err)
	}
	b.Pass(time.Minute)
}

// TestAPollThatIsWrong is refused like one that does not wait.
func TestAPollThatIsWrong(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	me := b.register("anna")
	me.key = []byte("no key")
	if p := b.poll(me, time.Second); p.answers != 1 || hongyan.CodeOf(p.err) != hongyan.KeyInvalid || b.api.held.count() != 0 {
		t.Errorf("%d answers, %v, %d held", p.answers, p.err, b.api.held.count())
	}
}

// TestALeavingServerIsBusy: to answer everything at once is more than a server may have room for. Nobody is to come back
// sooner for that.
func TestALeavingServerIsBusy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	me := b.register("anna")
	full := inbox.NewShard(b.Engine(), nil, func(hongyan.UserID, func()) error { return hongyan.Errorf(hongyan.Busy, "the queue is full") })
	me.key = nil // which acknowledges nothing
	b.Desk.Desk.Chat = chat.New(full, chat.Config{}, b.Random)
	if p := b.poll(me, time.Second); p.answers != 1 || hongyan.CodeOf(p.err) != hongyan.Busy {
		t.Errorf("before: %d answers, %v", p.answers, p.err)
	}
	b.api.Drain(func() time.Duration { return 7 * time.Second })
	p := b.poll(me, time.Second)
	if e, ok := p.err.(*hongyan.Error); p.answers != 1 || !ok || e.Code != hongyan.Unavailable || e.RetryAfter != 7*time.Second {
		t.Errorf("leaving: %d answers, %v", p.answers, p.err)
	}
}
