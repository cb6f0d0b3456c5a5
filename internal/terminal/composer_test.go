package terminal

import (
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// shown is the composer's text with | at the cursor.
func shown(c *composer) string { return join(c.glyphs[:c.at]) + "|" + join(c.glyphs[c.at:]) }

// compose makes a composer from text with | at the cursor.
func compose(s string) *composer {
	before, after, _ := strings.Cut(s, "|")
	c := new(composer)
	c.replace(runes, before+after)
	c.move(len(runes.glyphs(before)))
	return c
}

func TestComposerEdits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, before string
		edit         func(*composer)
		want         string
	}{
		{"insert", "鸿|书", func(c *composer) { c.insert(runes, "雁传") }, "鸿雁传|书"},
		{"insert joins an accent", "e|x", func(c *composer) { c.insert(runes, "\u0301") }, "e\u0301|x"},
		{"paste with control characters", "|", func(c *composer) { c.insert(runes, "a\r\nb\x1b[31m\t") }, "a\nb[31m    |"},
		{"left over a family", "x" + family + "|", func(c *composer) { c.move(c.at - 1) }, "x|" + family},
		{"backspace takes the family", "x" + family + "|y", func(c *composer) { c.remove(c.at-1, c.at) }, "x|y"},
		{"word left", "one two|", func(c *composer) { c.move(c.word(-1)) }, "one |two"},
		{"word left over space", "one two  |", func(c *composer) { c.move(c.word(-1)) }, "one |two  "},
		{"word left at the start", "|one", func(c *composer) { c.move(c.word(-1)) }, "|one"},
		{"word right", "|one two", func(c *composer) { c.move(c.word(1)) }, "one| two"},
		{"word right to the end", "one| two", func(c *composer) { c.move(c.word(1)) }, "one two|"},
		{"kill word", "one two|x", func(c *composer) { c.remove(c.word(-1), c.at) }, "one |x"},
		{"line start", "one\ntwo|", func(c *composer) { s, _ := c.line(); c.move(s) }, "one\n|two"},
		{"line end", "o|ne\ntwo", func(c *composer) { _, e := c.line(); c.move(e) }, "one|\ntwo"},
		{"beyond the end", "one|", func(c *composer) { c.move(99) }, "one|"},
		{"up", "abc\nd|ef", func(c *composer) { c.vertical(10, -1) }, "a|bc\ndef"},
		{"up to a shorter row", "a\nbcd|", func(c *composer) { c.vertical(10, -1) }, "a|\nbcd"},
		{"down keeps the column", "abc|\nd\nefgh", func(c *composer) { c.vertical(10, 1); c.vertical(10, 1) }, "abc\nd\nefg|h"},
		{"down in a wrapped line", "a|bcdef", func(c *composer) { c.vertical(3, 1) }, "abcd|ef"},
		{"up in Chinese", "鸿雁传书|", func(c *composer) { c.vertical(4, -1) }, "鸿|雁传书"},
		{"up at the top", "a|b", func(c *composer) { c.vertical(10, -1) }, "a|b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := compose(tt.before)
			tt.edit(c)
			if got := shown(c); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestComposerCursor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int{ // row, column with 4 columns
		"|": {0, 0}, "ab|": {0, 2}, "鸿|": {0, 2}, "鸿雁|": {0, 4}, "鸿雁|传": {1, 0}, "鸿雁传|": {1, 2},
		"ab\n|": {1, 0}, "ab|\n": {0, 2}, "abcd|": {0, 4}, "abcd |": {0, 4}, "abcd |e": {1, 0},
	} {
		_, row, column := compose(text).rows(4)
		if row != want[0] || column != want[1] {
			t.Errorf("%q: cursor at row %d, column %d; want %v", text, row, column, want)
		}
	}
}

func TestComposerHoldsOneMessage(t *testing.T) {
	t.Parallel()
	c := new(composer)
	if !c.insert(runes, strings.Repeat("雁", hongyan.MaxText/3)) {
		t.Error("a text of the limit does not fit")
	}
	if c.insert(runes, "雁") {
		t.Error("a text over the limit fits")
	}
	if n := len(c.text()); n > hongyan.MaxText || n < hongyan.MaxText-3 {
		t.Errorf("the text has %d bytes", n)
	}
}

// FuzzComposer checks that no sequence of edits breaks the text or loses the cursor.
func FuzzComposer(f *testing.F) {
	f.Add("hello 鸿雁\nworld", []byte("llbduwLRxk"))
	f.Add(family+family, []byte("lbldurW"))
	f.Fuzz(func(t *testing.T, text string, edits []byte) {
		if len(text) > 1000 || len(edits) > 100 {
			return
		}
		c := new(composer)
		c.replace(runes, text)
		for _, e := range edits {
			columns := int(e)%7 + 2
			switch e {
			case 'l':
				c.move(c.at - 1)
			case 'r':
				c.move(c.at + 1)
			case 'L':
				c.move(c.word(-1))
			case 'R':
				c.move(c.word(1))
			case 'u':
				c.vertical(columns, -1)
			case 'd':
				c.vertical(columns, 1)
			case 'b':
				c.remove(max(c.at-1, 0), c.at)
			case 'x':
				c.remove(c.at, min(c.at+1, len(c.glyphs)))
			case 'w':
				c.remove(c.word(-1), c.at)
			case 'k':
				_, end := c.line()
				c.remove(c.at, end)
			default:
				c.insert(runes, string(rune(e)))
			}
			if c.at < 0 || c.at > len(c.glyphs) {
				t.Fatalf("cursor at %d of %d after %q", c.at, len(c.glyphs), e)
			}
			rows, row, column := c.rows(columns)
			if row < 0 || row >= len(rows) || column < 0 || column > columns {
				t.Fatalf("cursor in row %d of %d, column %d of %d after %q", row, len(rows), column, columns, e)
			}
		}
	})
}
