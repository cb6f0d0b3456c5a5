package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

// wishes is how many things people want in a run.
const wishes = 60

// live plans what people do. Much of it comes at the same time.
func (c *cluster) live() {
	var at time.Time
	for n := range wishes {
		if n == 0 || !c.w.chance(3) {
			at = c.w.now.Add(c.w.between(0, unrest))
		}
		c.w.at(at.Add(c.w.between(0, 10*time.Millisecond)), func() { c.wish(n) })
	}
}

// wish is one thing that somebody wants.
func (c *cluster) wish(n int) {
	d := one(c.w, c.devices)
	switch k := c.w.rng.IntN(100); {
	case k < 45:
		d.send(c.somewhere(d), fmt.Sprintf("%s-%d", d.name, n))
		if c.w.chance(4) { // and its person cannot wait
			other := c.sibling(d)
			c.w.after(c.w.between(0, 40*time.Millisecond), func() { other.repeat(d.store, false) })
			switch fault := c.w.rng.IntN(10); {
			case !c.faulty:
			case fault < 2:
				c.server.doomed = true
			case fault == 2:
				c.spoil()
			}
		}
	case k < 55:
		if list := c.senders(d.user); len(list) > 0 {
			d.repeat(one(c.w, list), c.w.chance(6))
		}
	case k < 63:
		d.recall()
	case k < 75:
		d.markRead()
	case k < 82:
		d.look()
	case k < 92:
		c.changeGroup(d, n)
	case k < 95:
		d.block()
	case k < 97:
		d.set(n)
	default:
		for i := range 5 {
			d.send(c.somewhere(d), fmt.Sprintf("%s-%d.%d", d.name, n, i))
		}
	}
}

// sibling draws a device of d's person, which may be d.
func (c *cluster) sibling(d *device) *device {
	return one(c.w, slices.DeleteFunc(slices.Clone(c.devices), func(o *device) bool { return o.user != d.user }))
}

// somewhere draws a conversation of d's.
func (c *cluster) somewhere(d *device) hongyan.ConversationID {
	if c.w.chance(2) {
		return c.group
	}
	return hongyan.Direct(d.user, one(c.w, c.people))
}

// request makes a request that is not repeated, and records what comes of it.
func (r *run) request(op wire.Op, request, reply proto.Message, o history.Op, done func() history.Result) {
	d := r.d
	o.Device = d.process()
	record := d.c.history.Begin(o)
	d.w.note("%-8s asks to %v", d.name, wish{record})
	r.ask(op, request, reply, func(err error) {
		e, refused := err.(*hongyan.Error)
		switch {
		case refused:
			d.c.history.Refuse(record, e.Code)
		case err == nil:
			d.c.history.Complete(record, done())
		}
		if err == nil {
			d.w.note("%-8s is told that it is done: %v", d.name, wish{record})
		} else {
			d.w.note("%-8s is told of %v: %v", d.name, wish{record}, err)
		}
	})
}

func nothing() history.Result { return history.Result{} }

// senders returns the stores of those devices of a person that have sent something.
func (c *cluster) senders(u hongyan.UserID) []*deviceStore {
	var list []*deviceStore
	for _, d := range c.devices {
		if d.user == u && len(d.store.items) > 0 {
			list = append(list, d.store)
		}
	}
	return list
}

// repeat sends something again that a device of the same person has sent, or is sending, under the same client id;
// or, if changed, something else.
func (d *device) repeat(from *deviceStore, changed bool) {
	r := d.running
	if r == nil || !r.up || from.d.user != d.user {
		return
	}
	ids := slices.SortedFunc(maps.Keys(from.items), func(a, b hongyan.ClientID) int { return slices.Compare(a[8:], b[8:]) })
	it := *from.items[ids[len(ids)-1]] // the newest
	if d.w.chance(2) {
		it = *from.items[one(d.w, ids)]
	}
	if it.FirstAttemptMS == 0 {
		return
	}
	if changed {
		it.Content = hongyan.Text(it.Content.Text + " (changed)")
	}
	reply := new(wire.SendReply)
	r.request(wire.OpSend, d.request(it), reply, history.Op{
		Kind: history.Send, Conversation: it.Target.Conversation, Client: it.ID, Text: it.Content.Text,
	}, func() history.Result {
		result := resultOf(d, reply)
		return history.Result{ID: result.ID, Ordinal: result.Ordinal, TimeMS: result.TimeMS}
	})
}

// some draws a message that the device holds and that suits.
func (d *device) some(suits func(*hongyan.Message) bool) *hongyan.Message {
	list := slices.DeleteFunc(d.store.held(), func(m hongyan.Message) bool { return !suits(&m) })
	if len(list) == 0 || d.running == nil || !d.running.up {
		return nil
	}
	m := one(d.w, list)
	return &m
}

func (d *device) recall() {
	m := d.some(func(m *hongyan.Message) bool { return m.From == d.user && m.Content.Kind == hongyan.KindText })
	if m != nil {
		d.running.recall(m)
	}
}

func (r *run) recall(m *hongyan.Message) {
	r.request(wire.OpRecall, &wire.RecallRequest{Conversation: m.Conversation.String(), Ordinal: uint64(m.Ordinal)},
		new(wire.RecallReply), history.Op{Kind: history.Recall, Conversation: m.Conversation, Ordinal: m.Ordinal}, nothing)
}

func (d *device) markRead() {
	m := d.some(func(m *hongyan.Message) bool { return m.From != d.user })
	if m != nil {
		d.running.markRead(m)
	}
}

func (r *run) markRead(m *hongyan.Message) {
	r.request(wire.OpMarkRead, &wire.MarkReadRequest{Conversation: m.Conversation.String(), Ordinal: uint64(m.Ordinal)},
		new(wire.MarkReadReply), history.Op{Kind: history.MarkRead, Conversation: m.Conversation, Ordinal: m.Ordinal}, nothing)
}

// look reads the history of a conversation, or the list of all.
func (d *device) look() {
	r := d.running
	if r == nil || !r.up {
		return
	}
	if d.w.chance(3) {
		r.hold()
		return
	}
	page := history.Page{Device: d.process(), Source: history.Looked, Asked: d.c.history.Ask()}
	if d.w.chance(2) {
		reply := new(wire.ConversationsReply)
		r.ask(wire.OpConversations, &wire.ConversationsRequest{}, reply, func(err error) {
			if err == nil {
				page.Conversations = all(d, wire.ToConversation, reply.Conversations)
				d.c.history.Show(page)
			}
		})
		return
	}
	reply := new(wire.HistoryReply)
	request := &wire.HistoryRequest{Conversation: d.c.somewhere(d).String(), Limit: 20}
	r.ask(wire.OpHistory, request, reply, func(err error) {
		if err == nil {
			page.Messages = all(d, wire.ToMessage, reply.Messages)
			d.c.history.Show(page)
		}
	})
}

// hold asks for what is newer than what is stored, and is ready to wait for it, as clients without notifications are. It
// moves no key: what the page brings comes again.
func (r *run) hold() {
	d, reply := r.d, new(wire.SyncReply)
	key := r.sync.Presentable()
	if len(key) == 0 {
		return
	}
	asked := d.c.history.Ask()
	r.ask(wire.OpSync, &wire.SyncRequest{Key: key, Limit: pullLimit, WaitMs: 5000}, reply, func(err error) {
		if err == nil {
			d.c.history.Show(history.Page{
				Device: d.process(), Source: history.Pulled, Asked: asked, Version: hongyan.Version(reply.Version), More: reply.More,
				Reset: reply.Reset_ != nil, Changes: all(d, wire.ToChange, reply.Changes),
				Conversations: all(d, wire.ToConversation, reply.Conversations),
			})
		}
	})
}

// changeGroup brings somebody in or out, while that one is talking.
func (c *cluster) changeGroup(d *device, n int) {
	owner := c.devices[0]
	i := 1 + c.w.rng.IntN(len(c.people)-1)
	u := c.people[i]
	for _, other := range c.devices {
		if other.user == u {
			c.w.after(c.w.between(0, 80*time.Millisecond), func() { other.send(c.group, fmt.Sprintf("%s-%d!", other.name, n)) })
		}
	}
	id, _ := c.group.Group()
	o := history.Op{Conversation: c.group, Users: []hongyan.UserID{u}}
	switch c.w.rng.IntN(5) {
	case 0:
		if r := d.running; r != nil && r.up {
			o.Kind, o.Users = history.Leave, nil
			r.request(wire.OpLeave, &wire.LeaveRequest{Group: uint64(id)}, new(wire.LeaveReply), o, nothing)
		}
	case 1, 2:
		if r := owner.running; r != nil && r.up {
			r.removeMember(c.group, u)
		}
	default:
		if r := owner.running; r != nil && r.up {
			o.Kind = history.Invite
			r.request(wire.OpInvite, &wire.InviteRequest{Group: uint64(id), Users: wire.FromIDs(o.Users)}, new(wire.InviteReply), o, nothing)
		}
	}
}

// removeMember puts somebody out of a group.
func (r *run) removeMember(group hongyan.ConversationID, u hongyan.UserID) {
	id, _ := group.Group()
	o := history.Op{Kind: history.Remove, Conversation: group, Users: []hongyan.UserID{u}}
	r.request(wire.OpRemoveMember, &wire.RemoveMemberRequest{Group: uint64(id), Users: wire.FromIDs(o.Users)},
		new(wire.RemoveMemberReply), o, nothing)
}

// block blocks somebody, or lifts that.
func (d *device) block() {
	u := one(d.w, d.c.people)
	r := d.running
	if u == d.user || r == nil || !r.up {
		return
	}
	o := history.Op{Kind: history.Block, Users: []hongyan.UserID{u}}
	blocked := d.w.chance(2)
	if !blocked {
		o.Kind = history.Unblock
	}
	r.request(wire.OpSetContact, &wire.SetContactRequest{User: uint64(u), Blocked: &blocked}, new(wire.SetContactReply), o, nothing)
}

// set changes a setting that the person's devices share.
func (d *device) set(n int) {
	r := d.running
	if r == nil || !r.up {
		return
	}
	o := history.Op{Kind: history.Set, Name: one(d.w, []string{"colour", "language"}), Text: fmt.Sprintf("%s-%d", d.name, n)}
	setting := &wire.Setting{Name: o.Name, Value: []byte(o.Text)}
	r.request(wire.OpSetSetting, &wire.SetSettingRequest{Setting: setting}, new(wire.SetSettingReply), o, nothing)
}

// waiting reports whether anything of the device's outbox is not answered yet.
func (d *device) waiting() bool {
	for _, it := range d.store.items {
		if it.State == core.Waiting {
			return true
		}
	}
	return false
}
