package webwx

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// page gathers what a webwxsync brings.
type page struct {
	x      *exchange
	answer syncAnswer
	names  map[hongyan.UserID]string // nicknames that were looked up
}

func newPage(x *exchange) *page {
	return &page{x: x, names: map[hongyan.UserID]string{}, answer: syncAnswer{
		AddMsgList: []message{}, ModContactList: []contact{}, DelContactList: []deleted{}, ModChatRoomMemberList: []struct{}{},
	}}
}

// add puts one change of the log into the page. What clients cannot be told is left out.
func (p *page) add(b *wire.Change) error {
	c, err := wire.ToChange(b)
	if err != nil {
		return err
	}
	switch {
	case c.Message != nil:
		return p.message(c.Message)
	case c.Recall != nil:
		return p.recall(c.Recall)
	case c.Contact != nil:
		p.contact(c.Contact)
	case c.Group != nil:
		return p.group(c.Group)
	}
	return nil
}

// message adds a message, unless the client has sent it itself. One that was recalled or has expired says nothing.
func (p *page) message(m *hongyan.Message) error {
	if m.State != hongyan.Present || p.x.ownEcho(m) {
		return nil
	}
	p.x.server.remember(p.x.caller.User, m.Conversation)
	id := messageIDOf(m.Conversation, m.Ordinal)
	out := p.envelope(m.Conversation, m.From, id)
	out.CreateTime = m.TimeMS / 1000
	if m.Content.Kind == hongyan.KindNotice {
		text, err := p.notice(m)
		if err != nil || text == "" {
			return err
		}
		out.MsgType, out.Content = typeSystem, escape(text)
		out.FromUserName, out.ToUserName = conversationName(m.Conversation, p.x.caller.User), userName(p.x.caller.User)
		p.answer.AddMsgList = append(p.answer.AddMsgList, out)
		return nil
	}
	prefix := p.prefix(m.Conversation, m.From)
	render(&out, &m.Content)
	out.Content = prefix + escape(out.Content)
	p.answer.AddMsgList = append(p.answer.AddMsgList, out)
	if caption := m.Content.Text; caption != "" && m.Content.Media != nil {
		text := p.envelope(m.Conversation, m.From, id.caption())
		text.CreateTime, text.MsgType, text.Content = out.CreateTime, typeText, prefix+escape(caption)
		p.answer.AddMsgList = append(p.answer.AddMsgList, text)
	}
	return nil
}

// envelope is a message of which it is known from where and to where it goes.
func (p *page) envelope(c hongyan.ConversationID, from hongyan.UserID, id messageID) message {
	me := p.x.caller.User
	out := message{MsgId: id.String(), NewMsgId: int64(id), Status: 3, ImgStatus: 1, CreateTime: p.x.now.Unix()}
	out.FromUserName, out.ToUserName = conversationName(c, me), userName(me)
	if from == me {
		out.FromUserName, out.ToUserName = userName(me), conversationName(c, me)
	}
	return out
}

// prefix says who has written in a group. One's own messages have none.
func (p *page) prefix(c hongyan.ConversationID, from hongyan.UserID) string {
	if _, group := c.Group(); !group || from == p.x.caller.User {
		return ""
	}
	return userName(from) + ":<br/>"
}

// escape writes text as clients expect contents: three characters and the line break, but not quotes.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r\n", "<br/>", "\n", "<br/>").Replace

// render writes a content in the terms of the protocol. Its Content is escaped later.
func render(out *message, c *hongyan.Content) {
	out.MsgType, out.Content = typeText, c.Text
	m := c.Media
	switch c.Kind {
	case hongyan.KindImage:
		out.MsgType, out.ImgStatus = typePicture, 2
		out.ImgWidth, out.ImgHeight = int(m.Width), int(m.Height)
		out.Content = fmt.Sprintf(`<?xml version="1.0"?><msg><img length="%d" hdlength="0" md5="" hyref="%s" /></msg>`, m.Size, m.Ref)
	case hongyan.KindVoice:
		out.MsgType, out.VoiceLength = typeVoice, int64(m.DurationMS)
		out.Content = fmt.Sprintf(`<msg><voicemsg voicelength="%d" length="%d" voiceformat="4" /></msg>`, m.DurationMS, m.Size)
	case hongyan.KindVideo:
		out.MsgType, out.PlayLength = typeVideo, int64(m.DurationMS/1000)
		out.ImgWidth, out.ImgHeight = int(m.Width), int(m.Height)
		out.Content = fmt.Sprintf(`<msg><videomsg length="%d" playlength="%d" hyref="%s" /></msg>`, m.Size,
			m.DurationMS/1000, m.Ref)
	case hongyan.KindFile:
		out.MsgType, out.AppMsgType = typeApp, appFile
		out.FileName, out.FileSize = m.Name, strconv.FormatUint(m.Size, 10)
		out.MediaId = mediaID(m.Ref)
		out.EncryFileName = m.Name
		ext := ""
		if dot := strings.LastIndexByte(m.Name, '.'); dot >= 0 {
			ext = m.Name[dot+1:]
		}
		out.Content = fmt.Sprintf(`<msg><appmsg appid="wxeb7ec651dd0aefa9" sdkver=""><title>%s</title><des></des><action></action>`+
			`<type>6</type><content></content><url></url><lowurl></lowurl><appattach><totallen>%d</totallen><attachid>%s</attachid>`+
			`<fileext>%s</fileext></appattach><extinfo></extinfo></appmsg></msg>`, xmlText(m.Name), m.Size, out.MediaId, xmlText(ext))
	case hongyan.KindLocation:
		l := c.Location
		out.SubMsgType = typePlace
		out.Url = fmt.Sprintf("https://www.openstreetmap.org/?mlat=%f&mlon=%f", l.Latitude, l.Longitude)
		label := strings.TrimSpace(l.Name + " " + l.Address)
		out.Content = label + ":\n" + out.Url
		out.OriContent = fmt.Sprintf(`<?xml version="1.0"?><msg><location x="%f" y="%f" scale="16" label="%s" maptype="roadmap" poiname="%s" /></msg>`,
			l.Latitude, l.Longitude, xmlText(l.Address), xmlText(l.Name))
	case hongyan.KindCustom:
		if c.Text == "" {
			out.Content = "[" + c.Custom.Type + "]"
		}
	}
}

// xmlText escapes text for XML.
func xmlText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // to a Builder nothing fails
	return b.String()
}

// recall adds the word that a message was taken back.
func (p *page) recall(r *hongyan.Recall) error {
	p.x.server.remember(p.x.caller.User, r.Conversation)
	if r.By == p.x.caller.User {
		m, err := p.x.message(r.Conversation, r.Ordinal)
		if err != nil || m != nil && p.x.ownEcho(m) {
			return err
		}
	}
	who := "你"
	if r.By != p.x.caller.User {
		nick, err := p.nick(r.By)
		if err != nil {
			return err
		}
		who = `"` + nick + `" `
	}
	of := messageIDOf(r.Conversation, r.Ordinal)
	out := p.envelope(r.Conversation, r.By, of)
	out.MsgType = typeRecalled
	out.Content = p.prefix(r.Conversation, r.By) + escape(fmt.Sprintf(`<sysmsg type="revokemsg"><revokemsg><session>%s</session>`+
		`<oldmsgid>%d</oldmsgid><msgid>%d</msgid><newmsgid>%d</newmsgid><replacemsg><![CDATA[%s撤回了一条消息]]></replacemsg></revokemsg></sysmsg>`,
		conversationName(r.Conversation, p.x.caller.User), of, of, of, strings.ReplaceAll(who, "]]>", "")))
	p.answer.AddMsgList = append(p.answer.AddMsgList, out)
	return nil
}

// contact adds a contact that has changed. Somebody who asks to become one is told as a message.
func (p *page) contact(k *hongyan.Contact) {
	switch {
	case k.State == hongyan.ContactAsking && !k.Blocked:
		p.answer.AddMsgList = append(p.answer.AddMsgList, p.x.asks(k))
	case k.State == hongyan.ContactAccepted || k.Blocked:
		p.answer.ModContactList = append(p.answer.ModContactList, p.x.contactOf(k.Profile, k.Remark, contactFlags(k)))
	case k.State == hongyan.ContactNone:
		p.answer.DelContactList = append(p.answer.DelContactList, deleted{UserName: userName(k.Profile.User)})
	}
}

// group adds a group that has changed, with its members.
func (p *page) group(g *hongyan.Group) error {
	if g.Role == 0 || g.Dissolved {
		p.answer.DelContactList = append(p.answer.DelContactList, deleted{UserName: groupName(g.ID)})
		return nil
	}
	k, ok, err := p.x.group(g.ID)
	if ok {
		p.answer.ModContactList = append(p.answer.ModContactList, k)
	}
	return err
}

// nick is the nickname of an account.
func (p *page) nick(u hongyan.UserID) (string, error) {
	if name, ok := p.names[u]; ok {
		return name, nil
	}
	found, err := p.x.profiles(u)
	if err != nil {
		return "", err
	}
	p.names[u] = nickName(found[u])
	return p.names[u], nil
}

// notice says in the words that clients recognise what has happened in a group; empty: they have no words for it.
func (p *page) notice(m *hongyan.Message) (string, error) {
	n, me := m.Content.Notice, p.x.caller.User
	var others []string
	mine := false
	for _, u := range n.Users {
		if u == me {
			mine = true
			continue
		}
		name, err := p.nick(u)
		if err != nil {
			return "", err
		}
		others = append(others, name)
	}
	by, err := p.nick(m.From)
	if err != nil {
		return "", err
	}
	return noticeText(n, by, m.From == me, mine, strings.Join(others, "、")), nil
}

// noticeText is the sentence of a notice: by has done it, own that is the reader; mine says that it has happened to the
// reader too, others to whom else.
func noticeText(n *hongyan.Notice, by string, own, mine bool, others string) string {
	switch n.Event {
	case hongyan.NoticeCreated, hongyan.NoticeJoined:
		switch {
		case own && others != "":
			return fmt.Sprintf(`你邀请"%s"加入了群聊  `, others)
		case own:
			return "你加入了群聊"
		case mine && others != "":
			return fmt.Sprintf(`"%s"邀请你加入了群聊，群聊参与人还有：%s`, by, others)
		case mine:
			return fmt.Sprintf(`"%s"邀请你加入了群聊`, by)
		case others == by || others == "":
			return fmt.Sprintf(`"%s"加入了群聊`, by)
		}
		return fmt.Sprintf(`"%s"邀请"%s"加入了群聊`, by, others)
	case hongyan.NoticeRemoved:
		switch {
		case own:
			return fmt.Sprintf(`你将"%s"移出了群聊`, others)
		case mine:
			return fmt.Sprintf(`你被"%s"移出群聊`, by)
		}
		return fmt.Sprintf(`"%s"将"%s"移出了群聊`, by, others)
	case hongyan.NoticeLeft:
		return fmt.Sprintf(`"%s"退出了群聊`, by)
	case hongyan.NoticeTitle:
		if own {
			return fmt.Sprintf("你修改群名为“%s”", n.Text)
		}
		return fmt.Sprintf(`"%s"修改群名为“%s”`, by, n.Text)
	case hongyan.NoticeAnnouncement:
		return fmt.Sprintf(`"%s"修改了群公告：%s`, by, n.Text)
	case hongyan.NoticeDissolved:
		return fmt.Sprintf(`"%s"解散了群聊`, by)
	}
	return ""
}
