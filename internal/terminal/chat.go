package terminal

import (
	"cmp"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// Limits of the messages that are kept in memory for one conversation. The client's store has them all.
const (
	maxMessages = 5000 // while it is open
	keptClosed  = 100  // afterwards
	pageSize    = 100  // messages that are fetched at once
)

// chat is one conversation.
type chat struct {
	conv     hongyan.Conversation
	messages []hongyan.Message // in rising order of ordinal; the newest are there once it was opened
	opened   bool
	complete bool // there is nothing older
	fetching bool // older messages are on their way
	draft    composer
	newFrom  hongyan.Ordinal // where what was unread begins, as of the opening; zero if all was read
	marking  hongyan.Ordinal // the read mark that was asked for
	active   int64           // when something happened last, Unix milliseconds

	view view
}

// floor is the last ordinal that this account does not get to see.
func (c *chat) floor() hongyan.Ordinal { return max(c.conv.Joined, c.conv.Cleared) }

// find is where a message of an ordinal is, or belongs.
func (c *chat) find(n hongyan.Ordinal) (int, bool) {
	return slices.BinarySearchFunc(c.messages, n, func(m hongyan.Message, n hongyan.Ordinal) int {
		return cmp.Compare(m.Ordinal, n)
	})
}

// put adds messages or replaces them.
func (c *chat) put(list ...hongyan.Message) {
	for _, m := range list {
		if m.Ordinal <= c.floor() {
			continue
		}
		if i, there := c.find(m.Ordinal); there {
			c.messages[i] = m
		} else {
			c.messages = slices.Insert(c.messages, i, m)
		}
	}
	if extra := len(c.messages) - maxMessages; extra > 0 {
		c.messages = slices.Delete(c.messages, 0, extra)
		c.complete = false
	}
}

// update takes a newer state of the conversation, which may come without its last message.
func (c *chat) update(conv hongyan.Conversation) {
	last := c.conv.LastMessage
	if conv.LastMessage == nil || last != nil && last.Ordinal > conv.LastMessage.Ordinal {
		conv.LastMessage = last
	}
	c.conv = conv
	if floor := c.floor(); floor > 0 {
		c.messages = slices.DeleteFunc(c.messages, func(m hongyan.Message) bool { return m.Ordinal <= floor })
		if l := c.conv.LastMessage; l != nil && l.Ordinal <= floor {
			c.conv.LastMessage = nil
		}
	}
}

// arrived takes a new message.
func (c *chat) arrived(m hongyan.Message) {
	if c.opened {
		c.put(m)
	}
	c.conv.Last = max(c.conv.Last, m.Ordinal)
	if l := c.conv.LastMessage; l == nil || l.Ordinal <= m.Ordinal {
		c.conv.LastMessage = &m
	}
}

// recalled empties a message that was taken back.
func (c *chat) recalled(r hongyan.Recall) {
	empty := func(m *hongyan.Message) { m.State, m.Content = hongyan.Recalled, hongyan.Content{} }
	if i, there := c.find(r.Ordinal); there {
		empty(&c.messages[i])
	}
	if l := c.conv.LastMessage; l != nil && l.Ordinal == r.Ordinal {
		m := *l
		empty(&m)
		c.conv.LastMessage = &m
	}
}

// removed forgets messages that this account deleted for itself.
func (c *chat) removed(list []hongyan.Ordinal) {
	c.messages = slices.DeleteFunc(c.messages, func(m hongyan.Message) bool { return slices.Contains(list, m.Ordinal) })
	if l := c.conv.LastMessage; l != nil && slices.Contains(list, l.Ordinal) {
		c.conv.LastMessage = nil
		if n := len(c.messages); n > 0 {
			c.conv.LastMessage = &c.messages[n-1]
		}
	}
}

// receipt raises the marks of the reader.
func (c *chat) receipt(me hongyan.UserID, r hongyan.Receipt) {
	if r.Reader == me {
		c.conv.Read = max(c.conv.Read, r.Read)
		return
	}
	if _, group := c.conv.ID.Group(); !group {
		c.conv.Delivered, c.conv.PeerRead = max(c.conv.Delivered, r.Delivered), max(c.conv.PeerRead, r.Read)
	}
}

// close forgets what can be fetched again.
func (c *chat) close() {
	c.newFrom = 0
	if extra := len(c.messages) - keptClosed; extra > 0 {
		c.messages = slices.Delete(c.messages, 0, extra)
		c.complete = false
	}
	c.view = view{}
}

// progress is how far an own message has got, as a person sees it.
type progress uint8

const (
	sending progress = iota
	sent
	delivered
	read
	failed
)

// progressOf tells it for a message that the server has.
func (c *chat) progressOf(m *hongyan.Message) progress {
	switch {
	case m.Ordinal <= c.conv.PeerRead:
		return read
	case m.Ordinal <= c.conv.Delivered:
		return delivered
	}
	return sent
}

// outbox is the messages on their way out, in the order in which they were written.
type outbox []client.OutboxItem

// put adds an item or replaces it.
func (o *outbox) put(it client.OutboxItem) {
	for i := range *o {
		if (*o)[i].ID == it.ID {
			// What has been sent comes without its content.
			if it.State == client.StateSent {
				it.Content = (*o)[i].Content
			}
			(*o)[i] = it
			return
		}
	}
	if it.State != client.StateSent {
		*o = append(*o, it)
	}
}

func (o *outbox) remove(id hongyan.ClientID) {
	*o = slices.DeleteFunc(*o, func(it client.OutboxItem) bool { return it.ID == id })
}

// of lists the items of a conversation.
func (o outbox) of(c *chat) []client.OutboxItem {
	var list []client.OutboxItem
	for _, it := range o {
		byName := it.Target.Name != "" && c.conv.Peer != nil && c.conv.Peer.Name == it.Target.Name
		if byName || it.Target.Conversation == c.conv.ID {
			list = append(list, it)
		}
	}
	return list
}

// lastFailed is the newest failed item of a conversation.
func (o outbox) lastFailed(c *chat) (client.OutboxItem, bool) {
	list := o.of(c)
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].State == client.StateFailed {
			return list[i], true
		}
	}
	return client.OutboxItem{}, false
}
