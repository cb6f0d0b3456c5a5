package terminal

import (
	"cmp"
	"slices"
	"strconv"
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
	text string // with styles, at most as wide as the pane
	item string // the message that it belongs to
	part int    // which of its rows it is, from its first
}

// view is where in a conversation a person looks, and the rows around. They are laid out from the newest message up,
// only as far as somebody has looked, because there may be thousands of messages.
type view struct {
	scroll int // rows below the lowest one that is shown
	below  int // messages that came there since

	rows    []row               // from the lowest up
	pending []client.OutboxItem // behind the messages
	above   int                 // messages and pending ones that are not laid out yet
	whole   bool                // all are
	newAt   int                 // the message before which new ones begin, -1 if there are none
	made    layoutKey
}

// layoutKey is everything that rows depend on.
type layoutKey struct {
	revision, columns int
	day               string
}

// layOut returns the rows of a conversation from the lowest up: those below the view and at least so many more, or all.
// After a change the lowest row that is shown stays where it is, unless it is the very last one.
func (s *screen) layOut(c *chat, columns, more int) []row {
	v := &c.view
	key := layoutKey{s.revision, columns, s.now.Format(time.DateOnly)}
	if v.made != key {
		var anchor row
		if v.scroll > 0 && v.scroll < len(v.rows) {
			anchor = v.rows[v.scroll]
		}
		pending := s.outbox.of(c)
		*v = view{
			scroll: v.scroll, below: v.below,
			pending: pending, above: len(c.messages) + len(pending), newAt: c.firstNew(s.me), made: key,
		}
		if i := s.find(c, columns, anchor); i >= 0 {
			v.scroll = i
		}
	}
	for len(v.rows) < v.scroll+more && s.extend(c, columns) {
	}
	return v.rows
}

// find returns where a row of an earlier layout stands now, -1 if its message is gone.
func (s *screen) find(c *chat, columns int, wanted row) int {
	if wanted.item == "" {
		return -1
	}
	v := &c.view
	for i := 0; ; i++ {
		for i == len(v.rows) {
			if !s.extend(c, columns) {
				return -1
			}
		}
		if r := v.rows[i]; r.item == wanted.item && r.part <= wanted.part {
			return i
		}
	}
}

// firstNew is the first message of somebody else that was unread when the conversation was opened, -1 if there is none.
func (c *chat) firstNew(me hongyan.UserID) int {
	if c.newFrom == 0 {
		return -1
	}
	for i, _ := c.find(c.newFrom); i < len(c.messages); i++ {
		if c.messages[i].From != me {
			return i
		}
	}
	return -1
}

// extend lays out one message more, upwards, and in the end what stands above all. It reports whether there was one.
func (s *screen) extend(c *chat, columns int) bool {
	v := &c.view
	if v.whole {
		return false
	}
	w := writer{s: s, c: c, columns: columns}
	if v.above > 0 {
		v.above--
		w.entry(v.above)
	} else {
		v.whole = true
		w.top()
	}
	slices.Reverse(w.rows)
	v.rows = append(v.rows, w.rows...)
	return true
}

// entry is one message to be laid out, sent or not.
type entry struct {
	message  *hongyan.Message
	progress progress // of an own one
	why      string   // it has failed
	item     string
}

// entryAt is the i-th message or, behind the last, one on its way out.
func (s *screen) entryAt(c *chat, i int) entry {
	if n := len(c.messages); i >= n {
		return s.pendingEntry(c, c.view.pending[i-n])
	}
	m := &c.messages[i]
	return entry{message: m, progress: c.progressOf(m), item: "o" + strconv.FormatUint(uint64(m.Ordinal), 10)}
}

func (s *screen) pendingEntry(c *chat, it client.OutboxItem) entry {
	m := &hongyan.Message{Conversation: c.conv.ID, From: s.me, ClientID: it.ID, TimeMS: it.QueuedMS, Content: it.Content}
	e := entry{message: m, item: "c" + string(it.ID[:])}
	switch it.State {
	case client.StateSent:
		m.Ordinal, m.TimeMS = it.Result.Ordinal, it.Result.TimeMS
		e.progress = c.progressOf(m)
	case client.StateFailed:
		e.progress, e.why = failed, it.Message
	}
	return e
}

// writer lays out one message, or what stands above all, from the top down.
type writer struct {
	s       *screen
	c       *chat
	columns int
	item    string
	rows    []row
}

func (w *writer) add(text string) { w.rows = append(w.rows, row{text, w.item, len(w.rows)}) }

// top writes what stands above the oldest message.
func (w *writer) top() {
	s, c := w.s, w.c
	w.item = "top"
	switch {
	case !c.complete:
		w.add(s.paint.faint.Render(s.m.fit(s.words.older, w.columns)))
	case len(c.messages)+len(c.view.pending) > 0:
		w.add(s.paint.line(s.m, s.words.beginning, w.columns))
	default:
		w.add(s.paint.faint.Render(s.m.fit(s.words.empty, w.columns)))
	}
}

// entry writes the i-th message with what stands above it: the day, the beginning of what is new, the sender.
func (w *writer) entry(i int) {
	s := w.s
	e := s.entryAt(w.c, i)
	m := e.message
	w.item = e.item
	at := time.UnixMilli(m.TimeMS).In(s.now.Location())
	var before *hongyan.Message
	if i > 0 {
		before = s.entryAt(w.c, i-1).message
	}
	follows := before != nil && before.From == m.From && !isAside(before) &&
		m.TimeMS-before.TimeMS < together.Milliseconds()
	if m.TimeMS != 0 && (before == nil || !s.sameDay(before.TimeMS, m.TimeMS)) {
		w.add(s.paint.line(s.m, s.dayOf(at), w.columns))
		follows = false
	}
	if i == w.c.view.newAt {
		w.add(s.paint.line(s.m, s.words.newMessages, w.columns))
		follows = false
	}
	if isAside(m) {
		w.aside(w.asideText(m))
		return
	}
	if !follows {
		w.add(s.heading(m, at, w.columns))
	}
	w.body(e)
}

// sameDay reports whether two times, in Unix milliseconds, are on one day where the person reads.
func (s *screen) sameDay(a, b int64) bool {
	day := func(ms int64) string { return time.UnixMilli(ms).In(s.now.Location()).Format(time.DateOnly) }
	return day(a) == day(b)
}

// isAside reports whether a message is nothing that somebody says.
func isAside(m *hongyan.Message) bool {
	return m.Content.Kind == hongyan.KindNotice || m.State != hongyan.Present
}

// aside writes what is not said by anybody, in the middle.
func (w *writer) aside(text string) {
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
	mark := strings.Repeat(" ", gutter)
	if m.From == s.me {
		mark = s.mark(e.progress)
	}
	put := func(text string) {
		w.add(mark + text)
		mark = strings.Repeat(" ", gutter)
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
		detail = c.Media.Name + " " + c.Media.Ref // by which hongyan get fetches it
	case c.Location != nil:
		detail = cmp.Or(c.Location.Name, c.Location.Address)
	case c.Custom != nil:
		detail = c.Custom.Type
	}
	// A kind of a later version has no word here.
	return strings.TrimSpace("[" + cmp.Or(s.words.kinds[c.Kind], "?") + "] " + OneLine(detail))
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
