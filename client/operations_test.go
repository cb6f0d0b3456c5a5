package client

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// TestRequests checks of every request what goes out, and what its answer becomes.
func TestRequests(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := register(t, s, "alice", Options{})
	conv := hongyan.GroupConversation(5)
	yes, title, policy := true, "Family", hongyan.JoinByLink
	clientID := hongyan.ClientID{1, 2, 3}
	contact := hongyan.Contact{Profile: hongyan.Profile{User: 20, Name: "bob"}, State: hongyan.ContactAsked, Note: "hi"}
	group := hongyan.Group{ID: 5, Title: "Family", Owner: 10, Members: []hongyan.Member{{User: 10, Role: hongyan.RoleOwner}}}
	profile := hongyan.Profile{User: c.User(), Name: "alice", DisplayName: "Family"}
	device := hongyan.Device{ID: 1000, Name: "phone", Class: hongyan.ClassPhone}
	nothing := func(err error) (any, error) { return nil, err }
	for _, tt := range []struct {
		op      wire.Op
		call    func(ctx context.Context) (any, error)
		request proto.Message
		reply   proto.Message
		want    any
	}{
		{
			wire.OpMarkRead, func(ctx context.Context) (any, error) { return nothing(c.MarkRead(ctx, hongyan.Direct(10, 10), 0)) },
			&wire.MarkReadRequest{Conversation: "d:10:10"}, nil, nil,
		}, {
			wire.OpRemove, func(ctx context.Context) (any, error) { return nothing(c.Remove(ctx, conv, 3, 4)) },
			&wire.RemoveRequest{Conversation: "g:5", Ordinals: []uint64{3, 4}}, nil, nil,
		}, {
			wire.OpClearHistory, func(ctx context.Context) (any, error) { return nothing(c.ClearHistory(ctx, conv, 9)) },
			&wire.ClearHistoryRequest{Conversation: "g:5", Ordinal: 9}, nil, nil,
		}, {
			wire.OpSetConversation,
			func(ctx context.Context) (any, error) {
				return nothing(c.SetConversation(ctx, conv, View{Muted: &yes}))
			},
			&wire.SetConversationRequest{Conversation: "g:5", Muted: &yes}, nil, nil,
		}, {
			wire.OpReaders, func(ctx context.Context) (any, error) { return c.Readers(ctx, conv, 7) },
			&wire.ReadersRequest{Conversation: "g:5", Ordinal: 7},
			&wire.ReadersReply{Delivered: 3, Read: 2, Readers: []uint64{8, 9}},
			Readers{Delivered: 3, Read: 2, Users: []hongyan.UserID{8, 9}},
		}, {
			wire.OpSetSetting,
			func(ctx context.Context) (any, error) {
				return nothing(c.SetSetting(ctx, hongyan.Setting{Name: "n", Value: []byte("v")}))
			},
			&wire.SetSettingRequest{Setting: &wire.Setting{Name: "n", Value: []byte("v")}}, nil, nil,
		}, {
			wire.OpProfiles,
			func(ctx context.Context) (any, error) {
				return c.LookUp(ctx, []hongyan.UserID{999}, []string{"nobody"})
			},
			&wire.ProfilesRequest{Users: []uint64{999}, Names: []string{"nobody"}}, nil, []hongyan.Profile(nil),
		}, {
			wire.OpSetProfile,
			func(ctx context.Context) (any, error) { return c.SetProfile(ctx, ProfileChange{DisplayName: &title}) },
			&wire.SetProfileRequest{DisplayName: &title}, &wire.SetProfileReply{Profile: wire.FromProfile(profile)}, profile,
		}, {
			wire.OpSetPassword, func(ctx context.Context) (any, error) { return nothing(c.SetPassword(ctx, "old", "new")) },
			&wire.SetPasswordRequest{OldPassword: "old", NewPassword: "new"}, nil, nil,
		}, {
			wire.OpDevices, func(ctx context.Context) (any, error) { return c.Devices(ctx) },
			&wire.DevicesRequest{}, &wire.DevicesReply{Devices: []*wire.Device{wire.FromDevice(device)}}, []hongyan.Device{device},
		}, {
			wire.OpKick, func(ctx context.Context) (any, error) { return nothing(c.Kick(ctx, 77)) },
			&wire.KickRequest{Device: 77}, nil, nil,
		}, {
			wire.OpLogout, func(ctx context.Context) (any, error) { return nothing(c.Logout(ctx)) },
			&wire.LogoutRequest{}, nil, nil,
		}, {
			wire.OpAskContact, func(ctx context.Context) (any, error) { return c.AskContact(ctx, "bob", "hi") },
			&wire.AskContactRequest{Target: &wire.AskName{Name: "bob"}, Note: "hi"},
			&wire.AskContactReply{Contact: wire.FromContact(contact)}, contact,
		}, {
			wire.OpAnswerContact, func(ctx context.Context) (any, error) { return c.AnswerContact(ctx, 20, true) },
			&wire.AnswerContactRequest{User: 20, Accept: true}, &wire.AnswerContactReply{Contact: wire.FromContact(contact)}, contact,
		}, {
			wire.OpSetContact,
			func(ctx context.Context) (any, error) { return c.SetContact(ctx, 20, ContactChange{Blocked: &yes}) },
			&wire.SetContactRequest{User: 20, Blocked: &yes}, &wire.SetContactReply{Contact: wire.FromContact(contact)}, contact,
		}, {
			wire.OpRemoveContact, func(ctx context.Context) (any, error) { return nothing(c.RemoveContact(ctx, 20)) },
			&wire.RemoveContactRequest{User: 20}, nil, nil,
		}, {
			wire.OpCreateGroup,
			func(ctx context.Context) (any, error) {
				return c.CreateGroup(ctx, NewGroup{
					Title: title, Users: []hongyan.UserID{8}, Names: []string{"bob"}, Policy: policy, ID: clientID,
				})
			},
			&wire.CreateGroupRequest{
				Title: title, Users: []uint64{8}, Names: []string{"bob"}, Policy: wire.FromJoinPolicy(policy), ClientId: clientID[:],
			},
			&wire.CreateGroupReply{Group: wire.FromGroup(group)}, group,
		}, {
			wire.OpGetGroup, func(ctx context.Context) (any, error) { return c.GetGroup(ctx, 5) },
			&wire.GetGroupRequest{Group: 5}, &wire.GetGroupReply{Group: wire.FromGroup(group)}, group,
		}, {
			wire.OpInvite,
			func(ctx context.Context) (any, error) {
				return nothing(c.Invite(ctx, 5, []hongyan.UserID{8}, []string{"bob"}))
			},
			&wire.InviteRequest{Group: 5, Users: []uint64{8}, Names: []string{"bob"}}, nil, nil,
		}, {
			wire.OpJoin,
			func(ctx context.Context) (any, error) {
				g, waiting, err := c.Join(ctx, "code", "let me in")
				if waiting {
					err = errors.New("waiting")
				}
				return g, err
			},
			&wire.JoinRequest{Link: "code", Note: "let me in"}, &wire.JoinReply{Group: wire.FromGroup(group)}, group,
		}, {
			wire.OpJoin,
			func(ctx context.Context) (any, error) {
				_, waiting, err := c.Join(ctx, "code", "")
				return waiting, err
			},
			&wire.JoinRequest{Link: "code"}, &wire.JoinReply{Waiting: true}, true,
		}, {
			wire.OpAnswerJoin, func(ctx context.Context) (any, error) { return nothing(c.AnswerJoin(ctx, 5, 20, true)) },
			&wire.AnswerJoinRequest{Group: 5, User: 20, Accept: true}, nil, nil,
		}, {
			wire.OpLeave, func(ctx context.Context) (any, error) { return nothing(c.Leave(ctx, 5)) },
			&wire.LeaveRequest{Group: 5}, nil, nil,
		}, {
			wire.OpRemoveMember, func(ctx context.Context) (any, error) { return nothing(c.RemoveMember(ctx, 5, 20, 21)) },
			&wire.RemoveMemberRequest{Group: 5, Users: []uint64{20, 21}}, nil, nil,
		}, {
			wire.OpSetRole, func(ctx context.Context) (any, error) { return nothing(c.SetRole(ctx, 5, 20, hongyan.RoleAdmin)) },
			&wire.SetRoleRequest{Group: 5, User: 20, Role: wire.FromRole(hongyan.RoleAdmin)}, nil, nil,
		}, {
			wire.OpSetGroup,
			func(ctx context.Context) (any, error) {
				return c.SetGroup(ctx, 5, GroupChange{Title: &title, Policy: &policy, NewLink: true})
			},
			&wire.SetGroupRequest{Group: 5, Title: &title, Policy: wire.FromJoinPolicy(policy).Enum(), NewLink: true},
			&wire.SetGroupReply{Group: wire.FromGroup(group)}, group,
		}, {
			wire.OpMuteMember, func(ctx context.Context) (any, error) { return nothing(c.MuteMember(ctx, 5, 20, 99)) },
			&wire.MuteMemberRequest{Group: 5, User: 20, UntilMs: 99}, nil, nil,
		}, {
			wire.OpDissolve, func(ctx context.Context) (any, error) { return nothing(c.Dissolve(ctx, 5)) },
			&wire.DissolveRequest{Group: 5}, nil, nil,
		},
	} {
		t.Run(tt.op.String(), func(t *testing.T) {
			row, _ := wire.Lookup(tt.op)
			sent := row.NewRequest()
			var refuse error
			s.on(tt.op, func(_ *testSession, f wire.Frame) verdict {
				if err := wire.Unmarshal(f.Body, sent); err != nil {
					t.Error(err)
				}
				return verdict{err: refuse}
			})
			s.do(func() { s.canned = map[wire.Op]proto.Message{tt.op: tt.reply} })
			if tt.reply == nil {
				s.do(func() { s.canned = nil })
			}
			got, err := tt.call(within(t))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
			if !proto.Equal(sent, tt.request) {
				t.Errorf("sent %v, want %v", sent, tt.request)
			}
			s.do(func() { refuse = hongyan.Errorf(hongyan.Forbidden, "no") })
			if _, err := tt.call(within(t)); hongyan.CodeOf(err) != hongyan.Forbidden {
				t.Errorf("refused with %v", err)
			}
		})
	}
}
