package torture

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// loader makes a history of the records of an act.
type loader struct {
	h       *history.History
	shared  map[place]*hongyan.Message // what most devices were told alike is kept once
	sends   map[string]*history.Op     // of devices of the SDK whose client id is not known, by text
	applied int                        // messages that devices have stored
}

type place struct {
	conversation hongyan.ConversationID
	ordinal      hongyan.Ordinal
}

// load reads the records of devices.
func load(devices []device) (*loader, error) {
	l := &loader{h: new(history.History), shared: map[place]*hongyan.Message{}, sends: map[string]*history.Op{}}
	for i := range devices {
		if err := l.read(&devices[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", devices[i].Record, err)
		}
	}
	l.findUnnamed()
	l.h.Sort()
	return l, nil
}

// teller is one record while it is read.
type teller struct {
	*loader
	d     *device
	of    history.Device
	ops   map[int]*history.Op
	at    hongyan.Version // that is stored
	holds map[place]*hongyan.Message
	kinds map[string]string // states
	stage []history.Commit  // of the SDK, whose resets are only understood in the end
	seen  map[hongyan.Version]bool
}

func (l *loader) read(d *device) error {
	f, err := os.Open(d.Record)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, _, err := readRecord(f)
	if err != nil {
		return err
	}
	t := &teller{
		loader: l, d: d, of: history.Device{User: d.User, Device: d.Device}, ops: map[int]*history.Op{},
		holds: map[place]*hongyan.Message{}, kinds: map[string]string{}, seen: map[hongyan.Version]bool{},
	}
	for i := range entries {
		if err := t.entry(&entries[i]); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	t.end()
	return nil
}

func (t *teller) entry(e *entry) error {
	switch e.What {
	case begins, queued, done, refused:
		return t.request(e)
	case page:
		b := new(wire.SyncReply)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		return t.page(e, b)
	case older:
		b := new(wire.BackfillReply)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		changes, err := t.changes(b.Changes)
		if err != nil {
			return err
		}
		conversations, err := t.conversations(b.Conversations)
		if err != nil {
			return err
		}
		t.show(e, history.Page{Source: history.Backfilled, Changes: changes, Conversations: conversations})
		t.commit(e, history.Commit{Version: t.at, Backfilled: true, Whole: len(b.Token) == 0, Changes: changes})
	case pushed:
		b := new(wire.Notify)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		changes, err := t.changes(b.Changes)
		if err != nil {
			return err
		}
		t.show(e, history.Page{Source: history.Pushed, Version: hongyan.Version(b.Version), Changes: changes})
		if e.Stored {
			t.commit(e, history.Commit{Version: hongyan.Version(b.Version), Changes: changes})
		}
	case look:
		b := new(wire.HistoryReply)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		messages, err := wire.ToAll("messages", wire.ToMessage, b.Messages)
		if err != nil {
			return err
		}
		t.show(e, history.Page{Source: history.Looked, Messages: messages})
	case list, settled:
		b := new(wire.ConversationsReply)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		conversations, err := t.conversations(b.Conversations)
		if err != nil {
			return err
		}
		t.show(e, history.Page{Source: history.Looked, Conversations: conversations})
		for _, c := range conversations {
			if e.What == settled {
				t.h.Views = append(t.h.Views, history.View{Device: t.of, Conversation: c})
			}
		}
	case told, reset, held, whole:
		return t.sdk(e)
	}
	return nil
}

func (t *teller) request(e *entry) error {
	if e.What == begins {
		o := &history.Op{
			Device: t.of, Kind: e.Kind, Text: e.Text, Name: e.Name, Ordinal: hongyan.Ordinal(e.Ordinal),
			Users: wire.ToIDs[hongyan.UserID](e.Users), Patient: e.Patient, Invoked: history.Moment(e.At),
		}
		copy(o.Client[:], e.Client)
		if e.Conversation != "" {
			var err error
			if o.Conversation, err = hongyan.ParseConversation(e.Conversation); err != nil {
				return err
			}
		}
		t.ops[e.Op] = o
		t.h.Ops = append(t.h.Ops, o)
		if t.d.sdk() && o.Kind == history.Send && o.Patient {
			o.Patient, o.Client = false, hongyan.ClientID{}
			t.sends[o.Text] = o
		}
		return nil
	}
	o := t.ops[e.Op]
	switch {
	case o == nil:
		return fmt.Errorf("there is no request %d", e.Op)
	case e.What == queued:
		copy(o.Client[:], e.Client)
		delete(t.sends, o.Text)
	case o.Completed != 0: // the first answer counts
	case e.What == refused:
		o.Completed, o.Code = history.Moment(e.At), hongyan.Code(e.Code)
	default:
		o.Completed = history.Moment(e.At)
		o.Result = history.Result{ID: hongyan.MessageID(e.ID), Ordinal: hongyan.Ordinal(e.Ordinal), TimeMS: e.TimeMS}
	}
	return nil
}

func (t *teller) page(e *entry, b *wire.SyncReply) error {
	changes, err := t.changes(b.Changes)
	if err != nil {
		return err
	}
	conversations, err := t.conversations(b.Conversations)
	if err != nil {
		return err
	}
	p := history.Page{
		Source: history.Pulled, Version: hongyan.Version(b.Version), More: b.More, Changes: changes, Conversations: conversations,
	}
	c := history.Commit{Version: p.Version, Whole: true, Changes: changes}
	if b.Reset_ != nil {
		window, err := t.conversations(b.Reset_.Conversations)
		if err != nil {
			return err
		}
		p.Reset, p.Conversations = true, append(p.Conversations, window...)
		c.Reset, c.Whole = true, len(b.Reset_.Backfill) == 0
		t.kinds = map[string]string{}
	}
	t.show(e, p)
	t.commit(e, c)
	return nil
}

func (t *teller) show(e *entry, p history.Page) {
	p.Device, p.Asked, p.Shown = t.of, history.Moment(e.Asked), history.Moment(e.At)
	t.h.Pages = append(t.h.Pages, p)
}

func (t *teller) commit(e *entry, c history.Commit) {
	c.Device, c.Moment, c.Previous = t.of, history.Moment(e.At), t.at
	t.at = c.Version
	for _, change := range c.Changes {
		t.apply(change)
	}
	t.h.Commits = append(t.h.Commits, c)
}

// apply does with a change what a store does.
func (t *teller) apply(c hongyan.Change) {
	switch {
	case c.Message != nil:
		at := place{c.Message.Conversation, c.Message.Ordinal}
		if t.holds[at] == nil {
			t.applied++
		} else if c.Message.State == hongyan.Expired {
			return
		}
		t.holds[at] = c.Message
	case c.Recall != nil:
		at := place{c.Recall.Conversation, c.Recall.Ordinal}
		if m := t.holds[at]; m != nil && m.State == hongyan.Present {
			stub := *m
			stub.State, stub.Content = hongyan.Recalled, hongyan.Content{}
			t.holds[at] = &stub
		}
	case c.Contact != nil:
		k, name := c.Contact, fmt.Sprintf("contact %d", c.Contact.Profile.User)
		if t.kinds[name] = fmt.Sprint(k.State, k.Blocked, k.Remark); k.State == hongyan.ContactNone && !k.Blocked {
			delete(t.kinds, name)
		}
	case c.Group != nil:
		g := c.Group
		t.kinds[fmt.Sprintf("group %d", g.ID)] = fmt.Sprint(g.Role, g.Owner, g.MemberCount, g.Dissolved)
	case c.Conversation != nil:
		v := c.Conversation
		name := "view of " + v.ID.String()
		if v.Read == 0 && v.Joined == 0 && v.Left == 0 && v.Cleared == 0 && !v.Pinned && !v.Muted {
			delete(t.kinds, name)
			return
		}
		t.kinds[name] = fmt.Sprint(v.Read, v.Joined, v.Left, v.Cleared, v.Pinned, v.Muted)
	case c.Setting != nil:
		t.kinds[c.Setting.Name] = string(c.Setting.Value)
	}
}

// end tells what the device holds when all is over.
func (t *teller) end() {
	if t.d.sdk() {
		t.endSDK()
	}
	d := history.Holding{Device: t.of, States: t.kinds}
	for _, m := range t.holds {
		if m.State != hongyan.Expired {
			d.Messages = append(d.Messages, *m)
		}
	}
	slices.SortFunc(d.Messages, func(a, b hongyan.Message) int {
		return cmp.Or(cmp.Compare(a.Conversation.String(), b.Conversation.String()), cmp.Compare(a.Ordinal, b.Ordinal))
	})
	t.h.Holdings = append(t.h.Holdings, d)
}

// changes reads changes, and keeps a message that others have told alike once.
func (l *loader) changes(list []*wire.Change) ([]hongyan.Change, error) {
	changes, err := wire.ToAll("changes", wire.ToChange, list)
	for i := range changes {
		if m := changes[i].Message; m != nil {
			changes[i].Message = l.share(m)
		}
	}
	return changes, err
}

func (l *loader) conversations(list []*wire.Conversation) ([]hongyan.Conversation, error) {
	conversations, err := wire.ToAll("conversations", wire.ToConversation, list)
	for i := range conversations {
		if m := conversations[i].LastMessage; m != nil {
			conversations[i].LastMessage = l.share(m)
		}
	}
	return conversations, err
}

func (l *loader) share(m *hongyan.Message) *hongyan.Message {
	at := place{m.Conversation, m.Ordinal}
	known := l.shared[at]
	if known == nil {
		l.shared[at] = m
		return m
	}
	if known.ID == m.ID && known.From == m.From && known.ClientID == m.ClientID && known.TimeMS == m.TimeMS &&
		known.State == m.State && known.Content.Kind == m.Content.Kind && known.Content.Text == m.Content.Text {
		return known
	}
	return m
}

// findUnnamed finds the client ids of what profiles had taken when a kill came before that was recorded: no two sends have
// the same text. What is nowhere was never taken.
func (l *loader) findUnnamed() {
	for _, m := range l.shared {
		if o := l.sends[m.Content.Text]; o != nil && o.User == m.From && o.Conversation == m.Conversation {
			o.Client = m.ClientID
		}
	}
	l.h.Ops = slices.DeleteFunc(l.h.Ops, func(o *history.Op) bool {
		return o.Kind == history.Send && o.Client == hongyan.ClientID{}
	})
}
