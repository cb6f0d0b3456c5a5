package inbox

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// trimPiece is how many entries of a log one step of a Sweeper takes away at the most, so that senders do not wait for it.
const trimPiece = 2000

// Sweeper walks over the accounts, one step at a time, and trims their logs to what is to be kept. It is driven by a
// timer, or by hand; steps must not overlap.
type Sweeper struct {
	shard    *Shard
	defaults store.Retention
	after    string // name of the account that was done last
}

// NewSweeper makes a sweeper. defaults hold for accounts that have no retention of their own.
func NewSweeper(s *Shard, defaults store.Retention) *Sweeper {
	return &Sweeper{shard: s, defaults: defaults}
}

// trimming is what one step takes away of one account.
type trimming struct {
	user    hongyan.UserID // 0: there was no further account
	name    string
	line    hongyan.Version // entries up to here go; 0: nothing does
	reached []place         // how far that is in each conversation
	more    bool            // the account is not done
}

// place is a message, by conversation and ordinal.
type place struct {
	conversation hongyan.ConversationID
	ordinal      hongyan.Ordinal
}

// Step trims a piece of the next account that has too much. nowMS is Unix milliseconds. done is told when that is
// durable; finished means that the walk has come to its end, and the next step begins it anew.
func (s *Sweeper) Step(nowMS int64, done func(finished bool, err error)) {
	Look(s.shard, func(r *Read) (trimming, error) { return s.plan(r, nowMS) }, func(t trimming, err error) {
		switch {
		case err != nil:
			done(false, err)
		case t.user == 0:
			s.after = ""
			done(true, nil)
		default:
			if !t.more {
				s.after = t.name
			}
			Change(s.shard, func(tx *Tx) (struct{}, error) { return struct{}{}, tx.trim(t) }, func(_ struct{}, err error) {
				done(false, err)
			})
		}
	})
}

// plan finds the next account with something to trim, and what. It only reads: what it decides stays right, since the
// end of a log does not move backwards.
func (s *Sweeper) plan(r *Read, nowMS int64) (trimming, error) {
	var t trimming
	var failed error
	err := store.ListNames(r, s.after, func(name string, u hongyan.UserID) bool {
		a, err := store.Accounts.Get(r, u)
		if err != nil || a == nil {
			failed = err
			return err == nil
		}
		keep := a.Retention
		if keep == (store.Retention{}) {
			keep = s.defaults
		}
		t, failed = r.tooMuch(u, keep, nowMS)
		if failed != nil || t.line != 0 {
			t.user, t.name = u, name
			return false
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return t, err
}

// tooMuch says what of u's log is beyond what is to be kept, at most a piece of it.
func (r *Read) tooMuch(u hongyan.UserID, keep store.Retention, nowMS int64) (trimming, error) {
	var t trimming
	if keep == (store.Retention{}) {
		return t, nil
	}
	line, err := store.TrimLines.Get(r, u)
	if err != nil {
		return t, err
	}
	var from hongyan.Version
	if line != nil {
		from = line.Line
	}
	excess, err := r.excess(u, keep.Messages, from)
	if err != nil {
		return t, err
	}
	oldest := int64(0)
	if keep.Days != 0 {
		oldest = nowMS - int64(keep.Days)*24*hourMS
	}
	ends := map[hongyan.ConversationID]hongyan.Ordinal{}
	n := 0
	var failed error
	err = store.ListEntries(r, u, hongyan.TypeMessage, from, store.MaxVersion, false, func(e store.Entry) bool {
		if e.Version > excess {
			var older bool
			if older, failed = r.isOlder(e.Ref, oldest); !older || failed != nil {
				return false
			}
		}
		if n++; n > trimPiece {
			t.more = true
			return false
		}
		t.line = e.Version
		if e.Ref.Kind == store.RefMessage || e.Ref.Kind == store.RefOwn {
			ends[e.Ref.Conversation] = e.Ref.Ordinals[0]
		}
		return true
	})
	for c, o := range ends {
		t.reached = append(t.reached, place{c, o})
	}
	if err == nil {
		err = failed
	}
	return t, err
}

// excess is the newest version that goes when `keep` entries stay; 0 keeps all.
func (r *Read) excess(u hongyan.UserID, keep uint32, from hongyan.Version) (hongyan.Version, error) {
	if keep == 0 {
		return 0, nil
	}
	var line hongyan.Version
	n := uint32(0)
	err := store.ListEntries(r, u, hongyan.TypeMessage, from, store.MaxVersion, true, func(e store.Entry) bool {
		if n++; n > keep {
			line = e.Version
		}
		return n <= keep
	})
	return line, err
}

// isOlder reports whether what an entry refers to was written before a time, in Unix milliseconds; 0 is before all.
func (r *Read) isOlder(ref store.Ref, oldestMS int64) (bool, error) {
	if oldestMS == 0 {
		return false, nil
	}
	m, err := store.GetMessage(r, ref.Conversation, ref.Ordinals[0])
	return err == nil && (m == nil || m.TimeMS < oldestMS), err
}

// trim takes entries of one account away, and the bodies that nobody has in reach any more.
func (tx *Tx) trim(t trimming) error {
	if err := store.TrimEntries(tx.Tx, t.user, t.line); err != nil {
		return err
	}
	for _, p := range t.reached {
		part := store.Part{User: t.user, Conversation: p.conversation}
		old, err := store.Views.Get(tx, part)
		if err != nil {
			return err
		}
		if old == nil || old.Trimmed >= p.ordinal {
			continue
		}
		v := *old
		v.Trimmed = p.ordinal
		store.Views.Put(tx.Tx, part, &v)
		store.Unhide(tx.Tx, t.user, p.conversation, p.ordinal)
		if err := tx.trimBodies(p.conversation); err != nil {
			return err
		}
	}
	return nil
}

// trimBodies removes the messages of a conversation that every member's log has left behind.
func (tx *Tx) trimBodies(c hongyan.ConversationID) error {
	members, err := tx.members(c)
	if err != nil || len(members) == 0 {
		return err
	}
	last, err := tx.LastOrdinal(c)
	if err != nil {
		return err
	}
	upTo := last
	for _, u := range members {
		v, err := store.Views.Get(tx, store.Part{User: u, Conversation: c})
		if err != nil {
			return err
		}
		if v == nil {
			return nil
		}
		upTo = min(upTo, max(v.Trimmed, v.Joined))
	}
	kept, err := store.Conversations.Get(tx, c)
	if err != nil || upTo == 0 || (kept != nil && kept.Trimmed >= upTo) {
		return err
	}
	store.TrimMessages(tx.Tx, c, upTo, last)
	return nil
}

// members are those whose logs refer to the messages of a conversation.
func (tx *Tx) members(c hongyan.ConversationID) ([]hongyan.UserID, error) {
	if a, b, direct := c.Members(); direct {
		return []hongyan.UserID{a, b}, nil
	}
	id, _ := c.Group()
	g, err := store.Groups.Get(tx, id)
	if err != nil || g == nil {
		return nil, err
	}
	var members []hongyan.UserID
	for _, m := range g.Members {
		members = append(members, m.User)
	}
	return members, nil
}
