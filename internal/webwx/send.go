package webwx

import (
	"crypto/rand"
	"strconv"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// heartbeat begins what wechat4u tells filehelper every five minutes to see whether it is still logged in. It is no
// note of anybody's and is not kept.
const heartbeat = "心跳："

// sent is the answer to a message.
type sent struct {
	BaseResponse baseResponse
	MsgID        string
	LocalID      string
}

// sendText sends a text.
func (x *exchange) sendText() error {
	m := &x.body.Msg
	if m.Type == typePlace {
		return hongyan.Errorf(hongyan.Invalid, "places cannot be sent this way")
	}
	if m.ToUserName == fileHelper && strings.HasPrefix(m.Content, heartbeat) {
		return x.reply(sent{LocalID: string(m.LocalID), MsgID: strconv.FormatInt(x.now.UnixMilli(), 10)})
	}
	return x.send(hongyan.Text(m.Content), m.Content)
}

// send sends a content. What it says is also given as text that does not change when the client repeats its request.
func (x *exchange) send(content hongyan.Content, says string) error {
	m := &x.body.Msg
	to := parseConversation(m.ToUserName, x.caller.User)
	if to.IsZero() {
		return hongyan.Errorf(hongyan.NotFound, "there is nobody called %.80q", m.ToUserName)
	}
	id := x.clientID(string(m.ClientMsgId), string(m.LocalID), to.String(), strconv.FormatInt(int64(m.Type), 10), says)
	r, err := ask(x, wire.OpSend, &wire.SendRequest{
		Target: &wire.SendToConversation{Conversation: to.String()}, ClientId: id[:], FirstAttemptMs: x.server.config.Clock(x.now),
		Content: wire.FromContent(content),
	}, &wire.SendReply{})
	if err != nil {
		return err
	}
	name := messageIDOf(to, hongyan.Ordinal(r.Ordinal)).String()
	return x.reply(sent{MsgID: name, LocalID: string(m.LocalID)})
}

// clientID derives what makes a repeated request recognisable. Clients' own ids are not enough: some count seconds, and
// openwechat forwards to several receivers under one. The first half names the request, the second proves to ownEcho
// that this device has sent it. Without any id of the client's there is nothing to recognise a repetition by.
func (x *exchange) clientID(client, local string, parts ...string) (id hongyan.ClientID) {
	if client == "" && local == "" {
		local = rand.Text()
	}
	device := strconv.FormatUint(uint64(x.caller.Device), 10)
	copy(id[:], x.server.seal.sum(append([]string{"client id", device, client, local}, parts...)...)[:halfID])
	copy(id[halfID:], x.server.seal.sum("own", device, string(id[:halfID])))
	return id
}

const halfID = len(hongyan.ClientID{}) / 2

// ownEcho reports whether the caller's device has sent a message: clients do not expect to be told of those.
func (x *exchange) ownEcho(m *hongyan.Message) bool {
	if m.From != x.caller.User {
		return false
	}
	device := strconv.FormatUint(uint64(x.caller.Device), 10)
	return string(x.server.seal.sum("own", device, string(m.ClientID[:halfID]))[:halfID]) == string(m.ClientID[halfID:])
}

// revoke takes a message back.
func (x *exchange) revoke() error {
	id := parseMessageID(string(x.body.SvrMsgId))
	c := parseConversation(x.body.ToUserName, x.caller.User)
	if id == 0 || c.IsZero() || id.hash() != conversationHash(c) {
		return hongyan.Errorf(hongyan.NotFound, "there is no such message")
	}
	_, err := x.do(wire.OpRecall, &wire.RecallRequest{Conversation: c.String(), Ordinal: uint64(id.ordinal())})
	if err != nil {
		return err
	}
	return x.reply(struct {
		BaseResponse baseResponse
		Introduction string
		SysWording   string
	}{})
}
