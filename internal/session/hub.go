package session

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// Limits of sessions.
const (
	MaxInFlight  = 256      // requests of one connection that are not answered yet
	MaxInline    = 64 << 10 // bytes of a notification with its changes; larger ones go without
	AuthDeadline = 10 * time.Second
	MaxParked    = 64   // requests of one account that are held for news; one more lets the oldest look again
	recentlyOver = 4096 // ended devices that are remembered
)

// Config is what the server decides about sessions.
type Config struct {
	Idle       time.Duration // a connection that says nothing for so long is closed
	AllowPlain bool          // bodies may travel unencrypted over networks
}

// Hub knows the live sessions by account. It brings hints to them, and wakes who waits for something new.
type Hub struct {
	desk   *operation.Desk
	config Config
	parts  [64]part
	over   *lru.Cache[hongyan.DeviceID, uint32] // epochs of devices that have ended
	// Open and Authenticated count live sessions, for metrics.
	open, authenticated atomic.Int64
}

// part holds the accounts whose id falls into it: one lock for all would be one queue for all.
type part struct {
	mu        sync.Mutex
	sessions  map[hongyan.UserID][]*Session
	parked    map[hongyan.UserID][]*parking
	listeners map[hongyan.UserID][]*listener
}

type listener struct{ hear func(*wire.Signal) }

type parking struct{ wake func() }

// NewHub makes an empty hub. Use binds it to the desk that answers its sessions.
func NewHub(c Config) *Hub {
	over, err := lru.New[hongyan.DeviceID, uint32](recentlyOver)
	if err != nil {
		panic(err) // only for a size below 1
	}
	h := &Hub{config: c, over: over}
	for i := range h.parts {
		h.parts[i].sessions = map[hongyan.UserID][]*Session{}
		h.parts[i].parked = map[hongyan.UserID][]*parking{}
		h.parts[i].listeners = map[hongyan.UserID][]*listener{}
	}
	return h
}

// Use sets the desk. It is called once, before the first session.
func (h *Hub) Use(d *operation.Desk) { h.desk = d }

func (h *Hub) part(u hongyan.UserID) *part { return &h.parts[uint64(u)%uint64(len(h.parts))] }

// Counts returns how many sessions are open and how many of them have said who they are.
func (h *Hub) Counts() (open, authenticated int64) { return h.open.Load(), h.authenticated.Load() }

// of returns the live sessions of u.
func (h *Hub) of(u hongyan.UserID) []*Session {
	p := h.part(u)
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*Session(nil), p.sessions[u]...)
}

// attach adds a session that said who it is. It returns false if its device has ended meanwhile.
func (h *Hub) attach(s *Session, u hongyan.UserID, d hongyan.DeviceID, epoch uint32) bool {
	p := h.part(u)
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, over := h.over.Get(d); over && epoch <= last {
		return false
	}
	p.sessions[u] = append(p.sessions[u], s)
	h.authenticated.Add(1)
	return true
}

func (h *Hub) detach(s *Session, u hongyan.UserID) {
	p := h.part(u)
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.sessions[u]
	for i := range list {
		if list[i] != s {
			continue
		}
		list[i] = list[len(list)-1]
		list[len(list)-1] = nil
		if list = list[:len(list)-1]; len(list) == 0 {
			delete(p.sessions, u)
		} else {
			p.sessions[u] = list
		}
		h.authenticated.Add(-1)
		return
	}
}

// Hint brings a hint to the account's sessions and wakes its parked requests.
func (h *Hub) Hint(hint inbox.Hint) {
	p := h.part(hint.User)
	p.mu.Lock()
	sessions := p.sessions[hint.User]
	if len(sessions) > 0 {
		sessions = append([]*Session(nil), sessions...)
	}
	p.mu.Unlock()
	if len(sessions) > 0 {
		n := notification{hint: hint, generation: h.desk.Chat.Generation()}
		for _, s := range sessions {
			s.hint(&n)
		}
	}
	h.wake(hint.User)
}

// Signal tells the sessions and listeners of u something of the moment. A link that is full misses it.
func (h *Hub) Signal(u hongyan.UserID, signal *wire.Signal) {
	p := h.part(u)
	p.mu.Lock()
	sessions := append([]*Session(nil), p.sessions[u]...)
	listeners := append([]*listener(nil), p.listeners[u]...)
	p.mu.Unlock()
	for _, l := range listeners {
		l.hear(signal)
	}
	if len(sessions) == 0 {
		return
	}
	frame, err := wire.Append(nil, wire.OpSignal, 0, signal)
	if err != nil {
		return // only for a text that is not UTF-8, which no conversation's id is
	}
	for _, s := range sessions {
		s.signal(frame)
	}
}

// Listen calls hear with every signal for u until cancelled. hear must not block.
func (h *Hub) Listen(u hongyan.UserID, hear func(*wire.Signal)) (cancel func()) {
	l := &listener{hear}
	p := h.part(u)
	p.mu.Lock()
	p.listeners[u] = append(p.listeners[u], l)
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		list := slices.DeleteFunc(p.listeners[u], func(o *listener) bool { return o == l })
		if p.listeners[u] = list; len(list) == 0 {
			delete(p.listeners, u)
		}
	}
}

// wake lets the parked requests of u look again.
func (h *Hub) wake(u hongyan.UserID) {
	p := h.part(u)
	p.mu.Lock()
	parked := p.parked[u]
	delete(p.parked, u)
	p.mu.Unlock()
	for _, k := range parked {
		k.wake()
	}
}

// Park calls wake once when the account's log has grown, or when too many are parked since, unless cancelled before.
func (h *Hub) Park(u hongyan.UserID, wake func()) (cancel func()) {
	k := &parking{wake}
	p := h.part(u)
	var oldest *parking
	p.mu.Lock()
	list := append(p.parked[u], k)
	if len(list) > MaxParked {
		oldest, list = list[0], list[1:]
	}
	p.parked[u] = list
	p.mu.Unlock()
	if oldest != nil {
		oldest.wake()
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		list := slices.DeleteFunc(p.parked[u], func(o *parking) bool { return o == k })
		if p.parked[u] = list; len(list) == 0 {
			delete(p.parked, u)
		}
	}
}

// Ended closes the sessions of a device that is no more, or no more what it was in an epoch.
func (h *Hub) Ended(u hongyan.UserID, d hongyan.DeviceID, epoch uint32, why account.EndReason) {
	p := h.part(u)
	p.mu.Lock()
	if last, _ := h.over.Get(d); epoch > last {
		h.over.Add(d, epoch)
	}
	p.mu.Unlock()
	for _, s := range h.of(u) {
		if s.was(d, epoch) {
			s.end(closeOf(why))
		}
	}
}

func closeOf(why account.EndReason) *wire.Close {
	switch why {
	case account.LoggedOut:
		return &wire.Close{Reason: wire.CloseLoggedOut, Message: "this device has logged out", Final: true}
	case account.Kicked:
		return &wire.Close{Reason: wire.CloseKicked, Message: "another device of the account has ended this one", Final: true}
	case account.Replaced:
		return &wire.Close{Reason: wire.CloseReplaced, Message: "a newer login of the same kind of device has taken its place", Final: true}
	}
	return &wire.Close{Reason: wire.CloseRevoked, Message: "the account's devices were ended", Final: true}
}

// DemandTLS tells the plain connections of u, or of everybody, to come back encrypted, and counts them.
func (h *Hub) DemandTLS(u hongyan.UserID) int {
	n := 0
	for i := range h.parts {
		p := &h.parts[i]
		p.mu.Lock()
		var plain []*Session
		for of, list := range p.sessions {
			for _, s := range list {
				if !s.peer.TLS && !s.peer.Operator && (u == 0 || of == u) {
					plain = append(plain, s)
				}
			}
		}
		p.mu.Unlock()
		for _, s := range plain {
			s.end(needTLS)
			n++
		}
	}
	return n
}
