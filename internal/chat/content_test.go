package chat

import (
	"bytes"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
	accounts "github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

func TestEveryKindOfContentComesBackAsItWasSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	media := &hongyan.Media{
		Ref: "ref", Name: "name", MIME: "image/png", Size: 1, Width: 2, Height: 3, DurationMS: 4, SHA256: make([]byte, 32), Thumbnail: []byte{5},
	}
	contents := []hongyan.Content{
		hongyan.Text("text 雁"),
		{Kind: hongyan.KindImage, Text: "caption", Media: media},
		{Kind: hongyan.KindVoice, Media: media},
		{Kind: hongyan.KindVideo, Media: media},
		{Kind: hongyan.KindFile, Media: media},
		{Kind: hongyan.KindLocation, Location: &hongyan.Location{Latitude: -33.5, Longitude: 151, Name: "here", Address: "there"}},
		{Kind: hongyan.KindCustom, Text: "fallback", Custom: &hongyan.Custom{Type: "x/y", Data: []byte{0, 1, 2}}},
		{
			Kind: hongyan.KindText, Text: "@bob", Mentions: []hongyan.UserID{bob.User}, MentionAll: true,
			Quote:   &hongyan.Quote{Ordinal: 1, From: alice.User, Excerpt: "text"},
			Forward: &hongyan.Forward{From: bob.User, FromName: "bob", TimeMS: 7},
		},
	}
	for _, content := range contents {
		d := w.text(c, "")
		d.Content = content
		_, err := alice.draft(d)
		must(t, err)
	}
	bob.sync()
	h, err := bob.history(HistoryQuery{Conversation: c})
	must(t, err)
	for i, want := range contents {
		for source, got := range map[string]*hongyan.Message{"sync": bob.messages[c][hongyan.Ordinal(i+1)], "history": h.Messages[i]} {
			if !bytes.Equal(store.Encode(got.Content), store.Encode(want)) {
				t.Errorf("by %s content %d came as %+v, want %+v", source, i, got.Content, want)
			}
		}
	}
	d := w.text(c, "")
	d.Content = hongyan.Content{Kind: hongyan.KindNotice, Notice: &hongyan.Notice{Event: hongyan.NoticeJoined}}
	_, err = alice.draft(d)
	wantCode(t, err, hongyan.Forbidden)
}

// What the server does not keep any more is gone from one's log, one's history and one's counts, and a device that comes
// too late for it is told so.
func TestWhatIsTrimmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	alice.says(c, "1", "2")
	bob.sync()
	alice.says(c, "3", "4", "5", "6", "7", "8")
	_, err := setRetention(w, "bob", store.Retention{Messages: 3})
	must(t, err)
	sweeper := inbox.NewSweeper(w.Shard.Shard, store.Retention{})
	for range 10 {
		sweeper.Step(w.Now().UnixMilli(), func(_ bool, err error) { must(t, err) })
		w.Rest()
	}
	want := []string{"6", "7", "8"}
	if got := bob.whole(c); !slices.Equal(got, want) {
		t.Errorf("bob reads %q, want %q", got, want)
	}
	if n := bob.view(c).Unread; n != 3 {
		t.Errorf("%d are unread", n)
	}
	page, err := bob.page(0)
	must(t, err)
	if page.Reset != inbox.ResetTrimmed || len(page.Conversations) != 1 || page.Conversations[0].LastMessage.Content.Text != "8" {
		t.Errorf("a device that comes late gets %+v", page)
	}
	bob.sync()
	if got := bob.texts(c); !slices.Equal(got, want) {
		t.Errorf("it then has %q, want %q", got, want)
	}
	if got := alice.whole(c); len(got) != 8 {
		t.Errorf("alice reads %q", got)
	}
	bob.says(c, "9")
	must(t, alice.recall(c, 3)) // which bob has no more
	bob.sync()
	alice.sync()
	if got := alice.texts(c); got[2] != "-" || len(got) != 9 {
		t.Errorf("alice has %q", got)
	}
}

func setRetention(w *world, name string, r store.Retention) (rec accounts.Record, err error) {
	w.accounts.Set(name, accounts.Settings{Retention: &r}, func(got accounts.Record, failed error) { rec, err = got, failed })
	w.Rest()
	return rec, err
}
