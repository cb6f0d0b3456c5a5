package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// stage is a calm cluster in which only that happens which a script says.
type stage struct {
	c      *cluster
	trace  *trace
	groups map[string]hongyan.ConversationID
	ids    map[string]hongyan.ClientID
}

// Play plays a script and returns it with what happened, indented, below each of its lines, in place of what stood there
// before. A line that cannot be played, or an expectation that is not met, is an error. What the script leaves undone is
// mended in the end, when everybody comes to rest and the promises are checked.
//
// docs/RELIABILITY.md lists the lines of the language.
func Play(script string) (played string, broken []history.Violation, err error) {
	t := new(trace)
	w := newWorld(1, t)
	w.calm = true
	s := &stage{trace: t, groups: map[string]hongyan.ConversationID{}, ids: map[string]hongyan.ClientID{}}
	if s.c, err = newCluster(w, false); err != nil {
		return "", nil, err
	}
	s.begin()
	var b strings.Builder
	for n, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			continue
		}
		b.WriteString(line + "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := s.play(line); err != nil {
			return b.String(), nil, fmt.Errorf("line %d: %s: %w", n+1, line, err)
		}
		for _, told := range t.lines {
			b.WriteString(strings.TrimRight(s.named().Replace(told), " ") + "\n")
		}
		t.lines = nil
	}
	w.trace = nil
	if s.c.server.down {
		s.c.server.rise()
	}
	s.c.heal()
	broken, err = s.c.end()
	return b.String(), broken, err
}

// begin begins the story: what was before is not told.
func (s *stage) begin() { s.trace.lines, s.trace.since = nil, s.c.w.now }

// named gives the accounts and conversations of a trace their names.
func (s *stage) named() *strings.Replacer {
	var pairs []string
	for i, u := range s.c.people {
		for j, v := range s.c.people[:i+1] {
			pairs = append(pairs, hongyan.Direct(u, v).String(), s.c.names[j]+"&"+s.c.names[i])
		}
	}
	for name, id := range s.groups {
		g, _ := id.Group()
		pairs = append(pairs, id.String(), name, strconv.FormatUint(uint64(g), 10), name)
	}
	for i, u := range s.c.people {
		pairs = append(pairs, strconv.FormatUint(uint64(u), 10), s.c.names[i])
	}
	return strings.NewReplacer(pairs...)
}

// The lines of a script: % stands for a word or a text in quotes, and … for any more.
var lines = []struct {
	form string
	play func(s *stage, a []string) error
}{
	{"devices …", (*stage).devices},
	{"% founds % with …", (*stage).found},
	{"% sends % to %", func(s *stage, a []string) error { return s.send(a[0], a[1], a[2], s.c.newClientID()) }},
	{"% sends % to % as %", func(s *stage, a []string) error { return s.send(a[0], a[1], a[2], s.clientID(a[3])) }},
	{"% recalls %", (*stage).recall},
	{"% reads %", (*stage).read},
	{"% removes % from %", (*stage).remove},
	{"network cuts %", func(s *stage, a []string) error { return s.link(a[0], (*conn).cut) }},
	{"network loses answers to %", func(s *stage, a []string) error {
		return s.link(a[0], func(c *conn) { c.down.dead = true })
	}},
	{"network stops for % for %", (*stage).block},
	{"server crashes", func(s *stage, _ []string) error { s.c.server.fall(); return nil }},
	{"server crashes before the next round is durable", func(s *stage, _ []string) error { s.c.server.trap = beforeDurable; return nil }},
	{"server crashes before the next round is answered", func(s *stage, _ []string) error { s.c.server.trap = beforeAnswers; return nil }},
	{"server starts", func(s *stage, _ []string) error { s.c.server.rise(); return nil }},
	{"server keeps %", (*stage).keep},
	{"% dies", func(s *stage, a []string) error { return s.with(a[0], (*device).kill) }},
	{"% starts", func(s *stage, a []string) error { return s.with(a[0], (*device).start) }},
	{"disk fills", func(s *stage, _ []string) error {
		s.c.server.process.engine.Refuse(hongyan.Errorf(hongyan.StorageLow, "the disk is nearly full"))
		return nil
	}},
	{"disk has room", func(s *stage, _ []string) error { s.c.server.process.engine.Refuse(nil); return nil }},
	{"clock moves %", (*stage).moveClock},
	{"wait %", (*stage).wait},
	{"expect % has nothing", (*stage).expectHas},
	{"expect % has …", (*stage).expectHas},
	{"expect % sent %", func(s *stage, a []string) error { return s.expectItem(a[0], a[1], core.Sent, "") }},
	{"expect % waits with %", func(s *stage, a []string) error { return s.expectItem(a[0], a[1], core.Waiting, "") }},
	{"expect % failed with % by %", func(s *stage, a []string) error { return s.expectItem(a[0], a[1], core.Failed, a[2]) }},
	{"expect % unread by % in %", (*stage).expectUnread},
}

func (s *stage) play(line string) error {
	words, err := wordsOf(line)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if args, ok := match(strings.Fields(l.form), words); ok {
			return l.play(s, args)
		}
	}
	return errors.New("no such line")
}

// wordsOf cuts a line at its spaces, but for those in quotes.
func wordsOf(line string) ([]string, error) {
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			words, line = append(words, word), rest
			continue
		}
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return nil, err
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, err
		}
		words, line = append(words, text), line[len(quoted):]
	}
	return words, nil
}

// match compares words with a form, and returns those that stand for something.
func match(form, words []string) (args []string, ok bool) {
	for i, f := range form {
		switch {
		case f == "…":
			return append(args, words[min(i, len(words)):]...), true
		case i >= len(words):
			return nil, false
		case f == "%":
			args = append(args, words[i])
		case f != words[i]:
			return nil, false
		}
	}
	return args, len(form) == len(words)
}

func (s *stage) devices(names []string) error {
	for _, name := range names {
		who := strings.TrimRight(name, "0123456789")
		n, err := strconv.Atoi(name[len(who):])
		if err != nil || who == "" {
			return fmt.Errorf("%s is no name of a person with the number of a device", name)
		}
		if err := s.c.add(s.c.newDevice(who, n-1)); err != nil {
			return err
		}
	}
	return s.settle()
}

// settle lets everybody come to rest before the story begins.
func (s *stage) settle() error {
	s.c.w.run(s.c.w.now.Add(10 * time.Second))
	s.begin()
	return nil
}

func (s *stage) device(name string) (*device, error) {
	i := slices.IndexFunc(s.c.devices, func(d *device) bool { return d.name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no device %s", name)
	}
	return s.c.devices[i], nil
}

// online returns the life of a device that is connected.
func (s *stage) online(name string) (*run, error) {
	d, err := s.device(name)
	if err != nil {
		return nil, err
	}
	if d.running == nil || !d.running.up {
		return nil, fmt.Errorf("%s is not connected", name)
	}
	return d.running, nil
}

func (s *stage) with(name string, do func(*device)) error {
	d, err := s.device(name)
	if err == nil {
		do(d)
	}
	return err
}

func (s *stage) link(name string, do func(*conn)) error {
	r, err := s.online(name)
	if err == nil {
		do(r.conn)
	}
	return err
}

func (s *stage) person(name string) (hongyan.UserID, error) {
	i := slices.Index(s.c.names, name)
	if i < 0 {
		return 0, fmt.Errorf("there is nobody called %s", name)
	}
	return s.c.people[i], nil
}

// place is a group, or the direct conversation of a device's person with another.
func (s *stage) place(d *device, name string) (hongyan.ConversationID, error) {
	if g, ok := s.groups[name]; ok {
		return g, nil
	}
	u, err := s.person(name)
	if err != nil {
		return hongyan.ConversationID{}, err
	}
	return hongyan.Direct(d.user, u), nil
}

func (s *stage) found(a []string) error {
	d, err := s.device(a[0])
	if err != nil {
		return err
	}
	var members []hongyan.UserID
	for _, name := range a[2:] {
		u, err := s.person(name)
		if err != nil {
			return err
		}
		members = append(members, u)
	}
	id, reply := s.c.newClientID(), new(wire.CreateGroupReply)
	request := &wire.CreateGroupRequest{Title: a[1], Users: wire.FromIDs(members), ClientId: id[:]}
	if err := d.wait(wire.OpCreateGroup, request, reply); err != nil {
		return err
	}
	s.groups[a[1]] = hongyan.GroupConversation(hongyan.GroupID(reply.Group.Id))
	return s.settle()
}

func (s *stage) clientID(name string) hongyan.ClientID {
	if _, ok := s.ids[name]; !ok {
		s.ids[name] = s.c.newClientID()
	}
	return s.ids[name]
}

func (s *stage) send(name, text, to string, id hongyan.ClientID) error {
	d, err := s.device(name)
	if err != nil {
		return err
	}
	place, err := s.place(d, to)
	if err == nil {
		d.sendAs(id, place, text)
	}
	return err
}

// message finds one that a connected device holds.
func (s *stage) message(name, text string) (*run, *hongyan.Message, error) {
	r, err := s.online(name)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range r.d.store.held() {
		if m.Content.Text == text {
			return r, &m, nil
		}
	}
	return nil, nil, fmt.Errorf("%s does not have %q", name, text)
}

func (s *stage) recall(a []string) error {
	r, m, err := s.message(a[0], a[1])
	if err == nil {
		r.recall(m)
	}
	return err
}

func (s *stage) read(a []string) error {
	r, m, err := s.message(a[0], a[1])
	if err == nil {
		r.markRead(m)
	}
	return err
}

func (s *stage) remove(a []string) error {
	r, err := s.online(a[0])
	if err != nil {
		return err
	}
	u, err := s.person(a[1])
	if err != nil {
		return err
	}
	group, ok := s.groups[a[2]]
	if !ok {
		return fmt.Errorf("there is no group %s", a[2])
	}
	r.removeMember(group, u)
	return nil
}

func (s *stage) block(a []string) error {
	span, err := time.ParseDuration(a[1])
	if err != nil {
		return err
	}
	return s.with(a[0], func(d *device) { s.c.net.blocked[d] = s.c.w.now.Add(span) })
}

func (s *stage) keep(a []string) error {
	n, err := strconv.Atoi(a[0])
	if err == nil {
		s.c.history.Kept = n
		s.c.server.keep(n)
	}
	return err
}

func (s *stage) moveClock(a []string) error {
	by, err := time.ParseDuration(a[0])
	s.c.server.skew += by
	return err
}

func (s *stage) wait(a []string) error {
	span, err := time.ParseDuration(a[0])
	s.c.w.run(s.c.w.now.Add(span))
	return err
}
