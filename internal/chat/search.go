package chat

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Limits of a search.
const (
	MaxSearchText  = 256 // characters
	MaxSearchWords = 8   // in them
	MaxFound       = 100 // messages in one answer
	DefaultFound   = 20
	scanSearch     = 2000 // messages looked through for one answer
)

// SearchQuery asks for the messages that hold all words of Text, in any case of letters and any form of the same
// character. A zero Conversation stands for all.
type SearchQuery struct {
	Text         string
	Conversation hongyan.ConversationID
	Token        []byte // of the answer before
	Limit        uint32
}

// Found is what a search brings, newest first. It was looked through back to ReachedMS; without a Token that was all.
type Found struct {
	Messages  []*hongyan.Message
	Token     []byte
	ReachedMS int64
}

// Search looks through messages, newest first, as many as one request may cost. There is no index: what an account may
// see is in its log, and the log of a person is short enough to be read in steps.
func (s *Service) Search(c Caller, q SearchQuery, done func(Found, error)) {
	f := finder{user: c.User, limit: pageLimit(q.Limit, DefaultFound, MaxFound), views: map[hongyan.ConversationID]*store.ConversationView{}}
	var err error
	if f.words, err = searchWords(q.Text); err != nil {
		done(Found{}, err)
		return
	}
	before := uint64(store.MaxVersion) // also above every ordinal
	if len(q.Token) > 0 {
		if len(q.Token) != 8 {
			done(Found{}, hongyan.Errorf(hongyan.Invalid, "the token of the search is damaged").
				WithHint("present it exactly as it was received, or begin again without"))
			return
		}
		before = min(before, binary.BigEndian.Uint64(q.Token))
	}
	inbox.Look(s.shard, c.User, func(r *inbox.Read) (Found, error) {
		f.r = r
		var err error
		if q.Conversation.IsZero() {
			err = f.everywhere(hongyan.Version(before))
		} else {
			err = f.in(q.Conversation, hongyan.Ordinal(before))
		}
		return f.found, err
	}, done)
}

// searchWords returns the folded words of what somebody looks for.
func searchWords(text string) ([]string, error) {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > MaxSearchText {
		return nil, hongyan.Errorf(hongyan.Invalid, "a search has at most %d characters", MaxSearchText)
	}
	words := strings.Fields(fold(text))
	if len(words) == 0 || len(words) > MaxSearchWords {
		return nil, hongyan.Errorf(hongyan.Invalid, "a search has 1 to %d words", MaxSearchWords)
	}
	return words, nil
}

// fold makes texts equal that a reader takes for the same: full-width and composed forms, and the case of letters.
func fold(text string) string { return strings.ToLower(norm.NFKC.String(text)) }

// finder is one request's search.
type finder struct {
	r     store.Reader
	user  hongyan.UserID
	words []string
	limit int
	views map[hongyan.ConversationID]*store.ConversationView // nil: no part in it
	found Found
	seen  int // messages looked through
	size  int // of what was found, in bytes
}

// everywhere looks through what the account's log refers to below a version.
func (f *finder) everywhere(before hongyan.Version) error {
	var failed error
	err := store.ListEntries(f.r, f.user, hongyan.TypeMessage, 0, before-1, true, func(e store.Entry) bool {
		if e.Ref.Kind != store.RefMessage && e.Ref.Kind != store.RefOwn {
			return true
		}
		if f.full() {
			f.found.Token = binary.BigEndian.AppendUint64(nil, uint64(e.Version)+1)
			return false
		}
		var m *hongyan.Message
		if m, failed = store.GetMessage(f.r, e.Ref.Conversation, e.Ref.Ordinals[0]); failed == nil && m != nil {
			failed = f.look(m)
		}
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// in looks through one conversation below an ordinal.
func (f *finder) in(c hongyan.ConversationID, before hongyan.Ordinal) error {
	v, err := partOf(f.r, f.user, c)
	if err != nil {
		return err
	}
	last, err := store.LastOrdinal(f.r, c)
	if err != nil {
		return err
	}
	from, to := bounds(v, last)
	var failed error
	err = store.ListMessages(f.r, c, from, min(to, before-1), true, func(m *hongyan.Message) bool {
		if f.full() {
			f.found.Token = binary.BigEndian.AppendUint64(nil, uint64(m.Ordinal)+1)
			return false
		}
		failed = f.look(m)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// full reports whether the answer has what one request may bring, or may cost.
func (f *finder) full() bool {
	return f.seen >= scanSearch || len(f.found.Messages) >= f.limit || f.size > MaxPageBytes
}

// look adds a message to what was found if it holds the words and the account may see it.
func (f *finder) look(m *hongyan.Message) error {
	f.seen++
	f.found.ReachedMS = m.TimeMS
	if m.State != hongyan.Present || !f.matches(&m.Content) {
		return nil
	}
	v, known := f.views[m.Conversation]
	if !known {
		var err error
		if v, err = store.Views.Get(f.r, store.Part{User: f.user, Conversation: m.Conversation}); err != nil {
			return err
		}
		f.views[m.Conversation] = v
	}
	if v == nil {
		return nil
	}
	if from, to := bounds(v, m.Ordinal); m.Ordinal < from || m.Ordinal > to {
		return nil
	}
	hidden, err := store.Hidden(f.r, f.user, m.Conversation, m.Ordinal, m.Ordinal)
	if err == nil && !hidden[m.Ordinal] {
		f.size += sizeOfMessage(m)
		f.found.Messages = append(f.found.Messages, m)
	}
	return err
}

// matches reports whether a content holds all words: in its text or caption, or the names of what it brings.
func (f *finder) matches(c *hongyan.Content) bool {
	if c.Kind == hongyan.KindNotice {
		return false
	}
	text := c.Text
	if c.Media != nil {
		text += "\n" + c.Media.Name
	}
	if c.Location != nil {
		text += "\n" + c.Location.Name + "\n" + c.Location.Address
	}
	text = fold(text)
	for _, w := range f.words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
