package client

import (
	"context"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// NewGroup is what a group is made of.
type NewGroup struct {
	Title string
	Users []hongyan.UserID // members besides the caller, by id
	Names []string         // and by name
	// Policy says how others come in; zero is by invitation.
	Policy hongyan.JoinPolicy
	// ID makes a retry recognisable: the same id gets the same group. Zero draws a new one.
	ID hongyan.ClientID
}

// CreateGroup makes a group and returns it with its members.
func (c *Client) CreateGroup(ctx context.Context, g NewGroup) (hongyan.Group, error) {
	if g.ID == (hongyan.ClientID{}) {
		g.ID = newClientID()
	}
	return c.group(request[wire.CreateGroupReply](ctx, c, wire.OpCreateGroup, &wire.CreateGroupRequest{
		Title:    g.Title,
		Users:    wire.FromIDs(g.Users),
		Names:    g.Names,
		Policy:   wire.FromJoinPolicy(g.Policy),
		ClientId: g.ID[:],
	}))
}

// GetGroup asks for a group with its members and, for admins, those who wait to be let in.
func (c *Client) GetGroup(ctx context.Context, g hongyan.GroupID) (hongyan.Group, error) {
	return c.group(request[wire.GetGroupReply](ctx, c, wire.OpGetGroup, &wire.GetGroupRequest{Group: uint64(g)}))
}

// Invite brings members into a group, by account id and by name.
func (c *Client) Invite(ctx context.Context, g hongyan.GroupID, users []hongyan.UserID, names []string) error {
	_, err := request[wire.InviteReply](ctx, c, wire.OpInvite,
		&wire.InviteRequest{Group: uint64(g), Users: wire.FromIDs(users), Names: names})
	return err
}

// Join comes into a group by its link. It reports whether an admin has to approve first.
func (c *Client) Join(ctx context.Context, link, note string) (g hongyan.Group, waiting bool, err error) {
	reply, err := request[wire.JoinReply](ctx, c, wire.OpJoin, &wire.JoinRequest{Link: link, Note: note})
	if err != nil || reply.Waiting {
		return g, err == nil, err
	}
	g, err = wire.ToGroup(reply.Group)
	return g, false, err
}

// AnswerJoin lets an account that waits into a group, or not.
func (c *Client) AnswerJoin(ctx context.Context, g hongyan.GroupID, u hongyan.UserID, accept bool) error {
	_, err := request[wire.AnswerJoinReply](ctx, c, wire.OpAnswerJoin,
		&wire.AnswerJoinRequest{Group: uint64(g), User: uint64(u), Accept: accept})
	return err
}

// Leave leaves a group.
func (c *Client) Leave(ctx context.Context, g hongyan.GroupID) error {
	_, err := request[wire.LeaveReply](ctx, c, wire.OpLeave, &wire.LeaveRequest{Group: uint64(g)})
	return err
}

// RemoveMember puts members out of a group.
func (c *Client) RemoveMember(ctx context.Context, g hongyan.GroupID, users ...hongyan.UserID) error {
	_, err := request[wire.RemoveMemberReply](ctx, c, wire.OpRemoveMember,
		&wire.RemoveMemberRequest{Group: uint64(g), Users: wire.FromIDs(users)})
	return err
}

// SetRole makes a member an admin, takes that back, or hands the group over to it.
func (c *Client) SetRole(ctx context.Context, g hongyan.GroupID, u hongyan.UserID, r hongyan.Role) error {
	_, err := request[wire.SetRoleReply](ctx, c, wire.OpSetRole,
		&wire.SetRoleRequest{Group: uint64(g), User: uint64(u), Role: wire.FromRole(r)})
	return err
}

// GroupChange is what may be changed about a group. What is nil stays.
type GroupChange struct {
	Title, Announcement, Avatar *string
	Policy                      *hongyan.JoinPolicy
	MutedAll                    *bool
	NewLink                     bool // the old link stops working
}

// SetGroup changes a group.
func (c *Client) SetGroup(ctx context.Context, g hongyan.GroupID, change GroupChange) (hongyan.Group, error) {
	body := &wire.SetGroupRequest{
		Group:        uint64(g),
		Title:        change.Title,
		Announcement: change.Announcement,
		Avatar:       change.Avatar,
		MutedAll:     change.MutedAll,
		NewLink:      change.NewLink,
	}
	if change.Policy != nil {
		body.Policy = wire.FromJoinPolicy(*change.Policy).Enum()
	}
	return c.group(request[wire.SetGroupReply](ctx, c, wire.OpSetGroup, body))
}

// MuteMember silences a member until a time, Unix milliseconds; 0 lifts it.
func (c *Client) MuteMember(ctx context.Context, g hongyan.GroupID, u hongyan.UserID, untilMS int64) error {
	_, err := request[wire.MuteMemberReply](ctx, c, wire.OpMuteMember,
		&wire.MuteMemberRequest{Group: uint64(g), User: uint64(u), UntilMs: untilMS})
	return err
}

// Dissolve ends a group.
func (c *Client) Dissolve(ctx context.Context, g hongyan.GroupID) error {
	_, err := request[wire.DissolveReply](ctx, c, wire.OpDissolve, &wire.DissolveRequest{Group: uint64(g)})
	return err
}

// group reads the group of an answer.
func (c *Client) group(reply interface{ GetGroup() *wire.Group }, err error) (hongyan.Group, error) {
	if err != nil {
		return hongyan.Group{}, err
	}
	return wire.ToGroup(reply.GetGroup())
}
