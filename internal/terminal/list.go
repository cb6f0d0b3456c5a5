package terminal

import (
	"cmp"
	"slices"

	"github.com/hongyan-im/hongyan"
)

// sort puts the list in order: pinned ones first, then by what happened last. Hidden ones are left out unless open.
func (s *screen) sort() {
	var selected *chat
	if s.selected < len(s.order) {
		selected = s.order[s.selected]
	}
	s.order = s.order[:0]
	for _, c := range s.chats {
		c.active = s.activity(c)
		if !c.conv.Hidden && (c.active > 0 || c.conv.Last > 0 || isGroup(c)) || c == s.open {
			s.order = append(s.order, c)
		}
	}
	slices.SortFunc(s.order, func(a, b *chat) int {
		if a.conv.Pinned != b.conv.Pinned {
			if a.conv.Pinned {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.active, a.active), cmp.Compare(a.conv.ID.String(), b.conv.ID.String()))
	})
	s.selected = max(slices.Index(s.order, selected), 0)
}

func isGroup(c *chat) bool {
	_, group := c.conv.ID.Group()
	return group
}

// activity is when something happened in a conversation last, in Unix milliseconds.
func (s *screen) activity(c *chat) int64 {
	var ms int64
	if c.conv.LastMessage != nil {
		ms = c.conv.LastMessage.TimeMS
	}
	for _, it := range s.outbox.of(c) {
		ms = max(ms, it.QueuedMS)
	}
	return ms
}

// unread counts the messages that wait in other conversations than one.
func (s *screen) unread(except *chat) int {
	n := 0
	for _, c := range s.order {
		if c != except && !c.conv.Muted {
			n += c.conv.Unread
		}
	}
	return n
}

// called is how an account calls another: by its own remark, or as the other calls itself.
func called(remark string, p *hongyan.Profile) string { return cmp.Or(remark, p.DisplayName, p.Name) }

// nameOf is how a person calls an account.
func (s *screen) nameOf(u hongyan.UserID, fallback string) string {
	if u == s.me {
		return s.words.you
	}
	name := OneLine(s.names[u])
	if name == "" {
		name = OneLine(fallback)
	}
	return cmp.Or(name, s.words.account(u))
}

// titleOf is what a conversation is called.
func (s *screen) titleOf(c *chat) string {
	if peer, direct := c.conv.ID.Peer(s.me); direct {
		if peer == s.me {
			return s.words.notes
		}
		if title := OneLine(c.conv.Title); title != "" {
			return title
		}
		return s.nameOf(peer, "")
	}
	return cmp.Or(OneLine(c.conv.Title), c.conv.ID.String())
}
