package webwx

// contact is an account, a group or the caller itself as clients know it. Every member is always there.
type contact struct {
	Uin              int64
	UserName         string
	NickName         string
	HeadImgUrl       string
	ContactFlag      int
	MemberCount      int
	MemberList       []member
	RemarkName       string
	HideInputBarFlag int
	Sex              int
	Signature        string
	VerifyFlag       int
	OwnerUin         int64
	PYInitial        string
	PYQuanPin        string
	RemarkPYInitial  string
	RemarkPYQuanPin  string
	StarFriend       int
	AppAccountFlag   int
	Statues          int
	AttrStatus       int64
	Province         string
	City             string
	Alias            string
	SnsFlag          int
	UniFriend        int
	DisplayName      string
	ChatRoomId       int64
	KeyWord          string
	EncryChatRoomId  string
	IsOwner          int
	ChatRoomOwner    string
}

// Bits of ContactFlag.
const (
	flagContact = 1
	flagChat    = 2
	flagBlocked = 8
	flagMuted   = 512
	flagPinned  = 2048
)

// self is the caller in the answer to webwxinit.
type self struct {
	contact
	WebWxPluginSwitch int
	HeadImgFlag       int
}

// member is a member of a group.
type member struct {
	Uin             int64
	UserName        string
	NickName        string
	AttrStatus      int64
	PYInitial       string
	PYQuanPin       string
	RemarkPYInitial string
	RemarkPYQuanPin string
	MemberStatus    int
	DisplayName     string
	KeyWord         string
}

// message is a message as clients know it. Every member is always there: songtianyi's client falls over one that is not.
type message struct {
	MsgId                string
	FromUserName         string
	ToUserName           string
	MsgType              int
	Content              string
	Status               int
	ImgStatus            int
	CreateTime           int64
	VoiceLength          int64
	PlayLength           int64
	FileName             string
	FileSize             string
	MediaId              string
	Url                  string
	AppMsgType           int
	StatusNotifyCode     int
	StatusNotifyUserName string
	RecommendInfo        recommendation
	ForwardFlag          int
	AppInfo              appInfo
	HasProductId         int
	Ticket               string
	ImgHeight            int
	ImgWidth             int
	SubMsgType           int
	NewMsgId             int64
	OriContent           string
	EncryFileName        string
}

// recommendation is who asks to become a contact.
type recommendation struct {
	UserName   string
	NickName   string
	QQNum      int64
	Province   string
	City       string
	Content    string
	Signature  string
	Alias      string
	Scene      int
	VerifyFlag int
	AttrStatus int64
	Sex        int
	Ticket     string
	OpCode     int
}

type appInfo struct {
	AppID string
	Type  int
}

// Kinds of messages.
const (
	typeText     = 1
	typePicture  = 3
	typeVoice    = 34
	typeAsk      = 37
	typeVideo    = 43
	typeEmoticon = 47
	typePlace    = 48
	typeApp      = 49
	typeSystem   = 10000
	typeRecalled = 10002
)

// appFile is the AppMsgType of a file.
const appFile = 6

// profile is part of every answer to webwxsync. Nothing in it is used.
type profile struct {
	BitFlag           int
	UserName          buff
	NickName          buff
	BindUin           int
	BindEmail         buff
	BindMobile        buff
	Status            int
	Sex               int
	PersonalCard      int
	Alias             string
	HeadImgUpdateFlag int
	HeadImgUrl        string
	Signature         string
}

type buff struct{ Buff string }
