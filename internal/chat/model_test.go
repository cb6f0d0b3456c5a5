package chat

import (
	"slices"

	"github.com/hongyan-im/hongyan"
)

// model is what the rules make of a world, told again as plainly as can be: maps, whole copies, no order of pages, no
// keys. The random test asks both for the same.
type model struct {
	now           int64
	people        map[hongyan.UserID]*modelPerson
	conversations map[hongyan.ConversationID][]*modelMessage // ordinal o is at o-1
	groups        map[hongyan.GroupID]*modelGroup
}

type modelPerson struct {
	name, display  string
	contacts       map[hongyan.UserID]*modelContact
	views          map[hongyan.ConversationID]*modelView
	settings       map[string]string
	unacknowledged map[hongyan.ConversationID]hongyan.Ordinal // the newest of others that came since the last acknowledgement
	told           map[reader]hongyan.Receipt                 // what the person was told at least
}

type modelContact struct {
	state   hongyan.ContactState
	blocked bool
	remark  string
}

type modelView struct {
	got                                    map[hongyan.Ordinal]bool // came while the person was there
	removed                                map[hongyan.Ordinal]bool
	joined, left, cleared, read, delivered hongyan.Ordinal
	pinned, muted, hidden                  bool
	hiddenAt                               hongyan.Ordinal
}

type modelMessage struct {
	from   hongyan.UserID
	text   string
	notice bool
	gone   bool                    // recalled
	kept   map[hongyan.UserID]bool // had left when it was recalled, and may have it still
	atMS   int64
}

type modelGroup struct {
	title     string
	owner     hongyan.UserID
	roles     map[hongyan.UserID]hongyan.Role
	muted     map[hongyan.UserID]int64
	asking    []hongyan.UserID
	policy    hongyan.JoinPolicy
	mutedAll  bool
	dissolved bool
	link      string
}

func newModel() *model {
	return &model{
		people:        map[hongyan.UserID]*modelPerson{},
		conversations: map[hongyan.ConversationID][]*modelMessage{},
		groups:        map[hongyan.GroupID]*modelGroup{},
	}
}

func (m *model) add(u hongyan.UserID, name string) {
	m.people[u] = &modelPerson{
		name: name, contacts: map[hongyan.UserID]*modelContact{}, views: map[hongyan.ConversationID]*modelView{},
		settings: map[string]string{}, unacknowledged: map[hongyan.ConversationID]hongyan.Ordinal{}, told: map[reader]hongyan.Receipt{},
	}
}

func (m *model) last(c hongyan.ConversationID) hongyan.Ordinal {
	return hongyan.Ordinal(len(m.conversations[c]))
}

func (m *model) message(c hongyan.ConversationID, o hongyan.Ordinal) *modelMessage {
	if o == 0 || o > m.last(c) {
		return nil
	}
	return m.conversations[c][o-1]
}

// view is a person's view of a conversation, nil if there is none.
func (m *model) view(u hongyan.UserID, c hongyan.ConversationID) *modelView {
	return m.people[u].views[c]
}

func (m *model) open(u hongyan.UserID, c hongyan.ConversationID) *modelView {
	v := m.view(u, c)
	if v == nil {
		v = &modelView{got: map[hongyan.Ordinal]bool{}, removed: map[hongyan.Ordinal]bool{}}
		m.people[u].views[c] = v
	}
	return v
}

// end is the last message that a view reaches.
func (m *model) end(c hongyan.ConversationID, v *modelView) hongyan.Ordinal {
	if v.left != 0 {
		return v.left
	}
	return m.last(c)
}

func (m *model) visible(c hongyan.ConversationID, v *modelView, o hongyan.Ordinal) bool {
	return o > v.joined && o > v.cleared && o <= m.end(c, v)
}

func (m *model) members(c hongyan.ConversationID) []hongyan.UserID {
	if a, b, direct := c.Members(); direct {
		return slices.Compact([]hongyan.UserID{a, b})
	}
	g, _ := c.Group()
	var list []hongyan.UserID
	if group := m.groups[g]; group != nil {
		for u := range group.roles {
			list = append(list, u)
		}
	}
	return list
}

// live is a group that u is in and that goes on.
func (m *model) live(g hongyan.GroupID, u hongyan.UserID) *modelGroup {
	group := m.groups[g]
	if group == nil || group.dissolved || group.roles[u] == 0 {
		return nil
	}
	return group
}

func (m *model) mayWrite(u hongyan.UserID, c hongyan.ConversationID) bool {
	if g, ok := c.Group(); ok {
		group := m.live(g, u)
		return group != nil && (group.roles[u] >= hongyan.RoleAdmin || !group.mutedAll && group.muted[u] <= m.now)
	}
	peer, ok := c.Peer(u)
	return ok && (peer == u || !m.contact(peer, u).blocked)
}

func (m *model) contact(u, other hongyan.UserID) *modelContact {
	k := m.people[u].contacts[other]
	if k == nil {
		k = &modelContact{}
		m.people[u].contacts[other] = k
	}
	return k
}

// put adds a message to a conversation and to what its members have got.
func (m *model) put(c hongyan.ConversationID, from hongyan.UserID, text string, notice bool) {
	m.conversations[c] = append(m.conversations[c], &modelMessage{from: from, text: text, notice: notice, atMS: m.now})
	for _, u := range m.members(c) {
		m.open(u, c).got[m.last(c)] = true
		if u != from {
			m.people[u].unacknowledged[c] = m.last(c)
		}
	}
}

func (m *model) send(u hongyan.UserID, c hongyan.ConversationID, text string) bool {
	if !m.mayWrite(u, c) {
		return false
	}
	m.put(c, u, text, false)
	return true
}

func (m *model) recall(u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal, windowMS int64) bool {
	msg := m.message(c, o)
	if msg == nil || msg.notice {
		return false
	}
	ruler := false
	if g, ok := c.Group(); ok {
		group := m.live(g, u)
		if group == nil {
			return false
		}
		ruler = group.roles[u] >= hongyan.RoleAdmin
	} else if _, ok := c.Peer(u); !ok {
		return false
	}
	if !ruler && (msg.from != u || !msg.gone && m.now-msg.atMS >= windowMS) {
		return false
	}
	if !msg.gone {
		msg.gone, msg.kept = true, map[hongyan.UserID]bool{}
		for p, person := range m.people {
			v := person.views[c]
			msg.kept[p] = v != nil && (!slices.Contains(m.members(c), p) || v.joined >= o)
		}
	}
	return true
}

func (m *model) remove(u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal) bool {
	v := m.view(u, c)
	if v == nil || !m.visible(c, v, o) {
		return false
	}
	v.removed[o] = true
	return true
}

func (m *model) clear(u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal) bool {
	v := m.view(u, c)
	if v == nil {
		return false
	}
	if o == 0 || o > m.end(c, v) {
		o = m.end(c, v)
	}
	v.cleared = max(v.cleared, o)
	return true
}

func (m *model) read(u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal) bool {
	v := m.view(u, c)
	if v == nil {
		return false
	}
	if o = min(o, m.end(c, v)); o > max(v.read, v.joined) {
		from := max(v.read, v.joined)
		v.read, v.delivered = o, max(v.delivered, o)
		m.tell(u, c, from, o)
	}
	return true
}

// acknowledge is what a device says that has got everything.
func (m *model) acknowledge(u hongyan.UserID) {
	for c, o := range m.people[u].unacknowledged {
		v := m.view(u, c)
		if o > v.delivered && o > v.cleared {
			from := max(v.delivered, v.joined)
			v.delivered = o
			m.tell(u, c, from, o)
		}
	}
	clear(m.people[u].unacknowledged)
}

func (m *model) tell(u hongyan.UserID, c hongyan.ConversationID, from, upTo hongyan.Ordinal) {
	members := m.members(c)
	for o := from + 1; o <= upTo; o++ {
		msg := m.message(c, o)
		if msg.from != u && !msg.notice && slices.Contains(members, msg.from) {
			v := m.view(u, c)
			m.people[msg.from].told[reader{c, u}] = hongyan.Receipt{Conversation: c, Reader: u, Delivered: v.delivered, Read: v.read}
		}
	}
}

// unread counts as the protocol says.
func (m *model) unread(u hongyan.UserID, c hongyan.ConversationID) int {
	v := m.view(u, c)
	n := 0
	for o := hongyan.Ordinal(1); o <= m.end(c, v); o++ {
		if msg := m.message(c, o); o > max(v.read, v.joined, v.cleared) && msg.from != u && !msg.gone {
			n++
		}
	}
	return n
}

// texts are the messages of a conversation for which pick is true, as device.texts shows them.
func (m *model) texts(c hongyan.ConversationID, pick func(o hongyan.Ordinal) bool) []string {
	list := []string{}
	for i, msg := range m.conversations[c] {
		switch {
		case !pick(hongyan.Ordinal(i + 1)):
		case msg.gone:
			list = append(list, "-")
		default:
			list = append(list, msg.text)
		}
	}
	return list
}

// newest is the text of the last message that u sees of a conversation, empty if there is none.
func (m *model) newest(u hongyan.UserID, c hongyan.ConversationID) string {
	v := m.view(u, c)
	texts := m.texts(c, func(o hongyan.Ordinal) bool { return m.visible(c, v, o) && !v.removed[o] })
	if len(texts) == 0 {
		return ""
	}
	return texts[len(texts)-1]
}

// readers is who has received and read a message, if u may know.
func (m *model) readers(u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal) (n Readers, allowed bool) {
	members := m.members(c)
	if v := m.view(u, c); v == nil || !slices.Contains(members, u) || !m.visible(c, v, o) {
		return n, false
	}
	slices.Sort(members)
	for _, p := range members {
		v := m.view(p, c)
		if p == m.message(c, o).from || v.joined >= o {
			continue
		}
		if v.delivered >= o {
			n.Delivered++
		}
		if v.read >= o {
			n.Read++
			n.Names = append(n.Names, p)
		}
	}
	return n, true
}

// keeps reports whether a message was recalled when u, who had got it, was out of reach.
func (m *model) keeps(u hongyan.UserID, c hongyan.ConversationID, o hongyan.Ordinal) bool {
	return m.message(c, o).kept[u]
}
