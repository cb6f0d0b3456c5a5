package chat

import (
	"fmt"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// popular makes an account with so many contacts.
func (w *world) popular(contacts int) (*device, []*device) {
	w.t.Helper()
	names := make([]string, contacts)
	for i := range names {
		names[i] = fmt.Sprint("fan", i)
	}
	star, fans := w.people("star")[0], w.people(names...)
	contact := func(_ hongyan.Contact, err error) { must(w.t, err) }
	for i, fan := range fans {
		w.chat.AskContact(fan.Caller, Target{User: star.User}, "", contact)
		w.chat.AnswerContact(star.Caller, fan.User, true, contact)
		if i%100 == 0 {
			w.Rest()
		}
	}
	w.Rest()
	return star, fans
}

// look reads from the store without a step of the writer.
func look[R any](w *world, do func(r *inbox.Read) (R, error)) (result R) {
	w.t.Helper()
	inbox.Look(w.Shard.Shard, inbox.Nobody, do, func(r R, err error) {
		must(w.t, err)
		result = r
	})
	return result
}

// told counts those whose log has grown above a version.
func (w *world) told(fans []*device, above hongyan.Version) (n int) {
	w.t.Helper()
	return look(w, func(r *inbox.Read) (int, error) {
		for _, fan := range fans {
			head, err := store.Head(r, fan.User)
			if err != nil {
				return n, err
			}
			if head > above {
				n++
			}
		}
		return n, nil
	})
}

// newest is the highest version in any of the logs.
func (w *world) newest(all ...*device) (v hongyan.Version) {
	w.t.Helper()
	return look(w, func(r *inbox.Read) (hongyan.Version, error) {
		for _, d := range all {
			head, err := store.Head(r, d.User)
			if err != nil {
				return 0, err
			}
			v = max(v, head)
		}
		return v, nil
	})
}

// tellings counts the accounts that are noted as not told of everywhere yet.
func (w *world) tellings() (n int) {
	w.t.Helper()
	return look(w, func(r *inbox.Read) (int, error) {
		err := store.ListTellings(r, func(hongyan.UserID) bool { n++; return true })
		return n, err
	})
}

func (d *device) renames(name string) {
	d.w.chat.SetProfile(d.Caller, ProfileChange{DisplayName: &name}, func(_ hongyan.Profile, err error) { must(d.w.t, err) })
}

// TestAProfileIsToldPieceByPiece: one round never carries more than some of the contacts, and others write in between.
func TestAProfileIsToldPieceByPiece(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	star, fans := w.popular(2*tellAtOnce + 1)
	before := w.newest(append(fans, star)...)
	star.renames("Star")
	for i, want := range []int{tellAtOnce, 2 * tellAtOnce, len(fans)} {
		w.Step()
		if got := w.told(fans, before); got != want {
			t.Errorf("after round %d %d are told, want %d", i+1, got, want)
		}
		if got, want := w.tellings(), min(1, len(fans)-want); got != want {
			t.Errorf("after round %d %d accounts are noted as not done, want %d", i+1, got, want)
		}
	}
	if w.Waiting() != 0 {
		t.Errorf("%d commands wait still", w.Waiting())
	}
	last := fans[len(fans)-1]
	if last.sync(); last.contacts[star.User].Profile.DisplayName != "Star" {
		t.Errorf("the last one knows %+v", last.contacts[star.User])
	}
}

// TestTellingIsResumed: what a crash has stopped, or a queue that was full, is taken up again; and a profile that changes
// meanwhile is told to all anew.
func TestTellingIsResumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	star, fans := w.popular(2*tellAtOnce + 1)
	var before hongyan.Version
	for _, name := range []string{"Star", "Superstar"} {
		before = w.newest(append(fans, star)...)
		star.renames(name)
		w.Step()
		w.Drop()
	}
	if got := w.told(fans, before); got != tellAtOnce {
		t.Fatalf("%d are told of the newer name", got)
	}
	w.chat.Resume()
	w.chat.Resume() // as it happens while it is under way
	w.Rest()
	if got := w.told(fans, before); got != len(fans) || w.tellings() != 0 {
		t.Errorf("%d of %d are told, %d accounts are noted as not done", got, len(fans), w.tellings())
	}
}
