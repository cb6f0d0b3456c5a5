package chat

import (
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
	"github.com/hongyan-im/hongyan/internal/inbox"
)

// device is a device that asks, and keeps what it learns as docs/PROTOCOL.md tells a client to.
type device struct {
	Caller
	w    *world
	name string

	key           hongyan.SyncKey
	backfill      []byte
	messages      map[hongyan.ConversationID]map[hongyan.Ordinal]*hongyan.Message
	arrived       map[hongyan.ConversationID][]hongyan.Ordinal // messages in the order they came
	conversations map[hongyan.ConversationID]hongyan.Conversation
	contacts      map[hongyan.UserID]hongyan.Contact
	groups        map[hongyan.GroupID]hongyan.Group
	receipts      map[reader]hongyan.Receipt
	settings      map[string]string
	profile       hongyan.Profile
	devices       hongyan.Devices
	changes       []hongyan.Change // of the latest pull
	pages         int              // of the latest pull
}

type reader struct {
	conversation hongyan.ConversationID
	user         hongyan.UserID
}

func newDevice(w *world, name string, c Caller) *device {
	d := &device{w: w, name: name, Caller: c}
	d.forget()
	return d
}

func (d *device) forget() {
	d.messages = map[hongyan.ConversationID]map[hongyan.Ordinal]*hongyan.Message{}
	d.arrived = map[hongyan.ConversationID][]hongyan.Ordinal{}
	d.conversations = map[hongyan.ConversationID]hongyan.Conversation{}
	d.contacts = map[hongyan.UserID]hongyan.Contact{}
	d.groups = map[hongyan.GroupID]hongyan.Group{}
	d.receipts = map[reader]hongyan.Receipt{}
	d.settings = map[string]string{}
}

// page asks for one page of what is new, and keeps it.
func (d *device) page(limit uint32, types ...hongyan.Type) (Page, error) {
	d.w.t.Helper()
	p, err := shardtest.Ask(d.w.Shard, func(done func(Page, error)) {
		d.w.chat.Sync(d.Caller, SyncQuery{Key: d.key, Types: types, Limit: limit}, done)
	})
	if err != nil {
		return p, err
	}
	if p.Reset != inbox.NoReset {
		d.forget()
		d.backfill = p.Backfill
	}
	d.apply(p)
	d.key = p.Key
	return p, nil
}

// pull takes everything that is new, in pages of a size, with what a reset left out, and acknowledges it.
func (d *device) pull(limit uint32) {
	d.w.t.Helper()
	d.changes, d.pages = nil, 0
	for more := true; more; d.pages++ {
		p, err := d.page(limit)
		must(d.w.t, err)
		for len(d.backfill) > 0 {
			d.pages++
			b, err := backfill(d, d.backfill, limit)
			must(d.w.t, err)
			d.apply(b)
			d.backfill = b.Backfill
		}
		more = p.More
	}
	d.acknowledge()
}

// sync is pull in pages of the usual size.
func (d *device) sync() { d.w.t.Helper(); d.pull(0) }

func (d *device) acknowledge() {
	d.w.t.Helper()
	d.w.chat.Acknowledge(d.Caller, d.key)
	d.w.Rest()
}

func (d *device) apply(p Page) {
	var last hongyan.Version
	for _, c := range p.Changes {
		if c.Version <= last {
			d.w.t.Errorf("%s: version %d follows %d", d.name, c.Version, last)
		}
		last = c.Version
		d.change(c)
	}
	for _, c := range p.Conversations {
		d.conversations[c.ID] = c
		d.cleared(c)
	}
	d.changes = append(d.changes, p.Changes...)
}

func (d *device) change(c hongyan.Change) {
	switch {
	case c.Message != nil:
		m := c.Message
		if d.messages[m.Conversation] == nil {
			d.messages[m.Conversation] = map[hongyan.Ordinal]*hongyan.Message{}
		}
		d.messages[m.Conversation][m.Ordinal] = m
		d.arrived[m.Conversation] = append(d.arrived[m.Conversation], m.Ordinal)
	case c.Recall != nil:
		if m := d.messages[c.Recall.Conversation][c.Recall.Ordinal]; m != nil {
			stub := *m
			stub.State, stub.Content = hongyan.Recalled, hongyan.Content{}
			d.messages[c.Recall.Conversation][c.Recall.Ordinal] = &stub
		}
	case c.Removal != nil:
		for _, o := range c.Removal.Ordinals {
			delete(d.messages[c.Removal.Conversation], o)
		}
	case c.Contact != nil:
		d.contacts[c.Contact.Profile.User] = *c.Contact
	case c.Group != nil:
		d.groups[c.Group.ID] = *c.Group
	case c.Conversation != nil:
		d.conversations[c.Conversation.ID] = *c.Conversation
		d.cleared(*c.Conversation)
	case c.Receipt != nil:
		k := reader{c.Receipt.Conversation, c.Receipt.Reader}
		r := d.receipts[k]
		d.receipts[k] = hongyan.Receipt{
			Conversation: k.conversation, Reader: k.user,
			Delivered: max(r.Delivered, c.Receipt.Delivered), Read: max(r.Read, c.Receipt.Read),
		}
	case c.Profile != nil:
		d.profile = *c.Profile
	case c.Devices != nil:
		d.devices = *c.Devices
	case c.Setting != nil && len(c.Setting.Value) == 0:
		delete(d.settings, c.Setting.Name)
	case c.Setting != nil:
		d.settings[c.Setting.Name] = string(c.Setting.Value)
	default:
		d.w.t.Errorf("%s: change %d says nothing", d.name, c.Version)
	}
}

func (d *device) cleared(c hongyan.Conversation) {
	for o := range d.messages[c.ID] {
		if o <= c.Cleared {
			delete(d.messages[c.ID], o)
		}
	}
}

// texts are the messages that the device has of a conversation, in order; a recalled one is a dash, a notice the name
// of what happened.
func (d *device) texts(c hongyan.ConversationID) []string {
	var list []*hongyan.Message
	for _, m := range d.messages[c] {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *hongyan.Message) int { return int(a.Ordinal) - int(b.Ordinal) })
	return textsOf(list)
}

func textsOf(list []*hongyan.Message) []string {
	texts := []string{}
	for _, m := range list {
		switch {
		case m.State != hongyan.Present:
			texts = append(texts, "-")
		case m.Content.Notice != nil:
			texts = append(texts, noticeNames[m.Content.Notice.Event])
		default:
			texts = append(texts, m.Content.Text)
		}
	}
	return texts
}

var noticeNames = map[hongyan.NoticeEvent]string{
	hongyan.NoticeCreated: "created", hongyan.NoticeJoined: "joined", hongyan.NoticeLeft: "left",
	hongyan.NoticeRemoved: "removed", hongyan.NoticeTitle: "title", hongyan.NoticeAnnouncement: "announcement",
	hongyan.NoticeOwner: "owner", hongyan.NoticeAdmin: "admin", hongyan.NoticeNoAdmin: "no admin",
	hongyan.NoticeMuted: "muted", hongyan.NoticeUnmuted: "unmuted", hongyan.NoticeDissolved: "dissolved",
}
