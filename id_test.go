package hongyan

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"strings"
	"testing"
)

var (
	_ encoding.BinaryMarshaler   = ConversationID{}
	_ encoding.BinaryAppender    = ConversationID{}
	_ encoding.BinaryUnmarshaler = (*ConversationID)(nil)
)

const maxUint64 = 1<<64 - 1

func TestConversationID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		c    ConversationID
		text string
	}{
		{Direct(17, 42), "d:17:42"},
		{Direct(42, 17), "d:17:42"},
		{Direct(17, 17), "d:17:17"},
		{Direct(1, maxUint64), "d:1:18446744073709551615"},
		{Direct(maxUint64, maxUint64), "d:18446744073709551615:18446744073709551615"},
		{GroupConversation(5), "g:5"},
		{GroupConversation(maxUint64), "g:18446744073709551615"},
		{ConversationID{}, ""},
		{Direct(0, 5), ""},
		{Direct(5, 0), ""},
		{GroupConversation(0), ""},
	} {
		if got := tt.c.String(); got != tt.text {
			t.Errorf("%+v is written %q, want %q", tt.c, got, tt.text)
		}
		if tt.c.IsZero() != (tt.text == "") {
			t.Errorf("%q: IsZero is %v", tt.text, tt.c.IsZero())
		}
		b, err := tt.c.MarshalBinary()
		if err != nil || len(b) != ConversationSize {
			t.Errorf("%q: %x, %v", tt.text, b, err)
		}
		var back ConversationID
		if err := back.UnmarshalBinary(b); err != nil || back != tt.c {
			t.Errorf("%q came back from its bytes as %q, %v", tt.text, back, err)
		}
		if tt.c.IsZero() {
			continue
		}
		if got, err := ParseConversation(tt.text); err != nil || got != tt.c {
			t.Errorf("%q is read as %+v, %v", tt.text, got, err)
		}
	}
}

func TestConversationParts(t *testing.T) {
	t.Parallel()
	direct, notes, group := Direct(42, 17), Direct(17, 17), GroupConversation(5)
	if a, b, ok := direct.Members(); a != 17 || b != 42 || !ok {
		t.Errorf("members %d, %d, %v", a, b, ok)
	}
	if _, _, ok := group.Members(); ok {
		t.Error("a group is taken for a direct conversation")
	}
	if _, _, ok := (ConversationID{}).Members(); ok {
		t.Error("no conversation is taken for a direct one")
	}
	if g, ok := group.Group(); g != 5 || !ok {
		t.Errorf("group %d, %v", g, ok)
	}
	for _, c := range []ConversationID{direct, notes, {}} {
		if _, ok := c.Group(); ok {
			t.Errorf("%q is taken for a group", c)
		}
	}
	for _, tt := range []struct {
		c    ConversationID
		of   UserID
		peer UserID
		ok   bool
	}{
		{direct, 17, 42, true}, {direct, 42, 17, true}, {notes, 17, 17, true},
		{direct, 18, 0, false}, {direct, 0, 0, false}, {group, 5, 0, false}, {group, 0, 0, false}, {ConversationID{}, 0, 0, false},
	} {
		if peer, ok := tt.c.Peer(tt.of); peer != tt.peer || ok != tt.ok {
			t.Errorf("the peer of %d in %q is %d, %v", tt.of, tt.c, peer, ok)
		}
	}
}

func TestParseConversationRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "d", "g", "d:", "g:", "g:0", "d:0:0", "d:0:5", "d:5", "d:5:", "d::5", "d:42:17", "d:017:42", "g:05", "g:+5", "g:-5",
		"g:5 ", " g:5", "G:5", "g:5:6", "d:17:42:1", "x:5", "g:18446744073709551616", "d:1:18446744073709551616", "g:5\n", "g:1_0",
		"d:0x11:0x2a", "g:５", strings.Repeat("g", 1<<16), "\xff\xfe",
	} {
		c, err := ParseConversation(s)
		if CodeOf(err) != Invalid || !c.IsZero() {
			t.Errorf("%.80q: %+v, %v", s, c, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("an error of %d bytes quotes the whole input", len(err.Error()))
		}
	}
}

func TestUnmarshalConversationRefuses(t *testing.T) {
	t.Parallel()
	inverted := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, 42), 17)
	for _, b := range [][]byte{nil, make([]byte, 15), make([]byte, 17), inverted} {
		c := GroupConversation(5)
		if err := c.UnmarshalBinary(b); err == nil || c != GroupConversation(5) {
			t.Errorf("%x: %q, %v", b, c, err)
		}
	}
}

// FuzzConversation checks that each conversation has exactly one text and one binary form.
func FuzzConversation(f *testing.F) {
	for _, c := range []ConversationID{Direct(17, 42), Direct(1, maxUint64), GroupConversation(5)} {
		b, err := c.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.String(), b)
	}
	f.Fuzz(func(t *testing.T, s string, b []byte) {
		if c, err := ParseConversation(s); err == nil {
			if c.IsZero() || c.String() != s {
				t.Fatalf("%q is read as %+v and written %q", s, c, c)
			}
			encoded, _ := c.MarshalBinary()
			var back ConversationID
			if err := back.UnmarshalBinary(encoded); err != nil || back != c {
				t.Fatalf("%q came back from its bytes as %q, %v", s, back, err)
			}
		} else if CodeOf(err) != Invalid {
			t.Fatalf("%q: %v", s, err)
		}
		var c ConversationID
		if err := c.UnmarshalBinary(b); err != nil {
			return
		}
		if encoded, _ := c.MarshalBinary(); !bytes.Equal(encoded, b) {
			t.Fatalf("%x is read as %q and encodes to %x", b, c, encoded)
		}
		if back, err := ParseConversation(c.String()); !c.IsZero() && (err != nil || back != c) {
			t.Fatalf("%x is read as %q, which is read as %+v, %v", b, c, back, err)
		}
	})
}

func TestConversationTextAllocations(t *testing.T) {
	c := Direct(1<<53-2, 1<<53-1)
	text := c.String()
	for name, tt := range map[string]struct {
		want float64
		run  func()
	}{
		"String":            {1, func() { text = c.String() }},
		"ParseConversation": {0, func() { c, _ = ParseConversation(text) }},
	} {
		if got := testing.AllocsPerRun(100, tt.run); got != tt.want {
			t.Errorf("%s: %v allocations, want %v", name, got, tt.want)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		term uint64
		n    uint32
		want Version
	}{
		{0, 0, 0}, {0, 1, 1}, {0, 1<<32 - 1, 1<<32 - 1}, {1, 0, 1 << 32}, {3, 5, 3<<32 | 5}, {MaxTerm, 1<<32 - 1, 1<<53 - 1},
	} {
		v := VersionAt(tt.term, tt.n)
		if v != tt.want || v.Term() != tt.term {
			t.Errorf("version %d of term %d is %d of term %d, want %d", tt.n, tt.term, v, v.Term(), tt.want)
		}
	}
	if VersionAt(2, 0) <= VersionAt(1, 1<<32-1) {
		t.Error("a new term does not begin above the one before")
	}
	if float64(VersionAt(MaxTerm, 1<<32-1)) != 1<<53-1 {
		t.Error("the largest version does not survive a JSON number")
	}
}
