package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// glyph is what a person takes for one character: a grapheme cluster. Width is the columns that it takes.
type glyph struct {
	text  string
	width int
}

// maxCluster bounds one glyph, in bytes: the longest emoji sequences take 41; what piles up more marks is cut.
const maxCluster = 64

// measure counts columns the way the terminal does: sequences of emoji as one, if the terminal says that it joins them
// (mode 2027), otherwise rune by rune.
type measure ansi.Method

func (m measure) width(s string) int { return ansi.Method(m).StringWidth(s) }

// glyphs splits clean text.
func (m measure) glyphs(s string) []glyph {
	list := make([]glyph, 0, len(s))
	for len(s) > 0 {
		if s[0] == '\n' {
			list, s = append(list, glyph{"\n", 0}), s[1:]
			continue
		}
		text, width, n, _ := ansi.Method(m).DecodeSequenceInString(s, 0, nil)
		s = s[max(n, 1):]
		// The decoder keeps an ASCII letter and the accents behind it apart.
		if last := len(list) - 1; width == 0 && last >= 0 && list[last].text != "\n" {
			if len(list[last].text)+len(text) <= maxCluster {
				list[last].text += text
			}
			continue
		}
		if len(text) > maxCluster {
			text = text[:maxCluster]
			for !utf8.ValidString(text) {
				text = text[:len(text)-1]
			}
			width = m.width(text)
		}
		list = append(list, glyph{text, width})
	}
	return list
}

// Clean makes text from elsewhere harmless for a terminal: control characters, which could move the cursor, and
// overrides of direction, which could make it read as something else, are dropped; tabs become spaces and every kind of
// line end a newline.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\ufeff':
			return -1
		}
		return r // a byte that is no UTF-8 comes as U+FFFD
	}, lineEnds.Replace(s))
}

var lineEnds = strings.NewReplacer(
	"\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n", "\t", "    ")

// OneLine is Clean text without line ends, for lists and titles.
func OneLine(s string) string { return strings.Join(strings.Fields(Clean(s)), " ") }

// span is a row of wrapped text: the glyphs from start up to end. A newline belongs to no row.
type span struct{ start, end int }

// wrap breaks glyphs into rows of at most so many columns: at newlines, between words, and between any two characters
// of a script that does not separate words, but not before a mark that closes or after one that opens (the rule that
// Chinese and Japanese typesetting calls kinsoku). A word that is too long is cut. Spaces at the end of a row may
// stick out. There is at least one row; a glyph that is wider than the row gets one for itself.
func wrap(g []glyph, columns int) []span {
	var rows []span
	start, used := 0, 0 // of the present row
	breakAt := -1       // where the row could end: before this glyph
	for i := 0; i < len(g); i++ {
		if g[i].text == "\n" {
			rows = append(rows, span{start, i})
			start, used, breakAt = i+1, 0, -1
			continue
		}
		if i > start && mayBreak(g[i-1].text, g[i].text) {
			breakAt = i
		}
		for used+g[i].width > columns && g[i].text != " " && i > start {
			end := i
			if breakAt > start {
				end = breakAt
			}
			rows = append(rows, span{start, end})
			start, breakAt = end, -1
			used = columnsOf(g[start:i])
		}
		used += g[i].width
	}
	return append(rows, span{start, len(g)})
}

func columnsOf(g []glyph) int {
	n := 0
	for i := range g {
		n += g[i].width
	}
	return n
}

// Marks that stay with the character before or after them.
const (
	closing = "、。，．・：；？！”’）］｝〉》」』】〕…—～,.:;?!)]}'\"%％"
	opening = "“‘（［｛〈《「『【〔([{$￥¥"
)

// mayBreak reports whether a row may end between two neighbours.
func mayBreak(before, after string) bool {
	switch {
	case after == " ":
		return false
	case before == " ":
		return true
	case strings.Contains(closing, after), strings.Contains(opening, before):
		return false
	case before == "-" || before == "/":
		return true
	}
	return unspaced(before) || unspaced(after)
}

// unspaced reports whether a character is of a script that does not separate words by spaces, or a picture.
func unspaced(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai) ||
		r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef || r >= 0x1f000
}

func join(g []glyph) string {
	var b strings.Builder
	for i := range g {
		b.WriteString(g[i].text)
	}
	return b.String()
}

// wrapText wraps clean text into lines that are never wider than columns.
func (m measure) wrapText(s string, columns int) []string {
	g := m.glyphs(s)
	rows := wrap(g, columns)
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = m.fit(strings.TrimRight(join(g[r.start:r.end]), " "), columns)
	}
	return lines
}

// fit cuts clean text without newlines to at most so many columns, and shows that it did.
func (m measure) fit(s string, columns int) string {
	if columns <= 0 {
		return ""
	}
	if m.width(s) <= columns {
		return s
	}
	g := m.glyphs(s)
	end, used := 0, 1 // for the ellipsis
	for end < len(g) && used+g[end].width <= columns {
		used += g[end].width
		end++
	}
	return join(g[:end]) + "…"
}

// pad makes a line exactly so many columns wide. It may have styles if it is not too wide.
func (m measure) pad(s string, columns int) string {
	n := m.width(s)
	if n > columns {
		s = m.fit(s, columns)
		n = m.width(s)
	}
	return s + strings.Repeat(" ", max(0, columns-n))
}
