package store

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// text is a message of a conversation.
func text(c hongyan.ConversationID, o hongyan.Ordinal) *hongyan.Message {
	return &hongyan.Message{
		ID: 1000 + hongyan.MessageID(o), Conversation: c, Ordinal: o, From: 1, FromName: "ann", ClientID: hongyan.ClientID{byte(o)},
		TimeMS: 5000 + int64(o), Content: hongyan.Text("text"),
	}
}

func putMessage(tx *Tx, m *hongyan.Message) { PutMessage(tx, m, Encode(m.Content)) }

// TestAppendBody holds the bytes against those that reflection makes.
func TestAppendBody(t *testing.T) {
	t.Parallel()
	recalled := text(direct, 3)
	recalled.State, recalled.Content = hongyan.Recalled, hongyan.Content{}
	for _, m := range []*hongyan.Message{
		{}, text(direct, 1), recalled,
		{ID: 1<<63 - 1, From: 1<<53 - 1, FromName: strings.Repeat("n", 300), TimeMS: -1, Content: hongyan.Text(strings.Repeat("x", 70_000))},
		{ID: 23, From: 24, TimeMS: 255, State: 25}, {ID: 256, From: 1 << 16, TimeMS: 1<<32 - 1}, {ID: 1 << 32, TimeMS: -1 << 63},
	} {
		want := Encode(&body{m.ID, m.From, m.FromName, m.ClientID[:], m.TimeMS, m.Content, m.State})
		got := appendBody(nil, m, Encode(m.Content))
		if !bytes.Equal(got, want) {
			t.Errorf("%+v is written as %x, want %x", m, got, want)
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	recalled := text(direct, 3)
	recalled.State, recalled.Content = hongyan.Recalled, hongyan.Content{}
	all := []*hongyan.Message{text(direct, 1), text(direct, 2), recalled}
	g.write(func(tx *Tx) {
		for _, m := range all {
			putMessage(tx, m)
		}
		putMessage(tx, text(group, 9))
		if m, err := GetMessage(tx, direct, 2); err != nil || !reflect.DeepEqual(m, all[1]) {
			t.Errorf("the transaction reads back %+v, %v", m, err)
		}
	})
	r := g.view()
	for _, m := range all {
		if got, err := GetMessage(r, direct, m.Ordinal); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("message %d is read back as %+v, %v", m.Ordinal, got, err)
		}
	}
	if m, err := GetMessage(r, direct, 4); m != nil || err != nil {
		t.Errorf("a message that is not there is %+v, %v", m, err)
	}
	for _, test := range []struct {
		from, to hongyan.Ordinal
		want     []hongyan.Ordinal
	}{{1, 3, []hongyan.Ordinal{1, 2, 3}}, {0, maxOrdinal, []hongyan.Ordinal{1, 2, 3}}, {2, 2, []hongyan.Ordinal{2}}, {3, 2, nil}, {4, 9, nil}} {
		for _, falling := range []bool{false, true} {
			want := slices.Clone(test.want)
			if falling {
				slices.Reverse(want)
			}
			var got []hongyan.Ordinal
			if err := ListMessages(r, direct, test.from, test.to, falling, func(m *hongyan.Message) bool {
				got = append(got, m.Ordinal)
				return reflect.DeepEqual(m, all[m.Ordinal-1])
			}); err != nil || !slices.Equal(got, want) {
				t.Errorf("%d to %d, falling %v: %v, %v, want %v", test.from, test.to, falling, got, err, want)
			}
		}
	}
	var senders []hongyan.Ordinal
	if err := ListSenders(r, direct, 1, 9, func(o hongyan.Ordinal, from hongyan.UserID, s hongyan.MessageState) bool {
		senders = append(senders, o)
		return from == 1 && s == all[o-1].State
	}); err != nil || !slices.Equal(senders, []hongyan.Ordinal{3, 2, 1}) {
		t.Errorf("senders of %v, %v", senders, err)
	}
}

// TestLastOrdinal counts on when bodies are trimmed, some or all.
func TestLastOrdinal(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	last := func(want hongyan.Ordinal, bodies ...hongyan.Ordinal) {
		t.Helper()
		r := g.view()
		if got, err := LastOrdinal(r, direct); err != nil || got != want {
			t.Errorf("the last ordinal is %d, %v, want %d", got, err, want)
		}
		var got []hongyan.Ordinal
		if err := ListMessages(r, direct, 1, maxOrdinal, false, func(m *hongyan.Message) bool {
			got = append(got, m.Ordinal)
			return true
		}); err != nil || !slices.Equal(got, bodies) {
			t.Errorf("left are %v, %v, want %v", got, err, bodies)
		}
	}
	last(0)
	g.write(func(tx *Tx) {
		for o := hongyan.Ordinal(1); o <= 4; o++ {
			putMessage(tx, text(direct, o))
		}
		putMessage(tx, text(group, 9))
		putMessage(tx, text(hongyan.Direct(1, 3), 1))
	})
	last(4, 1, 2, 3, 4)
	g.write(func(tx *Tx) { TrimMessages(tx, direct, 2, 4) })
	last(4, 3, 4)
	g.write(func(tx *Tx) { TrimMessages(tx, direct, 4, 4) })
	last(4)
	g.open()
	last(4)
	g.write(func(tx *Tx) { putMessage(tx, text(direct, 5)) })
	last(5, 5)
	if rest, err := Conversations.Get(g.view(), direct); err != nil || *rest != (Conversation{Last: 4, Trimmed: 4}) {
		t.Errorf("of the conversation is kept %+v, %v", rest, err)
	}
	for _, other := range []hongyan.ConversationID{group, hongyan.Direct(1, 3)} {
		if o, err := LastOrdinal(g.view(), other); err != nil || o == 0 {
			t.Errorf("the last ordinal of another conversation is %d, %v", o, err)
		}
	}
}

func TestHidden(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	hidden := func(want ...hongyan.Ordinal) {
		t.Helper()
		got, err := Hidden(g.view(), 1, direct, 1, 9)
		var list []hongyan.Ordinal
		for o := range got {
			list = append(list, o)
		}
		if slices.Sort(list); err != nil || !slices.Equal(list, want) {
			t.Errorf("hidden are %v, %v, want %v", list, err, want)
		}
	}
	g.write(func(tx *Tx) {
		for _, o := range []hongyan.Ordinal{2, 3, 5, 10} {
			Hide(tx, 1, direct, o)
		}
		Hide(tx, 2, direct, 4)
		Hide(tx, 1, group, 4)
	})
	hidden(2, 3, 5)
	g.write(func(tx *Tx) { Unhide(tx, 1, direct, 3) })
	hidden(5)
	if got, err := Hidden(g.view(), 1, direct, 3, 5); err != nil || len(got) != 1 || !got[5] {
		t.Errorf("hidden from 3 to 5: %v, %v", got, err)
	}
	if got, err := Hidden(g.view(), 2, direct, 1, 9); err != nil || !got[4] {
		t.Errorf("hidden to the other: %v, %v", got, err)
	}
}

// TestOriginals remembers outcomes by hour, and forgets hours whole, with their filters.
func TestOriginals(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	id := func(n byte) hongyan.ClientID { return hongyan.ClientID{n} }
	original := Original{Digest: [16]byte{1, 2}, Result: []byte("result")}
	g.write(func(tx *Tx) {
		for _, hour := range []uint32{6, 7, 8} {
			PutOriginal(tx, hour, 1, id(1), original)
			PutOriginal(tx, hour, 2, id(2), Original{Digest: [16]byte{9}})
			PutFilter(tx, hour, 1, []byte("lter"))
			PutFilter(tx, hour, 0, []byte("fi"))
		}
		if o, err := GetOriginal(tx, 7, 1, id(1)); err != nil || !reflect.DeepEqual(*o, original) {
			t.Errorf("the transaction reads back %+v, %v", o, err)
		}
	})
	there := func(hour uint32, want bool) {
		t.Helper()
		r := g.view()
		o, err := GetOriginal(r, hour, 1, id(1))
		if err != nil || (o != nil) != want || o != nil && !reflect.DeepEqual(*o, original) {
			t.Errorf("hour %d: the original is %+v, %v", hour, o, err)
		}
		if o, err := GetOriginal(r, hour, 1, id(2)); o != nil || err != nil {
			t.Errorf("hour %d: what was never there is %+v, %v", hour, o, err)
		}
		f, err := GetFilter(r, hour)
		if err != nil || want && string(f) != "filter" || !want && f != nil {
			t.Errorf("hour %d: the filter is %q, %v", hour, f, err)
		}
		n := 0
		if err := ListOriginals(r, hour, func(sender hongyan.UserID, of hongyan.ClientID) bool {
			n++
			return of == id(byte(sender))
		}); err != nil || want && n != 2 || !want && n != 0 {
			t.Errorf("hour %d: %d are listed, %v", hour, n, err)
		}
	}
	there(7, true)
	g.write(func(tx *Tx) { ForgetOriginals(tx, 7) })
	there(5, false)
	there(6, false)
	there(7, true)
	there(8, true)
}
