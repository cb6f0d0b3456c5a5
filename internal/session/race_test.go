package session

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// lockedLink is a link for several goroutines. It refuses some notifications and drains them a moment later.
type lockedLink struct {
	mu      sync.Mutex
	last    hongyan.Version // told last without changes, or continued to
	refuse  int
	drained []func()
	closed  bool
}

func (l *lockedLink) Send(frame []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse++
	if l.closed || l.refuse%3 == 0 {
		return false
	}
	f, _, _ := wire.ParseFrame(frame, wire.MaxFrame)
	n := new(wire.Notify)
	_ = wire.Unmarshal(f.Body, n)
	l.last = max(l.last, hongyan.Version(n.Version))
	return true
}

func (l *lockedLink) Reply([]byte) { l.mu.Lock(); defer l.mu.Unlock() }
func (l *lockedLink) Close([]byte) { l.mu.Lock(); defer l.mu.Unlock(); l.closed = true }

func (l *lockedLink) Drained(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drained = append(l.drained, f)
}

func (l *lockedLink) drain() {
	l.mu.Lock()
	due := l.drained
	l.drained = nil
	l.mu.Unlock()
	for _, f := range due {
		f()
	}
}

// Everything that happens to sessions from several goroutines at once: no lock waits for another in a circle, and who
// still has a link is told of the end.
func TestSessionsAndTheirHubFromManyGoroutines(t *testing.T) {
	t.Parallel()
	const users, each, rounds = 4, 5, 300
	h := NewHub(Config{Idle: time.Hour})
	h.Use(newRig(t, Config{}, nil).Desk.Desk)
	now, auth := time.UnixMilli(1_700_000_000_000), wire.Frame{Op: wire.OpAuth}
	var sessions []*Session
	links := map[*Session]*lockedLink{}
	for u := range hongyan.UserID(users) {
		for d := range hongyan.DeviceID(each) {
			l := &lockedLink{}
			s := h.Open(l, Peer{Secure: true}, now)
			s.answered(auth, operation.Reply{Identity: &account.Identity{User: u + 1, Device: d + 1, Epoch: 1}}, nil)
			sessions, links[s] = append(sessions, s), l
		}
	}
	var wg sync.WaitGroup
	every := func(f func(r *rand.Rand, i int)) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(len(sessions))))
			for i := range rounds {
				f(r, i)
			}
		})
	}
	for u := range hongyan.UserID(users) { // hints of one account come one after the other
		every(func(_ *rand.Rand, i int) {
			h.Hint(inbox.Hint{User: u + 1, Previous: hongyan.Version(i), Version: hongyan.Version(i + 1), Changes: []hongyan.Change{
				{Version: hongyan.Version(i + 1), Profile: &hongyan.Profile{User: u + 1}},
			}})
		})
	}
	every(func(r *rand.Rand, _ int) { links[sessions[r.IntN(len(sessions))]].drain() })
	every(func(r *rand.Rand, i int) {
		s := sessions[r.IntN(len(sessions))]
		s.Frame(now, wire.Frame{Op: wire.OpHeartbeat, Seq: uint32(i)})
		s.answered(wire.Frame{Op: wire.OpSync}, operation.Reply{Body: &wire.SyncReply{Version: uint64(i)}}, nil)
	})
	every(func(r *rand.Rand, _ int) {
		cancel := h.Park(hongyan.UserID(1+r.IntN(users)), func() {})
		if r.IntN(2) == 0 {
			cancel()
		}
	})
	every(func(r *rand.Rand, i int) {
		if i == rounds/2 {
			h.Ended(1, 1, 1, account.Kicked)
		}
		s := h.Open(&lockedLink{}, Peer{Secure: true}, now)
		id := &account.Identity{User: hongyan.UserID(1 + r.IntN(users)), Device: hongyan.DeviceID(1 + r.IntN(each)), Epoch: 1}
		s.answered(auth, operation.Reply{Identity: id}, nil)
		s.Deadline()
		s.Closed()
		h.Counts()
		h.DemandTLS(99)
	})
	wg.Wait()
	for _, s := range sessions {
		l := links[s]
		s.Frame(now, wire.Frame{Op: wire.OpHeartbeat})
		for range 3 {
			h.Hint(inbox.Hint{User: s.caller.User, Version: rounds + 1})
			l.drain()
		}
		if want := hongyan.Version(rounds + 1); l.last != want && !(s.caller.User == 1 && s.caller.Device == 1) {
			t.Errorf("device %d of %d was told of %d, want %d", s.caller.Device, s.caller.User, l.last, want)
		}
		s.Closed()
	}
	if open, known := h.Counts(); open != 0 || known != 0 {
		t.Errorf("%d sessions are open, %d have said who they are", open, known)
	}
	if !links[sessions[0]].closed {
		t.Error("the link of an ended device is open")
	}
}
