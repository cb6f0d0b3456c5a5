package chat

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
)

// Limits of what is told of the moment.
const (
	MaxSignalGroup = MaxReceiptGroup // members up to which a group is told who is writing
	TypingEvery    = 1000            // milliseconds between two signals of an account in a conversation
	CachedTyping   = 1 << 14         // accounts in conversations whose last signal is remembered
)

// typist is who writes where.
type typist struct {
	user         hongyan.UserID
	conversation hongyan.ConversationID
}

// Typing returns who is to be told that the caller is writing: the others of the conversation, if the caller may write
// there. Nobody is told more often than TypingEvery, and nobody in large groups.
func (s *Service) Typing(c Caller, conversation hongyan.ConversationID, nowMS int64, done func([]hongyan.UserID, error)) {
	inbox.Look(s.shard, c.User, func(r *inbox.Read) ([]hongyan.UserID, error) {
		members, err := s.mayWrite(r, nowMS, c.User, conversation)
		if err != nil || len(members) > MaxSignalGroup {
			return nil, err
		}
		who := typist{c.User, conversation}
		if last, ok := s.typed.Get(who); ok && nowMS-last < TypingEvery {
			return nil, nil
		}
		s.typed.Add(who, nowMS)
		others := make([]hongyan.UserID, 0, len(members))
		for _, u := range members {
			if u != c.User {
				others = append(others, u)
			}
		}
		return others, nil
	}, done)
}
