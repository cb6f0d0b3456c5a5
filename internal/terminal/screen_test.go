package terminal

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	me    hongyan.UserID = 1
	alice hongyan.UserID = 2
	bob   hongyan.UserID = 3
	lihua hongyan.UserID = 4
)

var (
	noon  = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)
	flock = hongyan.GroupConversation(7)
)

func at(day, hour, minute int) int64 {
	return time.Date(2026, time.March, day, hour, minute, 0, 0, time.UTC).UnixMilli()
}

func message(talk hongyan.ConversationID, n hongyan.Ordinal, from hongyan.UserID, ms int64, text string) hongyan.Message {
	names := map[hongyan.UserID]string{me: "goose", alice: "alice", bob: "bob", lihua: "lihua"}
	return hongyan.Message{Conversation: talk, Ordinal: n, From: from, FromName: names[from], TimeMS: ms, Content: hongyan.Text(text)}
}

func conversation(talk hongyan.ConversationID, title string, last *hongyan.Message) hongyan.Conversation {
	c := hongyan.Conversation{ID: talk, Title: title, LastMessage: last}
	if last != nil {
		c.Last, c.Read = last.Ordinal, last.Ordinal
	}
	return c
}

// TestReportIsOffered: who has no connection again and again is told how to let the operator know.
func TestReportIsOffered(t *testing.T) {
	for _, w := range []*words{&english, &chinese} {
		s := sample(t, w, 140, 24)
		openAlice(t, s)
		hear(s, client.ReportEvent{})
		if f := checkFrame(t, s); !strings.Contains(f.text(), "hongyan report send") {
			t.Errorf("nothing is offered:\n%s", f.text())
		}
	}
}

// sample is a screen with a few conversations, of a size.
func sample(t *testing.T, w *words, width, height int) *screen {
	t.Helper()
	s := newScreen(w, me, "goose", noon)
	hear(s, client.LinkEvent{Link: client.Link{Online: true}})
	withAlice := conversation(hongyan.Direct(me, alice), "Alice", new(message(hongyan.Direct(me, alice), 9, alice, at(4, 11, 58), "See you at the lake! 🦢")))
	withAlice.Peer = &hongyan.Profile{User: alice, Name: "alice", DisplayName: "Alice"}
	withAlice.Unread, withAlice.Read = 2, 7
	withAlice.Delivered, withAlice.PeerRead = 6, 4
	group := conversation(flock, "南飞的大雁群 · Wild geese flying south together", new(message(flock, 40, lihua, at(3, 22, 10), "今晚降落在哪里？")))
	group.Unread, group.Read = 1500, 1
	withBob := conversation(hongyan.Direct(me, bob), "Bob", new(message(hongyan.Direct(me, bob), 3, me, at(1, 8, 0), "ok")))
	withBob.Muted, withBob.Unread = true, 4
	s.handle(loaded{
		conversations: []hongyan.Conversation{withAlice, group, withBob},
		groups:        []hongyan.Group{{ID: 7, MemberCount: 12}},
		names:         map[hongyan.UserID]string{alice: "Alice", bob: "Bob", lihua: "李华"},
	})
	s.resize(width, height)
	return s
}

// talkOfAlice is what was said with Alice.
func talkOfAlice() []hongyan.Message {
	talk := hongyan.Direct(me, alice)
	recalled := message(talk, 5, alice, at(3, 9, 5), "")
	recalled.State, recalled.Content = hongyan.Recalled, hongyan.Content{}
	picture := message(talk, 6, me, at(4, 9, 30), "the reeds in the morning")
	picture.Content.Kind, picture.Content.Media = hongyan.KindImage, &hongyan.Media{Ref: "r", Name: "reeds.jpg"}
	return []hongyan.Message{
		message(talk, 2, alice, at(2, 18, 0), "你好！我们明天早上七点在湖边集合，然后一起向南飞，路上大概需要两个小时。"),
		message(talk, 3, me, at(3, 9, 0), "好的"),
		message(talk, 4, me, at(3, 9, 1), "Two hours is a long way. Shall I bring something to eat for everybody, or is there grass?"),
		recalled, picture,
		message(talk, 7, me, at(4, 9, 31), "pretty, isn't it?"),
		message(talk, 8, alice, at(4, 11, 57), "Very!"),
		message(talk, 9, alice, at(4, 11, 58), "See you at the lake! 🦢"),
	}
}

// keyPress makes the key of a name: "enter", "alt+up", or a text.
func keyPress(name string) tea.KeyPressMsg {
	special := map[string]tea.KeyPressMsg{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
		"left": {Code: tea.KeyLeft}, "pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "backspace": {Code: tea.KeyBackspace}, "f1": {Code: tea.KeyF1},
		"end": {Code: tea.KeyEnd}, "home": {Code: tea.KeyHome},
	}
	mods := tea.KeyMod(0)
	rest := name
	for prefix, mod := range map[string]tea.KeyMod{"alt+": tea.ModAlt, "ctrl+": tea.ModCtrl} {
		if r, ok := strings.CutPrefix(rest, prefix); ok && r != "" {
			rest, mods = r, mod
		}
	}
	if k, ok := special[rest]; ok {
		k.Mod = mods
		return k
	}
	if mods != 0 {
		return tea.KeyPressMsg{Code: []rune(rest)[0], Mod: mods}
	}
	return tea.KeyPressMsg{Code: []rune(rest)[0], Text: rest}
}

// press types keys and returns all actions.
func press(s *screen, names ...string) []any {
	var acts []any
	for _, name := range names {
		acts = append(acts, s.press(keyPress(name))...)
	}
	return acts
}

// hear tells the screen what a client tells.
func hear(s *screen, events ...client.Event) []any { return s.handle(told(events)) }

func actionOf[T any](acts []any) (found T, ok bool) {
	for _, a := range acts {
		if act, is := a.(T); is {
			return act, true
		}
	}
	return found, false
}

// openAlice opens the conversation with Alice as a person would, and answers what it asks for.
func openAlice(t *testing.T, s *screen) {
	t.Helper()
	ask, ok := actionOf[fetchOlder](press(s, "enter"))
	if !ok || ask.conv.ID != hongyan.Direct(me, alice) || ask.before != 0 {
		t.Fatalf("enter asks for %+v", ask)
	}
	s.handle(fetched{id: ask.conv.ID, messages: talkOfAlice(), more: false})
}

// checkFrame checks that a picture has as many lines as the screen and none is too wide.
func checkFrame(t *testing.T, s *screen) frame {
	t.Helper()
	f := s.draw()
	if len(f.lines) != s.height {
		t.Errorf("%dx%d: %d lines", s.width, s.height, len(f.lines))
	}
	for i, line := range f.lines {
		if n := s.m.width(line); n > s.width {
			t.Errorf("%dx%d: line %d has %d columns: %q", s.width, s.height, i, n, ansi.Strip(line))
		}
		if strings.ContainsFunc(ansi.Strip(line), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("line %d has a control character: %q", i, line)
		}
	}
	if f.cursor && (f.column < 0 || f.column >= s.width || f.line < 0 || f.line >= s.height) {
		t.Errorf("%dx%d: cursor at %d, %d", s.width, s.height, f.column, f.line)
	}
	return f
}

// golden compares a picture, without colours, with a file.
func golden(t *testing.T, s *screen, name string) {
	t.Helper()
	f := checkFrame(t, s)
	var b strings.Builder
	for _, line := range f.lines {
		b.WriteString(strings.TrimRight(ansi.Strip(line), " ") + "\n")
	}
	if f.cursor {
		fmt.Fprintf(&b, "cursor: column %d, line %d\n", f.column, f.line)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, b.String(), want)
	}
}

func TestPictures(t *testing.T) {
	t.Parallel()
	sizes := []struct{ width, height int }{{80, 24}, {40, 20}}
	languages := map[string]*words{"en": &english, "zh": &chinese}
	pictures := map[string]func(*testing.T, *screen){
		"list": func(*testing.T, *screen) {},
		"talk": openAlice,
		"writing": func(t *testing.T, s *screen) {
			openAlice(t, s)
			s.paste("a first line\nand 第二行，有一点长，所以会折到下一行去，看看光标在不在对的地方")
		},
		"states": func(t *testing.T, s *screen) {
			openAlice(t, s)
			talk := client.ToConversation(hongyan.Direct(me, alice))
			hear(s, client.OutboxEvent{Item: client.OutboxItem{ID: hongyan.ClientID{1}, Target: talk, Content: hongyan.Text("too much"), State: client.StateFailed,
				QueuedMS: at(4, 11, 59), Message: "the other side does not take messages from this account"}})
			hear(s, client.OutboxEvent{Item: client.OutboxItem{ID: hongyan.ClientID{2}, Target: talk, Content: hongyan.Text("在路上了"), State: client.StateWaiting, QueuedMS: at(4, 11, 59)}})
			hear(s, client.LinkEvent{Link: client.Link{Err: fmt.Errorf("the connection broke: %w", errors.New("connection refused")), RetryAt: noon.Add(5 * time.Second)}})
		},
		"group": func(t *testing.T, s *screen) {
			ask, _ := actionOf[fetchOlder](press(s, "down", "enter"))
			notice := message(flock, 37, lihua, at(3, 22, 0), "")
			notice.Content = hongyan.Content{Kind: hongyan.KindNotice, Notice: &hongyan.Notice{Event: hongyan.NoticeJoined, Users: []hongyan.UserID{bob, me}}}
			quoting := message(flock, 39, bob, at(3, 22, 8), "在前面那片芦苇荡")
			quoting.Content.Quote = &hongyan.Quote{Ordinal: 38, From: lihua, Excerpt: "今晚降落在哪里？"}
			s.handle(fetched{id: ask.conv.ID, more: true, messages: []hongyan.Message{notice,
				message(flock, 38, lihua, at(3, 22, 5), "天气：晴 ☀️  气温 -3℃  "+family), quoting, message(flock, 40, lihua, at(3, 22, 10), "今晚降落在哪里？")}})
		},
		"help": func(_ *testing.T, s *screen) { press(s, "?") },
		"new-chat": func(_ *testing.T, s *screen) {
			press(s, "ctrl+n", "c", "a", "r", "o", "l")
			s.handle(found{err: hongyan.Errorf(hongyan.NotFound, "there is no account %q", "carol")})
		},
	}
	for name, prepare := range pictures {
		for language, w := range languages {
			for _, size := range sizes {
				t.Run(fmt.Sprintf("%s-%s-%dx%d", name, language, size.width, size.height), func(t *testing.T) {
					t.Parallel()
					s := sample(t, w, size.width, size.height)
					prepare(t, s)
					golden(t, s, fmt.Sprintf("%s-%s-%d", name, language, size.width))
				})
			}
		}
	}
}

func TestReadMarks(t *testing.T) {
	t.Parallel()
	s := sample(t, &english, 80, 24)
	acts := press(s, "enter")
	if mark, ok := actionOf[markRead](acts); ok {
		t.Errorf("marked %v before the messages were there", mark)
	}
	acts = s.handle(fetched{id: hongyan.Direct(me, alice), messages: talkOfAlice()})
	if mark, ok := actionOf[markRead](acts); !ok || mark.ordinal != 9 {
		t.Errorf("opening marks %+v, %v; want 9", mark, ok)
	}
	if again, ok := actionOf[markRead](s.handle(woken{})); ok {
		t.Errorf("marked %v twice", again)
	}
	// A window that is not in use, or a view that looks at older messages, has seen nothing.
	next := func(n hongyan.Ordinal) []any {
		return hear(s, client.MessageEvent{Message: message(hongyan.Direct(me, alice), n, alice, at(4, 12, 0), "still there?")})
	}
	s.focus(false)
	if mark, ok := actionOf[markRead](next(10)); ok {
		t.Errorf("marked %v while the window was not in use", mark)
	}
	if mark, ok := actionOf[markRead](s.focus(true)); !ok || mark.ordinal != 10 {
		t.Errorf("coming back marks %+v, %v; want 10", mark, ok)
	}
	s.resize(80, 12)
	press(s, "pgup")
	if mark, ok := actionOf[markRead](next(11)); ok {
		t.Errorf("marked %v while scrolled up", mark)
	}
	if f := s.draw(); !strings.Contains(ansi.Strip(f.text()), "1 new message below") {
		t.Errorf("nothing tells of the new message:\n%s", ansi.Strip(f.text()))
	}
	if mark, ok := actionOf[markRead](press(s, "esc")); !ok || mark.ordinal != 11 {
		t.Errorf("scrolling down marks %+v, %v; want 11", mark, ok)
	}
	// What failed is tried again when there is a connection.
	s.handle(notMarked{hongyan.Direct(me, alice)})
	if mark, ok := actionOf[markRead](hear(s, client.LinkEvent{Link: client.Link{Online: true}})); !ok || mark.ordinal != 11 {
		t.Errorf("a new connection marks %+v, %v; want 11", mark, ok)
	}
}

func TestViewStaysWhereOneLooks(t *testing.T) {
	t.Parallel()
	s := sample(t, &english, 80, 14)
	openAlice(t, s)
	press(s, "up", "up", "up")
	lowest := func() string {
		f := s.draw()
		return strings.TrimSpace(strings.SplitN(ansi.Strip(f.lines[titleRows+s.historyRows()-1]), "│", 2)[1])
	}
	before := lowest()
	hear(s, client.MessageEvent{Message: message(hongyan.Direct(me, alice), 10, alice, at(4, 12, 0), strings.Repeat("news ", 60))})
	if after := lowest(); after != before {
		t.Errorf("a new message moved the view from %q to %q", before, after)
	}
	older := []hongyan.Message{message(hongyan.Direct(me, alice), 1, alice, at(1, 18, 0), "the first")}
	s.handle(fetched{id: hongyan.Direct(me, alice), before: 2, messages: older})
	if after := lowest(); after != before {
		t.Errorf("older messages moved the view from %q to %q", before, after)
	}
	press(s, "pgdown", "pgdown", "pgdown", "pgdown")
	if after := lowest(); !strings.HasSuffix(after, "news") {
		t.Errorf("at the end the view shows %q", after)
	}
}

func TestOlderMessages(t *testing.T) {
	t.Parallel()
	s := sample(t, &english, 80, 12)
	press(s, "enter")
	s.handle(fetched{id: hongyan.Direct(me, alice), messages: talkOfAlice(), more: true})
	var ask fetchOlder
	ok := false
	for i := 0; i < 20 && !ok; i++ {
		ask, ok = actionOf[fetchOlder](press(s, "pgup"))
	}
	if !ok || ask.before != 2 {
		t.Fatalf("scrolling to the top asks for %+v, %v; want below 2", ask, ok)
	}
	if _, twice := actionOf[fetchOlder](press(s, "pgup")); twice {
		t.Error("asked twice")
	}
	s.handle(fetched{id: ask.conv.ID, before: 2, err: errors.New("not connected")})
	if f := s.draw(); !strings.Contains(ansi.Strip(f.text()), "not connected") {
		t.Errorf("the failure is not shown:\n%s", ansi.Strip(f.text()))
	}
	if _, again := actionOf[fetchOlder](press(s, "pgup")); !again {
		t.Error("not asked again after a failure")
	}
	s.handle(fetched{id: ask.conv.ID, before: 2, messages: []hongyan.Message{message(ask.conv.ID, 1, alice, at(1, 18, 0), "the first")}})
	press(s, "ctrl+home")
	if f := s.draw(); !strings.Contains(ansi.Strip(f.text()), "the beginning") {
		t.Errorf("the beginning is not shown:\n%s", ansi.Strip(f.text()))
	}
	if _, more := actionOf[fetchOlder](press(s, "pgup")); more {
		t.Error("asked for what is older than the beginning")
	}
}

func TestWhatOthersSayDoesNoHarm(t *testing.T) {
	t.Parallel()
	for _, width := range []int{20, 40, 80} {
		s := sample(t, &english, width, 24)
		openAlice(t, s)
		nasty := "\x1b[2J\x1b]0;title\x07 \u202etxet\u202c \u009b31m " + strings.Repeat("\u0301", 300) + strings.Repeat(family, 40) + "\t\r\n\x00" + strings.Repeat("w", 200)
		talk := hongyan.Direct(me, alice)
		m := message(talk, 10, alice, at(4, 12, 0), nasty)
		m.Content.Quote = &hongyan.Quote{Ordinal: 1, From: 77, Excerpt: nasty}
		m.Content.Forward = &hongyan.Forward{FromName: nasty}
		hear(s, client.MessageEvent{Message: m})
		hear(s, client.ContactEvent{Contact: hongyan.Contact{Profile: hongyan.Profile{User: alice, Name: nasty, DisplayName: nasty}, State: hongyan.ContactAsking}})
		conv := conversation(talk, nasty, nil)
		hear(s, client.ConversationEvent{Conversation: conv})
		hear(s, client.TroubleEvent{Err: errors.New(nasty)})
		f := checkFrame(t, s)
		for _, bad := range []string{"\x1b[2J", "\x1b]", "\u202e", "\u009b"} {
			if strings.Contains(f.text(), bad) {
				t.Errorf("%q reaches the terminal", bad)
			}
		}
	}
}

// TestAnySizeAnyKeys presses keys at random on screens of random sizes.
func TestAnySizeAnyKeys(t *testing.T) {
	t.Parallel()
	keys := []string{"enter", "esc", "tab", "up", "down", "pgup", "pgdown", "alt+up", "alt+down", "ctrl+n", "f1", "?", "n", "a", "雁", family, "alt+enter", "backspace",
		"ctrl+w", "ctrl+u", "ctrl+k", "left", "home", "end", "ctrl+r", "ctrl+x", "j", "k", "ctrl+home", "ctrl+end"}
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := sample(t, []*words{&english, &chinese}[seed%2], 80, 24)
		s.remeasure([]measure{runes, clusters}[seed/2%2])
		for range 120 {
			switch random.IntN(12) {
			case 0:
				s.resize(random.IntN(120), random.IntN(40))
			case 1:
				n := hongyan.Ordinal(random.IntN(20) + 1)
				hear(s, client.MessageEvent{Message: message(hongyan.Direct(me, alice), n, alice, at(4, 12, 0), strings.Repeat("雁 goose ", random.IntN(30)))})
			case 2:
				s.handle(fetched{id: hongyan.Direct(me, alice), messages: talkOfAlice(), more: random.IntN(2) == 0})
			case 3:
				hear(s, client.RecallEvent{Recall: hongyan.Recall{Conversation: hongyan.Direct(me, alice), Ordinal: hongyan.Ordinal(random.IntN(12))}})
			case 4:
				hear(s, client.RemovalEvent{Removal: hongyan.Removal{Conversation: hongyan.Direct(me, alice), Ordinals: []hongyan.Ordinal{hongyan.Ordinal(random.IntN(12))}}})
			case 5:
				hear(s, client.ResetEvent{})
			default:
				press(s, keys[random.IntN(len(keys))])
			}
			if checkFrame(t, s); t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

func TestQuit(t *testing.T) {
	t.Parallel()
	s := sample(t, &english, 80, 24)
	if _, ok := actionOf[quit](press(s, "q")); !ok {
		t.Error("q in the list does not quit")
	}
	openAlice(t, s)
	if _, ok := actionOf[quit](press(s, "q")); ok {
		t.Error("q in a message quits")
	}
	if _, ok := actionOf[quit](press(s, "ctrl+c")); !ok {
		t.Error("ctrl+c does not quit")
	}
}

func TestWordsOfBothLanguages(t *testing.T) {
	t.Parallel()
	if wordsFor("zh_CN.UTF-8") != &chinese || wordsFor("en_GB.UTF-8") != &english || wordsFor("") != &english || wordsFor("C") != &english {
		t.Error("the language of a locale")
	}
	if len(english.keys) != len(chinese.keys) {
		t.Error("the keys in the two languages differ")
	}
	for event := hongyan.NoticeCreated; event <= hongyan.NoticeDissolved; event++ {
		for _, w := range []*words{&english, &chinese} {
			if text := w.notice(&hongyan.Notice{Event: event, Text: "x"}, "A", "B"); !strings.Contains(text, "A") || text == w.notice(&hongyan.Notice{Event: 99}, "A", "B") {
				t.Errorf("notice %d: %q", event, text)
			}
		}
	}
}

// BenchmarkNewMessage measures what a message costs that comes into the longest conversation that is kept.
func BenchmarkNewMessage(b *testing.B) {
	s := newScreen(&english, me, "goose", noon)
	talk := hongyan.Direct(me, alice)
	c := s.chat(talk)
	c.opened = true
	for n := range hongyan.Ordinal(maxMessages) {
		c.put(message(talk, n+1, alice, at(4, 11, 0), "你好！我们明天早上七点在湖边集合，然后一起向南飞，路上大概需要两个小时。 See you at the lake!"))
	}
	s.show(c)
	s.resize(120, 40)
	s.draw()
	for n := hongyan.Ordinal(maxMessages); b.Loop(); n++ {
		hear(s, client.MessageEvent{Message: message(talk, n+1, alice, at(4, 12, 0), "news")})
		s.draw()
	}
}
