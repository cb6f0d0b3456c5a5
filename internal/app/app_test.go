package app

import (
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan/wire"
)

// TestConversation is the main job: two people exchange messages, and what was acknowledged is there after a restart.
func TestConversation(t *testing.T) {
	data := t.TempDir()
	s, stop := start(t, data, nil)
	alice, bob := dial(t, s).register("alice"), dial(t, s).register("bob")

	sent := new(wire.SendReply)
	first := text("bob", "hello")
	alice.must(wire.OpSend, first, sent)
	bob.must(wire.OpSend, text("alice", "你好"), new(wire.SendReply))
	want := []string{"hello", "你好"}
	for _, p := range []*peer{alice, bob} {
		if got := p.messages(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	stop()

	s, _ = start(t, data, nil)
	alice2, bob2 := dial(t, s).auth(alice.token), dial(t, s).auth(bob.token)
	retry := new(wire.SendReply)
	alice2.must(wire.OpSend, first, retry)
	if retry.Id != sent.Id || retry.Ordinal != sent.Ordinal {
		t.Errorf("a retry over the restart gave %v, the original was %v", retry, sent)
	}
	alice2.must(wire.OpSend, text("bob", "still here?"), new(wire.SendReply))
	want = append(want, "still here?")
	for _, p := range []*peer{alice2, bob2} {
		if got := p.messages(); !slices.Equal(got, want) {
			t.Errorf("after the restart: got %q, want %q", got, want)
		}
	}
}
