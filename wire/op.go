package wire

import (
	"strconv"

	"google.golang.org/protobuf/proto"

	pb "github.com/hongyan-im/hongyan/proto/hongyan/v1"
)

// Op names what a frame is for.
type Op uint32

// ReplyOffset makes the operation of a reply: the reply to N is N + ReplyOffset with the same sequence.
const ReplyOffset Op = 1_000_000_000

// Reply is the operation of the reply to op.
func (op Op) Reply() Op { return op + ReplyOffset }

// Operations of requests. docs/PROTOCOL.md lists the same table.
const (

	// Who is there.
	OpRegister    Op = 1  // creates an account and logs this device in
	OpLogin       Op = 2  // logs a device in by password
	OpAuth        Op = 3  // says who the connection is, by device token, ticket or server API key
	OpLogout      Op = 4  // ends this device
	OpDevices     Op = 5  // lists the account's devices
	OpHeartbeat   Op = 6  // keeps the link alive; may acknowledge, tells what is newer
	OpKick        Op = 7  // ends another device of the account
	OpSetPassword Op = 8  // changes one's own password and ends the other devices
	OpAskLogin    Op = 9  // asks for a login that another device confirms
	OpAwaitLogin  Op = 10 // asks how far that is, and brings the login
	OpReadLogin   Op = 11 // reads who asks for a login
	OpAnswerLogin Op = 12 // confirms or declines it

	// Sync.
	OpSync            Op = 20 // brings the changes after a SyncKey
	OpAck             Op = 21 // acknowledges a SyncKey
	OpBackfill        Op = 22 // continues what a reset left out
	OpHistory         Op = 23 // reads a conversation's messages
	OpConversations   Op = 24 // reads the present state of conversations
	OpMarkRead        Op = 25 // raises one's read mark
	OpClearHistory    Op = 26 // hides a conversation's past from oneself
	OpSetConversation Op = 27 // pins, mutes or hides a conversation
	OpReaders         Op = 28 // counts who has received and read a message
	OpSetSetting      Op = 29 // stores a value that one's devices share
	OpSearch          Op = 33 // looks for messages by their words

	// Messages.
	OpSend   Op = 40 // sends a message
	OpRecall Op = 41 // takes a message back
	OpRemove Op = 42 // deletes messages for oneself
	OpTyping Op = 43 // tells the others that one is writing

	// Accounts and contacts.
	OpProfiles      Op = 60 // looks accounts up by id or name
	OpSetProfile    Op = 61 // changes one's own profile
	OpAskContact    Op = 62 // asks somebody to become a contact
	OpAnswerContact Op = 63 // accepts or declines
	OpSetContact    Op = 64 // sets remark and block
	OpRemoveContact Op = 65 // ends a contact
	OpContacts      Op = 66 // lists contacts

	// Groups.
	OpCreateGroup  Op = 80 // makes a group
	OpGetGroup     Op = 81 // reads a group with its members
	OpInvite       Op = 82 // brings members in
	OpJoin         Op = 83 // comes in, or asks to, by the group's link
	OpAnswerJoin   Op = 84 // lets an asking account in, or not
	OpLeave        Op = 85 // goes
	OpRemoveMember Op = 86 // puts members out
	OpSetRole      Op = 87 // makes admins, hands the group over
	OpSetGroup     Op = 88 // sets title, announcement, avatar, policy, mute, link
	OpMuteMember   Op = 89 // silences a member for a time
	OpDissolve     Op = 90 // ends the group

	// The operator.
	OpCreateAccount    Op = 120 // creates an account
	OpListAccounts     Op = 121 // lists accounts
	OpSetAccount       Op = 122 // sets password, retention, disables
	OpMintToken        Op = 123 // makes a device token for an account
	OpCreateKey        Op = 124 // makes a server API key
	OpCreateInvitation Op = 125 // makes an invitation to register
	OpDemandTLS        Op = 126 // sends plain connections to TLS
	OpStatus           Op = 127 // says how the server is
)

// Operations that only the server sends.
const (
	// OpError answers a request that was refused, with the request's sequence and an Error body. It is the "reply to
	// operation 0", so that it exists for every operation, known or not.
	OpError = ReplyOffset
	// OpNotify says that there is something newer: sequence 0, a Notify body, no answer expected.
	OpNotify Op = 30
	// OpClose is the last frame before the server closes a link: sequence 0, a Close body.
	OpClose Op = 31
	// OpSignal is something of the moment, which no log keeps: sequence 0, a Signal body, no answer expected.
	OpSignal Op = 32
)

// Access says who may ask for an operation.
type Access uint8

const (
	Anyone   Access = iota // also before Auth
	User                   // an authenticated device
	Operator               // the admin socket, or a server API key
)

// Operation is one row of the table of operations.
type Operation struct {
	Op     Op
	Name   string
	Access Access
	// NewRequest and NewReply make empty bodies.
	NewRequest, NewReply func() proto.Message
}

// Operations is the table of all requests, in order.
var Operations = []Operation{
	{OpRegister, "Register", Anyone, body[pb.RegisterRequest], body[pb.LoginReply]},
	{OpLogin, "Login", Anyone, body[pb.LoginRequest], body[pb.LoginReply]},
	{OpAuth, "Auth", Anyone, body[pb.AuthRequest], body[pb.AuthReply]},
	{OpLogout, "Logout", User, body[pb.LogoutRequest], body[pb.LogoutReply]},
	{OpDevices, "Devices", User, body[pb.DevicesRequest], body[pb.DevicesReply]},
	{OpHeartbeat, "Heartbeat", Anyone, body[pb.HeartbeatRequest], body[pb.HeartbeatReply]},
	{OpKick, "Kick", User, body[pb.KickRequest], body[pb.KickReply]},
	{OpSetPassword, "SetPassword", User, body[pb.SetPasswordRequest], body[pb.SetPasswordReply]},
	{OpAskLogin, "AskLogin", Anyone, body[pb.AskLoginRequest], body[pb.AskLoginReply]},
	{OpAwaitLogin, "AwaitLogin", Anyone, body[pb.AwaitLoginRequest], body[pb.AwaitLoginReply]},
	{OpReadLogin, "ReadLogin", User, body[pb.ReadLoginRequest], body[pb.ReadLoginReply]},
	{OpAnswerLogin, "AnswerLogin", User, body[pb.AnswerLoginRequest], body[pb.AnswerLoginReply]},
	{OpSync, "Sync", User, body[pb.SyncRequest], body[pb.SyncReply]},
	{OpAck, "Ack", User, body[pb.AckRequest], body[pb.AckReply]},
	{OpBackfill, "Backfill", User, body[pb.BackfillRequest], body[pb.BackfillReply]},
	{OpHistory, "History", User, body[pb.HistoryRequest], body[pb.HistoryReply]},
	{OpConversations, "Conversations", User, body[pb.ConversationsRequest], body[pb.ConversationsReply]},
	{OpMarkRead, "MarkRead", User, body[pb.MarkReadRequest], body[pb.MarkReadReply]},
	{OpClearHistory, "ClearHistory", User, body[pb.ClearHistoryRequest], body[pb.ClearHistoryReply]},
	{OpSetConversation, "SetConversation", User, body[pb.SetConversationRequest], body[pb.SetConversationReply]},
	{OpReaders, "Readers", User, body[pb.ReadersRequest], body[pb.ReadersReply]},
	{OpSetSetting, "SetSetting", User, body[pb.SetSettingRequest], body[pb.SetSettingReply]},
	{OpSearch, "Search", User, body[pb.SearchRequest], body[pb.SearchReply]},
	{OpSend, "Send", User, body[pb.SendRequest], body[pb.SendReply]},
	{OpRecall, "Recall", User, body[pb.RecallRequest], body[pb.RecallReply]},
	{OpRemove, "Remove", User, body[pb.RemoveRequest], body[pb.RemoveReply]},
	{OpTyping, "Typing", User, body[pb.TypingRequest], body[pb.TypingReply]},
	{OpProfiles, "Profiles", User, body[pb.ProfilesRequest], body[pb.ProfilesReply]},
	{OpSetProfile, "SetProfile", User, body[pb.SetProfileRequest], body[pb.SetProfileReply]},
	{OpAskContact, "AskContact", User, body[pb.AskContactRequest], body[pb.AskContactReply]},
	{OpAnswerContact, "AnswerContact", User, body[pb.AnswerContactRequest], body[pb.AnswerContactReply]},
	{OpSetContact, "SetContact", User, body[pb.SetContactRequest], body[pb.SetContactReply]},
	{OpRemoveContact, "RemoveContact", User, body[pb.RemoveContactRequest], body[pb.RemoveContactReply]},
	{OpContacts, "Contacts", User, body[pb.ContactsRequest], body[pb.ContactsReply]},
	{OpCreateGroup, "CreateGroup", User, body[pb.CreateGroupRequest], body[pb.CreateGroupReply]},
	{OpGetGroup, "GetGroup", User, body[pb.GetGroupRequest], body[pb.GetGroupReply]},
	{OpInvite, "Invite", User, body[pb.InviteRequest], body[pb.InviteReply]},
	{OpJoin, "Join", User, body[pb.JoinRequest], body[pb.JoinReply]},
	{OpAnswerJoin, "AnswerJoin", User, body[pb.AnswerJoinRequest], body[pb.AnswerJoinReply]},
	{OpLeave, "Leave", User, body[pb.LeaveRequest], body[pb.LeaveReply]},
	{OpRemoveMember, "RemoveMember", User, body[pb.RemoveMemberRequest], body[pb.RemoveMemberReply]},
	{OpSetRole, "SetRole", User, body[pb.SetRoleRequest], body[pb.SetRoleReply]},
	{OpSetGroup, "SetGroup", User, body[pb.SetGroupRequest], body[pb.SetGroupReply]},
	{OpMuteMember, "MuteMember", User, body[pb.MuteMemberRequest], body[pb.MuteMemberReply]},
	{OpDissolve, "Dissolve", User, body[pb.DissolveRequest], body[pb.DissolveReply]},
	{OpCreateAccount, "CreateAccount", Operator, body[pb.CreateAccountRequest], body[pb.CreateAccountReply]},
	{OpListAccounts, "ListAccounts", Operator, body[pb.ListAccountsRequest], body[pb.ListAccountsReply]},
	{OpSetAccount, "SetAccount", Operator, body[pb.SetAccountRequest], body[pb.SetAccountReply]},
	{OpMintToken, "MintToken", Operator, body[pb.MintTokenRequest], body[pb.MintTokenReply]},
	{OpCreateKey, "CreateKey", Operator, body[pb.CreateKeyRequest], body[pb.CreateKeyReply]},
	{OpCreateInvitation, "CreateInvitation", Operator, body[pb.CreateInvitationRequest], body[pb.CreateInvitationReply]},
	{OpDemandTLS, "DemandTLS", Operator, body[pb.DemandTLSRequest], body[pb.DemandTLSReply]},
	{OpStatus, "Status", Operator, body[pb.StatusRequest], body[pb.StatusReply]},
}

// body makes an empty message of type M.
func body[M any, P interface {
	*M
	proto.Message
}]() proto.Message {
	return P(new(M))
}

var byOp = func() map[Op]*Operation {
	m := make(map[Op]*Operation, len(Operations))
	for i := range Operations {
		m[Operations[i].Op] = &Operations[i]
	}
	return m
}()

// Lookup returns the row of op, if it is a request of the table.
func Lookup(op Op) (*Operation, bool) {
	o, ok := byOp[op]
	return o, ok
}

// String is the operation's name, with "Reply" behind it for replies, or its number.
func (op Op) String() string {
	switch op {
	case OpError:
		return "Error"
	case OpNotify:
		return "Notify"
	case OpClose:
		return "Close"
	case OpSignal:
		return "Signal"
	}
	if o, ok := byOp[op]; ok {
		return o.Name
	}
	if o, ok := byOp[op-ReplyOffset]; ok && op > ReplyOffset {
		return o.Name + "Reply"
	}
	return strconv.FormatUint(uint64(op), 10)
}
