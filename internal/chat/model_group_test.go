package chat

import (
	"slices"

	"github.com/hongyan-im/hongyan"
)

// The model's contacts and groups. Each deed returns whether it is allowed.

func (m *model) ask(u, other hongyan.UserID) bool {
	ours, theirs := m.contact(u, other), m.contact(other, u)
	switch {
	case u == other || theirs.blocked:
		return false
	case ours.state == hongyan.ContactAccepted:
	case ours.state == hongyan.ContactAsking:
		ours.state, theirs.state = hongyan.ContactAccepted, hongyan.ContactAccepted
	default:
		ours.state, theirs.state = hongyan.ContactAsked, hongyan.ContactAsking
	}
	return true
}

func (m *model) answer(u, other hongyan.UserID, accept bool) bool {
	ours, theirs := m.contact(u, other), m.contact(other, u)
	if ours.state != hongyan.ContactAsking {
		return false
	}
	ours.state, theirs.state = hongyan.ContactNone, hongyan.ContactNone
	if accept {
		ours.state, theirs.state = hongyan.ContactAccepted, hongyan.ContactAccepted
	}
	return true
}

func (m *model) unfriend(u, other hongyan.UserID) bool {
	ours, theirs := m.contact(u, other), m.contact(other, u)
	if ours.state == hongyan.ContactNone {
		return false
	}
	ours.state, theirs.state = hongyan.ContactNone, hongyan.ContactNone
	return true
}

func (m *model) setContact(u, other hongyan.UserID, blocked *bool, remark *string) bool {
	if u == other {
		return false
	}
	k := m.contact(u, other)
	if blocked != nil {
		k.blocked = *blocked
	}
	if remark != nil {
		k.remark = *remark
	}
	return true
}

func (m *model) invitable(u hongyan.UserID, others []hongyan.UserID) bool {
	return !slices.ContainsFunc(others, func(o hongyan.UserID) bool { return o != u && m.contact(o, u).blocked })
}

func (m *model) notice(g hongyan.GroupID, by hongyan.UserID, text string) {
	m.put(hongyan.GroupConversation(g), by, text, true)
}

func (m *model) admit(g hongyan.GroupID, by hongyan.UserID, users []hongyan.UserID) {
	group := m.groups[g]
	c := hongyan.GroupConversation(g)
	for _, u := range users {
		group.roles[u] = hongyan.RoleMember
		delete(group.muted, u)
		v := m.open(u, c)
		v.joined, v.left = m.last(c), 0
		group.asking = slices.DeleteFunc(group.asking, func(a hongyan.UserID) bool { return a == u })
	}
	m.notice(g, by, "joined")
}

func (m *model) createGroup(id hongyan.GroupID, u hongyan.UserID, title, link string, others []hongyan.UserID) {
	m.groups[id] = &modelGroup{
		title: title, owner: u, link: link, policy: hongyan.JoinByInvitation,
		roles: map[hongyan.UserID]hongyan.Role{u: hongyan.RoleOwner}, muted: map[hongyan.UserID]int64{},
	}
	c := hongyan.GroupConversation(id)
	m.open(u, c)
	for _, o := range others {
		if o != u {
			m.groups[id].roles[o] = hongyan.RoleMember
			m.open(o, c)
		}
	}
	m.notice(id, u, "created")
}

func (m *model) invite(g hongyan.GroupID, u hongyan.UserID, others []hongyan.UserID) bool {
	group := m.live(g, u)
	if group == nil || !m.invitable(u, others) {
		return false
	}
	var users []hongyan.UserID
	for _, o := range others {
		if group.roles[o] == 0 && !slices.Contains(users, o) {
			users = append(users, o)
		}
	}
	switch {
	case len(users) == 0:
	case group.policy == hongyan.JoinByApproval && group.roles[u] < hongyan.RoleAdmin:
		m.wait(group, users)
	default:
		m.admit(g, u, users)
	}
	return true
}

func (m *model) wait(group *modelGroup, users []hongyan.UserID) {
	for _, u := range users {
		if !slices.Contains(group.asking, u) {
			group.asking = append(group.asking, u)
		}
	}
}

func (m *model) join(g hongyan.GroupID, u hongyan.UserID) bool {
	group := m.groups[g]
	switch {
	case group == nil || group.dissolved:
		return false
	case group.roles[u] != 0:
	case group.policy == hongyan.JoinByInvitation:
		return false
	case group.policy == hongyan.JoinByApproval:
		m.wait(group, []hongyan.UserID{u})
	default:
		m.admit(g, u, []hongyan.UserID{u})
	}
	return true
}

func (m *model) answerJoin(g hongyan.GroupID, u, other hongyan.UserID, accept bool) bool {
	group := m.live(g, u)
	if group == nil || group.roles[u] < hongyan.RoleAdmin || !slices.Contains(group.asking, other) {
		return false
	}
	group.asking = slices.DeleteFunc(group.asking, func(a hongyan.UserID) bool { return a == other })
	if accept && group.roles[other] == 0 {
		m.admit(g, u, []hongyan.UserID{other})
	}
	return true
}

func (m *model) leave(g hongyan.GroupID, u hongyan.UserID) bool {
	group := m.live(g, u)
	if group == nil || group.owner == u {
		return false
	}
	m.expel(g, u, u, "left")
	return true
}

func (m *model) expel(g hongyan.GroupID, by, u hongyan.UserID, text string) {
	delete(m.groups[g].roles, u)
	delete(m.groups[g].muted, u)
	c := hongyan.GroupConversation(g)
	m.view(u, c).left = m.last(c)
	m.notice(g, by, text)
}

func (m *model) removeMember(g hongyan.GroupID, u, other hongyan.UserID) bool {
	group := m.live(g, u)
	if group == nil || group.roles[u] < hongyan.RoleAdmin || group.roles[other] == 0 || group.roles[other] >= group.roles[u] {
		return false
	}
	m.expel(g, u, other, "removed")
	return true
}

func (m *model) setRole(g hongyan.GroupID, u, other hongyan.UserID, role hongyan.Role) bool {
	group := m.live(g, u)
	if group == nil || group.owner != u || group.roles[other] == 0 || u == other && role != hongyan.RoleOwner {
		return false
	}
	if group.roles[other] == role {
		return true
	}
	group.roles[other] = role
	if role == hongyan.RoleOwner {
		group.roles[u], group.owner = hongyan.RoleAdmin, other
	}
	m.notice(g, u, []string{"", "no admin", "admin", "owner"}[role])
	return true
}

func (m *model) setGroup(g hongyan.GroupID, u hongyan.UserID, title *string, policy *hongyan.JoinPolicy, muted *bool) bool {
	group := m.live(g, u)
	if group == nil || group.roles[u] < hongyan.RoleAdmin {
		return false
	}
	if policy != nil {
		group.policy = *policy
	}
	if title != nil && group.title != *title {
		group.title = *title
		m.notice(g, u, "title")
	}
	if muted != nil && group.mutedAll != *muted {
		group.mutedAll = *muted
		m.notice(g, u, map[bool]string{true: "muted", false: "unmuted"}[*muted])
	}
	return true
}

func (m *model) mute(g hongyan.GroupID, u, other hongyan.UserID, untilMS int64) bool {
	group := m.live(g, u)
	if group == nil || group.roles[u] < hongyan.RoleAdmin || group.roles[other] == 0 || group.roles[other] >= group.roles[u] {
		return false
	}
	if untilMS <= m.now {
		untilMS = 0
	}
	if group.muted[other] != untilMS {
		group.muted[other] = untilMS
		m.notice(g, u, map[bool]string{true: "unmuted", false: "muted"}[untilMS == 0])
	}
	return true
}

func (m *model) dissolve(g hongyan.GroupID, u hongyan.UserID) bool {
	group := m.live(g, u)
	if group == nil || group.owner != u {
		return false
	}
	m.notice(g, u, "dissolved")
	group.dissolved = true
	c := hongyan.GroupConversation(g)
	for o := range group.roles {
		m.view(o, c).left = m.last(c)
	}
	return true
}
