package store

import (
	"github.com/hongyan-im/hongyan"
)

// The records. Field numbers are for ever; a field that is no longer used leaves its number unused.

// Account is an account as the server keeps it.
type Account struct {
	Name        string    `cbor:"1,keyasint"`
	DisplayName string    `cbor:"2,keyasint,omitempty"`
	Avatar      string    `cbor:"3,keyasint,omitempty"`
	Bio         string    `cbor:"4,keyasint,omitempty"`
	Password    string    `cbor:"5,keyasint,omitempty"` // PHC string; empty: no login by password
	CreatedMS   int64     `cbor:"6,keyasint"`
	Disabled    bool      `cbor:"7,keyasint,omitempty"`
	Retention   Retention `cbor:"8,keyasint,omitempty"`
	Contacts    int       `cbor:"9,keyasint,omitempty"`  // how many contact records there are, for the limit
	Groups      int       `cbor:"10,keyasint,omitempty"` // how many groups it is in, for the limit
	Settings    int       `cbor:"11,keyasint,omitempty"` // how many settings there are, for the limit
}

// Retention says what an account's log keeps; zero is without limit. An account without any follows the server's.
type Retention struct {
	Days     uint32 `cbor:"1,keyasint,omitempty"`
	Messages uint32 `cbor:"2,keyasint,omitempty"`
}

// Profile is what others see of a.
func (a *Account) Profile(u hongyan.UserID) hongyan.Profile {
	return hongyan.Profile{User: u, Name: a.Name, DisplayName: a.DisplayName, Avatar: a.Avatar, Bio: a.Bio}
}

// Device is one device of an account.
type Device struct {
	ID        hongyan.DeviceID    `cbor:"1,keyasint"`
	Name      string              `cbor:"2,keyasint,omitempty"`
	Class     hongyan.DeviceClass `cbor:"3,keyasint,omitempty"`
	CreatedMS int64               `cbor:"4,keyasint"`
	SeenMS    int64               `cbor:"5,keyasint,omitempty"`
	Token     []byte              `cbor:"6,keyasint"`           // SHA-256 of the device token
	Epoch     uint32              `cbor:"7,keyasint"`           // tickets of earlier epochs are void
	Network   string              `cbor:"8,keyasint,omitempty"` // from where it logged in last
}

// Devices are an account's devices, oldest first.
type Devices struct {
	List []Device `cbor:"1,keyasint"`
}

// Find returns the device of an id, or nil.
func (d *Devices) Find(id hongyan.DeviceID) *Device {
	if d == nil {
		return nil
	}
	for i := range d.List {
		if d.List[i].ID == id {
			return &d.List[i]
		}
	}
	return nil
}

// Contact is one account's record of another.
type Contact struct {
	State     hongyan.ContactState `cbor:"1,keyasint,omitempty"`
	Blocked   bool                 `cbor:"2,keyasint,omitempty"`
	Remark    string               `cbor:"3,keyasint,omitempty"`
	Note      string               `cbor:"4,keyasint,omitempty"`
	UpdatedMS int64                `cbor:"5,keyasint,omitempty"`
}

// Group is a group with its members, in the order they came.
type Group struct {
	Title        string             `cbor:"1,keyasint,omitempty"`
	Announcement string             `cbor:"2,keyasint,omitempty"`
	Avatar       string             `cbor:"3,keyasint,omitempty"`
	Owner        hongyan.UserID     `cbor:"4,keyasint"`
	Policy       hongyan.JoinPolicy `cbor:"5,keyasint"`
	Link         string             `cbor:"6,keyasint,omitempty"`
	MutedAll     bool               `cbor:"7,keyasint,omitempty"`
	Dissolved    bool               `cbor:"8,keyasint,omitempty"`
	CreatedMS    int64              `cbor:"9,keyasint"`
	Members      []Member           `cbor:"10,keyasint,omitempty"`
	Asking       []hongyan.UserID   `cbor:"11,keyasint,omitempty"`
}

// Member is one member of a group.
type Member struct {
	User         hongyan.UserID `cbor:"1,keyasint"`
	Role         hongyan.Role   `cbor:"2,keyasint"`
	MutedUntilMS int64          `cbor:"3,keyasint,omitempty"`
	JoinedMS     int64          `cbor:"4,keyasint"`
}

// Find returns the member of an account, or nil.
func (g *Group) Find(u hongyan.UserID) *Member {
	for i := range g.Members {
		if g.Members[i].User == u {
			return &g.Members[i]
		}
	}
	return nil
}

// ConversationView is one account's own view of a conversation.
type ConversationView struct {
	Read      hongyan.Ordinal `cbor:"1,keyasint,omitempty"`
	Delivered hongyan.Ordinal `cbor:"2,keyasint,omitempty"` // to any device
	Joined    hongyan.Ordinal `cbor:"3,keyasint,omitempty"` // messages up to here are not for this account
	Left      hongyan.Ordinal `cbor:"4,keyasint,omitempty"` // if not zero, messages above are not for it
	Cleared   hongyan.Ordinal `cbor:"5,keyasint,omitempty"`
	HiddenAt  hongyan.Ordinal `cbor:"6,keyasint,omitempty"` // hidden from lists while this is the newest message
	Pinned    bool            `cbor:"7,keyasint,omitempty"`
	Muted     bool            `cbor:"8,keyasint,omitempty"`
	Hidden    bool            `cbor:"9,keyasint,omitempty"`  // hidden before there was any message
	Trimmed   hongyan.Ordinal `cbor:"10,keyasint,omitempty"` // the log holds no message up to here any more
}

// Conversation is what is kept of a conversation whose bodies were trimmed.
type Conversation struct {
	Last    hongyan.Ordinal `cbor:"1,keyasint"`           // the newest ordinal at that time
	Trimmed hongyan.Ordinal `cbor:"2,keyasint,omitempty"` // bodies up to here are gone
}

// Cursor is how far a device has acknowledged.
type Cursor struct {
	Version hongyan.Version `cbor:"1,keyasint"`
}

// TrimLine bounds what an account's log still has.
type TrimLine struct {
	Line    hongyan.Version `cbor:"1,keyasint"`           // message entries up to here are gone
	Head    hongyan.Version `cbor:"2,keyasint"`           // no less than the newest entry ever trimmed
	Counted hongyan.Version `cbor:"3,keyasint,omitempty"` // Kept counts up to here, no less than Line
	Kept    uint64          `cbor:"4,keyasint,omitempty"` // messages of the log, those up to Counted
}

// APIKey is a server API key.
type APIKey struct {
	Name      string `cbor:"1,keyasint"`
	CreatedMS int64  `cbor:"2,keyasint"`
	Hash      []byte `cbor:"3,keyasint"` // SHA-256 of the key
}

// Invitation lets some accounts register.
type Invitation struct {
	Uses      uint32 `cbor:"1,keyasint"` // left
	ExpiresMS int64  `cbor:"2,keyasint"`
}

// Media is an uploaded object, whose bytes stand on the disk beside the store, under their SHA-256.
type Media struct {
	SHA256    []byte         `cbor:"1,keyasint"`
	Size      int64          `cbor:"2,keyasint"` // bytes
	Owner     hongyan.UserID `cbor:"3,keyasint"` // who uploaded it
	CreatedMS int64          `cbor:"4,keyasint"`
	Name      string         `cbor:"5,keyasint,omitempty"` // for people
	MIME      string         `cbor:"6,keyasint,omitempty"`
	Width     uint32         `cbor:"7,keyasint,omitempty"` // pixels, of an image
	Height    uint32         `cbor:"8,keyasint,omitempty"`
	Thumbnail bool           `cbor:"9,keyasint,omitempty"` // there is one on the disk
}

// MediaUse is how much an account has uploaded.
type MediaUse struct {
	Bytes   int64 `cbor:"1,keyasint"`
	Objects int64 `cbor:"2,keyasint"`
}

// MediaRef is the reference of an uploaded object.
type MediaRef [16]byte

// The tables.
var (
	Accounts      = table[hongyan.UserID, Account]{tabAccount, userKey}
	Names         = table[string, hongyan.UserID]{tabName, textKey}
	DeviceLists   = table[hongyan.UserID, Devices]{tabDevices, userKey}
	Contacts      = table[Pair, Contact]{tabContact, pairKey}
	Tellings      = table[hongyan.UserID, hongyan.UserID]{tabTelling, userKey} // by whom: who was told last
	Groups        = table[hongyan.GroupID, Group]{tabGroup, groupKey}
	Links         = table[string, hongyan.GroupID]{tabLink, textKey}
	Views         = table[Part, ConversationView]{tabView, partKey}
	Conversations = table[hongyan.ConversationID, Conversation]{tabConversation, conversation}
	Cursors       = table[Holder, Cursor]{tabCursor, holderKey}
	TrimLines     = table[hongyan.UserID, TrimLine]{tabTrim, userKey}
	Settings      = table[SettingName, []byte]{tabSetting, settingKey}
	APIKeys       = table[uint64, APIKey]{tabAPIKey, num64}
	Invitations   = table[string, Invitation]{tabInvitation, textKey}
	Medias        = table[MediaRef, Media]{tabMedia, mediaKey}
	MediaUses     = table[hongyan.UserID, MediaUse]{tabMediaUse, userKey} // account 0 stands for all of them together
	Meta          = table[string, []byte]{tabMeta, textKey}
)

// Pair is an account and another one it knows.
type Pair struct{ User, Other hongyan.UserID }

// Part is an account's part in a conversation.
type Part struct {
	User         hongyan.UserID
	Conversation hongyan.ConversationID
}

// Holder is a device of an account; device 0 stands for all of them together.
type Holder struct {
	User   hongyan.UserID
	Device hongyan.DeviceID
}

// SettingName is the name of an account's setting.
type SettingName struct {
	User hongyan.UserID
	Name string
}

func userKey(b []byte, u hongyan.UserID) []byte   { return num64(b, uint64(u)) }
func groupKey(b []byte, g hongyan.GroupID) []byte { return num64(b, uint64(g)) }
func mediaKey(b []byte, m MediaRef) []byte        { return append(b, m[:]...) }
func textKey(b []byte, s string) []byte           { return append(b, s...) }
func pairKey(b []byte, p Pair) []byte             { return num64(num64(b, uint64(p.User)), uint64(p.Other)) }
func partKey(b []byte, p Part) []byte             { return conversation(num64(b, uint64(p.User)), p.Conversation) }
func holderKey(b []byte, h Holder) []byte         { return num64(num64(b, uint64(h.User)), uint64(h.Device)) }
func settingKey(b []byte, s SettingName) []byte   { return append(num64(b, uint64(s.User)), s.Name...) }

// ListNames calls visit with the accounts whose name comes after `after`, by name, until visit returns false.
func ListNames(r Reader, afterName string, visit func(name string, u hongyan.UserID) bool) error {
	var from []byte
	if afterName != "" {
		from = append([]byte(afterName), 0)
	}
	return Names.list(r, nil, from, func(key []byte, u *hongyan.UserID) (bool, error) { return visit(string(key), *u), nil })
}

// ListAccounts calls visit with the accounts above `above`, by id, until visit returns false.
func ListAccounts(r Reader, above hongyan.UserID, visit func(u hongyan.UserID, a *Account) bool) error {
	return Accounts.list(r, nil, append(userKey(nil, above), 0), func(key []byte, a *Account) (bool, error) {
		u, err := lastNumber(key, 8)
		return err == nil && visit(hongyan.UserID(u), a), err
	})
}

// ListContacts calls visit with u's contact records for accounts above `above`, in order, until visit returns false.
func ListContacts(r Reader, u, above hongyan.UserID, visit func(other hongyan.UserID, c *Contact) bool) error {
	from := append(userKey(nil, above), 0) // the first key behind that of above
	return Contacts.list(r, userKey(nil, u), from, func(key []byte, c *Contact) (bool, error) {
		other, err := lastNumber(key, 8+8)
		return err == nil && visit(hongyan.UserID(other), c), err
	})
}

// ListTellings calls visit with every account whose contacts are being told of its profile, until visit returns false.
func ListTellings(r Reader, visit func(u hongyan.UserID) bool) error {
	return Tellings.list(r, nil, nil, func(key []byte, _ *hongyan.UserID) (bool, error) {
		u, err := lastNumber(key, 8)
		return err == nil && visit(hongyan.UserID(u)), err
	})
}

// ListViews calls visit with every conversation that u has a view of, until visit returns false.
func ListViews(r Reader, u hongyan.UserID, visit func(c hongyan.ConversationID, v *ConversationView) bool) error {
	return Views.list(r, userKey(nil, u), nil, func(key []byte, v *ConversationView) (bool, error) {
		var c hongyan.ConversationID
		if err := c.UnmarshalBinary(key[8:]); err != nil {
			return false, damaged(key, err.Error())
		}
		return visit(c, v), nil
	})
}

// ListSettings calls visit with u's settings, by name, until visit returns false.
func ListSettings(r Reader, u hongyan.UserID, visit func(name string, value []byte) bool) error {
	return Settings.list(r, userKey(nil, u), nil, func(key []byte, v *[]byte) (bool, error) {
		return visit(string(key[8:]), *v), nil
	})
}

// Public is the list as the account's devices see it.
func (d *Devices) Public() hongyan.Devices {
	var list hongyan.Devices
	for _, dev := range d.List {
		list.List = append(list.List, hongyan.Device{
			ID: dev.ID, Name: dev.Name, Class: dev.Class, CreatedMS: dev.CreatedMS, LastSeenMS: dev.SeenMS,
		})
	}
	return list
}
