package chat

import (
	"maps"
	"slices"

	"github.com/hongyan-im/hongyan"
)

func (r *random) actInGroup(d *device, g hongyan.GroupID, u hongyan.UserID) {
	chat, m := r.w.chat, r.m
	target := []Target{{User: u}}
	switch r.IntN(17) {
	case 0:
		if len(r.groups) < 3 || r.IntN(10) == 0 {
			r.newGroup(d)
		}
	case 1, 2, 3:
		allowed := m.invite(g, d.User, []hongyan.UserID{u})
		chat.Invite(d.Caller, g, target, r.expect(allowed, d, "invites %d into %d", u, g))
	case 4:
		if group := m.groups[g]; group != nil {
			allowed := m.join(g, d.User)
			done := r.expect(allowed, d, "joins %d", g)
			chat.Join(d.Caller, group.link, func(_ hongyan.Group, _ bool, err error) { done(err) })
		}
	case 5:
		accept := *r.flip()
		chat.AnswerJoin(d.Caller, g, u, accept, r.expect(m.answerJoin(g, d.User, u, accept), d, "answers %d about %d", u, g))
	case 6, 13:
		chat.Leave(d.Caller, g, r.expect(m.leave(g, d.User), d, "leaves %d", g))
	case 7:
		allowed := m.removeMember(g, d.User, u)
		chat.RemoveMembers(d.Caller, g, []hongyan.UserID{u, u}, r.expect(allowed, d, "removes %d from %d", u, g))
	case 8, 9:
		role := hongyan.Role(1 + r.IntN(3))
		chat.SetRole(d.Caller, g, u, role, r.expect(m.setRole(g, d.User, u, role), d, "makes %d a %d in %d", u, role, g))
	case 10, 11:
		r.setGroup(d, g)
	case 12, 14:
		until := m.now + int64(r.IntN(200_000)) - 50_000
		chat.MuteMember(d.Caller, g, u, until, r.expect(m.mute(g, d.User, u, until), d, "mutes %d in %d", u, g))
	default:
		if r.IntN(12) == 0 {
			chat.Dissolve(d.Caller, g, r.expect(m.dissolve(g, d.User), d, "dissolves %d", g))
		}
	}
}

func (r *random) newGroup(d *device) {
	r.flush()
	others := []hongyan.UserID{r.other(), r.other(), d.User}
	n := NewGroup{Title: "group", ClientID: r.w.newClientID()}
	for _, o := range others {
		n.Others = append(n.Others, Target{User: o})
	}
	g, err := d.newGroup(n)
	if (err == nil) != r.m.invitable(d.User, others) {
		r.t.Errorf("%s founds a group with %v: %v", d.name, others, err)
	}
	if err == nil {
		r.m.createGroup(g.ID, d.User, n.Title, g.Link, others)
		r.groups = append(r.groups, g.ID)
	}
}

func (r *random) setGroup(d *device, g hongyan.GroupID) {
	var change GroupChange
	switch r.IntN(4) {
	case 0:
		change.Title = ptr([]string{"group", "club"}[r.IntN(2)])
	case 1:
		change.MutedAll = r.flip()
	default:
		change.Policy = ptr(hongyan.JoinPolicy(1 + r.IntN(3)))
	}
	allowed := r.m.setGroup(g, d.User, change.Title, change.Policy, change.MutedAll)
	r.w.chat.SetGroup(d.Caller, g, change, drop[hongyan.Group](r.expect(allowed, d, "sets %d", g)))
}

// check syncs a device, in pages of any size, now and then from the beginning, and compares what it has with the model.
func (r *random) check(d *device) {
	if r.IntN(4) == 0 {
		d.key = hongyan.SyncKey{}
	}
	d.pull(uint32(r.IntN(12)))
	r.m.acknowledge(d.User)
	r.checkMessages(d)
	r.checkConversations(d)
	r.checkReceipts(d)
	r.checkReaders(d)
	r.checkStates(d)
	if r.t.Failed() {
		r.t.Fatalf("%s, device %d, differs from the model", d.name, d.Device)
	}
}

func (r *random) checkMessages(d *device) {
	for c, v := range r.m.people[d.User].views {
		for o, m := range d.messages[c] {
			if r.m.keeps(d.User, c, o) {
				m.State = hongyan.Recalled // which the device may not have learned
			}
		}
		had := func(o hongyan.Ordinal) bool { return v.got[o] && o > v.cleared && !v.removed[o] }
		if got, want := d.texts(c), r.m.texts(c, had); !slices.Equal(got, want) {
			r.t.Errorf("%s has of %s %q, want %q", d.name, c, got, want)
		}
		if !slices.IsSorted(d.arrived[c]) || len(slices.Compact(slices.Clone(d.arrived[c]))) != len(d.arrived[c]) {
			r.t.Errorf("the messages of %s came to %s as %v", c, d.name, d.arrived[c])
		}
		may := func(o hongyan.Ordinal) bool { return r.m.visible(c, v, o) && !v.removed[o] }
		got, want := d.whole(c), r.m.texts(c, may)
		if want = want[max(0, len(want)-MaxHistory):]; !slices.Equal(got, want) {
			r.t.Errorf("%s reads of %s %q, want %q", d.name, c, got, want)
		}
	}
	for c := range d.messages {
		if r.m.view(d.User, c) == nil {
			r.t.Errorf("%s has messages of %s", d.name, c)
		}
	}
}

// checkConversations compares the states that a device has from its pages: they came with what changed them.
func (r *random) checkConversations(d *device) {
	var recent []hongyan.ConversationID
	for c, v := range r.m.people[d.User].views {
		recent = append(recent, c)
		want := hongyan.Conversation{
			ID: c, Last: r.m.end(c, v), Read: max(v.read, v.cleared), Joined: v.joined, Left: v.left, Cleared: v.cleared,
			Unread: r.m.unread(d.User, c), Pinned: v.pinned, Muted: v.muted, Hidden: v.hidden && v.hiddenAt >= r.m.end(c, v),
		}
		for source, got := range map[string]hongyan.Conversation{"sync": d.conversations[c], "the server": d.view(c)} {
			got.Title, got.Peer, got.LastMessage, got.Delivered, got.PeerRead = "", nil, nil, 0, 0
			for o := range v.got {
				if source == "sync" && r.m.keeps(d.User, c, o) {
					got.Unread = want.Unread // it may count what it does not know to be recalled
				}
			}
			if got != want {
				r.t.Errorf("%s has from %s\n%+v, want\n%+v", d.name, source, got, want)
			}
		}
		if peer, direct := c.Peer(d.User); direct && peer != d.User {
			theirs := r.m.view(peer, c)
			if got := d.view(c); got.Delivered != theirs.delivered || got.PeerRead != theirs.read {
				r.t.Errorf("%s sees the other side of %s at %d and %d, want %d and %d", d.name, c, got.Delivered, got.PeerRead,
					theirs.delivered, theirs.read)
			}
		}
	}
	list := d.list()
	if len(list) != min(len(recent), WindowSize) {
		r.t.Errorf("%s lists %d conversations, want %d", d.name, len(list), len(recent))
	}
	for _, c := range list {
		if got, want := c.LastMessage, r.m.newest(d.User, c.ID); got == nil && want != "" || got != nil && textsOf([]*hongyan.Message{got})[0] != want {
			r.t.Errorf("%s sees %+v as the last of %s, want %q", d.name, got, c.ID, want)
		}
	}
}

// checkReceipts checks that a device knows at least what its owner was told, and nothing that did not happen.
func (r *random) checkReceipts(d *device) {
	for k, want := range r.m.people[d.User].told {
		if got := d.receipts[k]; got.Delivered < want.Delivered || got.Read < want.Read {
			r.t.Errorf("%s has the receipt %+v, want %+v", d.name, got, want)
		}
	}
	for k, got := range d.receipts {
		if v := r.m.view(k.user, k.conversation); got.Delivered > v.delivered || got.Read > v.read || got.Read > got.Delivered {
			r.t.Errorf("%s has the receipt %+v, and the reader is at %d and %d", d.name, got, v.delivered, v.read)
		}
		if _, told := r.m.people[d.User].told[k]; !told {
			r.t.Errorf("%s has the receipt %+v of a reader who read nothing of its", d.name, got)
		}
	}
}

// checkReaders asks how many have received and read a message of each conversation.
func (r *random) checkReaders(d *device) {
	for c := range r.m.people[d.User].views {
		o := r.ordinal(c)
		want, allowed := r.m.readers(d.User, c, o)
		got, err := d.readers(c, o)
		slices.Sort(got.Names)
		if (err == nil) != allowed || got.Delivered != want.Delivered || got.Read != want.Read || !slices.Equal(got.Names, want.Names) {
			r.t.Errorf("%s is told %+v, %v of the readers of %s/%d, want %+v, %v", d.name, got, err, c, o, want, allowed)
		}
	}
}

func (r *random) checkStates(d *device) {
	me := r.m.people[d.User]
	if !maps.Equal(d.settings, me.settings) {
		r.t.Errorf("%s has the settings %v, want %v", d.name, d.settings, me.settings)
	}
	if d.profile.DisplayName != me.display || len(d.devices.List) != r.devicesOf(d.User) {
		r.t.Errorf("%s has the profile %+v and the devices %+v", d.name, d.profile, d.devices)
	}
	for u, k := range me.contacts {
		got := d.contacts[u]
		if got.State != k.state || got.Blocked != k.blocked || got.Remark != k.remark ||
			k.state == hongyan.ContactAccepted && got.Profile.DisplayName != r.m.people[u].display {
			r.t.Errorf("%s has the contact %+v, want %+v", d.name, got, k)
		}
	}
	for g, group := range r.m.groups {
		got := d.groups[g]
		if got.Role != group.roles[d.User] {
			r.t.Errorf("%s is a %d in %d, want %d", d.name, got.Role, g, group.roles[d.User])
		}
		if got.Role != 0 && (got.Title != group.title || got.Owner != group.owner || got.MemberCount != len(group.roles) ||
			got.Policy != group.policy || got.MutedAll != group.mutedAll || got.Dissolved != group.dissolved) {
			r.t.Errorf("%s has the group %+v, want %+v", d.name, got, group)
		}
		r.checkWholeGroup(d, g, group)
	}
}

func (r *random) checkWholeGroup(d *device, g hongyan.GroupID, group *modelGroup) {
	whole, err := d.group(g)
	if (err == nil) != (group.roles[d.User] != 0) {
		r.t.Errorf("%s sees %d: %v", d.name, g, err)
	}
	if err != nil {
		return
	}
	roles := map[hongyan.UserID]hongyan.Role{}
	for _, m := range whole.Members {
		roles[m.User] = m.Role
		if want := group.muted[m.User]; m.MutedUntilMS != want {
			r.t.Errorf("%s sees %d muted in %d until %d, want %d", d.name, m.User, g, m.MutedUntilMS, want)
		}
	}
	var asking []hongyan.UserID
	for _, p := range whole.Asking {
		asking = append(asking, p.User)
	}
	var want []hongyan.UserID
	if group.roles[d.User] >= hongyan.RoleAdmin && !group.dissolved {
		want = group.asking
	}
	if !maps.Equal(roles, group.roles) || !slices.Equal(asking, want) {
		r.t.Errorf("%s sees in %d %v, asking %v, want %v, asking %v", d.name, g, roles, asking, group.roles, want)
	}
}

func (r *random) devicesOf(u hongyan.UserID) int {
	n := 0
	for _, d := range r.devices {
		if d.User == u {
			n++
		}
	}
	return n
}
