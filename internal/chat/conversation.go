package chat

import (
	"cmp"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Conversations reads the present state of the named conversations of the caller, or of its most recent ones, newest
// first. Those that the caller has no part in are left out.
func (s *Service) Conversations(c Caller, ids []hongyan.ConversationID, limit uint32, done func([]hongyan.Conversation, error)) {
	if len(ids) > MaxConversations {
		done(nil, hongyan.Errorf(hongyan.TooMany, "%d conversations at once, the limit is %d", len(ids), MaxConversations))
		return
	}
	inbox.Look(s.shard, c.User, func(r *inbox.Read) ([]hongyan.Conversation, error) {
		if len(ids) == 0 {
			return recent(r, c.User, pageLimit(limit, WindowSize, MaxConversations))
		}
		return conversations(r, c.User, ids)
	}, done)
}

// conversations reads the states of several conversations of u.
func conversations(r store.Reader, u hongyan.UserID, ids []hongyan.ConversationID) ([]hongyan.Conversation, error) {
	list := make([]hongyan.Conversation, 0, len(ids))
	for _, id := range ids {
		v, err := store.Views.Get(r, store.Part{User: u, Conversation: id})
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		state, err := conversationOf(r, u, id, v)
		if err != nil {
			return nil, err
		}
		list = append(list, state)
	}
	return list, nil
}

// recent reads u's most recent conversations, newest first, with their last messages as far as an answer has room.
func recent(r store.Reader, u hongyan.UserID, limit int) ([]hongyan.Conversation, error) {
	type candidate struct {
		id     hongyan.ConversationID
		view   store.ConversationView
		timeMS int64
		newest hongyan.MessageID // tells the messages of one millisecond apart
	}
	var all []candidate
	err := store.ListViews(r, u, func(id hongyan.ConversationID, v *store.ConversationView) bool {
		all = append(all, candidate{id: id, view: *v})
		return true
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		m, err := lastMessage(r, u, all[i].id, &all[i].view)
		if err != nil {
			return nil, err
		}
		if m != nil {
			// Nothing else is kept of the message: there may be many conversations.
			all[i].timeMS, all[i].newest = m.TimeMS, m.ID
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.timeMS, a.timeMS), cmp.Compare(b.newest, a.newest))
	})
	var list []hongyan.Conversation
	size := 0
	for _, c := range all[:min(limit, len(all))] {
		state, err := conversationOf(r, u, c.id, &c.view)
		if err != nil {
			return nil, err
		}
		size += sizeOfConversation(&state)
		m, err := lastMessage(r, u, c.id, &c.view)
		if err != nil {
			return nil, err
		}
		if m != nil && size+sizeOfMessage(m) <= MaxPageBytes {
			state.LastMessage = m
			size += sizeOfMessage(m)
		}
		list = append(list, state)
	}
	return list, nil
}

// lastMessage is the newest message that u sees of a conversation, if there is one.
func lastMessage(r store.Reader, u hongyan.UserID, c hongyan.ConversationID, v *store.ConversationView) (*hongyan.Message, error) {
	last, err := store.LastOrdinal(r, c)
	if err != nil {
		return nil, err
	}
	from, to := bounds(v, last)
	var m *hongyan.Message
	var failed error
	err = store.ListMessages(r, c, from, to, true, func(found *hongyan.Message) bool {
		var hidden map[hongyan.Ordinal]bool
		hidden, failed = store.Hidden(r, u, c, found.Ordinal, found.Ordinal)
		if failed == nil && len(hidden) == 0 {
			m = found
		}
		return failed == nil && m == nil
	})
	return m, firstError(err, failed)
}

// conversationOf is a conversation as u sees it.
func conversationOf(r store.Reader, u hongyan.UserID, id hongyan.ConversationID, v *store.ConversationView) (hongyan.Conversation, error) {
	last, err := store.LastOrdinal(r, id)
	if err != nil {
		return hongyan.Conversation{}, err
	}
	_, end := bounds(v, last)
	c := hongyan.Conversation{
		ID: id, Last: end, Read: max(v.Read, v.Cleared), Joined: v.Joined, Left: v.Left, Cleared: v.Cleared, Pinned: v.Pinned,
		Muted: v.Muted, Hidden: v.Hidden && v.HiddenAt >= end,
	}
	if c.Unread, err = unread(r, u, id, v, end); err != nil {
		return c, err
	}
	if g, ok := id.Group(); ok {
		group, err := store.Groups.Get(r, g)
		if group != nil {
			c.Title = group.Title
		}
		return c, err
	}
	return c, addPeer(r, u, id, &c)
}

// addPeer completes the state of a direct conversation with what is known of the other side.
func addPeer(r store.Reader, u hongyan.UserID, id hongyan.ConversationID, c *hongyan.Conversation) error {
	peer, ok := id.Peer(u)
	if !ok {
		return nil
	}
	a, err := store.Accounts.Get(r, peer)
	if err != nil || a == nil {
		return err
	}
	profile := a.Profile(peer)
	c.Peer, c.Title = &profile, cmp.Or(a.DisplayName, a.Name)
	k, err := store.Contacts.Get(r, store.Pair{User: u, Other: peer})
	if err != nil {
		return err
	}
	if k != nil && k.Remark != "" {
		c.Title = k.Remark
	}
	theirs, err := store.Views.Get(r, store.Part{User: peer, Conversation: id})
	if theirs != nil && peer != u {
		c.Delivered, c.PeerRead = theirs.Delivered, theirs.Read
	}
	return err
}

// unread counts the messages of others, not recalled, that u may see and has not read, up to hongyan.MaxUnread. It looks
// through the newest scanUnread messages: more than that are not read by whom never reads.
func unread(r store.Reader, u hongyan.UserID, id hongyan.ConversationID, v *store.ConversationView, end hongyan.Ordinal) (int, error) {
	if peer, direct := id.Peer(u); direct && peer == u {
		return 0, nil
	}
	from, _ := bounds(v, end)
	from = max(from, v.Read+1)
	if end > scanUnread {
		from = max(from, end-scanUnread+1)
	}
	n := 0
	err := store.ListSenders(r, id, from, end, func(_ hongyan.Ordinal, sender hongyan.UserID, s hongyan.MessageState) bool {
		if sender != u && s == hongyan.Present {
			n++
		}
		return n < hongyan.MaxUnread
	})
	return n, err
}

// HistoryQuery asks for messages of a conversation: below Before (0: the end), newest first; or, if After is set,
// above it, oldest first.
type HistoryQuery struct {
	Conversation  hongyan.ConversationID
	Before, After hongyan.Ordinal
	Limit         uint32
}

// History is a page of messages, in rising order of ordinal.
type History struct {
	Messages []*hongyan.Message
	More     bool
}

// History reads messages that the caller may see: those of its time as a member, neither cleared nor deleted by it.
func (s *Service) History(c Caller, q HistoryQuery, done func(History, error)) {
	inbox.Look(s.shard, c.User, func(r *inbox.Read) (History, error) {
		v, err := partOf(r, c.User, q.Conversation)
		if err != nil {
			return History{}, err
		}
		last, err := store.LastOrdinal(r, q.Conversation)
		if err != nil {
			return History{}, err
		}
		from, to := bounds(v, last)
		if q.After != 0 {
			from = max(from, min(q.After, last)+1)
		} else if q.Before != 0 {
			to = min(to, q.Before-1)
		}
		return history(r, c.User, q.Conversation, from, to, q.After == 0, pageLimit(q.Limit, DefaultHistory, MaxHistory))
	}, done)
}

func history(r store.Reader, u hongyan.UserID, c hongyan.ConversationID, from, to hongyan.Ordinal, falling bool, limit int) (History, error) {
	var page History
	if from > to {
		return page, nil
	}
	hidden, err := store.Hidden(r, u, c, from, to)
	if err != nil {
		return page, err
	}
	size := 0
	err = store.ListMessages(r, c, from, to, falling, func(m *hongyan.Message) bool {
		if hidden[m.Ordinal] {
			return true
		}
		if page.More = len(page.Messages) == limit || size > MaxPageBytes; page.More {
			return false
		}
		size += sizeOfMessage(m)
		page.Messages = append(page.Messages, m)
		return true
	})
	if falling {
		slices.Reverse(page.Messages)
	}
	return page, err
}
