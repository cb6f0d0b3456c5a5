package client

import (
	"cmp"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// update changes the state of a conversation that is held. Change reports whether there is anything new about it.
func (a *applier) update(id hongyan.ConversationID, change func(*hongyan.Conversation) bool) error {
	var b wire.Conversation
	if ok, err := get(a.conversations, conversationKey(id), &b); err != nil || !ok {
		return err
	}
	c, err := wire.ToConversation(&b)
	if err != nil || !change(&c) {
		return err
	}
	return a.store(c)
}

// store keeps the state of a conversation.
func (a *applier) store(c hongyan.Conversation) error {
	if !slices.Contains(a.changed, c.ID) {
		a.changed = append(a.changed, c.ID)
	}
	c.LastMessage = nil // it stands among the messages
	return put(a.conversations, conversationKey(c.ID), wire.FromConversation(c))
}

// view takes over a change of the account's own view of a conversation. What grows by itself never shrinks by it.
func (a *applier) view(c *hongyan.Conversation) error {
	next := *c
	err := a.update(c.ID, func(held *hongyan.Conversation) bool {
		next.Last = max(next.Last, held.Last)
		next.Delivered = max(next.Delivered, held.Delivered)
		next.PeerRead = max(next.PeerRead, held.PeerRead)
		return false
	})
	if err != nil {
		return err
	}
	if err := a.forget(c.ID, c.Cleared); err != nil {
		return err
	}
	return a.store(next)
}

// deriveMessage counts a new message in.
func (a *applier) deriveMessage(m *hongyan.Message) error {
	if !a.derive {
		return nil
	}
	return a.update(m.Conversation, func(c *hongyan.Conversation) bool {
		if m.Ordinal > c.Last && a.unread(c, m) {
			c.Unread = min(c.Unread+1, hongyan.MaxUnread)
		}
		c.Last = max(c.Last, m.Ordinal)
		c.Hidden = false
		return true
	})
}

// deriveRecall counts a recalled message out. A count that has reached its limit is not exact and stays.
func (a *applier) deriveRecall(m *hongyan.Message) error {
	if !a.derive {
		return nil
	}
	return a.update(m.Conversation, func(c *hongyan.Conversation) bool {
		if c.Unread == 0 || c.Unread >= hongyan.MaxUnread || !a.unread(c, m) {
			return false
		}
		c.Unread--
		return true
	})
}

// unread reports whether m counts as unread in c, as far as who sent it and where it stands decide.
func (a *applier) unread(c *hongyan.Conversation, m *hongyan.Message) bool {
	return m.From != a.me && m.Ordinal > max(c.Read, c.Joined)
}

// receipt notes how far the peer of a direct conversation has got.
func (a *applier) receipt(r *hongyan.Receipt) error {
	if peer, direct := r.Conversation.Peer(a.me); !direct || peer != r.Reader {
		return nil
	}
	return a.update(r.Conversation, func(c *hongyan.Conversation) bool {
		if r.Delivered <= c.Delivered && r.Read <= c.PeerRead {
			return false
		}
		c.Delivered, c.PeerRead = max(c.Delivered, r.Delivered), max(c.PeerRead, r.Read)
		return true
	})
}

func (a *applier) contact(c *hongyan.Contact) error {
	if err := putProfile(a.profiles, c.Profile, foreverMS); err != nil {
		return err
	}
	key := be64(uint64(c.Profile.User))
	if c.State == hongyan.ContactNone && !c.Blocked {
		if err := a.contacts.Delete(key); err != nil {
			return err
		}
	} else if err := put(a.contacts, key, wire.FromContact(*c)); err != nil {
		return err
	}
	return a.update(hongyan.Direct(a.me, c.Profile.User), func(conv *hongyan.Conversation) bool {
		conv.Peer, conv.Title = &c.Profile, cmp.Or(c.Remark, c.Profile.DisplayName, c.Profile.Name)
		return true
	})
}

func (a *applier) group(g *hongyan.Group) error {
	if err := put(a.groups, be64(uint64(g.ID)), wire.FromGroup(*g)); err != nil {
		return err
	}
	return a.update(hongyan.GroupConversation(g.ID), func(c *hongyan.Conversation) bool {
		if c.Title == g.Title {
			return false
		}
		c.Title = g.Title
		return true
	})
}
