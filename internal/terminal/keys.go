package terminal

import (
	"charm.land/bubbletea/v2"
)

// press takes a key.
func (s *screen) press(k tea.KeyPressMsg) []any {
	acts := s.pressed(k)
	return append(acts, s.settle()...)
}

func (s *screen) pressed(k tea.KeyPressMsg) []any {
	key := k.String()
	switch key {
	case "ctrl+c":
		return []any{quit{}}
	case "f1":
		s.cover(helpOverlay)
		return nil
	case "ctrl+n":
		s.cover(newChatOverlay)
		return nil
	}
	switch s.overlay {
	case helpOverlay:
		s.overlay = noOverlay // any key ends the help
		return nil
	case newChatOverlay:
		return s.pressedInPrompt(key, k)
	}
	switch key {
	case "alt+up", "ctrl+up", "ctrl+p":
		return s.step(-1)
	case "alt+down", "ctrl+down":
		return s.step(1)
	case "tab", "shift+tab":
		s.turn()
		return nil
	}
	if s.pane == listPane {
		return s.pressedInList(key)
	}
	return s.pressedInTalk(key, k)
}

// cover shows an overlay, or ends it if it is shown.
func (s *screen) cover(o overlay) {
	if s.overlay == o {
		o = noOverlay
	}
	s.overlay, s.problem = o, ""
	s.prompt.clear()
}

// turn gives the keys to the other pane.
func (s *screen) turn() {
	if s.pane == talkPane {
		s.pane = listPane
	} else if s.open != nil {
		s.pane = talkPane
	}
}

// step opens the conversation above or below the open one.
func (s *screen) step(direction int) []any {
	if len(s.order) == 0 {
		return nil
	}
	at := s.selected
	if s.open != nil {
		for i, c := range s.order {
			if c == s.open {
				at = i + direction
			}
		}
	}
	return s.show(s.order[min(max(at, 0), len(s.order)-1)])
}

func (s *screen) pressedInList(key string) []any {
	switch key {
	case "up", "k":
		s.selected--
	case "down", "j":
		s.selected++
	case "pgup":
		s.selected -= s.listItems()
	case "pgdown":
		s.selected += s.listItems()
	case "home":
		s.selected = 0
	case "end":
		s.selected = len(s.order) - 1
	case "enter", "right", "l":
		if s.selected < len(s.order) {
			return s.show(s.order[s.selected])
		}
	case "esc":
		s.turn()
	case "n":
		s.cover(newChatOverlay)
	case "?", "？":
		s.cover(helpOverlay)
	case "q":
		return []any{quit{}}
	}
	s.selected = min(max(s.selected, 0), max(len(s.order)-1, 0))
	return nil
}

func (s *screen) pressedInPrompt(key string, k tea.KeyPressMsg) []any {
	switch key {
	case "esc":
		s.cover(noOverlay)
	case "enter":
		s.problem = ""
		if name := OneLine(s.prompt.text()); name != "" {
			return []any{findAccount{name}}
		}
	default:
		s.problem = ""
		s.edit(&s.prompt, key, k)
	}
	return nil
}

func (s *screen) pressedInTalk(key string, k tea.KeyPressMsg) []any {
	c := s.open
	if c == nil {
		s.pane = listPane
		return s.pressedInList(key)
	}
	switch key {
	case "enter":
		return s.send(c)
	case "alt+enter", "shift+enter", "ctrl+j", "ctrl+enter":
		s.insert(&c.draft, "\n")
	case "up":
		if !c.draft.vertical(s.composerColumns(), -1) {
			return s.scroll(c, 1)
		}
	case "down":
		if !c.draft.vertical(s.composerColumns(), 1) {
			return s.scroll(c, -1)
		}
	case "pgup":
		return s.scroll(c, max(s.historyRows()-1, 1))
	case "pgdown":
		return s.scroll(c, -max(s.historyRows()-1, 1))
	case "ctrl+home":
		return s.scroll(c, farAway)
	case "ctrl+end":
		return s.scroll(c, -farAway)
	case "esc":
		if c.view.scroll > 0 {
			return s.scroll(c, -farAway)
		}
		s.pane = listPane
	case "ctrl+r":
		if it, ok := s.outbox.lastFailed(c); ok {
			asNew := s.asNew == it.ID
			return []any{resend{it.ID, asNew}}
		}
	case "ctrl+x":
		if it, ok := s.outbox.lastFailed(c); ok {
			s.outbox.remove(it.ID)
			s.revision++
			return []any{discard{it.ID}}
		}
	default:
		s.edit(&c.draft, key, k)
	}
	return nil
}

// send sends the draft.
func (s *screen) send(c *chat) []any {
	text := c.draft.text()
	if OneLine(text) == "" {
		return nil
	}
	c.draft.clear()
	c.newFrom = 0
	s.revision++
	return append(s.scroll(c, -farAway), sendText{c.conv.ID, text})
}

// farAway is more rows than any conversation has.
const farAway = 1 << 30

// scroll moves the view up by rows, or down if they are negative, and asks for older messages at the top.
func (s *screen) scroll(c *chat, rows int) []any {
	v := &c.view
	height := s.historyRows()
	all := len(s.layOut(c, s.talkColumns(), max(rows, 0)+height))
	v.scroll = min(max(v.scroll+rows, 0), max(all-height, 0))
	if v.scroll == 0 {
		v.below = 0
	}
	if rows > 0 && v.whole && v.scroll+height >= all && c.opened && !c.complete && !c.fetching && len(c.messages) > 0 {
		c.fetching = true
		return []any{fetchOlder{c.conv, c.messages[0].Ordinal}}
	}
	return nil
}

// edit takes a key in a text.
func (s *screen) edit(c *composer, key string, k tea.KeyPressMsg) {
	switch key {
	case "left", "ctrl+b":
		c.move(c.at - 1)
	case "right", "ctrl+f":
		c.move(c.at + 1)
	case "ctrl+left", "alt+left", "alt+b":
		c.move(c.word(-1))
	case "ctrl+right", "alt+right", "alt+f":
		c.move(c.word(1))
	case "home", "ctrl+a":
		start, _ := c.line()
		c.move(start)
	case "end", "ctrl+e":
		_, end := c.line()
		c.move(end)
	case "backspace", "ctrl+h", "shift+backspace":
		c.remove(max(c.at-1, 0), c.at)
	case "delete", "ctrl+d":
		c.remove(c.at, min(c.at+1, len(c.glyphs)))
	case "ctrl+w", "alt+backspace", "ctrl+backspace":
		c.remove(c.word(-1), c.at)
	case "ctrl+u":
		start, _ := c.line()
		c.remove(start, c.at)
	case "ctrl+k":
		_, end := c.line()
		c.remove(c.at, end)
	default:
		if k.Text != "" && k.Mod&(tea.ModCtrl|tea.ModAlt|tea.ModMeta|tea.ModSuper) == 0 {
			s.insert(c, k.Text)
		}
	}
}

// paste takes a text that came as a whole.
func (s *screen) paste(text string) []any {
	switch {
	case s.overlay == newChatOverlay:
		s.insert(&s.prompt, OneLine(text))
	case s.overlay == noOverlay && s.open != nil:
		s.pane = talkPane
		s.insert(&s.open.draft, text)
	}
	return s.settle()
}

func (s *screen) insert(c *composer, text string) {
	if !c.insert(s.m, text) {
		s.say(s.words.tooLong)
	}
}
