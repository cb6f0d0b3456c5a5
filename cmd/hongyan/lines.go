package main

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// This file holds the JSON that commands print, one object a line. Ids are strings, because they do not all fit a JSON
// number; ordinals and counts are numbers; times are RFC 3339 in UTC; what is empty may be left out.

// id writes any numeric id, and nothing for none.
func id[T ~uint64](n T) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

// timestamp writes Unix milliseconds, and nothing for none.
func timestamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

type messageLine struct {
	Type         string          `json:"type"` // "message"
	ID           string          `json:"id,omitempty"`
	Conversation string          `json:"conversation"`
	Ordinal      uint64          `json:"ordinal"`
	From         string          `json:"from,omitempty"` // account name
	FromID       string          `json:"from_id,omitempty"`
	ClientID     string          `json:"client_id,omitempty"` // 32 hexadecimal digits
	Time         string          `json:"time,omitempty"`
	Text         string          `json:"text,omitempty"`    // the text, caption or fallback
	Content      json.RawMessage `json:"content,omitempty"` // what is more than text, as in the schema
	State        string          `json:"state,omitempty"`   // "recalled" or "expired": there is no content
}

func newMessageLine(m *hongyan.Message) (messageLine, error) {
	line := messageLine{
		Type: "message", ID: id(m.ID), Conversation: m.Conversation.String(), Ordinal: uint64(m.Ordinal),
		From: m.FromName, FromID: id(m.From), Time: timestamp(m.TimeMS), State: stateNames[m.State], Text: m.Content.Text,
	}
	if m.ClientID != (hongyan.ClientID{}) {
		line.ClientID = hex.EncodeToString(m.ClientID[:])
	}
	if m.State != hongyan.Present || isPlain(&m.Content) {
		return line, nil
	}
	content, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(wire.FromContent(m.Content))
	line.Content = content
	return line, err
}

// isPlain reports whether the text of a content says it all.
func isPlain(c *hongyan.Content) bool {
	return c.Kind == hongyan.KindText && len(c.Mentions) == 0 && !c.MentionAll && c.Quote == nil && c.Forward == nil
}

type recallLine struct {
	Type         string `json:"type"` // "recall"
	Conversation string `json:"conversation"`
	Ordinal      uint64 `json:"ordinal"`
	ID           string `json:"id"`
	ByID         string `json:"by_id"`
}

type removalLine struct {
	Type         string            `json:"type"` // "removal"
	Conversation string            `json:"conversation"`
	Ordinals     []hongyan.Ordinal `json:"ordinals"`
}

type profileLine struct {
	Type        string `json:"type,omitempty"` // "profile" on a line of its own
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"display_name,omitempty"`
	Avatar      string `json:"avatar,omitempty"`
	Bio         string `json:"bio,omitempty"`
}

func newProfileLine(kind string, p *hongyan.Profile) profileLine {
	return profileLine{kind, id(p.User), p.Name, p.DisplayName, p.Avatar, p.Bio}
}

type contactLine struct {
	profileLine        // of the other side, type "contact"
	State       string `json:"state"` // "none", "asked", "asking", "accepted"
	Blocked     bool   `json:"blocked"`
	Remark      string `json:"remark,omitempty"`
	Note        string `json:"note,omitempty"`
	Updated     string `json:"updated,omitempty"`
}

func newContactLine(c *hongyan.Contact) contactLine {
	return contactLine{newProfileLine("contact", &c.Profile), contactNames[c.State], c.Blocked, c.Remark, c.Note,
		timestamp(c.UpdatedMS)}
}

type memberLine struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Role       string `json:"role"`
	MutedUntil string `json:"muted_until,omitempty"`
}

type groupLine struct {
	Type         string        `json:"type"` // "group"
	ID           string        `json:"id"`
	Conversation string        `json:"conversation"`
	Title        string        `json:"title"`
	Announcement string        `json:"announcement,omitempty"`
	OwnerID      string        `json:"owner_id,omitempty"`
	MemberCount  int           `json:"member_count"`
	Role         string        `json:"role"` // one's own, "none" if not a member
	Policy       string        `json:"policy,omitempty"`
	Link         string        `json:"link,omitempty"`
	MutedAll     bool          `json:"muted_all"`
	Dissolved    bool          `json:"dissolved"`
	Created      string        `json:"created,omitempty"`
	Members      []memberLine  `json:"members,omitempty"`
	Asking       []profileLine `json:"asking,omitempty"`
}

func newGroupLine(g *hongyan.Group) groupLine {
	line := groupLine{
		Type: "group", ID: id(g.ID), Conversation: hongyan.GroupConversation(g.ID).String(), Title: g.Title,
		Announcement: g.Announcement, OwnerID: id(g.Owner), MemberCount: g.MemberCount, Role: roleNames[g.Role],
		Policy: policyNames[g.Policy], Link: g.Link, MutedAll: g.MutedAll, Dissolved: g.Dissolved,
		Created: timestamp(g.CreatedMS),
	}
	for _, m := range g.Members {
		line.Members = append(line.Members, memberLine{id(m.User), m.Name, roleNames[m.Role], timestamp(m.MutedUntilMS)})
	}
	for _, p := range g.Asking {
		line.Asking = append(line.Asking, newProfileLine("", &p))
	}
	return line
}

type conversationLine struct {
	Type      string `json:"type"` // "conversation"
	ID        string `json:"id"`
	Title     string `json:"title,omitempty"`
	Last      uint64 `json:"last"`
	Read      uint64 `json:"read"`
	Unread    int    `json:"unread"` // 1000 stands for 1000 or more
	Delivered uint64 `json:"delivered,omitempty"`
	PeerRead  uint64 `json:"peer_read,omitempty"`
	Pinned    bool   `json:"pinned,omitempty"`
	Muted     bool   `json:"muted,omitempty"`
	Hidden    bool   `json:"hidden,omitempty"`
	Left      uint64 `json:"left,omitempty"`
}

func newConversationLine(c *hongyan.Conversation) conversationLine {
	return conversationLine{"conversation", c.ID.String(), c.Title, uint64(c.Last), uint64(c.Read), c.Unread,
		uint64(c.Delivered), uint64(c.PeerRead), c.Pinned, c.Muted, c.Hidden, uint64(c.Left)}
}

type receiptLine struct {
	Type         string `json:"type"` // "receipt"
	Conversation string `json:"conversation"`
	ReaderID     string `json:"reader_id"`
	Delivered    uint64 `json:"delivered"`
	Read         uint64 `json:"read"`
}

type deviceLine struct {
	Type     string `json:"type,omitempty"` // "device" on a line of its own
	ID       string `json:"id"`
	Name     string `json:"name"`
	Class    string `json:"class"`
	Created  string `json:"created,omitempty"`
	LastSeen string `json:"last_seen,omitempty"`
	Current  bool   `json:"current,omitempty"` // this device
}

func newDeviceLine(kind string, d *hongyan.Device, current bool) deviceLine {
	return deviceLine{kind, id(d.ID), d.Name, classNames[d.Class],
		timestamp(d.CreatedMS), timestamp(d.LastSeenMS), current}
}

type devicesLine struct {
	Type    string       `json:"type"` // "devices"
	Devices []deviceLine `json:"devices"`
}

type settingLine struct {
	Type  string `json:"type"` // "setting"
	Name  string `json:"name"`
	Value []byte `json:"value"` // base64; empty when it was removed
}

// changeLine is the JSON form of a change.
func changeLine(c *hongyan.Change) (any, error) {
	switch {
	case c.Message != nil:
		return newMessageLine(c.Message)
	case c.Recall != nil:
		r := c.Recall
		return recallLine{"recall", r.Conversation.String(), uint64(r.Ordinal), id(r.ID), id(r.By)}, nil
	case c.Removal != nil:
		return removalLine{"removal", c.Removal.Conversation.String(), c.Removal.Ordinals}, nil
	case c.Contact != nil:
		return newContactLine(c.Contact), nil
	case c.Group != nil:
		return newGroupLine(c.Group), nil
	case c.Conversation != nil:
		return newConversationLine(c.Conversation), nil
	case c.Receipt != nil:
		r := c.Receipt
		return receiptLine{"receipt", r.Conversation.String(), id(r.Reader), uint64(r.Delivered), uint64(r.Read)}, nil
	case c.Profile != nil:
		return newProfileLine("profile", c.Profile), nil
	case c.Devices != nil:
		line := devicesLine{Type: "devices", Devices: []deviceLine{}}
		for _, d := range c.Devices.List {
			line.Devices = append(line.Devices, newDeviceLine("", &d, false))
		}
		return line, nil
	case c.Setting != nil:
		return settingLine{"setting", c.Setting.Name, c.Setting.Value}, nil
	}
	return nil, hongyan.Errorf(hongyan.Internal, "change %d is of a kind that this version does not know", c.Version)
}

// accountLine is the JSON form of an Account, as the operator sees it.
type accountLine struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"display_name,omitempty"`
	Created     string `json:"created"`
	Disabled    bool   `json:"disabled"`
	Devices     uint32 `json:"devices"`
}

func newAccountLine(a *wire.Account) accountLine {
	return accountLine{id(a.User), a.Name, a.DisplayName, timestamp(a.CreatedMs), a.Disabled, a.Devices}
}
