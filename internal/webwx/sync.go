package webwx

import (
	"fmt"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// Limits of a sync.
const (
	pageChanges     = 100                    // changes that one webwxsync brings
	backfillChanges = 200                    // changes in a page of what a trimmed log still has
	goodbye         = 500 * time.Millisecond // between the end of a session and the answer to what was held for it
	troublePause    = time.Second            // before a synccheck says that something failed: openwechat asks again at once
)

// syncTypes are the changes that clients of the protocol can be told.
var syncTypes = wire.FromTypes([]hongyan.Type{hongyan.TypeMessage, hongyan.TypeContact, hongyan.TypeGroup})

// syncToken is the key of the long link for a cursor; empty for none. A cursor of another generation becomes the key of
// one, so that the server names its reset.
func (x *exchange) syncToken(c cursor, ok bool) []byte {
	if !ok {
		return nil
	}
	generation := x.server.config.Generation
	if c.generation != generation31(generation) {
		generation = ^generation
	}
	return hongyan.KeyAt(generation, x.caller.User, c.version).Token()
}

// cursorOf is the cursor of a key that the server gave. Its versions of the types that are asked for are equal.
func (x *exchange) cursorOf(token []byte) (cursor, error) {
	k, err := hongyan.ParseSyncKey(token)
	return cursor{generation31(k.Generation), k.Seen(hongyan.TypeMessage)}, err
}

// syncCheck says whether there is something to fetch, when there is, or when the time is up. It compares the client's
// key with the log, so it does not matter what other sessions have fetched.
func (x *exchange) syncCheck() error {
	c, ok := parseSyncKey(x.param("synckey")).cursor()
	if !ok {
		x.syncChecked(retOK, selectorNews) // webwxsync will give a key
		return nil
	}
	r, err := ask(x, wire.OpSync, &wire.SyncRequest{
		Key: x.syncToken(c, ok), Limit: 1, WaitMs: uint32(maxSyncWait.Milliseconds()), Types: syncTypes,
	}, &wire.SyncReply{})
	switch {
	case err == nil && (len(r.Changes) > 0 || r.More || r.Reset_ != nil):
		x.syncChecked(retOK, selectorNews)
	case err == nil:
		x.syncChecked(retOK, selectorNothing)
	case hongyan.CodeOf(err) == hongyan.KeyAhead: // webwxsync begins anew
		x.syncChecked(retOK, selectorNews)
	case retOf(err) == retDead:
		// The answer to webwxlogout has to come first: openwechat gives up its own logout when it is told here.
		if sleep(x.ctx, goodbye) != nil {
			return errGone
		}
		return err
	case retOf(err) == retSystem:
		if sleep(x.ctx, troublePause) != nil {
			return errGone
		}
		x.syncChecked(retOK, selectorNothing) // itchat ends its session by anything else
	default:
		return err
	}
	return nil
}

// Selectors. Others exist, but wxBot drops messages and biezhi's client passes them over when it is told one.
const (
	selectorNothing = 0
	selectorNews    = 2
)

func (x *exchange) syncChecked(ret, selector int) {
	x.script(ret, `window.synccheck={retcode:"%d",selector:"%d"}`, ret, selector)
}

// initAnswer is the answer to webwxinit.
type initAnswer struct {
	BaseResponse        baseResponse
	Count               int
	ContactList         []contact
	SyncKey             syncKey
	SyncCheckKey        syncKey
	User                self
	ChatSet             string
	SKey                string
	ClientVersion       int
	SystemTime          int64
	GrayScale           int
	InviteStartCount    int
	MPSubscribeMsgCount int
	MPSubscribeMsgList  []struct{}
	ClickReportInterval int
}

// webInit begins a session: who one is, the latest conversations, and the key of the present moment.
func (x *exchange) webInit() error {
	r, err := ask(x, wire.OpSync, &wire.SyncRequest{Types: syncTypes}, &wire.SyncReply{})
	if err != nil {
		return err
	}
	at, err := x.cursorOf(r.Key)
	if err != nil {
		return err
	}
	me, err := x.profiles(x.caller.User)
	if err != nil {
		return err
	}
	a := initAnswer{
		ContactList: []contact{x.fileHelper()}, SyncKey: at.key(), SyncCheckKey: at.key(), ChatSet: fileHelper,
		User: self{contact: x.contactOf(me[x.caller.User], "", 0)}, SKey: x.server.seal.skey(x.sid), ClientVersion: 369297683,
		SystemTime: x.now.Unix(), GrayScale: 1, InviteStartCount: 40, MPSubscribeMsgList: []struct{}{}, ClickReportInterval: 600000,
	}
	a.User.Uin = uin(x.caller.User)
	for _, b := range r.Reset_.GetConversations() {
		c, err := wire.ToConversation(b)
		if err != nil {
			return err
		}
		if k, ok := x.conversationContact(&c); ok {
			a.ContactList = append(a.ContactList, k)
			a.ChatSet += "," + k.UserName
		}
	}
	a.Count = len(a.ContactList)
	a.ChatSet += ","
	x.setCookies(x.sid, x.caller.User, strconv.FormatInt(x.now.Unix(), 10))
	return x.reply(a)
}

// syncAnswer is the answer to webwxsync.
type syncAnswer struct {
	BaseResponse           baseResponse
	AddMsgCount            int
	AddMsgList             []message
	ModContactCount        int
	ModContactList         []contact
	DelContactCount        int
	DelContactList         []deleted
	ModChatRoomMemberCount int
	ModChatRoomMemberList  []struct{}
	Profile                profile
	ContinueFlag           int
	SyncKey                syncKey
	SKey                   string
	SyncCheckKey           syncKey // equal to SyncKey, or wechat4u keeps its first key for ever
}

// deleted is a contact that is none any more.
type deleted struct {
	UserName    string
	ContactFlag int
}

// sync brings what is newer than the client's key, which acknowledges all before it.
func (x *exchange) sync() error {
	c, ok := x.body.SyncKey.cursor()
	r, err := ask(x, wire.OpSync, &wire.SyncRequest{Key: x.syncToken(c, ok), Limit: pageChanges, Types: syncTypes}, &wire.SyncReply{})
	if hongyan.CodeOf(err) == hongyan.KeyAhead {
		x.server.config.Log.Warn("a web wechat client knows more than the store: it begins anew", "user", x.caller.User, "error", err)
		r, err = ask(x, wire.OpSync, &wire.SyncRequest{Types: syncTypes}, &wire.SyncReply{})
	}
	if err != nil {
		return err
	}
	at, err := x.cursorOf(r.Key)
	if err != nil {
		return err
	}
	changes, more := r.Changes, r.More
	if reset := r.Reset_; reset.GetReason() == wire.ResetTrimmed {
		if changes, more, err = x.remains(c.version, reset.Backfill); err != nil {
			return err
		}
		if more {
			at.version = hongyan.Version(changes[len(changes)-1].Version)
		}
	}
	b := newPage(x)
	for _, change := range changes {
		if err := b.add(change); err != nil {
			return err
		}
	}
	a := b.answer
	a.AddMsgCount, a.ModContactCount, a.DelContactCount = len(a.AddMsgList), len(a.ModContactList), len(a.DelContactList)
	a.SyncKey, a.SyncCheckKey = at.key(), at.key()
	if more {
		a.ContinueFlag = 1
	}
	// songtianyi's client replaces all its cookies by those of this answer.
	x.setCookies(x.sid, x.caller.User, fmt.Sprintf("%d_expired", x.now.Unix()))
	return x.reply(a)
}

// remains returns the next changes above a version that the log still has, for a client that stayed away for longer than
// messages are kept: it gets what is left of them, and not the rest of the log again.
func (x *exchange) remains(above hongyan.Version, token []byte) (changes []*wire.Change, more bool, err error) {
	for len(token) > 0 && len(changes) == 0 {
		r, err := ask(x, wire.OpBackfill, &wire.BackfillRequest{Token: token, Limit: backfillChanges}, &wire.BackfillReply{})
		if err != nil {
			return nil, false, err
		}
		for _, c := range r.Changes {
			if hongyan.Version(c.Version) > above {
				changes = append(changes, c)
			}
		}
		token = r.Token
	}
	return changes, len(token) > 0, nil
}

// statusNotify hears that a client is there, or that a conversation was read.
func (x *exchange) statusNotify() error {
	const read = 1
	if c := parseConversation(x.body.ToUserName, x.caller.User); x.body.Code == read && !c.IsZero() {
		r, err := ask(x, wire.OpConversations, &wire.ConversationsRequest{Ids: []string{c.String()}}, &wire.ConversationsReply{})
		if err != nil {
			return err
		}
		if len(r.Conversations) == 1 && r.Conversations[0].Last > r.Conversations[0].Read {
			q := &wire.MarkReadRequest{Conversation: c.String(), Ordinal: r.Conversations[0].Last}
			if _, err := x.do(wire.OpMarkRead, q); err != nil {
				return err
			}
		}
	}
	return x.reply(struct {
		BaseResponse baseResponse
		MsgID        string
	}{MsgID: strconv.FormatInt(x.now.UnixMilli(), 10)})
}

// accept says that it worked, where there is nothing to do.
func (x *exchange) accept() error { return x.reply(done{}) }
