package history

import (
	"slices"
	"sort"

	"github.com/hongyan-im/hongyan"
)

// mark is how far an account had got in a conversation at a moment.
type mark struct {
	at      Moment
	ordinal hongyan.Ordinal
}

type part struct {
	user         hongyan.UserID
	conversation hongyan.ConversationID
}

// marks is how far accounts had got when.
type marks map[part][]mark

func (m marks) raise(p part, at Moment, n hongyan.Ordinal) {
	list := m[p]
	if len(list) > 0 {
		n = max(n, list[len(list)-1].ordinal)
	}
	m[p] = append(list, mark{at, n})
}

// before returns how far p had got before a moment.
func (m marks) before(p part, at Moment) hongyan.Ordinal {
	list := m[p]
	i := sort.Search(len(list), func(i int) bool { return list[i].at >= at })
	if i == 0 {
		return 0
	}
	return list[i-1].ordinal
}

// progress returns what each account's devices had stored, and what it had asked to be marked as read, when.
func (c *checker) progress() (stored, read marks) {
	stored, read = marks{}, marks{}
	for _, commit := range c.h.Commits {
		for _, change := range commit.Changes {
			if m := change.Message; m != nil {
				stored.raise(part{commit.User, m.Conversation}, commit.Moment, m.Ordinal)
			}
		}
	}
	for _, o := range c.h.Ops {
		if o.Kind == MarkRead {
			read.raise(part{o.User, o.Conversation}, o.Invoked, o.Ordinal)
		}
	}
	return stored, read
}

// checkReceipts compares every receipt that was shown with what the reader had done by then.
func (c *checker) checkReceipts() {
	stored, read := c.progress()
	check := func(p *Page, reader hongyan.UserID, id hongyan.ConversationID, delivered, seen hongyan.Ordinal) {
		at := part{reader, id}
		most := read.before(at, p.Shown)
		if seen > most {
			c.fail(Receipts, "device %d was told that account %d had read %s up to %d, it had up to %d", p.Device.Device, reader, id, seen, most)
		}
		if most = max(most, stored.before(at, p.Shown)); delivered > most {
			c.fail(Receipts, "device %d was told that account %d had received %s up to %d, it had up to %d",
				p.Device.Device, reader, id, delivered, most)
		}
	}
	state := func(p *Page, s *hongyan.Conversation) {
		if peer, ok := s.ID.Peer(p.User); ok && peer != p.User {
			check(p, peer, s.ID, s.Delivered, s.PeerRead)
		}
	}
	for i := range c.h.Pages {
		p := &c.h.Pages[i]
		for _, change := range p.Changes {
			if r := change.Receipt; r != nil {
				check(p, r.Reader, r.Conversation, r.Delivered, r.Read)
			}
			if change.Conversation != nil {
				state(p, change.Conversation)
			}
		}
		for j := range p.Conversations {
			state(p, &p.Conversations[j])
		}
	}
}

// checkViews compares what devices are told in the end of their conversations with the truth.
func (c *checker) checkViews() {
	_, asked := c.progress()
	done := marks{}
	for _, o := range c.h.Ops {
		if o.Kind == MarkRead && o.Done() {
			done.raise(part{o.User, o.Conversation}, o.Completed, o.Ordinal)
		}
	}
	end := c.h.Now() + 1
	states := c.states()
	for _, v := range c.h.Views {
		s, at := &v.Conversation, part{v.User, v.Conversation.ID}
		readers := c.readers(s.ID)
		if readers == nil {
			continue
		}
		var last hongyan.Ordinal
		unread := 0
		for n, m := range c.logs[s.ID] {
			if !slices.Contains(readers[n], v.User) {
				continue
			}
			last = max(last, n)
			state, known := states[place{s.ID, n, false}]
			if !known {
				state = m.State
			}
			if m.recall != nil {
				state = hongyan.Recalled
			}
			if m.From != v.User && n > max(s.Read, s.Joined) && state == hongyan.Present {
				unread++
			}
		}
		if s.Last != last && !c.unseen(s.ID, last, s.Last) {
			c.fail(Durable, "account %d is told that %s ends at %d, it ends at %d", v.User, s.ID, s.Last, last)
		}
		if unread = min(unread, hongyan.MaxUnread); s.Unread > unread || s.Unread < unread && c.h.Kept == 0 {
			c.fail(Unread, "account %d is told of %d unread in %s, read up to %d of %d: it is %d", v.User, s.Unread, s.ID, s.Read, s.Last, unread)
		}
		if least, most := done.before(at, end), asked.before(at, end); s.Read < least && least > s.Joined || s.Read > most {
			c.fail(Unread, "account %d is told that it has read %s up to %d; it asked for %d, and %d was done", v.User, s.ID, s.Read, most, least)
		}
		if peer, ok := s.ID.Peer(v.User); ok && peer != v.User {
			if least := done.before(part{peer, s.ID}, end); s.PeerRead < least {
				c.fail(Receipts, "account %d is told that account %d has read %s up to %d, and %d was done", v.User, peer, s.ID, s.PeerRead, least)
			}
		}
	}
}

// states are how messages stand in the end. What one device knows to be recalled is: who had left before that was not told.
func (c *checker) states() map[place]hongyan.MessageState {
	all := map[place]hongyan.MessageState{}
	for _, d := range c.h.Holdings {
		for i := range d.Messages {
			at := place{d.Messages[i].Conversation, d.Messages[i].Ordinal, false}
			if known := all[at]; known != hongyan.Recalled {
				all[at] = d.Messages[i].State
			}
		}
	}
	return all
}

// unseen reports whether a conversation may go on from after to upTo with notices that were trimmed before anybody saw
// them. What people send is known by its answer.
func (c *checker) unseen(id hongyan.ConversationID, after, upTo hongyan.Ordinal) bool {
	if c.h.Kept == 0 || upTo < after {
		return false
	}
	for n := after + 1; n <= upTo; n++ {
		if c.logs[id][n] != nil {
			return false
		}
	}
	return true
}
