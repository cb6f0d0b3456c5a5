package api

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Limits of stream tickets.
const (
	MaxTickets          = 65_536 // issued within TicketLife, spent or not
	MaxTicketsOfAccount = 64     // of them
	TicketLife          = 30 * time.Second
)

// ticketPrefix begins every stream ticket, as auth's prefixes begin other tokens.
const ticketPrefix = "hye_"

// tickets are the stream tickets that are not spent. They exist because EventSource sends no header, and what stands in
// an address ends in the logs of proxies: so one opens one stream, soon, and is worth nothing afterwards.
type tickets struct {
	mu    sync.Mutex
	now   func() time.Time
	byKey map[[sha256.Size]byte]ticket
	queue []ticket               // with those that are spent, in the order in which they expire
	of    map[hongyan.UserID]int // in queue: spending them fast does not make room for more
}

// ticket is what one stands for. The key is the hash of its text: the time that looking one up takes tells nothing about
// the text of another.
type ticket struct {
	key     [sha256.Size]byte
	user    hongyan.UserID
	token   string // of package auth, which says who the stream is for
	expires time.Time
}

func newTickets(now func() time.Time) *tickets {
	return &tickets{now: now, byKey: map[[sha256.Size]byte]ticket{}, of: map[hongyan.UserID]int{}}
}

// issue returns the text of a new ticket for the holder of a token, and when it expires.
func (s *tickets) issue(u hongyan.UserID, token string) (text string, expires time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.expire(now)
	if len(s.queue) >= MaxTickets || s.of[u] >= MaxTicketsOfAccount {
		return "", time.Time{}, hongyan.Errorf(hongyan.Throttled, "too many stream tickets were asked for").
			WithHint("use those that were given, or come back later").WithRetryAfter(TicketLife)
	}
	text = ticketPrefix + rand.Text()
	t := ticket{sha256.Sum256([]byte(text)), u, token, now.Add(TicketLife)}
	s.byKey[t.key] = t
	s.queue = append(s.queue, t)
	s.of[u]++
	return text, t.expires, nil
}

// redeem spends a ticket and returns the token of who it was issued to.
func (s *tickets) redeem(text string) (token string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(s.now())
	t, ok := s.byKey[sha256.Sum256([]byte(text))]
	delete(s.byKey, t.key)
	return t.token, ok
}

// expire forgets what is over. Under the lock.
func (s *tickets) expire(now time.Time) {
	n := 0
	for ; n < len(s.queue) && !now.Before(s.queue[n].expires); n++ {
		t := s.queue[n]
		delete(s.byKey, t.key)
		if s.of[t.user]--; s.of[t.user] == 0 {
			delete(s.of, t.user)
		}
	}
	if n > 0 {
		s.queue = slices.Delete(s.queue, 0, n)
	}
}

// count is how many are not spent.
func (s *tickets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey)
}
