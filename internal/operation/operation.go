// Package operation is what each operation of wire.Operations does: it reads the body, asks packages account and chat,
// and makes the body of the answer. It is the same for every carrier: the long link and its fallbacks call Do.
package operation

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/wire"
)

// MaxWait is how long a Sync with nothing to bring may be held.
const MaxWait = 25 * time.Second

// Caller is who asks, and over what.
type Caller struct {
	User     hongyan.UserID
	Device   hongyan.DeviceID
	Operator bool
	Peer     account.Peer
	Secure   bool // nobody on the way can read along, or the operator does not mind
}

func (c Caller) chat() chat.Caller { return chat.Caller{User: c.User, Device: c.Device} }

// Reply is the answer to a request.
type Reply struct {
	Body     proto.Message
	Identity *account.Identity // who the connection is from now on, if that changed
}

// Desk answers operations.
type Desk struct {
	Chat     *chat.Service
	Accounts *account.Service
	Now      func() time.Time
	Hints    *wire.Hints
	// Pin is the fingerprint of the key of a self-signed certificate, empty for another one.
	Pin func() string
	// Park calls wake once when the account's log has grown, unless cancelled before.
	Park func(u hongyan.UserID, wake func()) (cancel func())
	// Signal tells the live connections of an account something of the moment.
	Signal func(u hongyan.UserID, s *wire.Signal)
	// Listen calls hear with every signal for an account, until cancelled. hear must not block.
	Listen func(u hongyan.UserID, hear func(*wire.Signal)) (cancel func())
	// After calls f after d, unless stopped before.
	After func(d time.Duration, f func()) (stop func())
	// DemandTLS sends the plain connections of an account, or all, to TLS and counts them.
	DemandTLS func(u hongyan.UserID) int
	// Status says how the server is.
	Status func() *wire.StatusReply
}

// Do performs a request and gives the answer to done, on whatever goroutine has it. body is not kept.
func (d *Desk) Do(c Caller, op wire.Op, body []byte, done func(Reply, error)) {
	if !c.Secure && op != wire.OpHeartbeat {
		// Before anything else is said: who comes back may send secrets.
		done(Reply{}, hongyan.Errorf(hongyan.TLSRequired, "this connection is not encrypted").
			WithHint("connect again with TLS, on the same port"))
		return
	}
	row, ok := wire.Lookup(op)
	if !ok {
		done(Reply{}, hongyan.Errorf(hongyan.UnknownOperation, "there is no operation %d", uint32(op)).
			WithHint("see the table of operations of the protocol; the server may be older than the client"))
		return
	}
	if err := allowed(c, row); err != nil {
		done(Reply{}, err)
		return
	}
	req := row.NewRequest()
	if err := wire.Unmarshal(body, req); err != nil {
		done(Reply{}, err)
		return
	}
	handlers[op](d, c, req, done)
}

// allowed says whether c may ask for an operation.
func allowed(c Caller, row *wire.Operation) error {
	switch {
	case row.Access == wire.User && c.User == 0:
		return hongyan.Errorf(hongyan.Unauthenticated, "%s needs an account", row.Name).
			WithHint("send Auth, Login or Register first")
	case row.Access == wire.Operator && !c.Operator:
		return hongyan.Errorf(hongyan.Forbidden, "%s is the operator's", row.Name).
			WithHint("use the admin socket, or authenticate with a server API key")
	}
	return nil
}

type handler func(d *Desk, c Caller, req proto.Message, done func(Reply, error))

// on makes the handler of requests of type Q.
func on[Q proto.Message](f func(d *Desk, c Caller, q Q, done func(Reply, error))) handler {
	return func(d *Desk, c Caller, req proto.Message, done func(Reply, error)) { f(d, c, req.(Q), done) }
}

// answer adapts done to a result that becomes a body.
func answer[R any, B proto.Message](done func(Reply, error), body func(R) B) func(R, error) {
	return func(r R, err error) {
		if err != nil {
			done(Reply{}, err)
			return
		}
		done(Reply{Body: body(r)}, nil)
	}
}

// ok adapts done to what only succeeds or fails.
func ok(done func(Reply, error), body proto.Message) func(error) {
	return func(err error) {
		if err != nil {
			done(Reply{}, err)
			return
		}
		done(Reply{Body: body}, nil)
	}
}

var handlers map[wire.Op]handler

func init() {
	handlers = map[wire.Op]handler{
		wire.OpRegister: on(register), wire.OpLogin: on(login), wire.OpAuth: on(authenticate), wire.OpLogout: on(logout),
		wire.OpDevices: on(devices), wire.OpHeartbeat: on(heartbeat), wire.OpKick: on(kick), wire.OpSetPassword: on(setPassword),
		wire.OpAskLogin: on(askLogin), wire.OpAwaitLogin: on(awaitLogin), wire.OpReadLogin: on(readLogin),
		wire.OpAnswerLogin: on(answerLogin),

		wire.OpSync: on(sync), wire.OpAck: on(ack), wire.OpBackfill: on(backfill), wire.OpHistory: on(history),
		wire.OpConversations: on(conversations), wire.OpMarkRead: on(markRead), wire.OpClearHistory: on(clearHistory),
		wire.OpSetConversation: on(setConversation), wire.OpReaders: on(readers), wire.OpSetSetting: on(setSetting),
		wire.OpSearch: on(search),

		wire.OpSend: on(send), wire.OpRecall: on(recall), wire.OpRemove: on(remove),
		wire.OpTyping: on(typing),

		wire.OpProfiles: on(profiles), wire.OpSetProfile: on(setProfile), wire.OpAskContact: on(askContact),
		wire.OpAnswerContact: on(answerContact), wire.OpSetContact: on(setContact),
		wire.OpRemoveContact: on(removeContact), wire.OpContacts: on(contacts),

		wire.OpCreateGroup: on(createGroup), wire.OpGetGroup: on(getGroup), wire.OpInvite: on(invite), wire.OpJoin: on(join),
		wire.OpAnswerJoin: on(answerJoin), wire.OpLeave: on(leave), wire.OpRemoveMember: on(removeMember),
		wire.OpSetRole: on(setRole), wire.OpSetGroup: on(setGroup), wire.OpMuteMember: on(muteMember),
		wire.OpDissolve: on(dissolve),

		wire.OpCreateAccount: on(createAccount), wire.OpListAccounts: on(listAccounts), wire.OpSetAccount: on(setAccount),
		wire.OpMintToken: on(mintToken), wire.OpCreateKey: on(createKey), wire.OpCreateInvitation: on(createInvitation),
		wire.OpDemandTLS: on(demandTLS), wire.OpStatus: on(status),
	}
}
