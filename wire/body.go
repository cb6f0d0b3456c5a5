package wire

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	pb "github.com/hongyan-im/hongyan/proto/hongyan/v1"
)

// The bodies of the schema under the names of this package, so that nothing else imports the generated code.
type (

	// message.proto
	Content       = pb.Content
	Media         = pb.Media
	Location      = pb.Location
	Custom        = pb.Custom
	Quote         = pb.Quote
	Forward       = pb.Forward
	Notice        = pb.Notice
	Message       = pb.Message
	SendRequest   = pb.SendRequest
	SendReply     = pb.SendReply
	RecallRequest = pb.RecallRequest
	RecallReply   = pb.RecallReply
	RemoveRequest = pb.RemoveRequest
	RemoveReply   = pb.RemoveReply

	// sync.proto
	Change                 = pb.Change
	Recall                 = pb.Recall
	Removal                = pb.Removal
	Conversation           = pb.Conversation
	Receipt                = pb.Receipt
	Setting                = pb.Setting
	SyncRequest            = pb.SyncRequest
	SyncReply              = pb.SyncReply
	Reset                  = pb.Reset
	BackfillRequest        = pb.BackfillRequest
	BackfillReply          = pb.BackfillReply
	AckRequest             = pb.AckRequest
	AckReply               = pb.AckReply
	Notify                 = pb.Notify
	HistoryRequest         = pb.HistoryRequest
	HistoryReply           = pb.HistoryReply
	ConversationsRequest   = pb.ConversationsRequest
	ConversationsReply     = pb.ConversationsReply
	MarkReadRequest        = pb.MarkReadRequest
	MarkReadReply          = pb.MarkReadReply
	ClearHistoryRequest    = pb.ClearHistoryRequest
	ClearHistoryReply      = pb.ClearHistoryReply
	SetConversationRequest = pb.SetConversationRequest
	SetConversationReply   = pb.SetConversationReply
	ReadersRequest         = pb.ReadersRequest
	ReadersReply           = pb.ReadersReply
	SetSettingRequest      = pb.SetSettingRequest
	SetSettingReply        = pb.SetSettingReply
	Signal                 = pb.Signal
	Typing                 = pb.Typing
	TypingRequest          = pb.TypingRequest
	TypingReply            = pb.TypingReply
	SearchRequest          = pb.SearchRequest
	SearchReply            = pb.SearchReply

	// account.proto
	Profile              = pb.Profile
	Contact              = pb.Contact
	ProfilesRequest      = pb.ProfilesRequest
	ProfilesReply        = pb.ProfilesReply
	SetProfileRequest    = pb.SetProfileRequest
	SetProfileReply      = pb.SetProfileReply
	SetPasswordRequest   = pb.SetPasswordRequest
	SetPasswordReply     = pb.SetPasswordReply
	AskContactRequest    = pb.AskContactRequest
	AskContactReply      = pb.AskContactReply
	AnswerContactRequest = pb.AnswerContactRequest
	AnswerContactReply   = pb.AnswerContactReply
	SetContactRequest    = pb.SetContactRequest
	SetContactReply      = pb.SetContactReply
	RemoveContactRequest = pb.RemoveContactRequest
	RemoveContactReply   = pb.RemoveContactReply
	ContactsRequest      = pb.ContactsRequest
	ContactsReply        = pb.ContactsReply

	// group.proto
	Group               = pb.Group
	Member              = pb.Member
	CreateGroupRequest  = pb.CreateGroupRequest
	CreateGroupReply    = pb.CreateGroupReply
	GetGroupRequest     = pb.GetGroupRequest
	GetGroupReply       = pb.GetGroupReply
	InviteRequest       = pb.InviteRequest
	InviteReply         = pb.InviteReply
	JoinRequest         = pb.JoinRequest
	JoinReply           = pb.JoinReply
	AnswerJoinRequest   = pb.AnswerJoinRequest
	AnswerJoinReply     = pb.AnswerJoinReply
	LeaveRequest        = pb.LeaveRequest
	LeaveReply          = pb.LeaveReply
	RemoveMemberRequest = pb.RemoveMemberRequest
	RemoveMemberReply   = pb.RemoveMemberReply
	SetRoleRequest      = pb.SetRoleRequest
	SetRoleReply        = pb.SetRoleReply
	SetGroupRequest     = pb.SetGroupRequest
	SetGroupReply       = pb.SetGroupReply
	MuteMemberRequest   = pb.MuteMemberRequest
	MuteMemberReply     = pb.MuteMemberReply
	DissolveRequest     = pb.DissolveRequest
	DissolveReply       = pb.DissolveReply

	// session.proto
	Close              = pb.Close
	Device             = pb.Device
	Devices            = pb.Devices
	RegisterRequest    = pb.RegisterRequest
	LoginRequest       = pb.LoginRequest
	LoginReply         = pb.LoginReply
	AuthRequest        = pb.AuthRequest
	AuthReply          = pb.AuthReply
	Hints              = pb.Hints
	LogoutRequest      = pb.LogoutRequest
	LogoutReply        = pb.LogoutReply
	DevicesRequest     = pb.DevicesRequest
	DevicesReply       = pb.DevicesReply
	KickRequest        = pb.KickRequest
	KickReply          = pb.KickReply
	HeartbeatRequest   = pb.HeartbeatRequest
	HeartbeatReply     = pb.HeartbeatReply
	AskLoginRequest    = pb.AskLoginRequest
	AskLoginReply      = pb.AskLoginReply
	AwaitLoginRequest  = pb.AwaitLoginRequest
	AwaitLoginReply    = pb.AwaitLoginReply
	ReadLoginRequest   = pb.ReadLoginRequest
	ReadLoginReply     = pb.ReadLoginReply
	AnswerLoginRequest = pb.AnswerLoginRequest
	AnswerLoginReply   = pb.AnswerLoginReply

	// admin.proto
	CreateAccountRequest    = pb.CreateAccountRequest
	CreateAccountReply      = pb.CreateAccountReply
	Account                 = pb.Account
	Retention               = pb.Retention
	ListAccountsRequest     = pb.ListAccountsRequest
	ListAccountsReply       = pb.ListAccountsReply
	SetAccountRequest       = pb.SetAccountRequest
	SetAccountReply         = pb.SetAccountReply
	MintTokenRequest        = pb.MintTokenRequest
	MintTokenReply          = pb.MintTokenReply
	CreateKeyRequest        = pb.CreateKeyRequest
	CreateKeyReply          = pb.CreateKeyReply
	CreateInvitationRequest = pb.CreateInvitationRequest
	CreateInvitationReply   = pb.CreateInvitationReply
	DemandTLSRequest        = pb.DemandTLSRequest
	DemandTLSReply          = pb.DemandTLSReply
	StatusRequest           = pb.StatusRequest
	StatusReply             = pb.StatusReply
	ErrorBody               = pb.Error
)

// The alternatives of a oneof, for those who set or switch over it.
type (
	SendToConversation = pb.SendRequest_Conversation // SendRequest.Target
	SendToName         = pb.SendRequest_Name
	AskUser            = pb.AskContactRequest_User // AskContactRequest.Target
	AskName            = pb.AskContactRequest_Name
	SignalTyping       = pb.Signal_Typing // Signal.What
)

// Enumerations that appear in requests, or in bodies that have no counterpart among the words of package hongyan.
type (
	Type        = pb.Type         // SyncRequest.Types
	Role        = pb.Member_Role  // SetRoleRequest.Role
	JoinPolicy  = pb.Group_Policy // CreateGroupRequest.Policy, SetGroupRequest.Policy
	ResetReason = pb.Reset_Reason
	CloseReason = pb.Close_Reason
	LoginState  = pb.AwaitLoginReply_State // AwaitLoginRequest.Known, AwaitLoginReply.State
)

// How far a login by code is.
const (
	LoginWaiting  = pb.AwaitLoginReply_WAITING
	LoginScanned  = pb.AwaitLoginReply_SCANNED
	LoginAccepted = pb.AwaitLoginReply_ACCEPTED
	LoginDeclined = pb.AwaitLoginReply_DECLINED
)

// Why a key could not be continued.
const (
	ResetFirst      = pb.Reset_FIRST
	ResetTrimmed    = pb.Reset_TRIMMED
	ResetGeneration = pb.Reset_GENERATION
)

// Why the server closes a link. docs/PROTOCOL.md says what the client does about each.
const (
	CloseProtocolError = pb.Close_PROTOCOL_ERROR
	CloseAuthTimeout   = pb.Close_AUTH_TIMEOUT
	CloseIdle          = pb.Close_IDLE
	CloseTLSRequired   = pb.Close_TLS_REQUIRED
	CloseDraining      = pb.Close_DRAINING
	CloseKicked        = pb.Close_KICKED
	CloseReplaced      = pb.Close_REPLACED
	CloseRevoked       = pb.Close_REVOKED
	CloseSlow          = pb.Close_SLOW
	CloseLoggedOut     = pb.Close_LOGGED_OUT
	CloseOverloaded    = pb.Close_OVERLOADED
	CloseFailed        = pb.Close_FAILED
)

// Append appends the frame of a protobuf body to b. A nil body makes an empty one. On an error, which a string that is
// not UTF-8 causes, it returns b as it was.
func Append(b []byte, op Op, seq uint32, body proto.Message) ([]byte, error) {
	out := appendHeader(b, op, seq, 0)
	if body == nil {
		return out, nil
	}
	out, err := proto.MarshalOptions{}.MarshalAppend(out, body)
	if err != nil {
		return b, fmt.Errorf("wire: body of %s: %w", op, err)
	}
	binary.BigEndian.PutUint32(out[len(b):], uint32(len(out)-len(b)))
	return out, nil
}

// Unmarshal reads a body. What is malformed is an Invalid *hongyan.Error.
func Unmarshal(body []byte, into proto.Message) error {
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, into); err != nil {
		return hongyan.Errorf(hongyan.Invalid, "the body is no %s: %v", into.ProtoReflect().Descriptor().Name(), err).
			WithHint("bodies are protobuf messages of the schema hongyan.v1")
	}
	return nil
}
