package operation

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/wire"
)

func send(d *Desk, c Caller, q *wire.SendRequest, done func(Reply, error)) {
	draft := chat.Draft{To: q.GetName(), FirstAttemptMS: q.FirstAttemptMs}
	var err error
	if text := q.GetConversation(); text != "" || draft.To == "" {
		draft.Conversation, err = hongyan.ParseConversation(text)
	}
	if err == nil {
		draft.ClientID, err = wire.ToClientID(q.ClientId)
	}
	if err == nil {
		draft.Content, err = wire.ToContent(q.Content)
	}
	if err != nil {
		done(Reply{}, err)
		return
	}
	d.Chat.Send(c.chat(), draft, answer(done, func(s chat.Sent) *wire.SendReply {
		return &wire.SendReply{
			Id: uint64(s.ID), Conversation: s.Conversation.String(), Ordinal: uint64(s.Ordinal), TimeMs: s.TimeMS,
		}
	}))
}

// typing tells those of the others who are there. The caller is not told who that is.
func typing(d *Desk, c Caller, q *wire.TypingRequest, done func(Reply, error)) {
	id, parsed := conversation(q.Conversation, done)
	if !parsed {
		return
	}
	d.Chat.Typing(c.chat(), id, d.Now().UnixMilli(), func(others []hongyan.UserID, err error) {
		for _, u := range others {
			d.Signal(u, &wire.Signal{What: &wire.SignalTyping{
				Typing: &wire.Typing{Conversation: q.Conversation, User: uint64(c.User)},
			}})
		}
		ok(done, &wire.TypingReply{})(err)
	})
}

func search(d *Desk, c Caller, q *wire.SearchRequest, done func(Reply, error)) {
	query := chat.SearchQuery{Text: q.Text, Token: q.Token, Limit: q.Limit}
	if q.Conversation != "" {
		id, parsed := conversation(q.Conversation, done)
		if !parsed {
			return
		}
		query.Conversation = id
	}
	d.Chat.Search(c.chat(), query, answer(done, func(f chat.Found) *wire.SearchReply {
		return &wire.SearchReply{Messages: wire.FromAll(fromMessage, f.Messages), Token: f.Token, ReachedMs: f.ReachedMS}
	}))
}

func recall(d *Desk, c Caller, q *wire.RecallRequest, done func(Reply, error)) {
	if id, parsed := conversation(q.Conversation, done); parsed {
		d.Chat.Recall(c.chat(), id, hongyan.Ordinal(q.Ordinal), ok(done, &wire.RecallReply{}))
	}
}

func remove(d *Desk, c Caller, q *wire.RemoveRequest, done func(Reply, error)) {
	if id, parsed := conversation(q.Conversation, done); parsed {
		d.Chat.Remove(c.chat(), id, wire.ToIDs[hongyan.Ordinal](q.Ordinals), ok(done, &wire.RemoveReply{}))
	}
}
