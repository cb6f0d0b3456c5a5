package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
)

func (d *device) finds(q SearchQuery) (Found, error) {
	return shardtest.Ask(d.w.Shard, func(done func(Found, error)) { d.w.chat.Search(d.Caller, q, done) })
}

// found looks to the end, and returns the ordinals in the order they came and the number of answers it took.
func (d *device) found(q SearchQuery) (ordinals []hongyan.Ordinal, answers int) {
	d.w.t.Helper()
	for answers = 1; answers < 100; answers++ {
		f, err := d.finds(q)
		must(d.w.t, err)
		for _, m := range f.Messages {
			ordinals = append(ordinals, m.Ordinal)
		}
		if q.Token = f.Token; len(q.Token) == 0 {
			return ordinals, answers
		}
	}
	d.w.t.Fatal("there is no end")
	return nil, 0
}

func TestSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{RecallWindow: 1 << 40})
	alice, bob := w.pair("alice", "bob")
	carl := w.people("carl")[0]
	c := alice.with(bob)
	alice.says(c, "The wild goose carries letters")  // 1
	bob.says(c, "a GOOSE feather")                   // 2
	alice.says(c, "ｇｏｏｓｅ in full width")             // 3
	recalled := alice.says(c, "a goose taken back")  // 4
	bob.says(c, "nothing of the kind")               // 5
	removed := bob.says(c, "a goose that alice hid") // 6
	alice.says(c, "鸿雁传书")                            // 7
	bob.says(alice.with(bob), "雁")                   // 8
	must(t, alice.recall(c, recalled))
	must(t, alice.remove(c, removed))
	other := alice.says(alice.with(carl), "a goose elsewhere")
	tests := []struct {
		name string
		who  *device
		q    SearchQuery
		want []hongyan.Ordinal
	}{
		{"in any case and form", bob, SearchQuery{Text: "goose", Conversation: c}, []hongyan.Ordinal{6, 3, 2, 1}},
		{"without what one has hidden", alice, SearchQuery{Text: "Goose", Conversation: c}, []hongyan.Ordinal{3, 2, 1}},
		{"all words", alice, SearchQuery{Text: " letters  goose ", Conversation: c}, []hongyan.Ordinal{1}},
		{"everywhere", alice, SearchQuery{Text: "goose"}, []hongyan.Ordinal{other, 3, 2, 1}},
		{"everywhere, by somebody else", carl, SearchQuery{Text: "goose"}, []hongyan.Ordinal{other}},
		{"Chinese", bob, SearchQuery{Text: "雁"}, []hongyan.Ordinal{8, 7}},
		{"one at a time", alice, SearchQuery{Text: "goose", Limit: 1}, []hongyan.Ordinal{other, 3, 2, 1}},
		{"nothing", alice, SearchQuery{Text: "swan"}, nil},
	}
	for _, tt := range tests {
		if got, _ := tt.who.found(tt.q); !slices.Equal(got, tt.want) {
			t.Errorf("%s: found %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, text := range []string{"", " ", strings.Repeat("x", MaxSearchText+1), strings.Repeat("a ", MaxSearchWords+1), "\xff"} {
		_, err := alice.finds(SearchQuery{Text: text})
		wantCode(t, err, hongyan.Invalid)
	}
	_, err := alice.finds(SearchQuery{Text: "x", Token: []byte{1}})
	wantCode(t, err, hongyan.Invalid)
	_, err = carl.finds(SearchQuery{Text: "x", Conversation: c})
	wantCode(t, err, hongyan.NotFound)
}

// TestSearchIsBounded: what looks through many messages does so in steps.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	first := alice.says(c, "the needle")
	for i := range 2 * scanSearch {
		d := w.text(c, fmt.Sprint("hay ", i))
		w.chat.Send(bob.Caller, d, func(_ Sent, err error) { must(t, err) })
		if i%200 == 0 {
			w.Rest()
		}
	}
	w.Rest()
	for name, q := range map[string]SearchQuery{"in one": {Text: "needle", Conversation: c}, "everywhere": {Text: "needle"}} {
		f, err := alice.finds(q)
		must(t, err)
		if len(f.Messages) != 0 || len(f.Token) == 0 || f.ReachedMS == 0 {
			t.Errorf("%s: the first answer is %+v", name, f)
		}
		if got, answers := alice.found(q); !slices.Equal(got, []hongyan.Ordinal{first}) || answers != 3 {
			t.Errorf("%s: found %v in %d answers", name, got, answers)
		}
	}
}

// TestSearchKeepsToWhatOneMaySee: what came before one's time, what was cleared, and what came after leaving.
func TestSearchKeepsToWhatOneMaySee(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := w.people("owner", "member", "late")
	owner, member, late := p[0], p[1], p[2]
	g := owner.founds("group", member)
	c := hongyan.GroupConversation(g)
	early := owner.says(c, "a goose before")
	must(t, owner.invite(g, late))
	then := owner.says(c, "a goose between")
	must(t, late.leave(g))
	owner.says(c, "a goose after")
	for _, q := range []SearchQuery{{Text: "goose"}, {Text: "goose", Conversation: c}} {
		if got, _ := late.found(q); !slices.Equal(got, []hongyan.Ordinal{then}) {
			t.Errorf("who was there for a time finds %v", got)
		}
	}
	must(t, member.clear(c, early))
	if got, _ := member.found(SearchQuery{Text: "before"}); len(got) != 0 {
		t.Errorf("what was cleared is found: %v", got)
	}
}

func (d *device) types(c hongyan.ConversationID) ([]hongyan.UserID, error) {
	return shardtest.Ask(d.w.Shard, func(done func([]hongyan.UserID, error)) {
		d.w.chat.Typing(d.Caller, c, d.w.Now().UnixMilli(), done)
	})
}

func TestTyping(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	alice, bob := w.pair("alice", "bob")
	c := alice.with(bob)
	others, err := alice.types(c)
	if must(t, err); !slices.Equal(others, []hongyan.UserID{bob.User}) {
		t.Errorf("told are %v", others)
	}
	if others, err = alice.types(c); err != nil || len(others) != 0 {
		t.Errorf("told again at once: %v, %v", others, err)
	}
	if others, err = bob.types(c); err != nil || !slices.Equal(others, []hongyan.UserID{alice.User}) {
		t.Errorf("the other side tells %v, %v", others, err)
	}
	w.Advance(TypingEvery * 1e6)
	if others, err = alice.types(c); err != nil || len(others) != 1 {
		t.Errorf("told a second later: %v, %v", others, err)
	}
	must(t, bob.block(alice, true))
	w.Advance(TypingEvery * 1e6)
	_, err = alice.types(c)
	wantCode(t, err, hongyan.Blocked)
	stranger := w.people("stranger")[0]
	_, err = stranger.types(c)
	wantCode(t, err, hongyan.NotMember)
}
