package sim

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// deviceStore is the disk of a device: it survives the program. Each of its methods is one transaction.
type deviceStore struct {
	d        *device
	state    core.State
	messages map[place]*hongyan.Message
	unhanded []place // what the last commit brought
	told     map[place]bool
	states   map[string]string // see history.Holding

	items map[hongyan.ClientID]*core.Item
	queue []hongyan.ClientID               // in the order in which they are sent
	ops   map[hongyan.ClientID]*history.Op // of items
}

type place struct {
	conversation hongyan.ConversationID
	ordinal      hongyan.Ordinal
}

func newDeviceStore(d *device) *deviceStore {
	return &deviceStore{
		d: d, messages: map[place]*hongyan.Message{}, told: map[place]bool{}, states: map[string]string{},
		items: map[hongyan.ClientID]*core.Item{}, ops: map[hongyan.ClientID]*history.Op{},
	}
}

// commit carries out a core.Commit. It reports whether the transaction went through.
func (s *deviceStore) commit(c core.Commit) bool {
	w := s.d.w
	if s.state.Version != c.Previous {
		s.d.c.alarm(history.Key, "device %s is at version %d, not at %d", s.d.name, s.state.Version, c.Previous)
	}
	switch fails := s.d.c.faulty && w.chance(300); {
	case s.d.c.planted.keyFirst && w.chance(50):
		s.state, c.Changes = c.State, nil
		s.record(c)
		return false
	case fails && w.chance(2):
		return false // nothing of it is stored
	case fails:
		defer s.d.dieFor(replyTimeout) // all of it is stored, and nobody knows
	}
	s.state, s.unhanded = c.State, nil
	if c.Reset != nil {
		s.d.w.note("%-8s is reset: %s", s.d.name, wire.ResetReason(*c.Reset))
	}
	for _, change := range c.Changes {
		s.apply(change)
	}
	s.record(c)
	return true
}

func (s *deviceStore) record(c core.Commit) {
	s.d.c.history.Commit(history.Commit{
		Device: s.d.process(), Previous: c.Previous, Version: c.State.Version, Reset: c.Reset != nil, Backfilled: c.Backfilled,
		Whole: len(c.State.Backfill) == 0, Changes: c.Changes,
	})
}

func (s *deviceStore) apply(c hongyan.Change) {
	switch {
	case c.Message != nil:
		at := place{c.Message.Conversation, c.Message.Ordinal}
		switch held := s.messages[at]; {
		case held == nil:
			s.unhanded = append(s.unhanded, at)
		case c.Message.State == hongyan.Expired:
			return // what is held says more
		}
		s.messages[at] = c.Message
		s.d.w.note("%-8s has %s", s.d.name, told{c.Message})
	case c.Recall != nil:
		at := place{c.Recall.Conversation, c.Recall.Ordinal}
		if m := s.messages[at]; m != nil && m.State == hongyan.Present {
			stub := *m
			stub.State, stub.Content = hongyan.Recalled, hongyan.Content{}
			s.messages[at] = &stub
			s.d.w.note("%-8s has %s", s.d.name, told{&stub})
		}
	case c.Contact != nil:
		k := c.Contact
		s.states[fmt.Sprintf("contact %d", k.Profile.User)] = fmt.Sprint(k.State, k.Blocked, k.Remark)
	case c.Group != nil:
		g := c.Group
		s.states[fmt.Sprintf("group %d", g.ID)] = fmt.Sprint(g.Role, g.Owner, g.MemberCount, g.Dissolved)
	case c.Conversation != nil:
		v := c.Conversation
		s.states["view of "+v.ID.String()] = fmt.Sprint(v.Read, v.Joined, v.Left, v.Cleared, v.Pinned, v.Muted)
	case c.Receipt != nil:
		r := c.Receipt
		s.d.w.note("%-8s knows: of %s, %d has %d and has read %d", s.d.name, r.Conversation, r.Reader, r.Delivered, r.Read)
	case c.Setting != nil:
		s.states[c.Setting.Name] = string(c.Setting.Value)
	}
}

// deliver tells the program what the last commit brought.
func (s *deviceStore) deliver() {
	for _, at := range s.unhanded {
		s.told[at] = true
	}
}

func (s *deviceStore) handed() {
	s.unhanded, s.state.Unhanded = nil, false
}

// held returns the messages, but for expired ones, in a stable order.
func (s *deviceStore) held() []hongyan.Message {
	list := make([]hongyan.Message, 0, len(s.messages))
	for _, m := range s.messages {
		if m.State != hongyan.Expired {
			list = append(list, *m)
		}
	}
	slices.SortFunc(list, func(a, b hongyan.Message) int {
		return cmp.Or(cmp.Compare(a.Conversation.String(), b.Conversation.String()), cmp.Compare(a.Ordinal, b.Ordinal))
	})
	return list
}

func (s *deviceStore) add(it core.Item, op *history.Op) {
	s.items[it.ID], s.ops[it.ID] = &it, op
	s.queue = append(s.queue, it.ID)
}

func (s *deviceStore) save(items []core.Item) {
	for _, it := range items {
		s.items[it.ID] = &it
	}
}

// waiting returns the first items that wait, in order.
func (s *deviceStore) waiting(limit int) []core.Item {
	var list []core.Item
	s.queue = slices.DeleteFunc(s.queue, func(id hongyan.ClientID) bool { return s.items[id].State != core.Waiting })
	for _, id := range s.queue[:min(limit, len(s.queue))] {
		list = append(list, *s.items[id])
	}
	return list
}
