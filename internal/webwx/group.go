package webwx

import (
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// createChatroom makes a group of the caller and those it names. A repeated request, which has the same r in its address,
// gets the same group.
func (x *exchange) createChatroom() error {
	users, err := x.users(names(x.body.MemberList))
	if err != nil {
		return err
	}
	parts := []string{"group", x.body.Topic}
	for _, m := range x.body.MemberList {
		parts = append(parts, m.UserName)
	}
	title := x.body.Topic
	if title == "" { // which clients may leave to the server
		if title, err = x.groupTitle(users); err != nil {
			return err
		}
	}
	id := x.clientID(x.param("r"), "", parts...)
	r, err := ask(x, wire.OpCreateGroup, &wire.CreateGroupRequest{
		Title: title, Users: wire.FromIDs(users), ClientId: id[:],
	}, &wire.CreateGroupReply{})
	if err != nil {
		return err
	}
	g, err := wire.ToGroup(r.Group)
	if err != nil {
		return err
	}
	members, err := x.members(&g)
	if err != nil {
		return err
	}
	return x.reply(struct {
		BaseResponse baseResponse
		Topic        string
		PYInitial    string
		QuanPin      string
		MemberCount  int
		MemberList   []member
		ChatRoomName string
		BlackList    string
	}{Topic: g.Title, MemberCount: len(members), MemberList: members, ChatRoomName: groupName(g.ID)})
}

// maxTitle is how many characters the title of a group has that nobody has named.
const maxTitle = 32

// groupTitle is the title of a group that nobody has named: who is in it.
func (x *exchange) groupTitle(users []hongyan.UserID) (string, error) {
	known, err := x.profiles(append([]hongyan.UserID{x.caller.User}, users...)...)
	if err != nil {
		return "", err
	}
	list := []string{nickName(known[x.caller.User])}
	for _, u := range users {
		list = append(list, nickName(known[u]))
	}
	title := []rune(strings.Join(list, "、"))
	return string(title[:min(len(title), maxTitle)]), nil
}

func names(list []listed) []string {
	all := make([]string, len(list))
	for i, l := range list {
		all[i] = l.UserName
	}
	return all
}

// users reads names of accounts, but for the caller's own.
func (x *exchange) users(names []string) ([]hongyan.UserID, error) {
	if len(names) > maxBatch {
		return nil, hongyan.Errorf(hongyan.TooLarge, "%d names, the limit is %d", len(names), maxBatch)
	}
	var users []hongyan.UserID
	for _, name := range names {
		switch u := parseUser(name); {
		case u == 0:
			return nil, hongyan.Errorf(hongyan.NotFound, "there is nobody called %.80q", name)
		case u != x.caller.User && !slices.Contains(users, u):
			users = append(users, u)
		}
	}
	return users, nil
}

// updateChatroom changes a group. What is to be done stands in the body: openwechat leaves fun out of the address.
func (x *exchange) updateChatroom() error {
	g := parseGroup(x.body.ChatRoomName)
	if g == 0 {
		return hongyan.Errorf(hongyan.NotFound, "there is no group called %.80q", x.body.ChatRoomName)
	}
	b := &x.body
	var err error
	switch added := b.AddMemberList + b.InviteMemberList; {
	case added != "":
		var users []hongyan.UserID
		if users, err = x.users(strings.Split(added, ",")); err == nil {
			_, err = x.do(wire.OpInvite, &wire.InviteRequest{Group: uint64(g), Users: wire.FromIDs(users)})
		}
	case b.DelMemberList != "":
		var users []hongyan.UserID
		if users, err = x.users(strings.Split(b.DelMemberList, ",")); err == nil {
			_, err = x.do(wire.OpRemoveMember, &wire.RemoveMemberRequest{Group: uint64(g), Users: wire.FromIDs(users)})
		}
	case b.NewTopic != nil:
		_, err = x.do(wire.OpSetGroup, &wire.SetGroupRequest{Group: uint64(g), Title: b.NewTopic})
	case x.param("fun") == "quitchatroom":
		_, err = x.do(wire.OpLeave, &wire.LeaveRequest{Group: uint64(g)})
	default:
		err = hongyan.Errorf(hongyan.Invalid, "the request does not say what to change")
	}
	if err != nil {
		return err
	}
	k, _, err := x.group(g)
	if err != nil {
		return err
	}
	if k.MemberList == nil { // gone
		k.MemberList = []member{}
	}
	return x.reply(struct {
		BaseResponse baseResponse
		MemberCount  int
		MemberList   []member
	}{MemberCount: len(k.MemberList), MemberList: k.MemberList})
}

// opLog sets a remark, or pins a conversation.
func (x *exchange) opLog() error {
	const remark, pin = 2, 3
	b := &x.body
	c := parseConversation(b.UserName, x.caller.User)
	if c.IsZero() {
		return hongyan.Errorf(hongyan.NotFound, "there is nobody called %.80q", b.UserName)
	}
	var err error
	switch b.CmdId {
	case remark:
		u := parseUser(b.UserName)
		if u == 0 {
			return hongyan.Errorf(hongyan.Invalid, "only a contact can have a remark")
		}
		_, err = x.do(wire.OpSetContact, &wire.SetContactRequest{User: uint64(u), Remark: &b.RemarkName})
	case pin: // the remark beside it is the present one, or missing
		pinned := b.OP == 1
		_, err = x.do(wire.OpSetConversation, &wire.SetConversationRequest{Conversation: c.String(), Pinned: &pinned})
	default:
		err = hongyan.Errorf(hongyan.Invalid, "there is no command %d", b.CmdId)
	}
	if err != nil {
		return err
	}
	return x.reply(done{})
}

// verifyUser asks somebody to become a contact, or answers who has asked. Names stand for the tickets of the original,
// which itchat leaves out.
func (x *exchange) verifyUser() error {
	const add, request, accept, reject = 1, 2, 3, 4
	if len(x.body.VerifyUserList) != 1 {
		return hongyan.Errorf(hongyan.Invalid, "a request is about one account")
	}
	u := parseUser(x.body.VerifyUserList[0].Value)
	if u == 0 {
		return hongyan.Errorf(hongyan.NotFound, "there is nobody called %.80q", x.body.VerifyUserList[0].Value)
	}
	var err error
	switch x.body.Opcode {
	case add, request:
		_, err = x.do(wire.OpAskContact, &wire.AskContactRequest{Target: &wire.AskUser{User: uint64(u)}, Note: x.body.VerifyContent})
	case accept, reject:
		_, err = x.do(wire.OpAnswerContact, &wire.AnswerContactRequest{User: uint64(u), Accept: x.body.Opcode == accept})
	default:
		err = hongyan.Errorf(hongyan.Invalid, "there is no operation %d", x.body.Opcode)
	}
	if err != nil {
		return err
	}
	return x.reply(done{})
}
