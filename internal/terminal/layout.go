package terminal

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

const (
	gutter   = 3               // columns before a message: how far an own one has got
	together = 5 * time.Minute // messages of one sender within it stand below one name
)

// row is a line of a conversation on the screen.
type row struct {
	text string          // with styles, at most as wide as the pane
	item string          // the message that it belongs to
	part int             // which of its rows it is
	last hongyan.Ordinal // the message's ordinal, zero for one that is not sent
}

// view is where in a conversation a person looks.
type view struct {
	scroll int // rows below the lowest one that is shown
	below  int // messages that came there since
	rows   []row
	made   layoutKey
}

// layoutKey is everything that rows depend on.
type layoutKey struct {
	revision, columns int
	day               string
}

// rowsOf lays a conversation out. The lowest row that is shown stays where it is, unless it is the last one.
func (s *screen) rowsOf(c *chat, columns int) []row {
	key := layoutKey{s.revision, columns, s.now.Format(time.DateOnly)}
	v := &c.view
	if v.made == key {
		return v.rows
	}
	var anchor row
	if v.scroll > 0 && v.scroll < len(v.rows) {
		anchor = v.rows[len(v.rows)-1-v.scroll]
	}
	w := writer{s: s, c: c, columns: columns}
	w.write()
	v.rows, v.made = w.rows, key
	if anchor.item != "" {
		for i := len(v.rows) - 1; i >= 0; i-- {
			if r := v.rows[i]; r.item == anchor.item && r.part <= anchor.part {
				v.scroll = len(v.rows) - 1 - i
				break
			}
		}
	}
	return v.rows
}

// entry is one message to be laid out, sent or not.
type entry struct {
	message  *hongyan.Message
	progress progress // of an own one
	why      string   // it has failed
	item     string
}

// writer lays out one conversation.
type writer struct {
	s       *screen
	c       *chat
	columns int
	rows    []row

	present  entry
	part     int
	day      string
	from     hongyan.UserID // of the message above, zero if its name does not stand for the next one
	fromTime time.Time
	marked   bool // where the new messages begin
}

func (w *writer) write() {
	s, c := w.s, w.c
	w.present = entry{item: "top"}
	switch {
	case c.complete && len(c.messages) > 0:
		w.add(s.paint.line(s.m, s.words.beginning, w.columns))
	case c.complete && len(s.outbox.of(c)) == 0:
		w.add(s.paint.faint.Render(s.m.fit(s.words.empty, w.columns)))
	case !c.complete:
		w.add(s.paint.faint.Render(s.m.fit(s.words.older, w.columns)))
	}
	for _, e := range s.entries(c) {
		w.entry(e)
	}
}

// entries lists the messages of a conversation with those on their way out. One that was sent but has not come back
// yet stands where its ordinal puts it.
func (s *screen) entries(c *chat) []entry {
	pending := s.outbox.of(c)
	list := make([]entry, 0, len(c.messages)+len(pending))
	next := 0
	for i := range c.messages {
		m := &c.messages[i]
		list = append(list, entry{message: m, progress: c.progressOf(m), item: fmt.Sprintf("o%d", m.Ordinal)})
	}
	for ; next < len(pending); next++ {
		list = append(list, s.pendingEntry(c, pending[next]))
	}
	return list
}

func (s *screen) pendingEntry(c *chat, it client.OutboxItem) entry {
	m := &hongyan.Message{Conversation: c.conv.ID, From: s.me, ClientID: it.ID, TimeMS: it.QueuedMS, Content: it.Content}
	e := entry{message: m, item: fmt.Sprintf("c%x", it.ID)}
	switch it.State {
	case client.StateSent:
		m.Ordinal, m.TimeMS = it.Result.Ordinal, it.Result.TimeMS
		e.progress = c.progressOf(m)
	case client.StateFailed:
		e.progress, e.why = failed, it.Message
	}
	return e
}

func (w *writer) add(text string) {
	var last hongyan.Ordinal
	if w.present.message != nil {
		last = w.present.message.Ordinal
	}
	w.rows = append(w.rows, row{text, w.present.item, w.part, last})
	w.part++
}

func (w *writer) entry(e entry) {
	s, m := w.s, e.message
	w.present, w.part = e, 0
	at := time.UnixMilli(m.TimeMS).In(s.now.Location())
	if day := at.Format(time.DateOnly); day != w.day && m.TimeMS != 0 {
		w.day, w.from = day, 0
		w.add(s.paint.line(s.m, s.dayOf(at), w.columns))
	}
	if w.c.newFrom != 0 && m.Ordinal >= w.c.newFrom && m.From != s.me && !w.marked {
		w.marked, w.from = true, 0
		label := s.paint.line(s.m, s.words.newMessages, w.columns)
		w.add(label)
	}
	if m.Content.Kind == hongyan.KindNotice || m.State != hongyan.Present {
		w.aside(w.asideText(m))
		return
	}
	if w.from != m.From || at.Sub(w.fromTime) >= together {
		w.add(s.heading(m, at, w.columns))
	}
	w.from, w.fromTime = m.From, at
	w.body(e)
}

// aside writes what is not said by anybody, in the middle.
func (w *writer) aside(text string) {
	w.from = 0
	for _, line := range w.s.m.wrapText(text, max(w.columns-2*gutter, 1)) {
		indent := max((w.columns-w.s.m.width(line))/2, 0)
		w.add(strings.Repeat(" ", indent) + w.s.paint.faint.Render(line))
	}
}

func (w *writer) asideText(m *hongyan.Message) string {
	s := w.s
	who := s.nameOf(m.From, m.FromName)
	switch {
	case m.State == hongyan.Recalled:
		return s.words.tookBack(who)
	case m.State == hongyan.Expired:
		return s.words.expired
	}
	return s.noticeText(m)
}

// noticeText says what happened in a group.
func (s *screen) noticeText(m *hongyan.Message) string {
	n := m.Content.Notice
	if n == nil {
		return ""
	}
	whom := make([]string, len(n.Users))
	for i, u := range n.Users {
		whom[i] = s.nameOf(u, "")
	}
	return s.words.notice(n, s.nameOf(m.From, m.FromName), strings.Join(whom, s.words.and))
}

// heading is the line with the sender's name and the time.
func (s *screen) heading(m *hongyan.Message, at time.Time, columns int) string {
	clock := at.Format("15:04")
	style := s.paint.sender(m.From)
	if m.From == s.me {
		style = s.paint.mine
	}
	name := s.m.fit(s.nameOf(m.From, m.FromName), columns-len(clock)-1)
	return style.Render(name) + " " + s.paint.faint.Render(clock)
}

// body writes what a message says, with its progress in the gutter.
func (w *writer) body(e entry) {
	s, m := w.s, e.message
	columns := max(w.columns-gutter, 1)
	mark := "   "
	if m.From == s.me {
		mark = s.mark(e.progress)
	}
	put := func(text string) {
		w.add(mark + text)
		mark = "   "
	}
	c := &m.Content
	if c.Forward != nil {
		put(s.paint.faint.Render(s.m.fit(s.words.forwarded(OneLine(c.Forward.FromName)), columns)))
	}
	if c.Quote != nil {
		put(s.paint.faint.Render(s.m.fit("│ "+s.nameOf(c.Quote.From, "")+": "+OneLine(c.Quote.Excerpt), columns)))
	}
	if label := s.label(c); label != "" {
		put(s.paint.accent.Render(s.m.fit(label, columns)))
	}
	if c.Text != "" {
		for _, line := range s.m.wrapText(Clean(c.Text), columns) {
			put(line)
		}
	}
	if e.progress == failed && m.From == s.me {
		for _, line := range s.m.wrapText(s.words.notSent(OneLine(e.why))+" · "+s.words.resendHint, columns) {
			put(s.paint.failed.Render(line))
		}
	}
}

// mark is the sign for how far an own message has got, as wide as the gutter.
func (s *screen) mark(p progress) string {
	switch p {
	case sending:
		return s.paint.sending.Render("◌") + "  "
	case sent:
		return s.paint.sent.Render("✓") + "  "
	case delivered:
		return s.paint.sent.Render("✓✓") + " "
	case read:
		return s.paint.read.Render("✓✓") + " "
	}
	return s.paint.failed.Render("✗") + "  "
}

// label names what is not text: "[image] sunset.jpg".
func (s *screen) label(c *hongyan.Content) string {
	detail := ""
	switch {
	case c.Kind == hongyan.KindText:
		return ""
	case c.Media != nil:
		detail = c.Media.Name
	case c.Location != nil:
		detail = cmp.Or(c.Location.Name, c.Location.Address)
	case c.Custom != nil:
		detail = c.Custom.Type
	}
	return strings.TrimSpace("[" + s.words.kinds[c.Kind] + "] " + OneLine(detail))
}

// dayOf names a day as seen from today.
func (s *screen) dayOf(at time.Time) string {
	switch today := s.now.Format(time.DateOnly); at.Format(time.DateOnly) {
	case today:
		return s.words.today
	case s.now.AddDate(0, 0, -1).Format(time.DateOnly):
		return s.words.yesterday
	}
	return s.words.date(at, at.Year() != s.now.Year())
}

// preview is a message in a few words, for the list.
func (s *screen) preview(c *chat, m *hongyan.Message) string {
	switch {
	case m.State == hongyan.Recalled:
		return s.words.tookBack(s.nameOf(m.From, m.FromName))
	case m.State == hongyan.Expired:
		return s.words.expired
	case m.Content.Kind == hongyan.KindNotice:
		return s.noticeText(m)
	}
	text := strings.TrimSpace(s.label(&m.Content) + " " + OneLine(m.Content.Text))
	if isGroup(c) && m.From != s.me {
		text = s.nameOf(m.From, m.FromName) + ": " + text
	}
	return text
}
