package wire

import (
	"github.com/hongyan-im/hongyan"
)

// FromGroup makes the body of a group.
func FromGroup(g hongyan.Group) *Group {
	return &Group{
		Id:           uint64(g.ID),
		Conversation: hongyan.GroupConversation(g.ID).String(),
		Title:        g.Title,
		Announcement: g.Announcement,
		Avatar:       g.Avatar,
		Owner:        uint64(g.Owner),
		MemberCount:  uint32(g.MemberCount),
		Policy:       FromJoinPolicy(g.Policy),
		Link:         g.Link,
		MutedAll:     g.MutedAll,
		Dissolved:    g.Dissolved,
		CreatedMs:    g.CreatedMS,
		Role:         FromRole(g.Role),
		Members:      FromAll(FromMember, g.Members),
		Asking:       FromAll(FromProfile, g.Asking),
	}
}

// ToGroup reads a group.
func ToGroup(b *Group) (hongyan.Group, error) {
	var g hongyan.Group
	var err error
	if b == nil {
		return g, missing("group")
	}
	g = hongyan.Group{
		ID:           hongyan.GroupID(b.Id),
		Title:        b.Title,
		Announcement: b.Announcement,
		Avatar:       b.Avatar,
		Owner:        hongyan.UserID(b.Owner),
		MemberCount:  int(b.MemberCount),
		Link:         b.Link,
		MutedAll:     b.MutedAll,
		Dissolved:    b.Dissolved,
		CreatedMS:    b.CreatedMs,
	}
	if want := hongyan.GroupConversation(g.ID).String(); b.Conversation != want {
		return g, invalid("conversation", "the conversation of group %d is %q", g.ID, want)
	}
	if g.Policy, err = ToJoinPolicy(b.Policy); err != nil {
		return g, err
	}
	if g.Role, err = ToRole(b.Role); err != nil {
		return g, err
	}
	if g.Members, err = ToAll("members", ToMember, b.Members); err != nil {
		return g, err
	}
	g.Asking, err = ToAll("asking", ToProfile, b.Asking)
	return g, err
}

// FromMember makes the body of a member.
func FromMember(m hongyan.Member) *Member {
	return &Member{
		User:         uint64(m.User),
		Name:         m.Name,
		Role:         FromRole(m.Role),
		MutedUntilMs: m.MutedUntilMS,
		JoinedMs:     m.JoinedMS,
	}
}

// ToMember reads a member.
func ToMember(b *Member) (hongyan.Member, error) {
	if b == nil {
		return hongyan.Member{}, missing("member")
	}
	role, err := ToRole(b.Role)
	return hongyan.Member{
		User:         hongyan.UserID(b.User),
		Name:         b.Name,
		Role:         role,
		MutedUntilMS: b.MutedUntilMs,
		JoinedMS:     b.JoinedMs,
	}, err
}

// FromRole converts a role.
func FromRole(r hongyan.Role) Role { return Role(r) }

// ToRole reads a role. It may be unset, and then is zero.
func ToRole(r Role) (hongyan.Role, error) { return toEnum("role", r, 0, hongyan.RoleOwner) }

// FromJoinPolicy converts a policy.
func FromJoinPolicy(p hongyan.JoinPolicy) JoinPolicy { return JoinPolicy(p) }

// ToJoinPolicy reads a policy. It may be unset, and then is zero.
func ToJoinPolicy(p JoinPolicy) (hongyan.JoinPolicy, error) {
	return toEnum("policy", p, 0, hongyan.JoinByLink)
}
