package client

import (
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// Event is something that Options.OnEvent is told. It is one of the structs of this file.
//
// What the server's changes caused, from MessageEvent to ResetEvent, comes in the order of the changes. It is stored
// before it is told, and told again after a crash that came before the program had dealt with it: then the last events
// are repeated, with the same message ids and versions. The others are told as they come, and the oldest are dropped when
// the callback does not keep up; Client.Outbox and Client.Link tell the present state.
type Event interface{ event() }

// MessageEvent says that there is a message that this device has not had before, of others or of this account's own
// devices.
type MessageEvent struct {
	Version hongyan.Version // of the change
	Message hongyan.Message

	// Backfilled says that it came with the history that a new device, or one that was away too long, fetches after a
	// reset: it may be old, and nobody expects an answer or an alarm.
	Backfilled bool
}

// RecallEvent says that a message was taken back.
type RecallEvent struct {
	Version hongyan.Version
	Recall  hongyan.Recall
}

// RemovalEvent says that this account deleted messages for itself.
type RemovalEvent struct {
	Version hongyan.Version
	Removal hongyan.Removal
}

// ReceiptEvent says how far somebody has received and read a conversation.
type ReceiptEvent struct {
	Version hongyan.Version
	Receipt hongyan.Receipt
}

// ContactEvent says that a contact was asked for, accepted, changed or ended.
type ContactEvent struct {
	Version hongyan.Version
	Contact hongyan.Contact
}

// GroupEvent says that a group has changed for this account. Its list of members is empty: ask for the group.
type GroupEvent struct {
	Version hongyan.Version
	Group   hongyan.Group
}

// ProfileEvent says that this account's own profile has changed.
type ProfileEvent struct {
	Version hongyan.Version
	Profile hongyan.Profile
}

// DevicesEvent says that this account's list of devices has changed.
type DevicesEvent struct {
	Version hongyan.Version
	Devices hongyan.Devices
}

// SettingEvent says that a setting that this account's devices share has changed.
type SettingEvent struct {
	Version hongyan.Version
	Setting hongyan.Setting
}

// ConversationEvent says that a conversation is new or has another state: unread count, read mark, title and so on. It
// comes after the messages that caused it.
type ConversationEvent struct {
	Conversation hongyan.Conversation // without LastMessage
}

// ResetEvent says that the server could not continue where this device was: conversations, contacts, groups and
// settings were dropped and come again, after wire.ResetGeneration the messages too. Messages that were told once are
// not told again.
type ResetEvent struct {
	Reason wire.ResetReason
}

// OutboxEvent says that a message of the outbox was added or has another state.
type OutboxEvent struct {
	Item OutboxItem
}

// LinkEvent says that the connection came or went.
type LinkEvent struct {
	Link Link
}

// ReportEvent says that the network has failed this device again and again, once until there is a link again. A person may
// want the operator to know: Client.SendReport sends the report when a path opens.
type ReportEvent struct {
	Report Report
}

// TroubleEvent reports a problem that the Client copes with by trying again.
type TroubleEvent struct {
	Err error
}

func (MessageEvent) event()      {}
func (RecallEvent) event()       {}
func (RemovalEvent) event()      {}
func (ReceiptEvent) event()      {}
func (ContactEvent) event()      {}
func (GroupEvent) event()        {}
func (ProfileEvent) event()      {}
func (DevicesEvent) event()      {}
func (SettingEvent) event()      {}
func (ConversationEvent) event() {}
func (ResetEvent) event()        {}
func (OutboxEvent) event()       {}
func (LinkEvent) event()         {}
func (ReportEvent) event()       {}
func (TroubleEvent) event()      {}

// Link is the state of a Client's connection while Run or Sync keeps it.
type Link struct {
	Online    bool
	Transport string    // while online: tls, wss, https, tcp, ws or http
	Address   string    // while online: HOST:PORT
	Err       error     // why it is down, nil while the first attempt is made
	RetryAt   time.Time // when the next attempt is made, zero while one is being made
}

// OutboxItem is a message on its way out.
type OutboxItem = core.Item

// SendState is how far a message of this account has got.
type SendState = core.ItemState

// What a person sees of a message of this account. An OutboxItem has one of the first three states; the others follow
// from what its conversation says about the peer, see StateOf.
const (
	StateWaiting   SendState = core.Waiting // not acknowledged yet: "sending"
	StateSent      SendState = core.Sent    // acknowledged: durable, and found by every device of both sides
	StateFailed    SendState = core.Failed  // refused, see OutboxItem.Err: a red mark; Resend sends it again
	StateDelivered SendState = 4            // the peer of a direct conversation has received it
	StateRead      SendState = 5            // and seen it
)

// StateOf says how far a sent message of a conversation has got: StateSent, StateDelivered or StateRead. Groups say no
// more than StateSent; ask for the Readers.
func StateOf(c hongyan.Conversation, n hongyan.Ordinal) SendState {
	switch {
	case n <= c.PeerRead:
		return StateRead
	case n <= c.Delivered:
		return StateDelivered
	}
	return StateSent
}

// changeEvent makes the event of a change, nil for a change that this version does not know.
func changeEvent(c hongyan.Change, backfilled bool) Event {
	v := c.Version
	switch {
	case c.Message != nil:
		return MessageEvent{v, *c.Message, backfilled}
	case c.Recall != nil:
		return RecallEvent{v, *c.Recall}
	case c.Removal != nil:
		return RemovalEvent{v, *c.Removal}
	case c.Contact != nil:
		return ContactEvent{v, *c.Contact}
	case c.Group != nil:
		return GroupEvent{v, *c.Group}
	case c.Conversation != nil:
		return ConversationEvent{*c.Conversation}
	case c.Receipt != nil:
		return ReceiptEvent{v, *c.Receipt}
	case c.Profile != nil:
		return ProfileEvent{v, *c.Profile}
	case c.Devices != nil:
		return DevicesEvent{v, *c.Devices}
	case c.Setting != nil:
		return SettingEvent{v, *c.Setting}
	}
	return nil
}

// batchEvents makes the events of what a commit stored, in order.
func batchEvents(batch *wire.SyncReply, backfilled bool) ([]Event, error) {
	var events []Event
	if r := batch.GetReset_(); r != nil {
		events = append(events, ResetEvent{r.Reason})
	}
	for _, b := range batch.GetChanges() {
		c, err := wire.ToChange(b)
		if err != nil {
			return nil, err
		}
		if e := changeEvent(c, backfilled); e != nil {
			events = append(events, e)
		}
	}
	for _, b := range batch.GetConversations() {
		c, err := wire.ToConversation(b)
		if err != nil {
			return nil, err
		}
		events = append(events, ConversationEvent{c})
	}
	return events, nil
}
