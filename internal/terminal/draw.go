package terminal

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/hongyan-im/hongyan"
)

// Sizes of the parts of the screen, in columns and rows.
const (
	wideFrom    = 64 // columns from which list and conversation stand side by side
	listMin     = 22
	listMax     = 34
	leastWidth  = 20
	leastHeight = 8
	itemRows    = 2 // of the list
)

// frame is a picture: as many lines as the screen has rows, none of them wider than it, and the cursor, if it shows.
type frame struct {
	lines        []string
	cursor       bool
	column, line int
	title        string
}

func (f *frame) text() string { return strings.Join(f.lines, "\n") }

func (s *screen) wide() bool { return s.width >= wideFrom }

func (s *screen) listColumns() int {
	if !s.wide() {
		return s.width
	}
	return min(max(s.width*3/10, listMin), listMax)
}

func (s *screen) talkColumns() int {
	if !s.wide() {
		return s.width
	}
	return s.width - s.listColumns() - 1
}

// The conversation's pane has a title, a rule, the messages, another rule and the text that is being written.
const (
	titleRows = 2
	ruleRows  = 1
	prompt    = 2 // columns before that text
)

func (s *screen) paneRows() int        { return max(s.height-1, 0) } // the status line is below
func (s *screen) listItems() int       { return max((s.paneRows()-1)/itemRows, 1) }
func (s *screen) composerColumns() int { return max(s.talkColumns()-prompt-1, 1) }

// composerRows is how tall the text that is being written is shown.
func (s *screen) composerRows(c *chat) int {
	rows, _, _ := c.draft.rows(s.composerColumns())
	return min(len(rows), max(s.paneRows()/4, 1))
}

func (s *screen) historyRows() int {
	composer := 1
	if s.open != nil {
		composer = s.composerRows(s.open)
	}
	return max(s.paneRows()-titleRows-ruleRows-composer, 1)
}

// draw makes the picture of the present state.
func (s *screen) draw() frame {
	f := frame{title: s.windowTitle()}
	if s.width < leastWidth || s.height < leastHeight {
		for range s.height {
			f.lines = append(f.lines, "")
		}
		if s.height > 0 {
			f.lines[0] = s.m.fit(s.words.tooSmall, s.width)
		}
		return f
	}
	switch {
	case s.overlay == helpOverlay:
		f.lines = s.drawHelp()
	case s.wide():
		list, talk := s.drawList(), s.drawTalk(&f)
		f.column += s.listColumns() + 1
		bar := s.paint.rule.Render("│")
		for i := range list {
			f.lines = append(f.lines, list[i]+bar+talk[i])
		}
	case s.pane == listPane && s.overlay == noOverlay:
		f.lines = s.drawList()
	default:
		f.lines = s.drawTalk(&f)
	}
	f.lines = append(f.lines, s.drawStatus())
	return f
}

func (s *screen) windowTitle() string {
	if n := s.unread(nil); n > 0 {
		return fmt.Sprintf("(%d) Hongyan", n)
	}
	return "Hongyan"
}

// drawList draws the list of conversations, as many lines as the pane has rows, each as wide as it.
func (s *screen) drawList() []string {
	columns, rows := s.listColumns(), s.paneRows()
	lines := []string{s.paint.accent.Render(s.m.pad("鸿雁 "+s.name, columns))}
	items := s.listItems()
	first := min(max(s.selected-items/2, 0), max(len(s.order)-items, 0))
	for i := first; i < min(first+items, len(s.order)); i++ {
		lines = append(lines, s.drawItem(s.order[i], i == s.selected, columns)...)
	}
	if len(s.order) == 0 {
		for _, line := range s.m.wrapText(s.words.noChats, columns-2) {
			lines = append(lines, " "+s.paint.faint.Render(line))
		}
	}
	return s.fill(lines, columns, rows)
}

// drawItem draws one conversation of the list: title and time, last message and unread count.
func (s *screen) drawItem(c *chat, selected bool, columns int) []string {
	bar := " "
	if selected && (s.pane == listPane || !s.wide()) {
		bar = "▌"
	} else if c == s.open {
		bar = "▏"
	}
	clock := s.clockOf(c.active)
	badge := ""
	if n := c.conv.Unread; n >= hongyan.MaxUnread {
		badge = fmt.Sprintf(" %d+ ", hongyan.MaxUnread-1)
	} else if n > 0 {
		badge = fmt.Sprintf(" %d ", n)
	}
	inner := columns - 2 // the bar, and a column of air
	title := s.m.pad(s.titleOf(c), inner-s.m.width(clock)-1) + " "
	preview := s.m.pad(s.listPreview(c), inner-s.m.width(badge)-1) + " "
	badgeStyle := s.paint.badge
	if c.conv.Muted {
		badgeStyle = s.paint.quiet
	}
	on := func(style lipgloss.Style, text string) string {
		if selected && s.pane == listPane {
			style = style.Background(s.paint.highlight)
		}
		return style.Render(text)
	}
	if badge != "" {
		badge = badgeStyle.Render(badge)
	}
	return []string{
		on(s.paint.accent, bar) + on(s.paint.bold, title) + on(s.paint.faint, clock+" "),
		on(s.paint.accent, bar) + on(s.paint.faint, preview) + badge + on(s.paint.faint, " "),
	}
}

// listPreview is the second line of an item.
func (s *screen) listPreview(c *chat) string {
	if !c.draft.empty() && c != s.open {
		return s.words.draft + " " + OneLine(c.draft.text())
	}
	if pending := s.outbox.of(c); len(pending) > 0 {
		it := pending[len(pending)-1]
		e := s.pendingEntry(c, it)
		sign := "◌ "
		if e.progress == failed {
			sign = "✗ "
		} else if e.progress != sending {
			sign = "✓ "
		}
		return sign + s.preview(c, e.message)
	}
	if m := c.conv.LastMessage; m != nil {
		return s.preview(c, m)
	}
	return ""
}

// clockOf is when something happened, as short as possible.
func (s *screen) clockOf(ms int64) string {
	if ms == 0 {
		return ""
	}
	at := time.UnixMilli(ms).In(s.now.Location())
	switch at.Format(time.DateOnly) {
	case s.now.Format(time.DateOnly):
		return at.Format("15:04")
	case s.now.AddDate(0, 0, -1).Format(time.DateOnly):
		return s.words.yesterday
	}
	return s.words.shortDate(at, at.Year() != s.now.Year())
}

// drawTalk draws the open conversation, or what covers it, and says where the cursor is.
func (s *screen) drawTalk(f *frame) []string {
	columns, rows := s.talkColumns(), s.paneRows()
	switch {
	case s.overlay == newChatOverlay:
		return s.fill(s.drawPrompt(f, columns), columns, rows)
	case s.open == nil:
		hint := s.words.noChats
		if len(s.order) > 0 {
			hint = s.words.choose
		}
		return s.fill([]string{"", "  " + s.paint.faint.Render(s.m.fit(hint, columns-2))}, columns, rows)
	}
	c := s.open
	lines := []string{s.drawTitle(c, columns), s.paint.line(s.m, "", columns)}
	lines = append(lines, s.drawHistory(c, columns)...)
	lines = append(lines, s.drawRule(c, columns))
	return s.fill(append(lines, s.drawComposer(c, f, len(lines))...), columns, rows)
}

func (s *screen) drawTitle(c *chat, columns int) string {
	back := ""
	if !s.wide() {
		back = "‹ "
		if n := s.unread(c); n > 0 {
			back = fmt.Sprintf("‹ %d ", n)
		}
	}
	title := s.m.fit(s.titleOf(c), columns-s.m.width(back)-1)
	detail := ""
	if peer := c.conv.Peer; peer != nil && peer.User != s.me && OneLine(c.conv.Title) != peer.Name {
		detail = "@" + OneLine(peer.Name)
	}
	if g, group := c.conv.ID.Group(); group && s.sizes[g] > 0 {
		detail = s.words.members(s.sizes[g])
	}
	if s.m.width(detail) > columns-s.m.width(back)-s.m.width(title)-3 {
		detail = ""
	}
	return " " + s.paint.faint.Render(back) + s.paint.bold.Render(title) + "  " + s.paint.faint.Render(detail)
}

// drawHistory draws the part of the conversation that the view shows, at the bottom of its rows.
func (s *screen) drawHistory(c *chat, columns int) []string {
	height := s.historyRows()
	v := &c.view
	rows := s.layOut(c, columns, height)
	v.scroll = min(v.scroll, max(len(rows)-height, 0))
	lines := make([]string, height)
	for i := range lines {
		if at := v.scroll + i; at < len(rows) {
			lines[height-1-i] = rows[at].text
		}
	}
	return lines
}

// drawRule draws the line between the messages and the text that is being written: a notice, what is below, or nothing.
func (s *screen) drawRule(c *chat, columns int) string {
	switch {
	case s.noticeShown():
		return s.paint.bad.Render(s.m.fit(s.notice, columns))
	case c.view.below > 0:
		return s.paint.accent.Render(s.m.fit("↓ "+s.words.newBelow(c.view.below), columns))
	case c.view.scroll > 0:
		return s.paint.line(s.m, fmt.Sprintf("↓ %d", c.view.scroll), columns)
	}
	return s.paint.line(s.m, "", columns)
}

// drawComposer draws the text that is being written. It begins at a line of the pane.
func (s *screen) drawComposer(c *chat, f *frame, line int) []string {
	rows, at, column := c.draft.rows(s.composerColumns())
	height := s.composerRows(c)
	first := min(max(at-height/2, 0), len(rows)-height)
	var lines []string
	for i := first; i < first+height; i++ {
		sign := "  "
		if i == 0 {
			sign = s.paint.accent.Render("›") + " "
		}
		text := strings.TrimRight(join(c.draft.glyphs[rows[i].start:rows[i].end]), " ")
		lines = append(lines, sign+s.m.fit(text, s.composerColumns()))
	}
	if c.draft.empty() {
		lines[0] += s.paint.faint.Render(s.m.fit(s.words.prompt, s.composerColumns()))
	}
	if s.pane == talkPane {
		f.cursor, f.column, f.line = true, prompt+column, line+at-first
	}
	return lines
}

// drawPrompt draws the question for the name of an account.
func (s *screen) drawPrompt(f *frame, columns int) []string {
	inner := max(columns-4, 1)
	lines := []string{" " + s.paint.bold.Render(s.m.fit(s.words.newChat, columns-1)), s.paint.line(s.m, "", columns), ""}
	for _, line := range s.m.wrapText(s.words.accountName, inner) {
		lines = append(lines, "  "+line)
	}
	rows, at, column := s.prompt.rows(inner - prompt)
	f.cursor, f.column, f.line = true, 2+prompt+column, len(lines)
	name := s.m.fit(join(s.prompt.glyphs[rows[at].start:rows[at].end]), inner-prompt)
	lines = append(lines, "  "+s.paint.accent.Render("›")+" "+name, "")
	for _, line := range s.m.wrapText(OneLine(s.problem), inner) {
		lines = append(lines, "  "+s.paint.bad.Render(line))
	}
	return lines
}

func (s *screen) drawHelp() []string {
	lines := []string{" " + s.paint.bold.Render(s.words.help), s.paint.line(s.m, "", s.width)}
	column := 0
	for _, k := range s.words.keys {
		column = max(column, s.m.width(k[0]))
	}
	column = min(column, s.width/2)
	for _, k := range s.words.keys {
		lines = append(lines, " "+s.paint.accent.Render(s.m.pad(k[0], column))+"  "+s.m.fit(k[1], s.width-column-3))
	}
	return s.fill(lines, s.width, s.paneRows())
}

// drawStatus draws the last line: how the connection is, always, and a hint or two where there is room.
func (s *screen) drawStatus() string {
	left, style := "● "+s.words.connected, s.paint.good
	switch {
	case s.link.Online:
	case s.link.RetryAt.IsZero():
		left, style = "◌ "+s.words.connecting, s.paint.busy
	default:
		left, style = "○ "+s.words.offline, s.paint.bad
		if wait := s.link.RetryAt.Sub(s.now); wait > 0 {
			left += " · " + s.words.retryIn(wait)
		}
		if s.link.Err != nil {
			left += " · " + OneLine(reason(s.link.Err))
		}
	}
	left = s.m.fit(left, s.width-2)
	right := s.words.listHint + " · " + s.words.helpHint
	if s.pane == listPane {
		right = s.words.helpHint
	}
	room := s.width - 2 - s.m.width(left) - 1
	if s.m.width(right) > room {
		if right = s.words.helpHint; s.m.width(right) > room {
			right = ""
		}
	}
	// A notice is shown here when no conversation is.
	if s.noticeShown() && !s.wide() && s.pane == listPane && room > 8 {
		right = s.m.fit(s.notice, room)
	}
	gap := strings.Repeat(" ", max(room-s.m.width(right)+1, 0))
	return " " + style.Render(left) + gap + s.paint.faint.Render(right) + " "
}

// fill makes exactly so many lines, each so many columns wide.
func (s *screen) fill(lines []string, columns, rows int) []string {
	if len(lines) > rows {
		lines = lines[:rows]
	}
	filled := make([]string, rows)
	for i := range filled {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		filled[i] = s.m.pad(line, columns)
	}
	return filled
}
