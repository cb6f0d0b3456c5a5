package torture

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// The SDK does not say which keys it stores. What it tells its program comes in the order of the versions, so every change
// that it tells is taken for a page with that change alone, and its version for what the key stands for. After a reset
// the program cannot know the key's version either: it lies below that of the first message that comes and is not of the
// backfill.

func (t *teller) sdk(e *entry) error {
	switch e.What {
	case reset:
		t.stage = append(t.stage, history.Commit{Moment: history.Moment(e.At), Reset: true})
	case told:
		b := new(wire.Change)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		list, err := t.changes([]*wire.Change{b})
		if err != nil {
			return err
		}
		if t.seen[list[0].Version] {
			return nil // told again after a kill
		}
		t.seen[list[0].Version] = true
		t.show(e, history.Page{Source: history.Pushed, Changes: list})
		t.stage = append(t.stage, history.Commit{
			Moment: history.Moment(e.At), Version: list[0].Version, Backfilled: e.Backfilled, Changes: list,
		})
		if list[0].Message != nil {
			t.applied++
		}
	case held:
		b := new(wire.SyncReply)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		list, err := t.changes(b.Changes)
		if err != nil {
			return err
		}
		before := t.applied
		for _, c := range list {
			t.apply(c)
		}
		t.applied = before // they were counted when they were told
	}
	return nil
}

// endSDK makes commits of what was told.
func (t *teller) endSDK() {
	for i := range t.stage {
		c := &t.stage[i]
		c.Device, c.Previous = t.of, t.at
		switch {
		case c.Reset:
			c.Version = max(t.at, t.firstAfter(i))
		case c.Backfilled || c.Version <= t.at && c.Changes[0].Message == nil:
			c.Version, c.Backfilled = t.at, true
		}
		t.at = c.Version
		t.h.Commits = append(t.h.Commits, *c)
	}
	if n := len(t.stage); n > 0 {
		t.h.Commits[len(t.h.Commits)-1].Whole = true
	}
}

// firstAfter is a version that the key of a reset may have stood for.
func (t *teller) firstAfter(i int) hongyan.Version {
	var last hongyan.Version
	for _, c := range t.stage[i+1:] {
		if c.Changes != nil && !c.Backfilled && c.Changes[0].Message != nil {
			return c.Version - 1
		}
		last = max(last, c.Version)
	}
	return last
}
