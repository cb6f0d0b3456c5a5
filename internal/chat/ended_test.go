package chat

import (
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
	accounts "github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/store"
)

// What a device asked for before it ended is done; what comes after, even in the same round, is not.
func TestAnEndedDeviceWritesNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(w *world, alice, thief *device)
	}{
		{"kicked", func(w *world, alice, thief *device) {
			w.accounts.Kick(alice.User, alice.Device, thief.Device, func(err error) { must(t, err) })
		}},
		{"disabled", func(w *world, _, _ *device) {
			disabled := true
			w.accounts.Set("alice", accounts.Settings{Disabled: &disabled}, func(_ accounts.Record, err error) { must(t, err) })
		}},
	}
	for _, tt := range tests {
		w := newWorld(t, Config{})
		alice, bob := w.pair("alice", "bob")
		thief := w.device("alice")
		c := alice.with(bob)
		must(t, bob.read(c, bob.says(c, "hello")))
		thief.sync()

		codes := map[string]hongyan.Code{}
		send := func(text string) {
			w.chat.Send(thief.Caller, w.text(c, text), func(_ Sent, err error) { codes[text] = hongyan.CodeOf(err) })
		}
		send("before")
		tt.end(w, alice, thief)
		send("after")
		w.chat.Recall(thief.Caller, c, 2, func(err error) { codes["recall"] = hongyan.CodeOf(err) })
		w.chat.MarkRead(thief.Caller, c, 1, func(err error) { codes["read"] = hongyan.CodeOf(err) })
		w.chat.SetSetting(thief.Caller, hongyan.Setting{Name: "n", Value: []byte("v")}, func(err error) {
			codes["setting"] = hongyan.CodeOf(err)
		})
		thief.key = hongyan.KeyAt(w.chat.Generation(), thief.User, thief.key.Version()+1)
		w.chat.Acknowledge(thief.Caller, thief.key)
		w.Rest()

		for what, code := range codes {
			if want := hongyan.Revoked; what == "before" && code != 0 || what != "before" && code != want {
				t.Errorf("%s: %s: %v", tt.name, what, code)
			}
		}
		if got := bob.whole(c); !slices.Equal(got, []string{"hello", "before"}) {
			t.Errorf("%s: the conversation holds %q", tt.name, got)
		}
		view := w.Engine().Read()
		cursor, err := store.Cursors.Get(view, store.Holder{User: thief.User, Device: thief.Device})
		view.Release(func(error) {})
		if cursor != nil || err != nil {
			t.Errorf("%s: the device has a cursor again: %v, %v", tt.name, cursor, err)
		}
	}
}
