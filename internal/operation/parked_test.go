package operation_test

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// synced is somebody who has pulled everything.
func (f *flow) synced(name string) (operation.Caller, []byte) {
	f.t.Helper()
	c, _ := f.register(name)
	return c, must[*wire.SyncReply](f, c, wire.OpSync, &wire.SyncRequest{}).Key
}

func TestAHeldSync(t *testing.T) {
	t.Parallel()
	const unanswered = -1
	tests := []struct {
		name    string
		wait    uint32
		happens func(f *flow, me, other operation.Caller)
		changes int
	}{
		{"nothing happens", 10_000, func(*flow, operation.Caller, operation.Caller) {}, unanswered},
		{"not yet", 10_000, func(f *flow, _, _ operation.Caller) { f.Pass(9999 * time.Millisecond) }, unanswered},
		{"the time is up", 10_000, func(f *flow, _, _ operation.Caller) { f.Pass(10 * time.Second) }, 0},
		{"as long as may be", 1 << 31, func(f *flow, _, _ operation.Caller) { f.Pass(operation.MaxWait) }, 0},
		{"something comes", 10_000, func(f *flow, me, other operation.Caller) {
			must[*wire.SendReply](f, other, wire.OpSend, f.text(hongyan.Direct(me.User, other.User).String(), "x"))
			f.Wake(me.User)
		}, 1},
		{"a wake without reason", 10_000, func(f *flow, me, _ operation.Caller) { f.Wake(me.User) }, 0},
		{"somebody else's wake", 10_000, func(f *flow, _, other operation.Caller) { f.Wake(other.User) }, unanswered},
		{"all at once", 10_000, func(f *flow, me, _ operation.Caller) {
			f.Wake(me.User)
			f.Wake(me.User)
			f.Pass(time.Minute)
		}, 0},
	}
	for _, tt := range tests {
		f := newFlow(t)
		me, key := f.synced("anna")
		other, _ := f.register("bert")
		answer := f.Begin(me, wire.OpSync, &wire.SyncRequest{Key: key, WaitMs: tt.wait})
		f.Rest()
		if f.Parked() != 1 || f.Timers() != 1 {
			t.Fatalf("%s: %d requests are held, %d timers are set", tt.name, f.Parked(), f.Timers())
		}
		tt.happens(f, me, other)
		if tt.changes == unanswered {
			if f.Parked() != 1 || f.Timers() != 1 {
				t.Errorf("%s: %d requests are held, %d timers are set", tt.name, f.Parked(), f.Timers())
			}
			f.Pass(time.Hour)
		}
		reply, err := answer()
		page, ok := reply.Body.(*wire.SyncReply)
		if err != nil || !ok || len(page.Changes) != max(tt.changes, 0) {
			t.Errorf("%s: answered with %v, %v", tt.name, reply.Body, err)
		}
		if f.Parked() != 0 || f.Timers() != 0 {
			t.Errorf("%s: afterwards %d requests are held, %d timers are set", tt.name, f.Parked(), f.Timers())
		}
	}
}

func TestASyncThatHasSomethingToSayIsNotHeld(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	anna, key := f.synced("anna")
	must[*wire.SendReply](f, anna, wire.OpSend, f.text(hongyan.Direct(anna.User, anna.User).String(), "x"))
	for name, req := range map[string]*wire.SyncRequest{
		"a change": {Key: key, WaitMs: 1000}, "a reset": {WaitMs: 1000}, "more": {Key: key, WaitMs: 1000, Limit: 1},
	} {
		answer := f.Begin(anna, wire.OpSync, req)
		f.Rest()
		r, err := answer()
		if page, ok := r.Body.(*wire.SyncReply); err != nil || !ok || len(page.Changes) == 0 && page.Reset_ == nil {
			t.Errorf("%s: %v, %v", name, r.Body, err)
		}
		if f.Parked() != 0 || f.Timers() != 0 {
			t.Errorf("%s: %d requests are held, %d timers are set", name, f.Parked(), f.Timers())
		}
	}
	f.refused(anna, wire.OpSync, &wire.SyncRequest{Key: hongyan.KeyAt(1, anna.User+1, 1).Token(), WaitMs: 1000}, hongyan.KeyInvalid)
	if f.Parked() != 0 || f.Timers() != 0 {
		t.Errorf("a refused one: %d requests are held, %d timers are set", f.Parked(), f.Timers())
	}
}

// What happens between the moment a sync looks and the moment it is held is not missed.
func TestASyncParksBeforeItLooks(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	anna, key := f.synced("anna")
	park := f.Desk.Desk.Park
	f.Desk.Desk.Park = func(u hongyan.UserID, wake func()) func() {
		cancel := park(u, wake)
		must[*wire.SendReply](f, anna, wire.OpSend, f.text(hongyan.Direct(anna.User, anna.User).String(), "x"))
		return cancel
	}
	answer := f.Begin(anna, wire.OpSync, &wire.SyncRequest{Key: key, WaitMs: 1000})
	f.Rest()
	r, err := answer()
	if page, ok := r.Body.(*wire.SyncReply); err != nil || !ok || len(page.Changes) != 1 {
		t.Errorf("answered with %v, %v", r.Body, err)
	}
}

// A wake while the first look is under way: it may have looked too early.
func TestASyncThatIsWokenWhileItLooks(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	anna, key := f.synced("anna")
	f.HoldReads()
	answer := f.Begin(anna, wire.OpSync, &wire.SyncRequest{Key: key, WaitMs: 1000})
	f.Wake(anna.User)
	f.Wake(anna.User)
	f.ReadOn()
	f.Rest()
	if _, err := answer(); err != nil {
		t.Error(err)
	}
	if f.Parked() != 0 || f.Timers() != 0 {
		t.Errorf("%d requests are held, %d timers are set", f.Parked(), f.Timers())
	}
}
