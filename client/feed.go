package client

import (
	"slices"
	"sync"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/wire"
)

// Limits of a feed.
const (
	maxNotices    = 256  // notifications that wait, and changes in one; with more, they are dropped for a pull
	maxSoftEvents = 1024 // OutboxEvents and LinkEvents that wait; with more, the oldest are dropped
)

// feed collects what the goroutine that keeps the account in sync has to deal with, because OnEvent may keep it long.
type feed struct {
	wake chan struct{} // holds a token when there is something

	mu      sync.Mutex
	in      food
	open    bool     // somebody takes
	session *session // that notifications must come from
	key     []byte   // what a heartbeat may present
}

// food is what a feed has collected.
type food struct {
	connected bool     // there was a change of connection:
	session   *session // to this one, nil to none
	notices   []core.Notice
	newer     bool
	soft      []Event
}

func (f *feed) init() { f.wake = make(chan struct{}, 1) }

// setOpen begins or ends to collect.
func (f *feed) setOpen(open bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open, f.in, f.session, f.key = open, food{}, nil, nil
}

// add changes what is collected, and wakes.
func (f *feed) add(change func(*food)) {
	f.mu.Lock()
	if f.open {
		change(&f.in)
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take returns what is collected, and begins anew.
func (f *feed) take() food {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := f.in
	f.in = food{}
	return in
}

// connect says that there is another session, or none. What came by the last one is void.
func (f *feed) connect(s *session) {
	f.add(func(in *food) {
		f.session = s
		in.connected, in.session, in.notices, in.newer = true, s, nil, false
	})
}

func (f *feed) newer(s *session) {
	f.add(func(in *food) { in.newer = in.newer || s == f.session })
}

// notify takes a notification. One that comes before its session is connected is not needed: a pull will follow.
func (f *feed) notify(s *session, b *wire.Notify) {
	n := noticeOf(b)
	f.add(func(in *food) {
		if s != f.session {
			return
		}
		if last := len(in.notices) - 1; last >= 0 && continues(&in.notices[last], &n) {
			// One commit for both.
			n.Previous = in.notices[last].Previous
			n.Changes = append(in.notices[last].Changes, n.Changes...)
			in.notices = in.notices[:last]
		}
		if len(in.notices) >= maxNotices {
			in.notices, in.newer = nil, true
			return
		}
		in.notices = append(in.notices, n)
	})
}

// continues reports whether b brings the changes after those of a, and both fit in one.
func continues(a, b *core.Notice) bool {
	return len(a.Changes) > 0 && len(b.Changes) > 0 && a.Version == b.Previous && len(a.Changes)+len(b.Changes) <= maxNotices
}

// tell adds an event that is told when there is time. Only the last LinkEvent counts.
func (f *feed) tell(e Event) {
	f.add(func(in *food) {
		if _, ok := e.(LinkEvent); ok {
			in.soft = slices.DeleteFunc(in.soft, func(old Event) bool { _, ok := old.(LinkEvent); return ok })
		}
		if len(in.soft) >= maxSoftEvents {
			in.soft = slices.Delete(in.soft, 0, 1)
		}
		in.soft = append(in.soft, e)
	})
}

func (f *feed) present(key []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key = key
}

func (f *feed) presentable() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.key
}

// noticeOf reads a notification. Changes that are not understood make it a bare hint: the pull that follows passes over
// them.
func noticeOf(b *wire.Notify) core.Notice {
	n := core.Notice{Version: hongyan.Version(b.Version)}
	changes, err := wire.ToAll("changes", wire.ToChange, b.Changes)
	if err == nil && len(changes) > 0 {
		n.Previous, n.Changes, n.Key = hongyan.Version(b.Previous), changes, b.Key
	}
	return n
}

// changesOf reads the changes of a page, and passes over those that are malformed or of a kind that this version does
// not know.
func changesOf(list []*wire.Change) []hongyan.Change {
	changes := make([]hongyan.Change, 0, len(list))
	for _, b := range list {
		if c, err := wire.ToChange(b); err == nil {
			changes = append(changes, c)
		}
	}
	return changes
}

func conversationsOf(list []*wire.Conversation) []hongyan.Conversation {
	conversations := make([]hongyan.Conversation, 0, len(list))
	for _, b := range list {
		if c, err := wire.ToConversation(b); err == nil {
			conversations = append(conversations, c)
		}
	}
	return conversations
}

func pageOf(b *wire.SyncReply) core.Page {
	p := core.Page{
		Changes:       changesOf(b.Changes),
		Conversations: conversationsOf(b.Conversations),
		Key:           b.Key,
		Version:       hongyan.Version(b.Version),
		More:          b.More,
	}
	if r := b.Reset_; r != nil {
		p.Reset = &core.Reset{
			Reason:        core.ResetReason(r.Reason),
			Conversations: conversationsOf(r.Conversations),
			Backfill:      r.Backfill,
		}
	}
	return p
}

func olderOf(b *wire.BackfillReply) core.Older {
	return core.Older{
		Changes:       changesOf(b.Changes),
		Conversations: conversationsOf(b.Conversations),
		Token:         b.Token,
	}
}
