package chat

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
)

// What a device can ask for, each with its answer.

func (d *device) with(other *device) hongyan.ConversationID {
	return hongyan.Direct(d.User, other.User)
}

func (d *device) draft(draft Draft) (Sent, error) {
	d.w.t.Helper()
	return shardtest.Ask(d.w.Shard, func(done func(Sent, error)) { d.w.chat.Send(d.Caller, draft, done) })
}

func (d *device) send(c hongyan.ConversationID, text string) (Sent, error) {
	d.w.t.Helper()
	return d.draft(d.w.text(c, text))
}

// says sends and expects success.
func (d *device) says(c hongyan.ConversationID, texts ...string) (o hongyan.Ordinal) {
	d.w.t.Helper()
	for _, text := range texts {
		sent, err := d.send(c, text)
		must(d.w.t, err)
		o = sent.Ordinal
	}
	return o
}

// floods sends a text many times, in few rounds.
func (d *device) floods(c hongyan.ConversationID, text string, times int) (last hongyan.Ordinal) {
	d.w.t.Helper()
	for range times {
		d.w.chat.Send(d.Caller, d.w.text(c, text), func(sent Sent, err error) {
			must(d.w.t, err)
			last = sent.Ordinal
		})
	}
	d.w.Rest()
	return last
}

func (d *device) try(start func(done func(error))) error {
	d.w.t.Helper()
	return shardtest.Try(d.w.Shard, start)
}

func (d *device) recall(c hongyan.ConversationID, o hongyan.Ordinal) error {
	return d.try(func(done func(error)) { d.w.chat.Recall(d.Caller, c, o, done) })
}

func (d *device) remove(c hongyan.ConversationID, o ...hongyan.Ordinal) error {
	return d.try(func(done func(error)) { d.w.chat.Remove(d.Caller, c, o, done) })
}

func (d *device) read(c hongyan.ConversationID, o hongyan.Ordinal) error {
	return d.try(func(done func(error)) { d.w.chat.MarkRead(d.Caller, c, o, done) })
}

func (d *device) clear(c hongyan.ConversationID, o hongyan.Ordinal) error {
	return d.try(func(done func(error)) { d.w.chat.ClearHistory(d.Caller, c, o, done) })
}

func (d *device) set(c hongyan.ConversationID, v ViewChange) error {
	return d.try(func(done func(error)) { d.w.chat.SetConversation(d.Caller, c, v, done) })
}

func backfill(d *device, token []byte, limit uint32) (Page, error) {
	d.w.t.Helper()
	return shardtest.Ask(d.w.Shard, func(done func(Page, error)) { d.w.chat.Backfill(d.Caller, token, limit, done) })
}

func (d *device) beat(key hongyan.SyncKey) Beat {
	d.w.t.Helper()
	b, err := shardtest.Ask(d.w.Shard, func(done func(Beat, error)) { d.w.chat.Beat(d.Caller, key, done) })
	must(d.w.t, err)
	return b
}

func (d *device) history(q HistoryQuery) (History, error) {
	d.w.t.Helper()
	return shardtest.Ask(d.w.Shard, func(done func(History, error)) { d.w.chat.History(d.Caller, q, done) })
}

// whole is a conversation's history as the device may read it.
func (d *device) whole(c hongyan.ConversationID) []string {
	d.w.t.Helper()
	h, err := d.history(HistoryQuery{Conversation: c, Limit: MaxHistory})
	must(d.w.t, err)
	return textsOf(h.Messages)
}

func (d *device) readers(c hongyan.ConversationID, o hongyan.Ordinal) (Readers, error) {
	d.w.t.Helper()
	return shardtest.Ask(d.w.Shard, func(done func(Readers, error)) { d.w.chat.Readers(d.Caller, c, o, done) })
}

func (d *device) conversationsOf(limit uint32, ids ...hongyan.ConversationID) ([]hongyan.Conversation, error) {
	d.w.t.Helper()
	return shardtest.Ask(d.w.Shard, func(done func([]hongyan.Conversation, error)) {
		d.w.chat.Conversations(d.Caller, ids, limit, done)
	})
}

func (d *device) list(ids ...hongyan.ConversationID) []hongyan.Conversation {
	d.w.t.Helper()
	list, err := d.conversationsOf(0, ids...)
	must(d.w.t, err)
	return list
}

// view is the present state of one conversation.
func (d *device) view(c hongyan.ConversationID) hongyan.Conversation {
	d.w.t.Helper()
	list := d.list(c)
	if len(list) != 1 {
		d.w.t.Fatalf("%s has %d conversations %s", d.name, len(list), c)
	}
	return list[0]
}

func (d *device) ask(other *device) error {
	_, err := shardtest.Ask(d.w.Shard, func(done func(hongyan.Contact, error)) {
		d.w.chat.AskContact(d.Caller, Target{User: other.User}, "hello", done)
	})
	return err
}

func (d *device) answer(other *device, accept bool) error {
	_, err := shardtest.Ask(d.w.Shard, func(done func(hongyan.Contact, error)) {
		d.w.chat.AnswerContact(d.Caller, other.User, accept, done)
	})
	return err
}

func (d *device) setContact(u hongyan.UserID, c ContactChange) (hongyan.Contact, error) {
	return shardtest.Ask(d.w.Shard, func(done func(hongyan.Contact, error)) {
		d.w.chat.SetContact(d.Caller, u, c, done)
	})
}

func (d *device) block(other *device, blocked bool) error {
	_, err := d.setContact(other.User, ContactChange{Blocked: &blocked})
	return err
}

func (d *device) unfriend(other *device) error {
	return d.try(func(done func(error)) { d.w.chat.RemoveContact(d.Caller, other.User, done) })
}

func (d *device) listContacts(above hongyan.UserID, limit uint32) (ListedContacts, error) {
	return shardtest.Ask(d.w.Shard, func(done func(ListedContacts, error)) {
		d.w.chat.Contacts(d.Caller, above, limit, done)
	})
}

func (d *device) setProfile(c ProfileChange) error {
	_, err := shardtest.Ask(d.w.Shard, func(done func(hongyan.Profile, error)) { d.w.chat.SetProfile(d.Caller, c, done) })
	return err
}

func (d *device) setting(name, value string) error {
	return d.try(func(done func(error)) {
		d.w.chat.SetSetting(d.Caller, hongyan.Setting{Name: name, Value: []byte(value)}, done)
	})
}

func targetsOf(others ...*device) []Target {
	list := make([]Target, len(others))
	for i, o := range others {
		list[i].User = o.User
	}
	return list
}

func (d *device) newGroup(n NewGroup) (hongyan.Group, error) {
	return shardtest.Ask(d.w.Shard, func(done func(hongyan.Group, error)) { d.w.chat.CreateGroup(d.Caller, n, done) })
}

// founds makes a group and expects success.
func (d *device) founds(title string, others ...*device) hongyan.GroupID {
	d.w.t.Helper()
	g, err := d.newGroup(NewGroup{Title: title, Others: targetsOf(others...), ClientID: d.w.newClientID()})
	must(d.w.t, err)
	return g.ID
}

func (d *device) group(g hongyan.GroupID) (hongyan.Group, error) {
	return shardtest.Ask(d.w.Shard, func(done func(hongyan.Group, error)) { d.w.chat.Group(d.Caller, g, done) })
}

func (d *device) invite(g hongyan.GroupID, others ...*device) error {
	return d.try(func(done func(error)) { d.w.chat.Invite(d.Caller, g, targetsOf(others...), done) })
}

func (d *device) join(link string) (hongyan.Group, bool, error) {
	type joined struct {
		group   hongyan.Group
		waiting bool
	}
	j, err := shardtest.Ask(d.w.Shard, func(done func(joined, error)) {
		d.w.chat.Join(d.Caller, link, func(g hongyan.Group, waiting bool, err error) { done(joined{g, waiting}, err) })
	})
	return j.group, j.waiting, err
}

func (d *device) answerJoin(g hongyan.GroupID, other *device, accept bool) error {
	return d.try(func(done func(error)) { d.w.chat.AnswerJoin(d.Caller, g, other.User, accept, done) })
}

func (d *device) leave(g hongyan.GroupID) error {
	return d.try(func(done func(error)) { d.w.chat.Leave(d.Caller, g, done) })
}

func (d *device) removeMembers(g hongyan.GroupID, others ...*device) error {
	users := make([]hongyan.UserID, len(others))
	for i, o := range others {
		users[i] = o.User
	}
	return d.try(func(done func(error)) { d.w.chat.RemoveMembers(d.Caller, g, users, done) })
}

func (d *device) setRole(g hongyan.GroupID, other *device, r hongyan.Role) error {
	return d.try(func(done func(error)) { d.w.chat.SetRole(d.Caller, g, other.User, r, done) })
}

func (d *device) setGroup(g hongyan.GroupID, c GroupChange) (hongyan.Group, error) {
	return shardtest.Ask(d.w.Shard, func(done func(hongyan.Group, error)) { d.w.chat.SetGroup(d.Caller, g, c, done) })
}

func (d *device) mute(g hongyan.GroupID, other *device, untilMS int64) error {
	return d.try(func(done func(error)) { d.w.chat.MuteMember(d.Caller, g, other.User, untilMS, done) })
}

func (d *device) dissolve(g hongyan.GroupID) error {
	return d.try(func(done func(error)) { d.w.chat.Dissolve(d.Caller, g, done) })
}
