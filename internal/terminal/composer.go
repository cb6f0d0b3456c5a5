package terminal

import (
	"unicode"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan"
)

// composer is the text that is being written: glyphs with a cursor among them. Its zero value is empty.
type composer struct {
	glyphs []glyph
	at     int // the cursor stands before this glyph
	goal   int // column that up and down aim at, plus one; zero if the last move was another
}

func (c *composer) text() string { return join(c.glyphs) }
func (c *composer) empty() bool  { return len(c.glyphs) == 0 }
func (c *composer) clear()       { *c = composer{} }

// insert puts text at the cursor. It reports whether all of it fitted into a message.
func (c *composer) insert(m measure, s string) bool {
	s = Clean(s)
	before, after := join(c.glyphs[:c.at]), join(c.glyphs[c.at:])
	room := hongyan.MaxText - len(before) - len(after)
	fits := len(s) <= room
	if !fits {
		s = s[:max(room, 0)]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	// What is inserted may join with its neighbours into one glyph, so everything is split anew.
	c.glyphs = m.glyphs(before + s + after)
	c.at = min(len(m.glyphs(before+s)), len(c.glyphs))
	c.goal = 0
	return fits
}

// replace sets the whole text, with the cursor at its end.
func (c *composer) replace(m measure, s string) {
	c.clear()
	c.insert(m, s)
}

// remove takes out the glyphs between two places and leaves the cursor there.
func (c *composer) remove(from, to int) {
	c.glyphs = append(c.glyphs[:from:from], c.glyphs[to:]...)
	c.at, c.goal = from, 0
}

func (c *composer) move(to int) { c.at, c.goal = min(max(to, 0), len(c.glyphs)), 0 }

// word is where a word begins that lies in a direction from the cursor, -1 or 1.
func (c *composer) word(direction int) int {
	at := c.at
	neighbour := func() int {
		if direction < 0 {
			return at - 1
		}
		return at
	}
	inside := func(want bool) {
		for i := neighbour(); i >= 0 && i < len(c.glyphs) && isWord(c.glyphs[i].text) == want; i = neighbour() {
			at += direction
		}
	}
	inside(false)
	inside(true)
	return at
}

func isWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// line is where the line of the cursor begins and ends, between two newlines.
func (c *composer) line() (start, end int) {
	for start = c.at; start > 0 && c.glyphs[start-1].text != "\n"; start-- {
	}
	for end = c.at; end < len(c.glyphs) && c.glyphs[end].text != "\n"; end++ {
	}
	return start, end
}

// rows wraps the text and finds the cursor in it. Columns is what a row may take; the cursor may stand one behind that.
func (c *composer) rows(columns int) (rows []span, row, column int) {
	rows = wrap(c.glyphs, columns)
	for i, r := range rows {
		// Where one row ends and the next begins without a newline, the cursor is shown at the beginning of the next.
		if c.at >= r.start && (c.at < r.end || c.at == r.end && (i == len(rows)-1 || rows[i+1].start > r.end)) {
			return rows, i, min(columnsOf(c.glyphs[r.start:c.at]), columns)
		}
	}
	last := rows[len(rows)-1]
	return rows, len(rows) - 1, min(columnsOf(c.glyphs[last.start:]), columns)
}

// vertical moves the cursor a row up or down, -1 or 1, and reports whether there was one.
func (c *composer) vertical(columns, direction int) bool {
	rows, row, column := c.rows(columns)
	if c.goal == 0 {
		c.goal = column + 1
	}
	row += direction
	if row < 0 || row >= len(rows) {
		return false
	}
	goal := c.goal
	at, used := rows[row].start, 0
	for at < rows[row].end && used+c.glyphs[at].width <= goal-1 {
		used += c.glyphs[at].width
		at++
	}
	// The end of a row that goes on below belongs to the next row.
	if at == rows[row].end && row+1 < len(rows) && rows[row+1].start == at && at > rows[row].start {
		at--
	}
	c.at, c.goal = at, goal
	return true
}
