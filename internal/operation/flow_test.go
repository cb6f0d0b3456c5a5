package operation_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/internal/operation/desktest"
	"github.com/hongyan-im/hongyan/wire"
)

// flow is a desk at which people ask for one thing after the other, and which takes note of what was asked for.
type flow struct {
	*desktest.Desk
	t     *testing.T
	asked map[wire.Op]bool
	id    byte
}

func newFlow(t *testing.T) *flow {
	return &flow{Desk: desktest.New(t, nil), t: t, asked: map[wire.Op]bool{}}
}

var (
	anybody  = operation.Caller{Secure: true}
	operator = operation.Caller{Secure: true, Operator: true}
)

// must makes a request that is to succeed.
func must[R proto.Message](f *flow, c operation.Caller, op wire.Op, req proto.Message) R {
	f.t.Helper()
	f.asked[op] = true
	reply, err := desktest.Ask[R](f.Desk, c, op, req)
	if err != nil {
		f.t.Fatalf("%s: %v", op, err)
	}
	return reply
}

// refused makes a request that is to fail.
func (f *flow) refused(c operation.Caller, op wire.Op, req proto.Message, want hongyan.Code) {
	f.t.Helper()
	if _, err := desktest.Ask[proto.Message](f.Desk, c, op, req); hongyan.CodeOf(err) != want {
		f.t.Errorf("%s: %v, want %v", op, err, want)
	}
}

func (f *flow) check(ok bool, what string, got any) {
	f.t.Helper()
	if !ok {
		f.t.Errorf("%s: %v", what, got)
	}
}

// register makes an account and returns its first device as a caller, with the tokens it got.
func (f *flow) register(name string) (operation.Caller, *wire.LoginReply) {
	f.t.Helper()
	r := must[*wire.LoginReply](f, anybody, wire.OpRegister, &wire.RegisterRequest{
		Name: name, Password: name + "-secret", DisplayName: "The " + name, Device: device(hongyan.ClassPhone),
	})
	return operation.Caller{User: hongyan.UserID(r.Session.User), Device: hongyan.DeviceID(r.Session.Device), Secure: true}, r
}

func (f *flow) clientID() []byte { f.id++; return append(make([]byte, 15), f.id) }

func (f *flow) text(c string, text string) *wire.SendRequest {
	return &wire.SendRequest{
		Target: &wire.SendToConversation{Conversation: c}, ClientId: f.clientID(), FirstAttemptMs: f.Now().UnixMilli(),
		Content: wire.FromContent(hongyan.Text(text)),
	}
}

// TestEveryOperation asks for each operation once, as somebody who may, and looks at what the answer says.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	f.sessions()
	f.codes()
	f.messages()
	f.contacts()
	f.groups()
	f.operator()
	for _, row := range wire.Operations {
		if !f.asked[row.Op] {
			t.Errorf("nobody has asked for %s", row.Name)
		}
	}
}

func (f *flow) sessions() {
	_, r := f.register("carl")
	s := r.Session
	f.check(r.DeviceToken != "" && s.Name == "carl" && s.Ticket != "" && s.TimeMs == f.Now().UnixMilli() && s.Head != 0 &&
		s.Hints.MaxFrame == wire.MaxFrame && s.TicketExpiresMs == f.Now().Add(24*time.Hour).UnixMilli(), "Register", r)
	login := must[*wire.LoginReply](f, anybody, wire.OpLogin, &wire.LoginRequest{
		Name: "carl", Password: "carl-secret", Device: &wire.Device{Name: "desk", Class: device(hongyan.ClassDesktop).Class},
	})
	f.check(login.Session.User == s.User && login.Session.Device != s.Device, "Login", login)
	again := must[*wire.AuthReply](f, anybody, wire.OpAuth, &wire.AuthRequest{Token: login.Session.Ticket})
	f.check(again.User == s.User && again.Device == login.Session.Device && again.Ticket != "", "Auth", again)
	carl := operation.Caller{User: hongyan.UserID(s.User), Device: hongyan.DeviceID(login.Session.Device), Secure: true}
	list := must[*wire.DevicesReply](f, carl, wire.OpDevices, nil)
	f.check(len(list.Devices) == 2 && list.Current == login.Session.Device && list.Devices[1].Name == "desk", "Devices", list)
	must[*wire.KickReply](f, carl, wire.OpKick, &wire.KickRequest{Device: s.Device})
	must[*wire.SetPasswordReply](f, carl, wire.OpSetPassword, &wire.SetPasswordRequest{OldPassword: "carl-secret", NewPassword: "another one"})
	must[*wire.LogoutReply](f, carl, wire.OpLogout, nil)
	for _, class := range []*wire.Device{nil, {}, {Class: 7}, {Class: -1}} {
		f.refused(anybody, wire.OpLogin, &wire.LoginRequest{Name: "carl", Password: "another one", Device: class}, hongyan.Invalid)
	}
}

func (f *flow) codes() {
	lena, _ := f.register("lena")
	asked := must[*wire.AskLoginReply](f, anybody, wire.OpAskLogin, &wire.AskLoginRequest{
		Device: &wire.Device{Name: "browser", Class: device(hongyan.ClassWeb).Class},
	})
	f.check(asked.Code != "" && asked.Secret != "" && asked.ExpiresMs > f.Now().UnixMilli(), "AskLogin", asked)
	waiting := must[*wire.AwaitLoginReply](f, anybody, wire.OpAwaitLogin, &wire.AwaitLoginRequest{Secret: asked.Secret, Known: wire.LoginDeclined})
	f.check(waiting.State == wire.LoginWaiting && waiting.By == nil, "AwaitLogin", waiting)

	held := f.Begin(anybody, wire.OpAwaitLogin, &wire.AwaitLoginRequest{Secret: asked.Secret, WaitMs: 1 << 31})
	read := must[*wire.ReadLoginReply](f, lena, wire.OpReadLogin, &wire.ReadLoginRequest{Code: asked.Code})
	f.check(read.Device.Name == "browser" && read.AskedMs == f.Now().UnixMilli(), "ReadLogin", read)
	r, err := held()
	scanned, _ := r.Body.(*wire.AwaitLoginReply)
	f.check(err == nil && scanned.GetState() == wire.LoginScanned && scanned.By.Name == "lena" && f.Timers() == 0, "AwaitLogin", r)

	held = f.Begin(anybody, wire.OpAwaitLogin, &wire.AwaitLoginRequest{Secret: asked.Secret, Known: wire.LoginScanned, WaitMs: 1 << 31})
	f.Rest()
	f.Pass(operation.MaxWait)
	r, err = held()
	f.check(err == nil && r.Body.(*wire.AwaitLoginReply).State == wire.LoginScanned, "AwaitLogin that has waited in vain", r)

	must[*wire.AnswerLoginReply](f, lena, wire.OpAnswerLogin, &wire.AnswerLoginRequest{Code: asked.Code, Accept: true})
	got := must[*wire.AwaitLoginReply](f, anybody, wire.OpAwaitLogin, &wire.AwaitLoginRequest{Secret: asked.Secret, Known: wire.LoginScanned})
	s := got.Login.GetSession()
	f.check(got.State == wire.LoginAccepted && got.Login.DeviceToken != "" && s.User == uint64(lena.User) && s.Device != uint64(lena.Device),
		"AwaitLogin", got)
	must[*wire.AuthReply](f, anybody, wire.OpAuth, &wire.AuthRequest{Token: got.Login.DeviceToken})
	f.refused(anybody, wire.OpAwaitLogin, &wire.AwaitLoginRequest{Secret: asked.Code}, hongyan.NotFound)
	f.refused(anybody, wire.OpAwaitLogin, &wire.AwaitLoginRequest{Secret: asked.Secret, Known: 9}, hongyan.Invalid)
	f.refused(anybody, wire.OpAskLogin, &wire.AskLoginRequest{}, hongyan.Invalid)
}

func (f *flow) messages() {
	anna, _ := f.register("anna")
	bert, _ := f.register("bert")
	c := hongyan.Direct(anna.User, bert.User).String()
	first := must[*wire.SyncReply](f, bert, wire.OpSync, &wire.SyncRequest{})
	f.check(first.GetReset_().GetReason() == wire.ResetFirst && len(first.Reset_.Backfill) > 0 && first.Version != 0, "Sync", first)
	rest := must[*wire.BackfillReply](f, bert, wire.OpBackfill, &wire.BackfillRequest{Token: first.Reset_.Backfill})
	f.check(len(rest.Changes) == 2 && len(rest.Token) == 0 && rest.Changes[0].GetProfile().GetDisplayName() == "The bert", "Backfill", rest)

	byName := f.text("", "one")
	byName.Target = &wire.SendToName{Name: "bert"}
	sent := must[*wire.SendReply](f, anna, wire.OpSend, byName)
	f.check(sent.Conversation == c && sent.Ordinal == 1 && sent.Id != 0 && sent.TimeMs == f.Now().UnixMilli(), "Send", sent)
	must[*wire.SendReply](f, anna, wire.OpSend, f.text(c, "two"))
	page := must[*wire.SyncReply](f, bert, wire.OpSync, &wire.SyncRequest{Key: first.Key, Limit: 1, Types: []wire.Type{1}})
	m := page.Changes[0].GetMessage()
	f.check(page.More && len(page.Changes) == 1 && m.GetContent().GetText() == "one" && m.FromName == "anna" &&
		len(page.Conversations) == 1 && page.Conversations[0].Unread == 2 && page.Reset_ == nil, "Sync", page)
	must[*wire.AckReply](f, bert, wire.OpAck, &wire.AckRequest{Key: page.Key})
	beat := must[*wire.HeartbeatReply](f, bert, wire.OpHeartbeat, &wire.HeartbeatRequest{Key: page.Key})
	f.check(beat.Newer && beat.Head > page.Version && beat.TimeMs == f.Now().UnixMilli(), "Heartbeat", beat)
	must[*wire.MarkReadReply](f, bert, wire.OpMarkRead, &wire.MarkReadRequest{Conversation: c, Ordinal: 1})
	n := must[*wire.ReadersReply](f, anna, wire.OpReaders, &wire.ReadersRequest{Conversation: c, Ordinal: 1})
	f.check(n.Delivered == 1 && n.Read == 1 && slices.Equal(n.Readers, []uint64{uint64(bert.User)}), "Readers", n)
	must[*wire.RecallReply](f, anna, wire.OpRecall, &wire.RecallRequest{Conversation: c, Ordinal: 2})
	must[*wire.SendReply](f, bert, wire.OpSend, f.text(c, "three"))
	must[*wire.RemoveReply](f, bert, wire.OpRemove, &wire.RemoveRequest{Conversation: c, Ordinals: []uint64{2}})
	h := must[*wire.HistoryReply](f, bert, wire.OpHistory, &wire.HistoryRequest{Conversation: c, After: 1})
	f.check(len(h.Messages) == 1 && h.Messages[0].Ordinal == 3 && !h.More, "History", h)
	h = must[*wire.HistoryReply](f, bert, wire.OpHistory, &wire.HistoryRequest{Conversation: c, Before: 3, Limit: 5})
	f.check(len(h.Messages) == 1 && h.Messages[0].Ordinal == 1, "History", h)
	hits := must[*wire.SearchReply](f, bert, wire.OpSearch, &wire.SearchRequest{Text: "THREE", Conversation: c})
	f.check(len(hits.Messages) == 1 && hits.Messages[0].Ordinal == 3 && len(hits.Token) == 0 && hits.ReachedMs == f.Now().UnixMilli(), "Search", hits)
	f.refused(bert, wire.OpSearch, &wire.SearchRequest{Text: " "}, hongyan.Invalid)
	f.refused(bert, wire.OpSearch, &wire.SearchRequest{Text: "x", Conversation: "x"}, hongyan.Invalid)
	must[*wire.TypingReply](f, anna, wire.OpTyping, &wire.TypingRequest{Conversation: c})
	f.check(len(f.Signals) == 1 && f.Signals[0].User == bert.User && f.Signals[0].Signal.GetTyping().GetUser() == uint64(anna.User) &&
		f.Signals[0].Signal.GetTyping().GetConversation() == c, "Typing", f.Signals)
	f.refused(anna, wire.OpTyping, &wire.TypingRequest{Conversation: "x"}, hongyan.Invalid)
	yes, no := true, false
	must[*wire.SetConversationReply](f, bert, wire.OpSetConversation, &wire.SetConversationRequest{Conversation: c, Pinned: &yes, Muted: &yes, Hidden: &no})
	must[*wire.ClearHistoryReply](f, bert, wire.OpClearHistory, &wire.ClearHistoryRequest{Conversation: c, Ordinal: 1})
	list := must[*wire.ConversationsReply](f, bert, wire.OpConversations, &wire.ConversationsRequest{Ids: []string{c}})
	v := list.Conversations[0]
	f.check(len(list.Conversations) == 1 && v.Pinned && v.Muted && !v.Hidden && v.Cleared == 1 && v.Last == 3 && v.Title == "The anna", "Conversations", list)
	must[*wire.SetSettingReply](f, bert, wire.OpSetSetting, &wire.SetSettingRequest{Setting: &wire.Setting{Name: "theme", Value: []byte("dark")}})

	for _, bad := range []string{"", "d:2:1", "g:", "x", "d:0:1"} {
		f.refused(bert, wire.OpSend, f.text(bad, "x"), hongyan.Invalid)
		f.refused(bert, wire.OpMarkRead, &wire.MarkReadRequest{Conversation: bad}, hongyan.Invalid)
		f.refused(bert, wire.OpHistory, &wire.HistoryRequest{Conversation: bad}, hongyan.Invalid)
		f.refused(bert, wire.OpConversations, &wire.ConversationsRequest{Ids: []string{c, bad}}, hongyan.Invalid)
	}
	f.refused(bert, wire.OpSend, &wire.SendRequest{Target: &wire.SendToConversation{Conversation: c}, ClientId: f.clientID()}, hongyan.Invalid)
	f.refused(bert, wire.OpSync, &wire.SyncRequest{Key: []byte("nonsense")}, hongyan.KeyInvalid)
	f.refused(bert, wire.OpAck, &wire.AckRequest{Key: []byte("nonsense")}, hongyan.KeyInvalid)
	f.refused(bert, wire.OpHeartbeat, &wire.HeartbeatRequest{Key: []byte("nonsense")}, hongyan.KeyInvalid)
	f.refused(bert, wire.OpSync, &wire.SyncRequest{Types: []wire.Type{7}}, hongyan.Invalid)
	f.refused(bert, wire.OpBackfill, &wire.BackfillRequest{}, hongyan.KeyInvalid)
	f.refused(bert, wire.OpSetSetting, nil, hongyan.Invalid)
}

func (f *flow) contacts() {
	dora, _ := f.register("dora")
	emil, _ := f.register("emil")
	bio, remark, yes := "about me", "my friend", true
	p := must[*wire.SetProfileReply](f, dora, wire.OpSetProfile, &wire.SetProfileRequest{Bio: &bio})
	f.check(p.Profile.Bio == bio && p.Profile.DisplayName == "The dora" && p.Profile.User == uint64(dora.User), "SetProfile", p)
	found := must[*wire.ProfilesReply](f, emil, wire.OpProfiles, &wire.ProfilesRequest{Users: []uint64{uint64(emil.User), 4711}, Names: []string{"dora"}})
	f.check(len(found.Profiles) == 2 && found.Profiles[0].Name == "emil" && found.Profiles[1].Bio == bio, "Profiles", found)
	asked := must[*wire.AskContactReply](f, dora, wire.OpAskContact, &wire.AskContactRequest{Target: &wire.AskName{Name: "emil"}, Note: "it is me"})
	f.check(asked.Contact.Profile.Name == "emil" && asked.Contact.State == 1, "AskContact", asked)
	answered := must[*wire.AnswerContactReply](f, emil, wire.OpAnswerContact, &wire.AnswerContactRequest{User: uint64(dora.User), Accept: true})
	f.check(answered.Contact.State == 3 && answered.Contact.Note == "it is me", "AnswerContact", answered)
	set := must[*wire.SetContactReply](f, emil, wire.OpSetContact, &wire.SetContactRequest{User: uint64(dora.User), Remark: &remark, Blocked: &yes})
	f.check(set.Contact.Remark == remark && set.Contact.Blocked && set.Contact.UpdatedMs == f.Now().UnixMilli(), "SetContact", set)
	list := must[*wire.ContactsReply](f, emil, wire.OpContacts, &wire.ContactsRequest{})
	f.check(len(list.Contacts) == 1 && proto.Equal(list.Contacts[0], set.Contact) && !list.More, "Contacts", list)
	must[*wire.RemoveContactReply](f, dora, wire.OpRemoveContact, &wire.RemoveContactRequest{User: uint64(emil.User)})
	f.refused(dora, wire.OpAskContact, &wire.AskContactRequest{}, hongyan.NotFound)
}

func (f *flow) groups() {
	owner, _ := f.register("owner")
	other, _ := f.register("other")
	third, _ := f.register("third")
	approval, role := wire.JoinPolicy(2), wire.Role(2)
	made := must[*wire.CreateGroupReply](f, owner, wire.OpCreateGroup, &wire.CreateGroupRequest{Title: "group", Names: []string{"other"}, ClientId: f.clientID()})
	g := made.Group.Id
	f.check(len(made.Group.Members) == 2 && made.Group.Conversation == hongyan.GroupConversation(hongyan.GroupID(g)).String() &&
		made.Group.Role == 3 && made.Group.Policy == 1, "CreateGroup", made)
	must[*wire.InviteReply](f, owner, wire.OpInvite, &wire.InviteRequest{Group: g, Users: []uint64{uint64(third.User)}})
	must[*wire.LeaveReply](f, third, wire.OpLeave, &wire.LeaveRequest{Group: g})
	title := "club"
	set := must[*wire.SetGroupReply](f, owner, wire.OpSetGroup, &wire.SetGroupRequest{Group: g, Title: &title, Policy: &approval, NewLink: true})
	f.check(set.Group.Title == title && set.Group.Policy == approval && set.Group.Link != made.Group.Link, "SetGroup", set)
	joined := must[*wire.JoinReply](f, third, wire.OpJoin, &wire.JoinRequest{Link: set.Group.Link})
	f.check(joined.Waiting && joined.Group.Title == title && joined.Group.Role == 0, "Join", joined)
	whole := must[*wire.GetGroupReply](f, owner, wire.OpGetGroup, &wire.GetGroupRequest{Group: g})
	f.check(len(whole.Group.Members) == 2 && len(whole.Group.Asking) == 1 && whole.Group.Asking[0].Name == "third", "GetGroup", whole)
	must[*wire.AnswerJoinReply](f, owner, wire.OpAnswerJoin, &wire.AnswerJoinRequest{Group: g, User: uint64(third.User), Accept: true})
	must[*wire.SetRoleReply](f, owner, wire.OpSetRole, &wire.SetRoleRequest{Group: g, User: uint64(other.User), Role: role})
	until := f.Now().UnixMilli() + 1000
	must[*wire.MuteMemberReply](f, other, wire.OpMuteMember, &wire.MuteMemberRequest{Group: g, User: uint64(third.User), UntilMs: until})
	whole = must[*wire.GetGroupReply](f, third, wire.OpGetGroup, &wire.GetGroupRequest{Group: g})
	f.check(whole.Group.Members[1].Role == role && whole.Group.Members[2].MutedUntilMs == until && whole.Group.Asking == nil, "GetGroup", whole)
	must[*wire.RemoveMemberReply](f, other, wire.OpRemoveMember, &wire.RemoveMemberRequest{Group: g, Users: []uint64{uint64(third.User)}})
	must[*wire.DissolveReply](f, owner, wire.OpDissolve, &wire.DissolveRequest{Group: g})
	bad := wire.JoinPolicy(4)
	f.refused(owner, wire.OpCreateGroup, &wire.CreateGroupRequest{Policy: bad}, hongyan.Invalid)
	f.refused(owner, wire.OpCreateGroup, &wire.CreateGroupRequest{ClientId: []byte{1}}, hongyan.Invalid)
	f.refused(owner, wire.OpSetGroup, &wire.SetGroupRequest{Group: g, Policy: &bad}, hongyan.Invalid)
	f.refused(owner, wire.OpSetRole, &wire.SetRoleRequest{Group: g, Role: 4}, hongyan.Invalid)
}

func (f *flow) operator() {
	f.Desk.Desk.DemandTLS = func(u hongyan.UserID) int { return int(u % 1000) }
	f.Desk.Desk.Status = func() *wire.StatusReply { return &wire.StatusReply{Version: "v"} }
	made := must[*wire.CreateAccountReply](f, operator, wire.OpCreateAccount, &wire.CreateAccountRequest{Name: "robot", DisplayName: "R"})
	f.check(made.Account.Name == "robot" && made.Account.DisplayName == "R" && made.Account.Retention == nil, "CreateAccount", made)
	set := must[*wire.SetAccountReply](f, operator, wire.OpSetAccount, &wire.SetAccountRequest{Name: "robot", Retention: &wire.Retention{Days: 1, Messages: 2}})
	f.check(set.Account.User == made.Account.User && set.Account.Retention.Days == 1 && set.Account.Retention.Messages == 2, "SetAccount", set)
	minted := must[*wire.MintTokenReply](f, operator, wire.OpMintToken, &wire.MintTokenRequest{Name: "robot", Device: device(hongyan.ClassBot)})
	id := must[*wire.AuthReply](f, anybody, wire.OpAuth, &wire.AuthRequest{Token: minted.DeviceToken})
	f.check(id.User == made.Account.User && id.Device == minted.Device && minted.User == id.User, "MintToken", minted)
	list := must[*wire.ListAccountsReply](f, operator, wire.OpListAccounts, &wire.ListAccountsRequest{After: "oz", Limit: 1})
	f.check(len(list.Accounts) == 1 && list.Accounts[0].Name == "robot" && list.Accounts[0].Devices == 1 && list.More, "ListAccounts", list)
	key := must[*wire.CreateKeyReply](f, operator, wire.OpCreateKey, &wire.CreateKeyRequest{Name: "shop"})
	byKey := must[*wire.AuthReply](f, anybody, wire.OpAuth, &wire.AuthRequest{Token: key.Key})
	f.check(byKey.User == 0 && byKey.Name == "shop" && byKey.Ticket == "" && byKey.TicketExpiresMs == 0, "CreateKey", byKey)
	code := must[*wire.CreateInvitationReply](f, operator, wire.OpCreateInvitation, &wire.CreateInvitationRequest{Uses: 2, Days: 1})
	f.check(len(code.Code) == 14, "CreateInvitation", code)
	closed := must[*wire.DemandTLSReply](f, operator, wire.OpDemandTLS, &wire.DemandTLSRequest{Name: "robot"})
	f.check(closed.Closed == uint32(made.Account.User%1000), "DemandTLS", closed)
	f.refused(operator, wire.OpDemandTLS, &wire.DemandTLSRequest{Name: "nobody"}, hongyan.NotFound)
	s := must[*wire.StatusReply](f, operator, wire.OpStatus, nil)
	f.check(s.Version == "v", "Status", s)
}

// Whoever may not ask is told so before anything else is looked at.
func TestWhoMayAskForWhat(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	anna, _ := f.register("anna")
	for _, row := range wire.Operations {
		ask := func(c operation.Caller, body []byte) hongyan.Code {
			var code hongyan.Code
			f.Desk.Desk.Do(c, row.Op, body, func(_ operation.Reply, err error) { code = hongyan.CodeOf(err) })
			f.Rest()
			return code
		}
		stranger, device, ruler := hongyan.Invalid, hongyan.Invalid, hongyan.Invalid // a body that cannot be read
		switch row.Access {
		case wire.User:
			stranger, ruler = hongyan.Unauthenticated, hongyan.Unauthenticated
		case wire.Operator:
			stranger, device = hongyan.Forbidden, hongyan.Forbidden
		}
		plain := hongyan.TLSRequired
		if row.Op == wire.OpHeartbeat {
			plain = hongyan.Invalid
		}
		noise := []byte{0xff}
		for what, tt := range map[string]struct{ got, want hongyan.Code }{
			"a stranger": {ask(anybody, noise), stranger}, "a device": {ask(anna, noise), device},
			"the operator": {ask(operator, noise), ruler}, "over a plain connection": {ask(operation.Caller{User: anna.User, Operator: true}, noise), plain},
		} {
			if tt.got != tt.want {
				t.Errorf("%s by %s: %v, want %v", row.Name, what, tt.got, tt.want)
			}
		}
	}
}
