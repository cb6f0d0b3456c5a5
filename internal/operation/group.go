package operation

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/wire"
)

func createGroup(d *Desk, c Caller, q *wire.CreateGroupRequest, done func(Reply, error)) {
	n := chat.NewGroup{Title: q.Title, Others: targets(q.Users, q.Names)}
	var err error
	if n.Policy, err = wire.ToJoinPolicy(q.Policy); err == nil && len(q.ClientId) > 0 {
		n.ClientID, err = wire.ToClientID(q.ClientId)
	}
	if err != nil {
		done(Reply{}, err)
		return
	}
	d.Chat.CreateGroup(c.chat(), n, answer(done, func(g hongyan.Group) *wire.CreateGroupReply {
		return &wire.CreateGroupReply{Group: wire.FromGroup(g)}
	}))
}

func getGroup(d *Desk, c Caller, q *wire.GetGroupRequest, done func(Reply, error)) {
	d.Chat.Group(c.chat(), hongyan.GroupID(q.Group), answer(done, func(g hongyan.Group) *wire.GetGroupReply {
		return &wire.GetGroupReply{Group: wire.FromGroup(g)}
	}))
}

func invite(d *Desk, c Caller, q *wire.InviteRequest, done func(Reply, error)) {
	d.Chat.Invite(c.chat(), hongyan.GroupID(q.Group), targets(q.Users, q.Names), ok(done, &wire.InviteReply{}))
}

func join(d *Desk, c Caller, q *wire.JoinRequest, done func(Reply, error)) {
	d.Chat.Join(c.chat(), q.Link, func(g hongyan.Group, waiting bool, err error) {
		ok(done, &wire.JoinReply{Group: wire.FromGroup(g), Waiting: waiting})(err)
	})
}

func answerJoin(d *Desk, c Caller, q *wire.AnswerJoinRequest, done func(Reply, error)) {
	d.Chat.AnswerJoin(c.chat(), hongyan.GroupID(q.Group), hongyan.UserID(q.User), q.Accept, ok(done, &wire.AnswerJoinReply{}))
}

func leave(d *Desk, c Caller, q *wire.LeaveRequest, done func(Reply, error)) {
	d.Chat.Leave(c.chat(), hongyan.GroupID(q.Group), ok(done, &wire.LeaveReply{}))
}

func removeMember(d *Desk, c Caller, q *wire.RemoveMemberRequest, done func(Reply, error)) {
	users := wire.ToIDs[hongyan.UserID](q.Users)
	d.Chat.RemoveMembers(c.chat(), hongyan.GroupID(q.Group), users, ok(done, &wire.RemoveMemberReply{}))
}

func setRole(d *Desk, c Caller, q *wire.SetRoleRequest, done func(Reply, error)) {
	role, err := wire.ToRole(q.Role)
	if err != nil {
		done(Reply{}, err)
		return
	}
	d.Chat.SetRole(c.chat(), hongyan.GroupID(q.Group), hongyan.UserID(q.User), role, ok(done, &wire.SetRoleReply{}))
}

func setGroup(d *Desk, c Caller, q *wire.SetGroupRequest, done func(Reply, error)) {
	change := chat.GroupChange{
		Title: q.Title, Announcement: q.Announcement, Avatar: q.Avatar, MutedAll: q.MutedAll, NewLink: q.NewLink,
	}
	if q.Policy != nil {
		p, err := wire.ToJoinPolicy(*q.Policy)
		if err != nil {
			done(Reply{}, err)
			return
		}
		change.Policy = &p
	}
	d.Chat.SetGroup(c.chat(), hongyan.GroupID(q.Group), change, answer(done, func(g hongyan.Group) *wire.SetGroupReply {
		return &wire.SetGroupReply{Group: wire.FromGroup(g)}
	}))
}

func muteMember(d *Desk, c Caller, q *wire.MuteMemberRequest, done func(Reply, error)) {
	d.Chat.MuteMember(c.chat(), hongyan.GroupID(q.Group), hongyan.UserID(q.User), q.UntilMs, ok(done, &wire.MuteMemberReply{}))
}

func dissolve(d *Desk, c Caller, q *wire.DissolveRequest, done func(Reply, error)) {
	d.Chat.Dissolve(c.chat(), hongyan.GroupID(q.Group), ok(done, &wire.DissolveReply{}))
}
