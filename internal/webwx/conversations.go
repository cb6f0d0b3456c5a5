package webwx

import (
	"sync"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/recent"
)

// maxRemembered is how many conversations are found without a look into the store when a client fetches a picture by the
// id of its message.
const maxRemembered = 65_536

// named is a conversation as a message's id has it.
type named struct {
	user hongyan.UserID
	hash uint32
}

// memory remembers which conversations clients were told of lately.
type memory struct {
	mu    sync.Mutex
	known *recent.Cache[named, hongyan.ConversationID]
}

func newMemory() *memory {
	return &memory{known: recent.New[named, hongyan.ConversationID](maxRemembered)}
}

// remember notes that a client of u was told of a conversation.
func (s *Server) remember(u hongyan.UserID, c hongyan.ConversationID) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.known.Add(named{u, conversationHash(c)}, c)
}

// conversationOf finds the conversation of a message: in memory, or after a restart among the account's latest ones. The
// zero value: it is in neither.
func (x *exchange) conversationOf(id messageID) (hongyan.ConversationID, error) {
	m := x.server.memory
	m.mu.Lock()
	c, ok := m.known.Get(named{x.caller.User, id.hash()})
	m.mu.Unlock()
	if ok {
		return c, nil
	}
	list, err := x.views()
	for _, v := range list {
		x.server.remember(x.caller.User, v.ID)
		if conversationHash(v.ID) == id.hash() {
			c = v.ID
		}
	}
	return c, err
}
