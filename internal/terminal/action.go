package terminal

import (
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// The actions of a screen. Those that can fail come back as an event.
type (
	// fetchOlder asks for messages below an ordinal, 0 for the end. It comes back as fetched.
	fetchOlder struct {
		conv   hongyan.Conversation
		before hongyan.Ordinal
	}
	// sendText sends a message. It comes back as notStored, or as events of the outbox.
	sendText struct {
		to   hongyan.ConversationID
		text string
	}
	// resend sends a failed message again. It comes back as resent or notResent, and as events of the outbox.
	resend struct {
		id    hongyan.ClientID
		asNew bool
	}
	// discard takes a failed message out of the outbox.
	discard struct{ id hongyan.ClientID }
	// markRead raises the read mark of a conversation. If that fails it comes back as notMarked.
	markRead struct {
		id      hongyan.ConversationID
		ordinal hongyan.Ordinal
	}
	// findAccount looks a name up. It comes back as found.
	findAccount struct{ name string }
	// findNames looks accounts up. It comes back as named.
	findNames struct{ users []hongyan.UserID }
	// wake asks for an event of any kind after a while, because time alone will have changed the picture.
	wake struct{ after time.Duration }
	// quit ends the program.
	quit struct{}
)

// told is what the client tells, in order.
type told []client.Event

// The events that answer actions.
type (
	fetched struct {
		id       hongyan.ConversationID
		before   hongyan.Ordinal
		messages []hongyan.Message
		more     bool
		err      error
	}
	notStored struct {
		to   hongyan.ConversationID
		text string
		err  error
	}
	resent    struct{ id, as hongyan.ClientID }
	notResent struct {
		id  hongyan.ClientID
		err error
	}
	notMarked struct{ id hongyan.ConversationID }
	found     struct {
		profile hongyan.Profile
		err     error
	}
	named  map[hongyan.UserID]string
	woken  struct{}
	loaded struct { // once, before all other events
		conversations []hongyan.Conversation
		outbox        []client.OutboxItem
		groups        []hongyan.Group
		names         map[hongyan.UserID]string
	}
)
