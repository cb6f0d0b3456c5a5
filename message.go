package hongyan

// Message is one message of a conversation. It stands once, whoever sees it.
type Message struct {
	ID           MessageID
	Conversation ConversationID
	Ordinal      Ordinal
	From         UserID
	FromName     string // the sender's account name, which never changes
	ClientID     ClientID
	TimeMS       int64 // Unix milliseconds, the server's clock when it was accepted
	Content      Content
	State        MessageState
}

// MessageState says whether the content is still there.
type MessageState uint8

const (
	Present  MessageState = 0
	Recalled MessageState = 1 // its sender took it back: no content
	Expired  MessageState = 2 // older than what the server keeps: nothing but conversation and ordinal
)

// Change is one thing that an account's devices must learn. Exactly one of the pointers is set.
type Change struct {
	Version      Version
	Message      *Message
	Recall       *Recall
	Removal      *Removal
	Contact      *Contact
	Group        *Group
	Conversation *Conversation
	Receipt      *Receipt
	Profile      *Profile // one's own
	Devices      *Devices
	Setting      *Setting
}

// Recall says that a message was taken back.
type Recall struct {
	Conversation ConversationID
	Ordinal      Ordinal
	ID           MessageID
	By           UserID
}

// Removal says that the account deleted messages for itself.
type Removal struct {
	Conversation ConversationID
	Ordinals     []Ordinal
}

// Profile is what others see of an account.
type Profile struct {
	User        UserID
	Name        string // the account name: unique, lower case, never changes
	DisplayName string
	Avatar      string // media reference
	Bio         string
}

// ContactState is how far two accounts are with each other, seen from one side.
type ContactState uint8

const (
	ContactNone     ContactState = 0 // strangers; a removed contact returns here
	ContactAsked    ContactState = 1 // this side asked
	ContactAsking   ContactState = 2 // the other side asked
	ContactAccepted ContactState = 3
)

// Contact is one account's view of another.
type Contact struct {
	Profile   Profile
	State     ContactState
	Blocked   bool   // this side does not want to hear from the other
	Remark    string // this side's own name for the other
	Note      string // what the request said
	UpdatedMS int64
}

// Role is a member's standing in a group.
type Role uint8

const (
	RoleMember Role = 1
	RoleAdmin  Role = 2
	RoleOwner  Role = 3
)

// JoinPolicy says how one comes into a group.
type JoinPolicy uint8

const (
	JoinByInvitation JoinPolicy = 1 // members bring others
	JoinByApproval   JoinPolicy = 2 // the link asks an admin
	JoinByLink       JoinPolicy = 3 // the link lets in
)

// Group is a group as one of its members sees it.
type Group struct {
	ID           GroupID
	Title        string
	Announcement string
	Avatar       string
	Owner        UserID
	MemberCount  int
	Policy       JoinPolicy
	Link         string // the code to join with; for members only
	MutedAll     bool
	Dissolved    bool
	CreatedMS    int64
	Role         Role      // the viewer's own; zero if no longer a member
	Members      []Member  // only where the whole group was asked for
	Asking       []Profile // who waits for approval; for admins only, only where the whole group was asked for
}

// Member is one member of a group.
type Member struct {
	User         UserID
	Name         string
	Role         Role
	MutedUntilMS int64 // Unix milliseconds, zero if not muted
	JoinedMS     int64
}

// Conversation is one account's view of a conversation. Unread is derived: the messages of others, not recalled,
// above the larger of Read and Joined, counted up to MaxUnread.
type Conversation struct {
	ID          ConversationID
	Title       string   // of the group, or the peer's remark or display name
	Peer        *Profile // of a direct conversation
	Last        Ordinal  // the newest message's
	LastMessage *Message // where a list of conversations was asked for
	Read        Ordinal
	Joined      Ordinal // messages at or below it are not for this account
	Left        Ordinal // if not zero, messages above it are not for this account
	Cleared     Ordinal // history at or below it was cleared by this account
	Unread      int
	Pinned      bool
	Muted       bool
	Hidden      bool    // not in the list until something new arrives
	Delivered   Ordinal // how far the peer of a direct conversation has received and read
	PeerRead    Ordinal
}

// MaxUnread is where counting stops: it stands for "this many or more".
const MaxUnread = 1000

// Receipt says how far a reader has got in a conversation: everything up to Delivered has reached one of its devices,
// everything up to Read was seen. Read is never above Delivered.
type Receipt struct {
	Conversation ConversationID
	Reader       UserID
	Delivered    Ordinal
	Read         Ordinal
}

// DeviceClass groups devices for login policies.
type DeviceClass uint8

const (
	ClassPhone   DeviceClass = 1
	ClassTablet  DeviceClass = 2
	ClassDesktop DeviceClass = 3
	ClassWeb     DeviceClass = 4
	ClassBot     DeviceClass = 5
	ClassCLI     DeviceClass = 6
)

// Device is one device of an account.
type Device struct {
	ID         DeviceID
	Name       string
	Class      DeviceClass
	CreatedMS  int64
	LastSeenMS int64
}

// Devices is an account's device list.
type Devices struct{ List []Device }

// Setting is a value that an account's devices share.
type Setting struct {
	Name  string // at most MaxSettingName bytes
	Value []byte // at most MaxSetting bytes; empty when it was removed
}

// Bounds of a Setting, in bytes.
const (
	MaxSettingName = 64
	MaxSetting     = 4 << 10
)
