package webwx

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// Limits of what is asked for at once.
const (
	maxBatch       = 256  // names in a webwxbatchgetcontact: wechat4u asks for all groups at once
	contactsPage   = 500  // contacts that are read at a time
	maxContactList = 2000 // contacts in an answer to webwxgetcontact: many clients ask once only
	conversations  = 200  // the latest conversations, in which groups and strangers are found
	profilesPage   = 100  // profiles that are read at a time
)

// contactList is the answer to webwxgetcontact.
type contactList struct {
	BaseResponse baseResponse
	MemberCount  int
	MemberList   []contact
	Seq          int64 // not 0: there is more, to be asked for with it
}

// getContact lists the contacts, and in its first answer also the groups and strangers that one talks to.
func (x *exchange) getContact() error {
	after, _ := strconv.ParseUint(x.param("seq"), 10, 64)
	a := contactList{MemberList: []contact{}}
	views, err := x.views()
	if err != nil {
		return err
	}
	for len(a.MemberList) < maxContactList {
		r, err := ask(x, wire.OpContacts, &wire.ContactsRequest{After: after, Limit: contactsPage}, &wire.ContactsReply{})
		if err != nil {
			return err
		}
		for _, b := range r.Contacts {
			after = b.GetProfile().GetUser()
			k, err := wire.ToContact(b)
			if err != nil {
				return err
			}
			if k.State == hongyan.ContactAccepted || k.Blocked {
				flags := contactFlags(&k) | views.flags(hongyan.Direct(x.caller.User, k.Profile.User))
				a.MemberList = append(a.MemberList, x.contactOf(k.Profile, k.Remark, flags))
			}
		}
		if !r.More || len(r.Contacts) == 0 {
			after = 0
			break
		}
	}
	a.Seq = int64(after)
	if seq := x.param("seq"); seq == "" || seq == "0" {
		a.MemberList = append(x.talks(views, a.MemberList), a.MemberList...)
	}
	a.MemberCount = len(a.MemberList)
	return x.reply(a)
}

// views are the account's latest conversations.
type views []hongyan.Conversation

func (x *exchange) views() (views, error) {
	r, err := ask(x, wire.OpConversations, &wire.ConversationsRequest{Limit: conversations}, &wire.ConversationsReply{})
	if err != nil {
		return nil, err
	}
	list := make(views, 0, len(r.Conversations))
	for _, b := range r.Conversations {
		c, err := wire.ToConversation(b)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// flags are the bits of ContactFlag that a conversation is responsible for.
func (v views) flags(id hongyan.ConversationID) int {
	i := slices.IndexFunc(v, func(c hongyan.Conversation) bool { return c.ID == id })
	if i < 0 {
		return 0
	}
	return viewFlags(&v[i])
}

func viewFlags(c *hongyan.Conversation) int {
	flags := 0
	if c.Pinned {
		flags |= flagPinned
	}
	if c.Muted {
		flags |= flagMuted
	}
	return flags
}

// talks returns those whom one talks to and who are not among the contacts.
func (x *exchange) talks(v views, contacts []contact) []contact {
	known := map[string]bool{}
	for _, k := range contacts {
		known[k.UserName] = true
	}
	list := []contact{x.fileHelper()}
	for i := range v {
		if k, ok := x.conversationContact(&v[i]); ok && !known[k.UserName] {
			list = append(list, k)
		}
	}
	return list
}

// conversationContact is the other side of a conversation, without members if that is a group. False: it is over, or one's
// own notes.
func (x *exchange) conversationContact(c *hongyan.Conversation) (contact, bool) {
	x.server.remember(x.caller.User, c.ID)
	if g, ok := c.ID.Group(); ok {
		k := x.groupContact(g, c.Title, "")
		k.ContactFlag = flagContact | flagChat | viewFlags(c)
		return k, c.Left == 0
	}
	if c.Peer == nil || c.Peer.User == x.caller.User {
		return contact{}, false
	}
	remark := ""
	if c.Title != nickName(*c.Peer) {
		remark = c.Title
	}
	return x.contactOf(*c.Peer, remark, flagContact|flagChat|viewFlags(c)), true
}

// contactFlags are the bits of ContactFlag that a contact itself is responsible for.
func contactFlags(k *hongyan.Contact) int {
	flags := flagChat
	if k.State == hongyan.ContactAccepted {
		flags |= flagContact
	}
	if k.Blocked {
		flags |= flagBlocked
	}
	return flags
}

// nickName is what an account calls itself.
func nickName(p hongyan.Profile) string {
	if p.DisplayName != "" {
		return p.DisplayName
	}
	return p.Name
}

// contactOf is an account as a contact.
func (x *exchange) contactOf(p hongyan.Profile, remark string, flags int) contact {
	name := userName(p.User)
	return contact{
		UserName: name, NickName: escape(nickName(p)), HeadImgUrl: x.pictureURL("webwxgeticon", name, p.Avatar), ContactFlag: flags,
		MemberList: []member{}, RemarkName: escape(remark), Signature: escape(p.Bio), Alias: p.Name,
	}
}

// fileHelper is the contact that stands for one's own notes.
func (x *exchange) fileHelper() contact {
	return contact{
		UserName: fileHelper, NickName: "文件传输助手", HeadImgUrl: x.pictureURL("webwxgeticon", fileHelper, ""),
		ContactFlag: flagContact | flagChat, MemberList: []member{}, PYInitial: "WJCSZS", PYQuanPin: "wenjianchuanshuzhushou",
	}
}

// groupContact is a group as a contact, without members.
func (x *exchange) groupContact(g hongyan.GroupID, title, avatar string) contact {
	name := groupName(g)
	return contact{
		UserName: name, NickName: escape(title), HeadImgUrl: x.pictureURL("webwxgetheadimg", name, avatar),
		ContactFlag: flagContact | flagChat, MemberList: []member{}, EncryChatRoomId: name, Statues: 1,
	}
}

// pictureURL is the address of an avatar. Clients put their host before it and more parameters behind it.
func (x *exchange) pictureURL(endpoint, name, avatar string) string {
	seq := uint32(1)
	for i := range len(avatar) { // another picture has another number
		seq = seq*31 + uint32(avatar[i])
	}
	return fmt.Sprintf("%s%s?seq=%d&username=%s&skey=%s", root, endpoint, seq&ordinalMask, url.QueryEscape(name),
		url.QueryEscape(x.server.seal.skey(x.sid)))
}

// profiles looks accounts up. Unknown ones are left out.
func (x *exchange) profiles(users ...hongyan.UserID) (map[hongyan.UserID]hongyan.Profile, error) {
	found := map[hongyan.UserID]hongyan.Profile{}
	for part := range slices.Chunk(users, profilesPage) {
		r, err := ask(x, wire.OpProfiles, &wire.ProfilesRequest{Users: wire.FromIDs(part)}, &wire.ProfilesReply{})
		if err != nil {
			return nil, err
		}
		for _, b := range r.Profiles {
			p, err := wire.ToProfile(b)
			if err != nil {
				return nil, err
			}
			found[p.User] = p
		}
	}
	return found, nil
}

// group reads a group with its members. False: the caller is no member of it.
func (x *exchange) group(id hongyan.GroupID) (contact, bool, error) {
	r, err := ask(x, wire.OpGetGroup, &wire.GetGroupRequest{Group: uint64(id)}, &wire.GetGroupReply{})
	switch hongyan.CodeOf(err) {
	case hongyan.NotFound, hongyan.NotMember, hongyan.Dissolved, hongyan.Forbidden:
		return contact{}, false, nil
	}
	if err != nil {
		return contact{}, false, err
	}
	g, err := wire.ToGroup(r.Group)
	if err != nil || g.Role == 0 || g.Dissolved {
		return contact{}, false, err
	}
	members, err := x.members(&g)
	if err != nil {
		return contact{}, false, err
	}
	x.server.remember(x.caller.User, hongyan.GroupConversation(id))
	k := x.groupContact(g.ID, g.Title, g.Avatar)
	k.MemberList, k.MemberCount, k.OwnerUin = members, len(members), uin(g.Owner)
	k.ChatRoomOwner = userName(g.Owner)
	if g.Owner == x.caller.User {
		k.IsOwner = 1
	}
	return k, true, nil
}

func (x *exchange) members(g *hongyan.Group) ([]member, error) {
	users := make([]hongyan.UserID, len(g.Members))
	for i, m := range g.Members {
		users[i] = m.User
	}
	known, err := x.profiles(users...)
	if err != nil {
		return nil, err
	}
	list := make([]member, len(g.Members))
	for i, m := range g.Members {
		p, ok := known[m.User]
		if !ok {
			p = hongyan.Profile{User: m.User, Name: m.Name}
		}
		list[i] = member{Uin: uin(m.User), UserName: userName(m.User), NickName: escape(nickName(p))}
	}
	return list, nil
}

// batchGetContact reads contacts by name: one answer for each, in the order of the request, which openwechat relies on.
func (x *exchange) batchGetContact() error {
	names := x.body.List
	if len(names) > maxBatch {
		return hongyan.Errorf(hongyan.TooLarge, "%d names, the limit is %d", len(names), maxBatch)
	}
	var users []hongyan.UserID
	for _, n := range names {
		if u := parseUser(n.UserName); u != 0 {
			users = append(users, u)
		}
	}
	known, err := x.profiles(users...)
	if err != nil {
		return err
	}
	remarks, err := x.remarks(users)
	if err != nil {
		return err
	}
	list := make([]contact, len(names))
	for i, n := range names {
		list[i] = contact{UserName: n.UserName, MemberList: []member{}}
		switch u, g := parseUser(n.UserName), parseGroup(n.UserName); {
		case n.UserName == fileHelper:
			list[i] = x.fileHelper()
		case g != 0:
			k, ok, err := x.group(g)
			if err != nil {
				return err
			}
			if ok {
				list[i] = k
			}
		case known[u].User != 0:
			list[i] = x.contactOf(known[u], remarks[u], flagContact|flagChat)
		}
	}
	return x.reply(struct {
		BaseResponse baseResponse
		Count        int
		ContactList  []contact
	}{Count: len(list), ContactList: list})
}

// remarks are the caller's own names for others, as far as there are some.
func (x *exchange) remarks(users []hongyan.UserID) (map[hongyan.UserID]string, error) {
	found := map[hongyan.UserID]string{}
	if len(users) == 0 {
		return found, nil
	}
	ids := make([]string, len(users))
	for i, u := range users {
		ids[i] = hongyan.Direct(x.caller.User, u).String()
	}
	r, err := ask(x, wire.OpConversations, &wire.ConversationsRequest{Ids: ids}, &wire.ConversationsReply{})
	if err != nil {
		return nil, err
	}
	for _, b := range r.Conversations {
		c, err := wire.ToConversation(b)
		if err != nil {
			return nil, err
		}
		if c.Peer != nil && c.Title != nickName(*c.Peer) {
			found[c.Peer.User] = c.Title
		}
	}
	return found, nil
}

// asks is the message of somebody who asks to become a contact.
func (x *exchange) asks(k *hongyan.Contact) message {
	p := k.Profile
	// One account asks once at a time: its number and the time tell requests apart.
	id := messageIDOf(hongyan.Direct(x.caller.User, p.User), hongyan.Ordinal(k.UpdatedMS/1000)).caption()
	out := message{
		MsgId: id.String(), NewMsgId: int64(id), FromUserName: friendAsks, ToUserName: userName(x.caller.User), MsgType: typeAsk,
		Status: 3, ImgStatus: 1, CreateTime: k.UpdatedMS / 1000, Ticket: userName(p.User),
		RecommendInfo: recommendation{
			UserName: userName(p.User), NickName: escape(nickName(p)), Content: k.Note, Signature: p.Bio, Alias: p.Name, Scene: 30,
			Ticket: userName(p.User), OpCode: 2,
		},
	}
	out.Content = escape(fmt.Sprintf(`<msg fromusername="%s" encryptusername="%s" fromnickname="%s" content="%s" scene="30" ticket="%s" />`,
		userName(p.User), userName(p.User), xmlText(nickName(p)), xmlText(k.Note), userName(p.User)))
	return out
}
