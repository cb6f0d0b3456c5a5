package inbox

import (
	"cmp"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// ResetReason says why a key cannot be continued.
type ResetReason uint8

const (
	NoReset         ResetReason = 0
	ResetFirst      ResetReason = 1 // the zero key
	ResetTrimmed    ResetReason = 2 // older than what the log still has
	ResetGeneration ResetReason = 3 // of another store, or of this one before it was restored
)

// Page is what a pull brings: entries in order of version, and the key that stands for them.
type Page struct {
	Entries []store.Entry
	Key     hongyan.SyncKey
	More    bool
	Reset   ResetReason // if set, there are no entries, and Key is the head
}

// Pull returns the next entries of u after key, at most limit of them and at least one, of the given types (none: all).
// Entries of other types do not move the key's versions of those types.
//
// Errors for the peer: KeyInvalid for another account's key, KeyAhead for one that this generation cannot have given.
func (r *Read) Pull(u hongyan.UserID, key hongyan.SyncKey, types []hongyan.Type, limit int) (Page, error) {
	if len(types) == 0 {
		types = hongyan.Types[:]
	}
	limit = max(limit, 1)
	head, err := r.Head(u)
	if err != nil {
		return Page{}, err
	}
	line, err := store.TrimLines.Get(r, u)
	if err != nil {
		return Page{}, err
	}
	if line == nil {
		line = &store.TrimLine{}
	}
	// The head may be of an earlier moment than the view, and no key may be given that is below the line.
	head = max(head, line.Head)
	reason, err := r.judge(u, key, types, head, line.Line)
	if err != nil {
		return Page{}, err
	}
	if reason != NoReset {
		return Page{Key: hongyan.KeyAt(r.e.Generation(), u, head), Reset: reason}, nil
	}
	page := Page{Key: key}
	entries, err := r.merge(u, types, key.Seen, head, limit)
	if err != nil {
		return Page{}, err
	}
	upTo := head // the log was read to its end: the key stands for all of it
	if page.More = len(entries) > limit; page.More {
		entries = entries[:limit]
		upTo = entries[limit-1].Version
	}
	page.Entries = entries
	for _, t := range types {
		page.Key.Advance(t, upTo)
	}
	return page, nil
}

// judge says whether key can be continued, for the given types.
func (r *Read) judge(u hongyan.UserID, key hongyan.SyncKey, types []hongyan.Type, head, line hongyan.Version) (ResetReason, error) {
	switch {
	case key.IsZero():
		return ResetFirst, nil
	case key.User != u:
		return 0, hongyan.Errorf(hongyan.KeyInvalid, "the sync key is another account's").
			WithHint("keep one key per account, and begin with none")
	case key.Generation != r.e.Generation():
		return ResetGeneration, nil
	case key.Newest() > head:
		return 0, hongyan.Errorf(hongyan.KeyAhead, "the sync key is at version %d, the account at %d", key.Newest(), head).
			WithHint("report this: the server may have lost data; begin again with no key")
	case key.Seen(hongyan.TypeMessage) < line && slices.Contains(types, hongyan.TypeMessage):
		return ResetTrimmed, nil // only messages are trimmed
	}
	return NoReset, nil
}

// merge returns up to limit+1 entries of several types in order of version, each type above its own version.
func (r *Read) merge(u hongyan.UserID, types []hongyan.Type, above func(hongyan.Type) hongyan.Version,
	upTo hongyan.Version, limit int) ([]store.Entry, error) {
	var entries []store.Entry
	for _, t := range types {
		n := 0
		err := store.ListEntries(r, u, t, above(t), upTo, false, func(e store.Entry) bool {
			entries = append(entries, e)
			n++
			return n <= limit
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(entries, func(a, b store.Entry) int { return cmp.Compare(a.Version, b.Version) })
	return entries[:min(len(entries), limit+1)], nil
}

// Backlog returns the entries of u with versions in (above, upTo], at most limit, and whether there are more. A reset
// hands out what came before it in this way.
func (r *Read) Backlog(u hongyan.UserID, above, upTo hongyan.Version, limit int) ([]store.Entry, bool, error) {
	all := func(hongyan.Type) hongyan.Version { return above }
	entries, err := r.merge(u, hongyan.Types[:], all, upTo, limit)
	if err != nil || len(entries) <= limit {
		return entries, false, err
	}
	return entries[:limit], true, nil
}
