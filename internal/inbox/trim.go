package inbox

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Limits of one step of a Sweeper. Its change is no more work for the writer than a message to a large group, and what it
// reads for that it reads elsewhere.
const (
	trimAccounts = 16   // accounts that are looked at
	trimPiece    = 256  // entries that are taken away
	trimCounted  = 4096 // entries that are counted
	trimMembers  = 2048 // members of conversations whose views are read, not counting those of the last conversation
)

// Sweeper walks over the accounts, one step at a time, and trims their logs to what is to be kept. It is driven by a
// timer, or by hand; steps must not overlap.
type Sweeper struct {
	shard    *Shard
	defaults store.Retention
	behind   hongyan.UserID // the account that was done last
}

// NewSweeper makes a sweeper. defaults hold for accounts that have no retention of their own.
func NewSweeper(s *Shard, defaults store.Retention) *Sweeper {
	return &Sweeper{shard: s, defaults: defaults}
}

// trimming is what one step does: to one account, if there is one that has too much.
type trimming struct {
	user   hongyan.UserID // 0: nothing to do
	was    store.TrimLine // the account's line, before and after
	line   store.TrimLine
	places []place        // how far the conversations go for the account
	bodies []place        // how far they go for everybody
	behind hongyan.UserID // the last account that is done
	end    bool           // there is none behind it
}

// place is a message, by conversation and ordinal.
type place struct {
	conversation hongyan.ConversationID
	ordinal      hongyan.Ordinal
	hidden       bool // the account has deleted messages up to here for itself
}

// Step looks at some accounts and trims a piece of the first that has too much. nowMS is Unix milliseconds. done is told
// when that is durable; finished means that the walk has come to its end, and the next step begins it anew. The step
// after an error passes over the account that could not be read, and tries again what could not be written.
func (s *Sweeper) Step(nowMS int64, done func(finished bool, err error)) {
	Look(s.shard, Nobody, func(r *Read) (trimming, error) { return s.plan(r, nowMS) }, func(t trimming, err error) {
		switch {
		case err != nil:
			s.behind = max(s.behind, t.behind)
			done(false, err)
		case t.user == 0:
			s.goOn(t)
			done(t.end, nil)
		default:
			Change(s.shard, func(tx *Tx) (struct{}, error) { return struct{}{}, tx.trim(t) }, func(_ struct{}, err error) {
				if err == nil {
					s.goOn(t)
				}
				done(err == nil && t.end, err)
			})
		}
	})
}

func (s *Sweeper) goOn(t trimming) {
	if s.behind = t.behind; t.end {
		s.behind = 0
	}
}

// plan finds the next account with something to trim, and what. It only reads, on the reader's goroutine and not the
// writer's. What it decides stays right: nobody else trims, entries do not change, and the lines of members only rise.
func (s *Sweeper) plan(r *Read, nowMS int64) (trimming, error) {
	t := trimming{behind: s.behind, end: true}
	looked := 0
	var failed error
	err := store.ListAccounts(r, s.behind, func(u hongyan.UserID, a *store.Account) bool {
		if looked == trimAccounts || t.user != 0 {
			t.end = false
			return false
		}
		looked++
		keep := a.Retention
		if keep == (store.Retention{}) {
			keep = s.defaults
		}
		var more bool
		if keep != (store.Retention{}) {
			more, failed = t.look(r, u, keep, nowMS)
		}
		if !more {
			t.behind = u
		}
		t.end = !more
		return !more && failed == nil
	})
	if err == nil {
		err = failed
	}
	return t, err
}

// look notes in t what of u's log is beyond what is to be kept, and reports whether that is not all of it.
func (t *trimming) look(r *Read, u hongyan.UserID, keep store.Retention, nowMS int64) (more bool, err error) {
	kept, err := store.TrimLines.Get(r, u)
	if err != nil {
		return false, err
	}
	var was store.TrimLine
	if kept != nil {
		was = *kept
	}
	line, counted := was, 0
	if keep.Messages != 0 {
		if counted, err = count(r, u, &line); err != nil {
			return false, err
		}
	}
	entries, err := tooMuch(r, u, line, keep, nowMS)
	if err != nil {
		return false, err
	}
	gone, err := t.follow(r, u, entries)
	if err != nil {
		return false, err
	}
	for _, e := range entries[:gone] {
		line.Line = e.Version
		if isMessage(e) && e.Version <= line.Counted {
			line.Kept--
		}
	}
	line.Counted = max(line.Counted, line.Line)
	more = gone < len(entries) || len(entries) == trimPiece || counted == trimCounted
	// A short way is counted again the next time: that is cheaper than a write.
	if gone > 0 || counted >= trimPiece {
		t.user, t.was, t.line = u, was, line
	}
	return more, nil
}

func isMessage(e store.Entry) bool {
	return e.Ref.Kind == store.RefMessage || e.Ref.Kind == store.RefOwn
}

// count brings the number of messages in u's log up to date, by at most trimCounted entries, and returns how many.
func count(r *Read, u hongyan.UserID, line *store.TrimLine) (n int, err error) {
	err = store.ListEntries(r, u, hongyan.TypeMessage, line.Counted, store.MaxVersion, false, func(e store.Entry) bool {
		line.Counted = e.Version
		if isMessage(e) {
			line.Kept++
		}
		n++
		return n < trimCounted
	})
	return n, err
}

// tooMuch returns the oldest entries of u's log that go, at most a piece: messages that are too many or too old, and what
// stands between them. Recalls and removals do not tell their own time, so they go with the next message behind them.
func tooMuch(r *Read, u hongyan.UserID, line store.TrimLine, keep store.Retention, nowMS int64) ([]store.Entry, error) {
	excess := uint64(0)
	if keep.Messages != 0 && line.Kept > uint64(keep.Messages) {
		excess = line.Kept - uint64(keep.Messages)
	}
	var entries []store.Entry
	due := 0
	var failed error
	err := store.ListEntries(r, u, hongyan.TypeMessage, line.Line, store.MaxVersion, false, func(e store.Entry) bool {
		if isMessage(e) {
			old := excess > 0
			if old {
				excess--
			} else if keep.Days != 0 {
				old, failed = olderThan(r, e.Ref, nowMS-int64(keep.Days)*24*hourMS)
			}
			if !old || failed != nil {
				return false
			}
			due = len(entries) + 1
		}
		entries = append(entries, e)
		return len(entries) < trimPiece
	})
	if err == nil {
		err = failed
	}
	if due == 0 && len(entries) == trimPiece {
		due = trimPiece // else such a row of recalls would stand in the way for ever
	}
	return entries[:due], err
}

// olderThan reports whether the message of an entry was written before a time, in Unix milliseconds. A body that is gone
// was older than somebody's.
func olderThan(r *Read, ref store.Ref, ms int64) (bool, error) {
	m, err := store.GetMessage(r, ref.Conversation, ref.Ordinals[0])
	return err == nil && (m == nil || m.TimeMS < ms), err
}

// follow notes in t how far the entries bring their conversations, for u and for everybody, and returns how many of the
// entries it got to.
func (t *trimming) follow(r *Read, u hongyan.UserID, entries []store.Entry) (gone int, err error) {
	places := map[hongyan.ConversationID]int{}
	var members [][]hongyan.UserID // of each place
	asked := 0
	for _, e := range entries {
		if !isMessage(e) {
			gone++
			continue
		}
		i, known := places[e.Ref.Conversation]
		if !known {
			if asked >= trimMembers {
				break
			}
			list, err := membersOf(r, e.Ref.Conversation)
			if err != nil {
				return 0, err
			}
			i, asked = len(t.places), asked+len(list)
			places[e.Ref.Conversation] = i
			t.places = append(t.places, place{conversation: e.Ref.Conversation})
			members = append(members, list)
		}
		t.places[i].ordinal = e.Ref.Ordinals[0]
		gone++
	}
	for i := range t.places {
		p := &t.places[i]
		hidden, err := store.Hidden(r, u, p.conversation, 1, p.ordinal)
		if err != nil {
			return 0, err
		}
		p.hidden = len(hidden) > 0
		upTo, err := laxest(r, p.conversation, members[i], u, p.ordinal)
		if err != nil {
			return 0, err
		}
		if upTo > 0 {
			t.bodies = append(t.bodies, place{conversation: p.conversation, ordinal: upTo})
		}
	}
	return gone, nil
}

// laxest returns up to which message nobody in the conversation has anything any more when u has nothing up to end: 0 if
// that is no further than before. Who left has pointers without bodies then.
func laxest(r *Read, c hongyan.ConversationID, members []hongyan.UserID, u hongyan.UserID, end hongyan.Ordinal) (hongyan.Ordinal, error) {
	kept, err := store.Conversations.Get(r, c)
	if err != nil {
		return 0, err
	}
	var before hongyan.Ordinal
	if kept != nil {
		before = kept.Trimmed
	}
	for _, m := range members {
		if m == u {
			continue
		}
		v, err := store.Views.Get(r, store.Part{User: m, Conversation: c})
		if err != nil {
			return 0, err
		}
		if v == nil {
			return 0, nil
		}
		end = min(end, max(v.Trimmed, v.Joined))
		if end <= before {
			return 0, nil
		}
	}
	if end <= before {
		return 0, nil
	}
	return end, nil
}

// membersOf are those whose logs refer to the messages of a conversation, and who are still in it.
func membersOf(r *Read, c hongyan.ConversationID) ([]hongyan.UserID, error) {
	if a, b, direct := c.Members(); direct {
		return []hongyan.UserID{a, b}, nil
	}
	id, _ := c.Group()
	g, err := store.Groups.Get(r, id)
	if err != nil || g == nil {
		return nil, err
	}
	members := make([]hongyan.UserID, len(g.Members))
	for i := range g.Members {
		members[i] = g.Members[i].User
	}
	return members, nil
}

// trim does what was planned. Line and entries change together, so no view shows one without the other.
func (tx *Tx) trim(t trimming) error {
	line, err := store.TrimLines.Get(tx, t.user)
	if err != nil || line == nil && t.was != (store.TrimLine{}) || line != nil && *line != t.was {
		return err // somebody else has trimmed: the next step plans anew
	}
	views := make([]*store.ConversationView, len(t.places))
	for i, p := range t.places {
		if views[i], err = store.Views.Get(tx, store.Part{User: t.user, Conversation: p.conversation}); err != nil {
			return err
		}
	}
	lasts := make([]hongyan.Ordinal, len(t.bodies))
	for i, p := range t.bodies {
		if lasts[i], err = tx.LastOrdinal(p.conversation); err != nil {
			return err
		}
	}
	store.TrimEntries(tx.Tx, t.user, t.was.Line, t.line)
	for i, p := range t.places {
		if v := views[i]; v != nil && v.Trimmed < p.ordinal {
			changed := *v
			changed.Trimmed = p.ordinal
			store.Views.Put(tx.Tx, store.Part{User: t.user, Conversation: p.conversation}, &changed)
		}
		if p.hidden {
			store.Unhide(tx.Tx, t.user, p.conversation, p.ordinal)
		}
	}
	for i, p := range t.bodies {
		store.TrimMessages(tx.Tx, p.conversation, p.ordinal, lasts[i])
	}
	return nil
}
