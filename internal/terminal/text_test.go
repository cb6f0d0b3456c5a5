package terminal

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

const (
	runes    = measure(ansi.WcWidth)
	clusters = measure(ansi.GraphemeWidth)
	family   = "👨‍👩‍👧"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		columns    int
		want       []string
	}{
		{"empty", "", 10, []string{""}},
		{"fits", "hello goose", 11, []string{"hello goose"}},
		{"words", "hello wild goose", 10, []string{"hello wild", "goose"}},
		{"space sticks out", "hello wild  goose", 10, []string{"hello wild", "goose"}},
		{"leading spaces stay", "a\n  b", 10, []string{"a", "  b"}},
		{"long word", "abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"word then long word", "ab cdefghij", 4, []string{"ab", "cdef", "ghij"}},
		{"newlines", "a\n\nb\n", 10, []string{"a", "", "b", ""}},
		{"Chinese", "鸿雁传书千里", 6, []string{"鸿雁传", "书千里"}},
		{"odd width", "鸿雁传书", 5, []string{"鸿雁", "传书"}},
		{"no mark at the start", "鸿雁，传书", 4, []string{"鸿", "雁，", "传书"}},
		{"no bracket at the end", "鸿雁（传）", 6, []string{"鸿雁", "（传）"}},
		{"mark that does not fit", "a雁，", 3, []string{"a", "雁", "，"}},
		{"mixed", "hello鸿雁 传书", 8, []string{"hello鸿", "雁 传书"}},
		{"emoji", "🙂🙂🙂", 4, []string{"🙂🙂", "🙂"}},
		{"too narrow", "鸿雁", 1, []string{"…", "…"}},
		{"path", "one/two-three", 8, []string{"one/two-", "three"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := runes.wrapText(tt.text, tt.columns); !slices.Equal(got, tt.want) {
				t.Errorf("wrapped to %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWidthFollowsTheTerminal(t *testing.T) {
	t.Parallel()
	if one, many := clusters.width(family), runes.width(family); one != 2 || many != 6 {
		t.Errorf("a family is %d columns as one, %d one by one; want 2 and 6", one, many)
	}
	for _, m := range []measure{runes, clusters} {
		if g := m.glyphs("e\u0301" + family + "\n鸿"); len(g) != 4 || g[0].text != "e\u0301" || g[1].text != family || g[2].text != "\n" {
			t.Errorf("glyphs are %+v", g)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain 鸿雁":                  "plain 鸿雁",
		"\x1b[2Jgone\x07":           "[2Jgone",
		"a\r\nb\rc\u2028d":          "a\nb\nc\nd",
		"a\tb":                      "a    b",
		"abc\u202edef":              "abcdef",
		"c1\u009b31m":               "c131m",
		"bad\xff":                   "bad\uFFFD",
		"emoji " + family:           "emoji " + family,
		"del\x7f\x00 \u2066x\u2069": "del x",
	} {
		if got := Clean(text); got != want {
			t.Errorf("Clean(%q) = %q, want %q", text, got, want)
		}
	}
	if got := OneLine(" a\n b\t c "); got != "a b c" {
		t.Errorf("oneLine = %q", got)
	}
}

func TestPileOfMarksIsCut(t *testing.T) {
	t.Parallel()
	g := runes.glyphs("a" + strings.Repeat("\u0301", 500) + "b")
	if len(g) != 2 || len(g[0].text) > maxCluster || !utf8.ValidString(g[0].text) || g[0].width != 1 {
		t.Errorf("glyphs are %+v", g)
	}
}

func TestPad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"abc", 5, "abc  "}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"鸿雁", 5, "鸿雁 "}, {"鸿雁", 3, "鸿…"}, {"鸿雁", 4, "鸿雁"},
		{"鸿雁传", 5, "鸿雁…"}, {"鸿雁传", 4, "鸿… "}, {"x", 0, ""},
		{"\x1b[31mred\x1b[m", 4, "\x1b[31mred\x1b[m "},
	} {
		if got := runes.pad(tt.text, tt.columns); got != tt.want {
			t.Errorf("pad(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}

// FuzzWrap checks that no text gives a line that is too wide or holds a control character, that nothing but spaces and
// newlines is lost, and that the rows follow each other.
func FuzzWrap(f *testing.F) {
	for _, s := range []string{"", "hello world", "鸿雁，传书\n", family + "x", "e\u0301\u0301", "\x1b[31mx", "a  b   c", "\u200d\u200d", "🇨🇳🇨🇳🇨", "\xff\xfe"} {
		f.Add(s, uint8(7), true)
	}
	f.Fuzz(func(t *testing.T, s string, columns uint8, clustered bool) {
		m := runes
		if clustered {
			m = clusters
		}
		width := int(columns)%80 + 2
		s = Clean(s)
		g := m.glyphs(s)
		next := 0
		for _, r := range wrap(g, width) {
			if r.start != next && !(r.start == next+1 && g[next].text == "\n") || r.end < r.start {
				t.Fatalf("row %v does not follow %d in %q", r, next, s)
			}
			next = r.end
			if trimmed := strings.TrimRight(join(g[r.start:r.end]), " "); m.width(trimmed) > width && len(m.glyphs(trimmed)) > 1 {
				t.Fatalf("row %q has %d columns, not %d", trimmed, m.width(trimmed), width)
			}
		}
		if next != len(g) {
			t.Fatalf("%d glyphs of %d in %q", next, len(g), s)
		}
		for _, line := range m.wrapText(s, width) {
			if m.width(line) > width {
				t.Fatalf("line %q has %d columns, not %d", line, m.width(line), width)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Fatalf("line %q has a control character", line)
			}
		}
	})
}
