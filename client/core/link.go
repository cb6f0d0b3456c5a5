package core

import (
	"time"

	"github.com/hongyan-im/hongyan"
)

// Times of a Link whose server has given no hints.
const (
	defaultReconnectMin = time.Second
	defaultReconnectMax = 15 * time.Second

	// A connection that stayed up this long was a good one: the next attempt begins with the shortest delay again.
	stableAfter = 30 * time.Second
)

// Hints is what the server would like of its clients. What is zero is up to the client.
type Hints struct {
	HeartbeatMin, HeartbeatMax time.Duration // beat no more often, and no less
	ReconnectMin, ReconnectMax time.Duration // between attempts to connect
}

// Ending is how a connection ended. The zero Ending is one that broke without a word.
type Ending struct {
	Err            error         // for people, may be nil
	ReconnectAfter time.Duration // the server asks not to be bothered before
	NeedTLS        bool          // the server asks to come back encrypted
	Slowly         bool          // come back after the longest delay
	Final          bool          // the device token is worth nothing any more
}

// The actions of Link.
type (
	// Dial opens a connection, over TLS if Secure, and comes back as Dialed or Ended.
	Dial struct{ Secure bool }

	// Authenticate says who the device is, with the ticket of the last connection or with the device token, and comes
	// back as Authenticated, Refused or Ended.
	Authenticate struct{ WithTicket bool }

	// Beat sends a heartbeat and comes back as Beaten or, if there is no answer in time, as Ended.
	Beat struct{}

	// Drop closes the connection and comes back as Ended.
	Drop struct{}

	// Up says that requests may be made.
	Up struct{}

	// Down says that there is no connection, why, and when the next attempt is made.
	Down struct {
		Err error
		At  time.Time
	}

	// Stop says that there is nothing more to try: somebody has to log in again.
	Stop struct{ Err error }
)

func (Dial) action()         {}
func (Authenticate) action() {}
func (Beat) action()         {}
func (Drop) action()         {}
func (Up) action()           {}
func (Down) action()         {}
func (Stop) action()         {}

// Link keeps one authenticated connection: it dials, says who the device is, beats, and comes back after the connection
// ended, ever more slowly while that fails.
type Link struct {
	secure  bool
	ticket  bool // the driver holds a ticket
	stopped bool

	state    linkState
	upSince  time.Time
	dialAt   time.Time // while down
	beatAt   time.Time // while up
	beating  bool
	heart    heart
	retry    backoff
	demanded bool // the server demanded TLS and has not let the device in since
	rand     Rand
}

type linkState uint8

const (
	down linkState = iota
	dialing
	authenticating
	up
)

// NewLink makes a machine that is down. Secure is whether TLS is needed from the start, ticket whether the device holds
// one.
func NewLink(secure, ticket bool, rand Rand) *Link {
	l := &Link{secure: secure, ticket: ticket, rand: rand}
	l.setHints(Hints{})
	return l
}

// Hint says what the server was last known to like, for as long as it has not said so itself.
func (l *Link) Hint(h Hints) { l.setHints(h) }

// Start begins to connect, at once.
func (l *Link) Start() []Action {
	l.dialAt = time.Time{}
	return l.dial()
}

// Dialed says that there is a connection.
func (l *Link) Dialed() []Action {
	l.state = authenticating
	return []Action{Authenticate{WithTicket: l.ticket}}
}

// Authenticated says that the server knows the device. Ticket is whether it gave a ticket for the next time.
func (l *Link) Authenticated(now time.Time, h Hints, ticket bool) []Action {
	l.state, l.ticket, l.upSince, l.demanded = up, ticket, now, false
	l.setHints(h)
	l.beating = false
	l.beatAt = now.Add(l.heart.interval(l.rand))
	return []Action{Up{}}
}

// Refused says that the server did not accept the ticket or the token.
func (l *Link) Refused(now time.Time, err *hongyan.Error) []Action {
	switch {
	case err.Code == hongyan.TLSRequired:
		return append([]Action{Drop{}}, l.Ended(now, Ending{Err: err, NeedTLS: true})...)
	case again(err.Code):
		return append([]Action{Drop{}}, l.Ended(now, Ending{Err: err, ReconnectAfter: err.RetryAfter})...)
	case l.ticket:
		l.ticket = false
		return []Action{Authenticate{}}
	}
	return append([]Action{Drop{}}, l.Ended(now, Ending{Err: err, Final: true})...)
}

// Beaten says that the heartbeat was answered.
func (l *Link) Beaten(now time.Time) {
	if !l.beating {
		return
	}
	l.beating = false
	l.heart.success()
	l.beatAt = now.Add(l.heart.interval(l.rand))
}

// Ended says that the connection is gone, or never came to be.
func (l *Link) Ended(now time.Time, e Ending) []Action {
	if l.state == down {
		return nil
	}
	if l.beating {
		l.heart.failure()
	}
	if l.state == up && now.Sub(l.upSince) >= stableAfter {
		l.retry.reset()
	}
	l.state, l.beating = down, false
	if e.Final {
		l.stopped = true
		return []Action{Stop{e.Err}}
	}
	delay := max(l.retry.next(l.rand), e.ReconnectAfter+time.Duration(l.rand(int64(e.ReconnectAfter/4)+1)))
	switch {
	case e.NeedTLS && !l.demanded:
		l.secure, l.demanded, delay = true, true, 0
	case e.Slowly:
		delay = l.retry.max
	}
	l.dialAt = now.Add(delay)
	return []Action{Down{e.Err, l.dialAt}}
}

// Tick says that WakeAt has come.
func (l *Link) Tick(now time.Time) []Action {
	switch {
	case l.state == down && !l.stopped && due(now, l.dialAt):
		return l.dial()
	case l.state == up && !l.beating && due(now, l.beatAt):
		l.beating = true
		return []Action{Beat{}}
	}
	return nil
}

// WakeAt is when Tick must be called, zero for never.
func (l *Link) WakeAt() time.Time {
	switch {
	case l.state == down && !l.stopped:
		return l.dialAt
	case l.state == up && !l.beating:
		return l.beatAt
	}
	return time.Time{}
}

// Secure is whether the next connection is made over TLS. Once the server has demanded it, it stays so.
func (l *Link) Secure() bool { return l.secure }

func (l *Link) dial() []Action {
	l.state = dialing
	return []Action{Dial{Secure: l.secure}}
}

func (l *Link) setHints(h Hints) {
	if h.ReconnectMin <= 0 {
		h.ReconnectMin = defaultReconnectMin
	}
	if h.ReconnectMax <= 0 {
		h.ReconnectMax = defaultReconnectMax
	}
	l.retry.min, l.retry.max = h.ReconnectMin, max(h.ReconnectMin, h.ReconnectMax)
	l.heart.setBounds(h.HeartbeatMin, h.HeartbeatMax)
}
