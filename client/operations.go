package client

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// The methods of this file and the next ones are requests as they stand in the schema, one call of Do each. What they
// change comes back to this device, as to the account's others, as a change.

// maxProfilesAsked is how many accounts a ProfilesRequest may name.
const maxProfilesAsked = 100

// request makes a request and returns its answer.
func request[R any, P interface {
	*R
	proto.Message
}](ctx context.Context, c *Client, op wire.Op, body proto.Message) (P, error) {
	reply := P(new(R))
	return reply, c.Do(ctx, op, body, reply)
}

// MarkRead raises the read mark of a conversation. The mark never goes back.
func (c *Client) MarkRead(ctx context.Context, id hongyan.ConversationID, n hongyan.Ordinal) error {
	_, err := request[wire.MarkReadReply](ctx, c, wire.OpMarkRead,
		&wire.MarkReadRequest{Conversation: id.String(), Ordinal: uint64(n)})
	return err
}

// Recall takes a message back, for everybody.
func (c *Client) Recall(ctx context.Context, id hongyan.ConversationID, n hongyan.Ordinal) error {
	_, err := request[wire.RecallReply](ctx, c, wire.OpRecall,
		&wire.RecallRequest{Conversation: id.String(), Ordinal: uint64(n)})
	return err
}

// Remove deletes at most 100 messages for this account's own devices.
func (c *Client) Remove(ctx context.Context, id hongyan.ConversationID, list ...hongyan.Ordinal) error {
	_, err := request[wire.RemoveReply](ctx, c, wire.OpRemove,
		&wire.RemoveRequest{Conversation: id.String(), Ordinals: wire.FromIDs(list)})
	return err
}

// ClearHistory hides the past of a conversation from this account, up to and including an ordinal, 0 for all.
func (c *Client) ClearHistory(ctx context.Context, id hongyan.ConversationID, n hongyan.Ordinal) error {
	_, err := request[wire.ClearHistoryReply](ctx, c, wire.OpClearHistory,
		&wire.ClearHistoryRequest{Conversation: id.String(), Ordinal: uint64(n)})
	return err
}

// View is what an account may change about how it sees a conversation. What is nil stays.
type View struct {
	Pinned, Muted, Hidden *bool
}

// SetConversation pins, mutes or hides a conversation for this account.
func (c *Client) SetConversation(ctx context.Context, id hongyan.ConversationID, v View) error {
	_, err := request[wire.SetConversationReply](ctx, c, wire.OpSetConversation, &wire.SetConversationRequest{
		Conversation: id.String(), Pinned: v.Pinned, Muted: v.Muted, Hidden: v.Hidden,
	})
	return err
}

// History asks the server for messages of a conversation: below the ordinal before, the newest ones, 0 for the end; or,
// if after is not 0, above it, the oldest ones. They come in rising order, and more reports whether there are further
// ones. A Client that holds its state keeps them there, for Messages.
func (c *Client) History(
	ctx context.Context, id hongyan.ConversationID, before, after hongyan.Ordinal, limit int,
) (list []hongyan.Message, more bool, err error) {
	reply, err := request[wire.HistoryReply](ctx, c, wire.OpHistory, &wire.HistoryRequest{
		Conversation: id.String(), Before: uint64(before), After: uint64(after), Limit: uint32(max(limit, 0)),
	})
	if err != nil {
		return nil, false, err
	}
	if list, err = wire.ToAll("messages", wire.ToMessage, reply.Messages); err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	state := c.state
	c.mu.Unlock()
	if state != nil {
		err = state.keepMessages(list)
	}
	return list, reply.More, err
}

// Readers says how many members of a conversation have received and read a message, and, in groups small enough for
// receipts, who has read it.
type Readers struct {
	Delivered, Read int
	Users           []hongyan.UserID
}

// Readers asks who has received and read a message.
func (c *Client) Readers(ctx context.Context, id hongyan.ConversationID, n hongyan.Ordinal) (Readers, error) {
	reply, err := request[wire.ReadersReply](ctx, c, wire.OpReaders,
		&wire.ReadersRequest{Conversation: id.String(), Ordinal: uint64(n)})
	return Readers{
		Delivered: int(reply.Delivered),
		Read:      int(reply.Read),
		Users:     wire.ToIDs[hongyan.UserID](reply.Readers),
	}, err
}

// SetSetting stores a value that this account's devices share. An empty value removes it.
func (c *Client) SetSetting(ctx context.Context, s hongyan.Setting) error {
	_, err := request[wire.SetSettingReply](ctx, c, wire.OpSetSetting, &wire.SetSettingRequest{Setting: wire.FromSetting(s)})
	return err
}

// LookUp asks for at most 100 profiles by account id or by name. Unknown accounts are left out.
func (c *Client) LookUp(ctx context.Context, users []hongyan.UserID, names []string) ([]hongyan.Profile, error) {
	reply, err := request[wire.ProfilesReply](ctx, c, wire.OpProfiles,
		&wire.ProfilesRequest{Users: wire.FromIDs(users), Names: names})
	if err != nil {
		return nil, err
	}
	return wire.ToAll("profiles", wire.ToProfile, reply.Profiles)
}

// ProfileChange is what an account may change about its profile. What is nil stays.
type ProfileChange struct {
	DisplayName, Avatar, Bio *string
}

// SetProfile changes this account's own profile.
func (c *Client) SetProfile(ctx context.Context, p ProfileChange) (hongyan.Profile, error) {
	reply, err := request[wire.SetProfileReply](ctx, c, wire.OpSetProfile,
		&wire.SetProfileRequest{DisplayName: p.DisplayName, Avatar: p.Avatar, Bio: p.Bio})
	if err != nil {
		return hongyan.Profile{}, err
	}
	return wire.ToProfile(reply.Profile)
}

// SetPassword changes this account's password and ends its other devices.
func (c *Client) SetPassword(ctx context.Context, old, new string) error {
	_, err := request[wire.SetPasswordReply](ctx, c, wire.OpSetPassword,
		&wire.SetPasswordRequest{OldPassword: old, NewPassword: new})
	return err
}

// Devices lists this account's devices.
func (c *Client) Devices(ctx context.Context) ([]hongyan.Device, error) {
	reply, err := request[wire.DevicesReply](ctx, c, wire.OpDevices, nil)
	if err != nil {
		return nil, err
	}
	return wire.ToAll("devices", wire.ToDevice, reply.Devices)
}

// Kick ends another device of this account.
func (c *Client) Kick(ctx context.Context, d hongyan.DeviceID) error {
	_, err := request[wire.KickReply](ctx, c, wire.OpKick, &wire.KickRequest{Device: uint64(d)})
	return err
}

// Logout ends this device: its token is worth nothing any more. What was received stays in the profile.
func (c *Client) Logout(ctx context.Context) error {
	_, err := request[wire.LogoutReply](ctx, c, wire.OpLogout, nil)
	return err
}
