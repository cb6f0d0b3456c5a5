package chat

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	accounts "github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// sweep trims all logs to what their accounts keep.
func (w *world) sweep() {
	w.t.Helper()
	s := inbox.NewSweeper(w.Shard.Shard, store.Retention{})
	for finished := false; !finished; {
		s.Step(w.Now().UnixMilli(), func(end bool, err error) {
			must(w.t, err)
			finished = end
		})
		w.Rest()
	}
}

// TestTrimmedHistory shows nothing of what an account's log has left behind, though the other side still has it.
func TestTrimmedHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	_, err := shardtest.Ask(w.Shard, func(done func(accounts.Record, error)) {
		w.accounts.Set("bob", accounts.Settings{Retention: &store.Retention{Days: 1}}, done)
	})
	must(t, err)
	c := alice.with(bob)
	alice.says(c, "one", "two")
	must(t, bob.remove(c, 2))
	bob.sync()
	w.Advance(48 * time.Hour)
	alice.says(c, "three")
	if v := bob.view(c); v.Unread != 3 {
		t.Errorf("unread before: %d, want 3", v.Unread)
	}
	w.sweep()
	for _, test := range []struct {
		who    *device
		texts  int
		unread int
	}{{alice, 3, 0}, {bob, 1, 1}} {
		if texts := test.who.whole(c); len(texts) != test.texts {
			t.Errorf("%s sees %q, want %d messages", test.who.name, texts, test.texts)
		}
		v := test.who.view(c)
		if v.Unread != test.unread || v.Last != 3 {
			t.Errorf("%s has %d unread up to message %d, want %d up to 3", test.who.name, v.Unread, v.Last, test.unread)
		}
	}
	// Not from a new device either, which begins with a reset.
	fresh := w.device("bob")
	page, err := fresh.page(0)
	must(t, err)
	if page.Reset != inbox.ResetFirst || len(page.Conversations) != 1 || page.Conversations[0].Unread != 1 {
		t.Errorf("a new device begins with %+v", page)
	}
	wantCode(t, bob.remove(c, 1), hongyan.NotFound)
	w.Advance(48 * time.Hour)
	w.sweep()
	if v := bob.view(c); v.Unread != 0 || v.Last != 3 {
		t.Errorf("after everything is trimmed %d are unread up to message %d", v.Unread, v.Last)
	}
	must(t, bob.read(c, 3))
	if v := alice.view(c); v.PeerRead != 3 {
		t.Errorf("the other side was told that everything up to %d was read", v.PeerRead)
	}
	alice.says(c, "four")
	if v := bob.view(c); v.Unread != 1 || v.Last != 4 {
		t.Errorf("after the next message %d are unread up to message %d", v.Unread, v.Last)
	}
}
