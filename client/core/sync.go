package core

import (
	"time"

	"github.com/hongyan-im/hongyan"
)

// Times of Sync.
const (
	// SettleDelay is how long a device waits before it acknowledges a key that no pull has presented, so that one
	// acknowledgement serves many changes.
	SettleDelay = time.Second

	pullRetryMin = time.Second
	pullRetryMax = time.Minute
)

// State is how far a device is, as its store holds it.
type State struct {
	Key      []byte          // the token to present; empty before the first sync
	Version  hongyan.Version // what Key stands for
	Backfill []byte          // continues what a reset left out; empty when there is nothing left
	Unhanded bool            // the application may not have seen the last Commit
}

// ResetReason says why a key could not be continued.
type ResetReason uint8

// The reasons of a reset.
const (
	ResetFirst      ResetReason = 1 // there was no key
	ResetTrimmed    ResetReason = 2 // the key is older than what the server keeps
	ResetGeneration ResetReason = 3 // the key is of another store, or of this one before it was restored
)

// Page is the answer to a Pull.
type Page struct {
	Changes       []hongyan.Change       // in order of version
	Conversations []hongyan.Conversation // the present state of the conversations that Changes mention
	Key           []byte
	Version       hongyan.Version // what Key stands for
	More          bool
	Reset         *Reset // set if the key could not be continued
}

// Reset replaces what the device knows of conversations and states.
type Reset struct {
	Reason        ResetReason
	Conversations []hongyan.Conversation // the most recent ones, newest first
	Backfill      []byte                 // empty: there is nothing more
}

// Older is the answer to a Backfill: changes up to the key of the reset, in order of version.
type Older struct {
	Changes       []hongyan.Change
	Conversations []hongyan.Conversation
	Token         []byte // to continue with; empty at the end
}

// Notice is a notification. It may be lost, repeated or out of order, and so says nothing but that there may be
// something newer, unless it brings the very next changes along.
type Notice struct {
	Version  hongyan.Version  // the newest change
	Previous hongyan.Version  // where Changes begin
	Changes  []hongyan.Change // everything after Previous up to Version, or nothing
	Key      []byte           // with Changes: the key after them
}

// The actions of Sync.
type (
	// Pull asks for what is newer than Key. The answer comes back as Pulled or Refused.
	Pull struct{ Key []byte }

	// Backfill asks for what a reset left out. The answer comes back as Backfilled or Refused.
	Backfill struct{ Token []byte }

	// Ack acknowledges Key. Its answer does not matter.
	Ack struct{ Key []byte }

	// Commit stores what a page brought and the state that follows from it, all or nothing. Unless the stored version
	// is Previous it must store nothing and fail: somebody else has written.
	Commit struct {
		Previous hongyan.Version
		State    State        // from now on; Unhanded is always set
		Reset    *ResetReason // drop what is known of conversations and states first
		Changes  []hongyan.Change

		// The present state of conversations. Where the server did not send it, Derive says to work it out from
		// Changes.
		Conversations []hongyan.Conversation
		Derive        bool

		// Backfilled says that Changes were brought by a Backfill: they may be old.
		Backfilled bool
	}

	// Deliver hands the application what the last Commit stored, in order. It is repeated after a crash until Handed
	// was carried out.
	Deliver struct{}

	// Handed records that the application has seen what the last Commit stored. Another Commit implies it.
	Handed struct{}

	// CaughtUp says that everything the server had was stored and delivered.
	CaughtUp struct{}
)

func (Pull) action()     {}
func (Backfill) action() {}
func (Ack) action()      {}
func (Commit) action()   {}
func (Deliver) action()  {}
func (Handed) action()   {}
func (CaughtUp) action() {}

// Sync follows the changes of an account. It presents a key only after the changes that the key stands for were
// committed together with it, asks one question at a time, and applies what a notification brings only if it continues
// exactly what is held.
type Sync struct {
	held     State // as committed
	unhanded bool  // Handed is due for the last Commit

	online    bool
	asking    bool            // a Pull or a Backfill is unanswered
	newer     bool            // there may be something to ask for
	announced hongyan.Version // the newest that was notified while asking
	restart   bool            // ask with no key, because the server does not accept the one held

	presented hongyan.Version // what the server was last told
	resetAt   hongyan.Version // the version that a reset gave, until a page without one
	settleAt  time.Time       // when to send what the server and the store need not know at once
	retryAt   time.Time       // ask nothing before
	retry     backoff
	rand      Rand
}

// NewSync makes a machine that goes on from what is stored. It is offline.
func NewSync(held State, rand Rand) *Sync {
	return &Sync{
		held:     held,
		unhanded: held.Unhanded,
		retry:    backoff{min: pullRetryMin, max: pullRetryMax},
		rand:     rand,
	}
}

// Start must be called once before everything else. It repeats the delivery that a crash may have cut short.
func (s *Sync) Start() []Action {
	if !s.unhanded {
		return nil
	}
	s.unhanded = false
	return []Action{Deliver{}, Handed{}}
}

// Connected says that the device is authenticated on a new connection.
func (s *Sync) Connected(now time.Time) []Action {
	s.online, s.asking, s.newer = true, false, true
	s.retryAt = time.Time{}
	return s.next(now, nil)
}

// Disconnected says that the connection is gone, and with it the answer to whatever was asked. What still arrives from
// an old connection must not be reported.
func (s *Sync) Disconnected() { s.online, s.asking = false, false }

// Newer says that the server has something newer than the key it was shown.
func (s *Sync) Newer(now time.Time) []Action {
	s.newer = true
	return s.next(now, nil)
}

// Notified applies a notification if it continues what is held, ignores it if it tells nothing new, and pulls
// otherwise.
func (s *Sync) Notified(now time.Time, n Notice) []Action {
	switch {
	case !s.online, n.Version <= s.held.Version && !s.resetting():
		return nil
	case s.asking:
		s.announced = max(s.announced, n.Version)
		return nil
	case len(n.Changes) == 0 || len(n.Key) == 0 || n.Previous != s.held.Version || s.resetting():
		return s.Newer(now)
	}
	return s.caughtUp(now, s.commit(Commit{
		State:   State{Key: n.Key, Version: n.Version},
		Changes: n.Changes,
		Derive:  true,
	}))
}

// Pulled takes the answer to a Pull.
func (s *Sync) Pulled(now time.Time, p Page) []Action {
	if !s.asking {
		return nil
	}
	s.asking = false
	s.newer = s.newer || s.announced > p.Version
	if p.Reset != nil {
		return s.reset(now, p)
	}
	var acts []Action
	switch {
	case p.Version > s.held.Version && !s.restart:
		s.resetAt = 0
		s.retry.reset()
		acts = s.commit(Commit{
			State:         State{Key: p.Key, Version: p.Version},
			Changes:       p.Changes,
			Conversations: p.Conversations,
		})
	case s.restart || p.Version < s.held.Version || p.More || len(p.Changes) > 0:
		return s.wait(now, hongyan.Errorf(hongyan.Internal,
			"the server answered a key of version %d with version %d and %d changes", s.held.Version, p.Version, len(p.Changes)))
	default:
		s.retry.reset()
	}
	s.newer = s.newer || p.More
	return s.next(now, s.caughtUp(now, acts))
}

// reset takes a page that starts over.
func (s *Sync) reset(now time.Time, p Page) []Action {
	again := s.resetAt != 0 && s.resetAt == s.held.Version
	reason := p.Reset.Reason
	if s.restart {
		// The server was shown no key, and could not tell that its store is another one now.
		reason = ResetGeneration
	}
	s.restart, s.presented = false, 0
	acts := s.commit(Commit{
		State:         State{Key: p.Key, Version: p.Version, Backfill: p.Reset.Backfill},
		Reset:         &reason,
		Changes:       p.Changes,
		Conversations: append(p.Reset.Conversations[:len(p.Reset.Conversations):len(p.Reset.Conversations)], p.Conversations...),
	})
	s.resetAt = p.Version
	s.newer = s.newer || p.More || len(p.Reset.Backfill) > 0
	if again {
		return append(acts, s.wait(now, hongyan.Errorf(hongyan.Internal, "the server resets the key that it gave with a reset"))...)
	}
	return s.next(now, s.caughtUp(now, acts))
}

// Backfilled takes the answer to a Backfill.
func (s *Sync) Backfilled(now time.Time, o Older) []Action {
	if !s.asking {
		return nil
	}
	s.asking = false
	if len(o.Changes) == 0 && string(o.Token) == string(s.held.Backfill) {
		return s.wait(now, hongyan.Errorf(hongyan.Internal, "the server does not continue the backfill"))
	}
	s.retry.reset()
	acts := s.commit(Commit{
		State:         State{Key: s.held.Key, Version: s.held.Version, Backfill: o.Token},
		Changes:       o.Changes,
		Conversations: o.Conversations,
		Backfilled:    true,
	})
	s.newer = true // either more of the backfill, or what came in the meantime
	return s.next(now, acts)
}

// Refused takes the refusal of a Pull or a Backfill.
func (s *Sync) Refused(now time.Time, err *hongyan.Error) []Action {
	if !s.asking {
		return nil
	}
	s.asking, s.newer = false, true
	lost := err.Code == hongyan.KeyInvalid || (err.Code == hongyan.Invalid && len(s.held.Backfill) > 0)
	if lost && !s.restart {
		s.restart = true
		return s.next(now, []Action{Trouble{err}})
	}
	acts := s.wait(now, err)
	if at := now.Add(err.RetryAfter); at.After(s.retryAt) {
		s.retryAt = at
	}
	return acts
}

// Tick says that WakeAt has come.
func (s *Sync) Tick(now time.Time) []Action {
	var acts []Action
	if due(now, s.settleAt) {
		acts = s.Flush()
	}
	return s.next(now, acts)
}

// Flush tells the server and the store at once what they would have been told by and by, as before an orderly end.
func (s *Sync) Flush() []Action {
	s.settleAt = time.Time{}
	var acts []Action
	if s.unhanded {
		s.unhanded = false
		acts = append(acts, Handed{})
	}
	if s.online && !s.resetting() && s.presented != s.held.Version && len(s.held.Key) > 0 {
		s.presented = s.held.Version
		acts = append(acts, Ack{s.held.Key})
	}
	return acts
}

// WakeAt is when Tick must be called, zero for never.
func (s *Sync) WakeAt() time.Time {
	if s.online && s.newer && !s.asking {
		return earlier(s.settleAt, s.retryAt)
	}
	return s.settleAt
}

// Presentable is the key that a heartbeat may show the server, nil while there is none: a key that a reset gave stands
// for changes that are still being fetched.
func (s *Sync) Presentable() []byte {
	if s.resetting() {
		return nil
	}
	return s.held.Key
}

// Held is how far the device is.
func (s *Sync) Held() State {
	held := s.held
	held.Unhanded = s.unhanded
	return held
}

// resetting reports whether what is held stands for less than its key says.
func (s *Sync) resetting() bool { return s.restart || len(s.held.Backfill) > 0 }

// commit fills in what every Commit has, and takes it as carried out.
func (s *Sync) commit(c Commit) []Action {
	c.Previous = s.held.Version
	c.State.Unhanded = true
	s.held, s.unhanded = c.State, true
	return []Action{c, Deliver{}}
}

// next asks for what may be newer, if that is possible now.
func (s *Sync) next(now time.Time, acts []Action) []Action {
	if !s.online || s.asking || !s.newer || now.Before(s.retryAt) {
		return acts
	}
	s.retryAt = time.Time{}
	s.asking, s.newer, s.announced = true, false, 0
	switch {
	case s.restart:
		return append(acts, Pull{})
	case len(s.held.Backfill) > 0:
		return append(acts, Backfill{s.held.Backfill})
	}
	s.presented = s.held.Version
	return append(acts, Pull{s.held.Key})
}

// caughtUp says so if nothing is left to ask for.
func (s *Sync) caughtUp(now time.Time, acts []Action) []Action {
	if s.newer || s.resetting() {
		return acts
	}
	if s.unhanded || s.presented != s.held.Version {
		s.settleAt = earlier(s.settleAt, now.Add(SettleDelay))
	}
	return append(acts, CaughtUp{})
}

// wait reports trouble and asks again later.
func (s *Sync) wait(now time.Time, err error) []Action {
	s.newer = true
	s.retryAt = now.Add(s.retry.next(s.rand))
	return []Action{Trouble{err}}
}
