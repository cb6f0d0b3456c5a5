package core

import (
	"time"

	"github.com/hongyan-im/hongyan"
)

// ItemState is how far a message is on its way out.
type ItemState uint8

// The states of an Item.
const (
	Waiting ItemState = 1 // not acknowledged yet: a person sees "sending"
	Sent    ItemState = 2 // acknowledged: durable on the server, found by every device
	Failed  ItemState = 3 // refused: a person sees a red mark and may send it again
)

// Target is where a message goes: a conversation, or the direct conversation with the account of that name. Exactly
// one is set.
type Target struct {
	Conversation hongyan.ConversationID `cbor:"1,keyasint,omitempty"`
	Name         string                 `cbor:"2,keyasint,omitempty"`
}

// Item is one message of the outbox.
type Item struct {
	ID       hongyan.ClientID `cbor:"1,keyasint"`
	Target   Target           `cbor:"2,keyasint"`
	Content  hongyan.Content  `cbor:"3,keyasint"`
	State    ItemState        `cbor:"4,keyasint"`
	QueuedMS int64            `cbor:"5,keyasint"` // Unix milliseconds by the device's clock, for display

	// FirstAttemptMS is when the message was first sent, Unix milliseconds by the server's clock; zero as long as it
	// certainly was not. It is stored before the first byte leaves and unchanged by retries: the server tells by it
	// whether it would still recognise a repetition.
	FirstAttemptMS int64 `cbor:"6,keyasint,omitempty"`

	Refusals int    `cbor:"7,keyasint,omitempty"` // how often the server said: not now
	Result   Result `cbor:"8,keyasint,omitempty"` // of Sent

	// Why it is Failed.
	Code    hongyan.Code `cbor:"9,keyasint,omitempty"`
	Message string       `cbor:"10,keyasint,omitempty"`
	Hint    string       `cbor:"11,keyasint,omitempty"`
}

// Result is what the server answered to a message that it accepted.
type Result struct {
	ID           hongyan.MessageID      `cbor:"1,keyasint"`
	Conversation hongyan.ConversationID `cbor:"2,keyasint"`
	Ordinal      hongyan.Ordinal        `cbor:"3,keyasint"`
	TimeMS       int64                  `cbor:"4,keyasint"` // Unix milliseconds, the server's clock
}

// Err is why a Failed item failed, nil for others.
func (it *Item) Err() error {
	if it.State != Failed {
		return nil
	}
	return &hongyan.Error{Code: it.Code, Message: it.Message, Hint: it.Hint}
}

// Limits of sending.
const (
	// MaxRefusals is how often in a row the server may answer "not now" before a message fails. A lost connection is no
	// refusal.
	MaxRefusals = 8

	// ResendWindow is how long after its first attempt a message may be sent again under its id. The server recognises
	// repetitions for 7 days; an hour is left for clocks.
	ResendWindow = 7*24*time.Hour - time.Hour

	sendRetryMin = time.Second
	sendRetryMax = 30 * time.Second
)

// Renew makes a Failed item wait again, under the same id. That is safe if the server certainly never accepted it, or
// if it would still recognise it; otherwise Renew changes nothing and returns a TooLate error, and the caller may ask
// a person whether to risk a repetition under a new id.
func (it *Item) Renew(serverMS int64) error {
	age := time.Duration(serverMS-it.FirstAttemptMS) * time.Millisecond
	switch {
	case it.Code == hongyan.TooLate, again(it.Code) && age > ResendWindow:
		return hongyan.Errorf(hongyan.TooLate, "it is unknown whether the message arrived long ago").
			WithHint("look at the conversation; if it is not there, send it as a new message")
	case it.Code == hongyan.Conflict:
		return hongyan.Errorf(hongyan.Conflict, "the id of the message was used for another one").
			WithHint("send it as a new message")
	case age > ResendWindow:
		it.FirstAttemptMS = 0
	}
	it.State, it.Refusals, it.Code, it.Message, it.Hint = Waiting, 0, 0, "", ""
	return nil
}

// The actions of Outbox.
type (
	// Save stores items over their former selves, all or nothing, before anything else is done.
	Save struct{ Items []Item }

	// Transmit sends a message. What comes of it is reported as Accepted, Refused or Disconnected.
	Transmit struct{ Item Item }
)

func (Save) action()     {}
func (Transmit) action() {}

// Outbox sends what waits, strictly in order and one at a time, and repeats every message under its own id until it is
// answered. Whoever drives it holds the lock of the outbox from Load until it lets the machine rest.
type Outbox struct {
	items  []Item // waiting, in order
	online bool
	flying bool // the first item was transmitted on this connection

	serverMS int64     // the server's clock, Unix milliseconds,
	serverAt time.Time // at this time

	first   hongyan.ClientID // what was transmitted last, which the following are about
	retryAt time.Time        // transmit nothing before
	retry   backoff
	rand    Rand
}

// NewOutbox makes a machine that holds nothing and is offline.
func NewOutbox(rand Rand) *Outbox {
	return &Outbox{retry: backoff{min: sendRetryMin, max: sendRetryMax}, rand: rand}
}

// Load replaces what waits by what is stored as waiting, in order, such as what a user has just sent. It must not be
// called while a message is on its way. The machine keeps items.
func (o *Outbox) Load(now time.Time, items []Item) []Action {
	if len(items) == 0 || items[0].ID != o.first {
		o.settle()
	}
	o.items = items
	return o.next(now, nil)
}

// Connected says that the device is authenticated on a new connection, whose server's clock showed serverMS.
func (o *Outbox) Connected(now time.Time, serverMS int64) []Action {
	o.online, o.flying = true, false
	o.serverMS, o.serverAt = serverMS, now
	return o.next(now, nil)
}

// Disconnected says that the connection is gone. What was on its way may have arrived or not.
func (o *Outbox) Disconnected() { o.online, o.flying = false, false }

// Accepted takes the acknowledgement of the message on its way.
func (o *Outbox) Accepted(now time.Time, r Result) []Action {
	if !o.flying {
		return nil
	}
	it := o.items[0]
	it.State, it.Result = Sent, r
	return o.done(now, it)
}

// Refused takes the refusal of the message on its way.
func (o *Outbox) Refused(now time.Time, err *hongyan.Error) []Action {
	if !o.flying {
		return nil
	}
	o.flying = false
	it := &o.items[0]
	switch {
	case aboutConnection(err.Code):
		// The message was not judged. It waits for a connection that may send it.
		o.online = false
		return []Action{Trouble{err}, Drop{}}
	case err.Code == hongyan.ClockSkew && it.Refusals < MaxRefusals:
		// The stamp lies in the server's future, so no attempt with it was ever accepted: a new stamp is safe. A new
		// connection tells the time to make it from.
		it.FirstAttemptMS = 0
		it.Refusals++
		o.online = false
		return []Action{Save{[]Item{*it}}, Trouble{err}, Drop{}}
	case again(err.Code) && it.Refusals < MaxRefusals:
		it.Refusals++
		o.retryAt = now.Add(max(o.retry.next(o.rand), err.RetryAfter))
		return []Action{Save{[]Item{*it}}, Trouble{err}}
	}
	it.State, it.Code, it.Message, it.Hint = Failed, err.Code, err.Message, err.Hint
	return o.done(now, *it)
}

// Tick says that WakeAt has come.
func (o *Outbox) Tick(now time.Time) []Action { return o.next(now, nil) }

// WakeAt is when Tick must be called, zero for never.
func (o *Outbox) WakeAt() time.Time {
	if !o.online || o.flying || len(o.items) == 0 {
		return time.Time{}
	}
	return o.retryAt
}

// done records the end of the first item and goes on with the second.
func (o *Outbox) done(now time.Time, it Item) []Action {
	o.flying = false
	o.items = o.items[1:]
	o.settle()
	return o.next(now, []Item{it})
}

// settle forgets that the server was busy.
func (o *Outbox) settle() {
	o.retryAt = time.Time{}
	o.retry.reset()
}

// next transmits the first item if that is possible now. The items of save are stored first, and the item's stamp with
// them if it has none.
func (o *Outbox) next(now time.Time, save []Item) []Action {
	ready := o.online && !o.flying && len(o.items) > 0 && !now.Before(o.retryAt)
	if ready && o.items[0].FirstAttemptMS == 0 {
		// A difference of two times is not moved by somebody who sets the device's clock.
		o.items[0].FirstAttemptMS = o.serverMS + now.Sub(o.serverAt).Milliseconds()
		save = append(save, o.items[0])
	}
	var acts []Action
	if len(save) > 0 {
		acts = append(acts, Save{save})
	}
	if ready {
		o.flying = true
		o.first, o.retryAt = o.items[0].ID, time.Time{}
		acts = append(acts, Transmit{o.items[0]})
	}
	return acts
}

// aboutConnection reports whether a refusal is about who is asking and how, not about what was asked.
func aboutConnection(c hongyan.Code) bool {
	switch c {
	case hongyan.Unauthenticated, hongyan.TokenExpired, hongyan.Revoked, hongyan.TLSRequired:
		return true
	}
	return false
}
