package operation

import (
	gosync "sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/wire"
)

func sync(d *Desk, c Caller, q *wire.SyncRequest, done func(Reply, error)) {
	key, err := hongyan.ParseSyncKey(q.Key)
	if err != nil {
		done(Reply{}, err)
		return
	}
	types, err := wire.ToTypes(q.Types)
	if err != nil {
		done(Reply{}, err)
		return
	}
	query := chat.SyncQuery{Key: key, Types: types, Limit: q.Limit}
	if q.WaitMs == 0 {
		d.Chat.Sync(c.chat(), query, answer(done, syncReply))
		return
	}
	p := &parkedSync{d: d, c: c, query: query, done: done}
	p.begin(min(time.Duration(q.WaitMs)*time.Millisecond, MaxWait))
}

// parkedSync is a Sync that is held while there is nothing to bring. It looks once when it comes, and once more when
// the log has grown or the time is up.
type parkedSync struct {
	d     *Desk
	c     Caller
	query chat.SyncQuery
	done  func(Reply, error)

	mu      gosync.Mutex
	looking bool   // a look is under way
	woken   bool   // the second look is due, or was done
	cancel  func() // the parking
	stop    func() // the timer
}

// begin parks before it looks, so that a change between the two is not missed.
func (p *parkedSync) begin(wait time.Duration) {
	p.mu.Lock()
	p.looking = true
	p.cancel = p.d.Park(p.c.User, p.wake)
	p.stop = p.d.After(wait, p.wake)
	p.mu.Unlock()
	p.look(false)
}

func (p *parkedSync) look(last bool) {
	p.d.Chat.Sync(p.c.chat(), p.query, func(page chat.Page, err error) {
		hold := err == nil && !last && len(page.Changes) == 0 && page.Reset == 0 && !page.More
		p.mu.Lock()
		p.looking = false
		again := hold && p.woken
		p.woken = p.woken || !hold
		p.mu.Unlock()
		switch {
		case again:
			p.look(true)
		case !hold:
			p.cancel()
			p.stop()
			answer(p.done, syncReply)(page, err)
		}
	})
}

func (p *parkedSync) wake() {
	p.mu.Lock()
	again := !p.woken && !p.looking
	p.woken = true
	p.mu.Unlock()
	if again {
		p.look(true)
	}
}

func syncReply(p chat.Page) *wire.SyncReply {
	r := &wire.SyncReply{
		Changes: wire.FromAll(wire.FromChange, p.Changes), Key: p.Key.Token(), Version: uint64(p.Key.Version()), More: p.More,
	}
	states := wire.FromAll(wire.FromConversation, p.Conversations)
	if p.Reset == 0 {
		r.Conversations = states
	} else {
		r.Reset_ = &wire.Reset{Reason: wire.ResetReason(p.Reset), Conversations: states, Backfill: p.Backfill}
	}
	return r
}

func ack(d *Desk, c Caller, q *wire.AckRequest, done func(Reply, error)) {
	key, err := hongyan.ParseSyncKey(q.Key)
	if err == nil {
		d.Chat.Acknowledge(c.chat(), key)
	}
	ok(done, &wire.AckReply{})(err)
}

func backfill(d *Desk, c Caller, q *wire.BackfillRequest, done func(Reply, error)) {
	d.Chat.Backfill(c.chat(), q.Token, q.Limit, answer(done, func(p chat.Page) *wire.BackfillReply {
		return &wire.BackfillReply{
			Changes: wire.FromAll(wire.FromChange, p.Changes), Token: p.Backfill,
			Conversations: wire.FromAll(wire.FromConversation, p.Conversations),
		}
	}))
}

func history(d *Desk, c Caller, q *wire.HistoryRequest, done func(Reply, error)) {
	id, err := hongyan.ParseConversation(q.Conversation)
	if err != nil {
		done(Reply{}, err)
		return
	}
	d.Chat.History(c.chat(), chat.HistoryQuery{
		Conversation: id, Before: hongyan.Ordinal(q.Before), After: hongyan.Ordinal(q.After), Limit: q.Limit,
	}, answer(done, func(h chat.History) *wire.HistoryReply {
		return &wire.HistoryReply{Messages: wire.FromAll(fromMessage, h.Messages), More: h.More}
	}))
}

func fromMessage(m *hongyan.Message) *wire.Message { return wire.FromMessage(*m) }

func conversations(d *Desk, c Caller, q *wire.ConversationsRequest, done func(Reply, error)) {
	var ids []hongyan.ConversationID
	for _, text := range q.Ids {
		id, err := hongyan.ParseConversation(text)
		if err != nil {
			done(Reply{}, err)
			return
		}
		ids = append(ids, id)
	}
	d.Chat.Conversations(c.chat(), ids, q.Limit, answer(done, func(list []hongyan.Conversation) *wire.ConversationsReply {
		return &wire.ConversationsReply{Conversations: wire.FromAll(wire.FromConversation, list)}
	}))
}

func markRead(d *Desk, c Caller, q *wire.MarkReadRequest, done func(Reply, error)) {
	if id, parsed := conversation(q.Conversation, done); parsed {
		d.Chat.MarkRead(c.chat(), id, hongyan.Ordinal(q.Ordinal), ok(done, &wire.MarkReadReply{}))
	}
}

func clearHistory(d *Desk, c Caller, q *wire.ClearHistoryRequest, done func(Reply, error)) {
	if id, parsed := conversation(q.Conversation, done); parsed {
		d.Chat.ClearHistory(c.chat(), id, hongyan.Ordinal(q.Ordinal), ok(done, &wire.ClearHistoryReply{}))
	}
}

func setConversation(d *Desk, c Caller, q *wire.SetConversationRequest, done func(Reply, error)) {
	if id, parsed := conversation(q.Conversation, done); parsed {
		change := chat.ViewChange{Pinned: q.Pinned, Muted: q.Muted, Hidden: q.Hidden}
		d.Chat.SetConversation(c.chat(), id, change, ok(done, &wire.SetConversationReply{}))
	}
}

func readers(d *Desk, c Caller, q *wire.ReadersRequest, done func(Reply, error)) {
	if id, parsed := conversation(q.Conversation, done); parsed {
		d.Chat.Readers(c.chat(), id, hongyan.Ordinal(q.Ordinal), answer(done, func(r chat.Readers) *wire.ReadersReply {
			return &wire.ReadersReply{
				Delivered: uint32(r.Delivered), Read: uint32(r.Read), Readers: wire.FromIDs(r.Names),
			}
		}))
	}
}

func setSetting(d *Desk, c Caller, q *wire.SetSettingRequest, done func(Reply, error)) {
	setting := hongyan.Setting{Name: q.GetSetting().GetName(), Value: q.GetSetting().GetValue()}
	d.Chat.SetSetting(c.chat(), setting, ok(done, &wire.SetSettingReply{}))
}

// conversation parses the text of a conversation, or answers that it is none.
func conversation(text string, done func(Reply, error)) (hongyan.ConversationID, bool) {
	id, err := hongyan.ParseConversation(text)
	if err != nil {
		done(Reply{}, err)
	}
	return id, err == nil
}
