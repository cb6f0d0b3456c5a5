package client

import (
	"context"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// Search asks for messages that hold all words of Text, in any case of letters.
type Search struct {
	Text         string
	Conversation hongyan.ConversationID // zero: all
	Token        []byte                 // of the answer before; empty: from the newest on
	Limit        int                    // messages in the answer; 0: the server decides
}

// Found is what a search brings, newest first. With a Token there is more to look through, also if nothing was found so
// far; ReachedMS says how far back it has come, in Unix milliseconds.
type Found struct {
	Messages  []hongyan.Message
	Token     []byte
	ReachedMS int64
}

// Search looks through the messages that the server keeps for this account, as many as one request may cost.
func (c *Client) Search(ctx context.Context, s Search) (Found, error) {
	q := &wire.SearchRequest{Text: s.Text, Token: s.Token, Limit: uint32(max(s.Limit, 0))}
	if !s.Conversation.IsZero() {
		q.Conversation = s.Conversation.String()
	}
	reply, err := request[wire.SearchReply](ctx, c, wire.OpSearch, q)
	if err != nil {
		return Found{}, err
	}
	list, err := wire.ToAll("messages", wire.ToMessage, reply.Messages)
	return Found{list, reply.Token, reply.ReachedMs}, err
}
