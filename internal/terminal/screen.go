package terminal

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

// screen is the whole state of the chat. It owns no terminal, client, clock or goroutine: events go in through handle
// and come out as actions, and draw makes a picture of the present state.
type screen struct {
	words *words
	paint painter
	m     measure
	now   time.Time // of the last event, in the zone of the person who reads

	width, height int
	blurred       bool // the terminal's window is not the one in use

	me     hongyan.UserID
	name   string // account name of me
	link   client.Link
	chats  map[hongyan.ConversationID]*chat
	order  []*chat // as listed
	names  map[hongyan.UserID]string
	asked  map[hongyan.UserID]bool // whose names were asked for
	sizes  map[hongyan.GroupID]int // members of groups
	outbox outbox
	asNew  hongyan.ClientID // the failed message that may only go out as a new one, if the person wants

	open     *chat // shown beside the list, nil if there is none
	selected int   // in order
	pane     pane
	overlay  overlay
	prompt   composer // in the overlay
	problem  string   // below the prompt
	notice   string   // for a moment, above the message that is being written
	noticeAt time.Time

	waking   bool // a wake is on its way
	revision int  // grows with everything that may change the layout of messages
}

// pane is the half of the screen that gets the keys. On a narrow terminal it is the only one shown.
type pane uint8

const (
	listPane pane = iota
	talkPane
)

// overlay covers a part of the screen.
type overlay uint8

const (
	noOverlay overlay = iota
	helpOverlay
	newChatOverlay
)

// noticeTime is how long a notice stays.
const noticeTime = 8 * time.Second

// newScreen makes the screen of an account at a time.
func newScreen(w *words, me hongyan.UserID, name string, now time.Time) *screen {
	return &screen{
		words: w, paint: newPainter(true), now: now, me: me, name: name,
		chats: make(map[hongyan.ConversationID]*chat),
		names: make(map[hongyan.UserID]string),
		asked: make(map[hongyan.UserID]bool),
		sizes: make(map[hongyan.GroupID]int),
	}
}

// handle takes an event that is no key: told, an answer to an action, or woken.
func (s *screen) handle(event any) []any {
	s.revision++
	acts := s.take(event)
	s.sort()
	return append(acts, s.settle()...)
}

func (s *screen) take(event any) []any {
	switch e := event.(type) {
	case woken:
		s.waking = false
	case loaded:
		for _, conv := range e.conversations {
			s.chat(conv.ID).update(conv)
		}
		for _, g := range e.groups {
			s.sizes[g.ID] = g.MemberCount
		}
		s.outbox = e.outbox
		s.learn(e.names)
		var last []hongyan.Message
		for _, conv := range e.conversations {
			if conv.LastMessage != nil {
				last = append(last, *conv.LastMessage)
			}
		}
		return s.meet(last...)
	case fetched:
		s.fetched(e)
		return s.meet(e.messages...)
	case notStored:
		s.notStored(e)
	case resent:
		if e.as != e.id {
			s.outbox.remove(e.id)
		}
	case notResent:
		s.notResent(e)
	case notMarked:
		s.chat(e.id).marking = 0
	case found:
		return s.found(e)
	case named:
		s.learn(e)
	case told:
		var acts []any
		for _, event := range e {
			acts = append(acts, s.hear(event)...)
		}
		return acts
	}
	return nil
}

// hear takes one thing that the client tells.
func (s *screen) hear(event client.Event) []any {
	switch e := event.(type) {
	case client.LinkEvent:
		s.link = e.Link
		if s.link.Online {
			s.reconnected()
		}
	case client.OutboxEvent:
		s.outbox.put(e.Item)
		s.tidyOutbox(e.Item)
	case client.ReportEvent:
		s.say(s.words.offerReport)
	case client.TroubleEvent:
		s.say(reason(e.Err))
	case client.MessageEvent:
		m := e.Message
		s.outbox.remove(m.ClientID)
		c := s.chat(m.Conversation)
		c.arrived(m)
		if c.view.scroll > 0 && m.From != s.me {
			c.view.below++
		}
		return s.meet(m)
	case client.RecallEvent:
		s.chat(e.Recall.Conversation).recalled(e.Recall)
	case client.RemovalEvent:
		s.chat(e.Removal.Conversation).removed(e.Removal.Ordinals)
	case client.ReceiptEvent:
		s.chat(e.Receipt.Conversation).receipt(s.me, e.Receipt)
	case client.ConversationEvent:
		s.chat(e.Conversation.ID).update(e.Conversation)
		if peer, direct := e.Conversation.ID.Peer(s.me); direct && e.Conversation.Title != "" {
			s.names[peer] = e.Conversation.Title
		}
	case client.ContactEvent:
		c := e.Contact
		s.names[c.Profile.User] = called(c.Remark, &c.Profile)
		if c.State == hongyan.ContactAsking {
			s.say(s.words.asksContact(c.Profile.Name))
		}
	case client.GroupEvent:
		s.sizes[e.Group.ID] = e.Group.MemberCount
	case client.ResetEvent:
		// The conversations come again, in the events that follow. The open one stays on the screen.
		for id, c := range s.chats {
			if c != s.open {
				delete(s.chats, id)
			}
		}
		if c := s.open; c != nil {
			c.complete = false
			if e.Reason == wire.ResetGeneration { // another past: the messages go too
				c.messages, c.opened, c.conv.LastMessage = nil, false, nil
			}
		}
	}
	return nil
}

// chat returns a conversation, a new one if it is not known yet.
func (s *screen) chat(id hongyan.ConversationID) *chat {
	c := s.chats[id]
	if c == nil {
		c = &chat{conv: hongyan.Conversation{ID: id}}
		s.chats[id] = c
	}
	return c
}

func (s *screen) learn(names map[hongyan.UserID]string) {
	for u, name := range names {
		s.names[u] = name
	}
}

// meet asks, once, how the accounts of messages are called that are not known yet.
func (s *screen) meet(messages ...hongyan.Message) []any {
	var users []hongyan.UserID
	ask := func(u hongyan.UserID) {
		if u != 0 && u != s.me && s.names[u] == "" && !s.asked[u] {
			s.asked[u] = true
			users = append(users, u)
		}
	}
	for i := range messages {
		m := &messages[i]
		ask(m.From)
		if m.Content.Notice != nil {
			for _, u := range m.Content.Notice.Users {
				ask(u)
			}
		}
		if m.Content.Quote != nil {
			ask(m.Content.Quote.From)
		}
	}
	if len(users) == 0 {
		return nil
	}
	return []any{findNames{users}}
}

func (s *screen) fetched(e fetched) {
	c := s.chat(e.id)
	c.fetching = false
	c.put(e.messages...)
	c.opened = true
	c.complete = !e.more && e.err == nil || len(c.messages) >= maxMessages
	if e.err != nil && len(e.messages) == 0 && e.before != 0 {
		s.say(reason(e.err))
	}
}

// reconnected has settle ask again for what could not be had without a connection.
func (s *screen) reconnected() {
	clear(s.asked)
	for _, c := range s.chats {
		c.marking = 0
		if len(c.messages) == 0 && !c.complete {
			c.opened = false
		}
	}
}

// tidyOutbox forgets an item that was sent if its message is on the screen already, or will not be.
func (s *screen) tidyOutbox(it client.OutboxItem) {
	if it.State != client.StateSent {
		return
	}
	c := s.chat(it.Result.Conversation)
	if _, there := c.find(it.Result.Ordinal); there || !c.opened {
		s.outbox.remove(it.ID)
	}
}

// notStored gives a text back that is not in the outbox.
func (s *screen) notStored(e notStored) {
	s.say(s.words.notSent(reason(e.err)))
	if c := s.chat(e.to); c.draft.empty() {
		c.draft.replace(s.m, e.text)
	}
}

func (s *screen) notResent(e notResent) {
	if hongyan.CodeOf(e.err) == hongyan.TooLate {
		s.asNew = e.id
		s.say(s.words.resendAsNew)
		return
	}
	s.say(reason(e.err))
}

// found opens the conversation with an account that was looked up.
func (s *screen) found(e found) []any {
	if s.overlay != newChatOverlay {
		return nil
	}
	if e.err != nil {
		s.problem = reason(e.err)
		return nil
	}
	s.overlay = noOverlay
	s.prompt.clear()
	c := s.chat(hongyan.Direct(s.me, e.profile.User))
	if c.conv.Peer == nil {
		c.conv.Peer = &e.profile
		c.conv.Title = called("", &e.profile)
	}
	return s.show(c)
}

// show opens a conversation beside the list.
func (s *screen) show(c *chat) []any {
	s.pane = talkPane
	if s.open == c {
		return nil
	}
	if s.open != nil {
		s.open.close()
	}
	s.open = c
	s.revision++
	if c.conv.Last > c.conv.Read && c.conv.Unread > 0 {
		c.newFrom = c.conv.Read + 1
	}
	s.sort()
	s.selected = max(slices.Index(s.order, c), 0)
	return s.settle()
}

// say shows a notice for a moment.
func (s *screen) say(text string) { s.notice, s.noticeAt = OneLine(text), s.now }

// reason is an error in words for a person: what the server says, without its code, or what is at the bottom of it.
func reason(err error) string {
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		return cmp.Or(e.Message, e.Code.String())
	}
	if e, ok := errors.AsType[*client.ClosedError](err); ok {
		return e.Error()
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

// settle asks for what the picture needs: messages of the open conversation, its read mark, and time to pass.
func (s *screen) settle() []any {
	var acts []any
	if c := s.open; c != nil {
		if !c.opened && !c.fetching {
			c.fetching = true
			acts = append(acts, fetchOlder{c.conv, 0})
		}
		if last := c.conv.Last; s.seen(c) && last > max(c.conv.Read, c.marking) {
			c.marking = last
			c.conv.Unread = 0
			acts = append(acts, markRead{c.conv.ID, last})
		}
	}
	countingDown := !s.link.Online && !s.link.RetryAt.IsZero()
	if !s.waking && (countingDown || s.noticeShown()) {
		s.waking = true
		acts = append(acts, wake{time.Second})
	}
	return acts
}

// seen reports whether the person sees the newest messages of a conversation.
func (s *screen) seen(c *chat) bool {
	return c.opened && !s.blurred && c.view.scroll == 0 && s.overlay == noOverlay && (s.pane == talkPane || s.wide())
}

func (s *screen) noticeShown() bool { return s.notice != "" && s.now.Sub(s.noticeAt) < noticeTime }

// resize takes the size of the terminal, in columns and rows.
func (s *screen) resize(width, height int) []any {
	s.width, s.height = width, height
	return s.settle()
}

// focus says whether the terminal's window is the one in use.
func (s *screen) focus(here bool) []any {
	s.blurred = !here
	return s.settle()
}

// recolour takes the brightness of the terminal's background.
func (s *screen) recolour(dark bool) {
	s.paint = newPainter(dark)
	s.revision++
}

// remeasure takes the way in which the terminal counts columns.
func (s *screen) remeasure(m measure) {
	s.m = m
	s.revision++
}
