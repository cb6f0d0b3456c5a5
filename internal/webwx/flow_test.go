package webwx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// TestScan confirms a login from another device: the client is told once that its code was read, then waits on.
func TestScan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.person("alice")
	b := w.browser()
	b.ask("")
	if status, _ := b.get("/qrcode/" + b.uuid); status != http.StatusOK {
		t.Errorf("no code: %d", status)
	}
	if _, page := b.get("/l/" + b.uuid); !strings.Contains(page, "hongyan devices admit "+b.uuid) {
		t.Errorf("%s", page)
	}
	waiting := make(chan string, 1)
	go func() {
		_, text := b.get(root+"login", "uuid", b.uuid, "tip", "0")
		waiting <- text
	}()
	who := must(alice, wire.OpReadLogin, &wire.ReadLoginRequest{Code: b.uuid}, &wire.ReadLoginReply{})
	if who.Device.Name != "Web WeChat" {
		t.Errorf("%v", who)
	}
	if text := <-waiting; !strings.HasPrefix(text, "window.code=201;window.userAvatar = 'data:img/jpg;base64,/9j/") || !strings.HasSuffix(text, "';") {
		t.Errorf("%.100s", text)
	}
	go func() {
		_, text := b.get(root+"login", "uuid", b.uuid, "tip", "0")
		waiting <- text
	}()
	select {
	case text := <-waiting:
		t.Errorf("told twice: %.50s", text)
	case <-time.After(50 * time.Millisecond):
	}
	must(alice, wire.OpAnswerLogin, &wire.AnswerLoginRequest{Code: b.uuid, Accept: true}, &wire.AnswerLoginReply{})
	find(t, redirectPattern, <-waiting)
	b.enter()

	// Whoever has the address but not the ticket gets nothing.
	status, text := b.get(root+"webwxnewloginpage", "uuid", b.uuid, "ticket", "x")
	if status != http.StatusMovedPermanently || !strings.HasPrefix(text, "<error><ret>1203</ret>") {
		t.Errorf("%d %s", status, text)
	}
	if _, text := b.get(root+"login", "uuid", "nobody"); text != "window.code=400;" {
		t.Errorf("%s", text)
	}
	declined := w.browser()
	declined.ask("")
	must(alice, wire.OpReadLogin, &wire.ReadLoginRequest{Code: declined.uuid}, &wire.ReadLoginReply{})
	must(alice, wire.OpAnswerLogin, &wire.AnswerLoginRequest{Code: declined.uuid}, &wire.AnswerLoginReply{})
	if _, text := declined.get(root+"login", "uuid", declined.uuid); text != "window.code=400;" {
		t.Errorf("%s", text)
	}
}

// TestOneSessionPerToken logs a bot in more often than its account may have devices.
func TestOneSessionPerToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.person("alice")
	first := alice.login()
	for range 6 {
		alice.login()
	}
	first.post("webwxinit", retDead, nil, nil)
	if n := len(must(alice, wire.OpDevices, &wire.DevicesRequest{}, &wire.DevicesReply{}).Devices); n != 2 {
		t.Errorf("%d devices", n)
	}
	b := w.browser()
	r, _ := http.NewRequest(http.MethodGet, w.http.URL+"/jslogin", nil)
	r.SetBasicAuth("bot", "hyd_nonsense")
	if _, text := b.send(r); text != "window.QRLogin.code = 500;" {
		t.Errorf("%s", text)
	}
}

// TestTalk exchanges texts between two browsers and a device of the server's own protocol.
func TestTalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	a, b := alice.login(), bob.login()
	text := "<b>&\"co\"\nnext"
	send := map[string]any{"Msg": map[string]any{
		"Type": 1, "Content": text, "FromUserName": a.me, "ToUserName": b.me, "LocalID": 17, "ClientMsgId": "17951.5e3",
	}, "Scene": 0}
	var first, again sent
	a.post("webwxsendmsg", 0, send, &first)
	a.post("webwxsendmsg", 0, send, &again)
	if first != again || first.LocalID != "17" || parseMessageID(first.MsgID) == 0 {
		t.Errorf("%+v, and again %+v", first, again)
	}
	if got := b.check(); got != `window.synccheck={retcode:"0",selector:"2"}` {
		t.Errorf("%s", got)
	}
	page := b.sync()
	if len(page.AddMsgList) != 1 {
		t.Fatalf("%+v", page)
	}
	m := page.AddMsgList[0]
	if m.Content != `&lt;b&gt;&amp;"co"<br/>next` || m.FromUserName != a.me || m.ToUserName != b.me || m.MsgId != first.MsgID ||
		fmt.Sprint(m.NewMsgId) != m.MsgId || m.MsgType != 1 || m.CreateTime < time.Now().Unix()-60 {
		t.Errorf("%+v", m)
	}
	if echo := a.sync(); len(echo.AddMsgList) != 0 {
		t.Errorf("the sender is told of its own message: %+v", echo.AddMsgList)
	}
	// From another device of the account, without being told to its sender's session only.
	alice.send(hongyan.Direct(alice.user, bob.user), hongyan.Text("from the phone"))
	if own := a.sync(); len(own.AddMsgList) != 1 || own.AddMsgList[0].FromUserName != a.me || own.AddMsgList[0].ToUserName != b.me {
		t.Errorf("%+v", own.AddMsgList)
	}
	list := must(bob, wire.OpHistory, &wire.HistoryRequest{Conversation: hongyan.Direct(alice.user, bob.user).String()}, &wire.HistoryReply{})
	if len(list.Messages) != 2 || list.Messages[0].Content.GetText() != text {
		t.Errorf("stored: %v", list.Messages)
	}
	// The same key again brings the same, also to an adapter that has forgotten everything.
	b.key = syncKey{Count: 4, List: []syncKeyItem{b.key.List[0], b.key.List[1], {keyVersionLow, b.key.List[2].Val - 1}, b.key.List[3]}}
	w.restart()
	if n := len(b.sync().AddMsgList); n != 2 {
		t.Errorf("%d messages after a restart", n)
	}
	b.post("webwxstatusnotify", 0, map[string]any{"Code": 1, "ToUserName": a.me}, nil)
	views := must(alice, wire.OpConversations, &wire.ConversationsRequest{}, &wire.ConversationsReply{})
	if views.Conversations[0].PeerRead != 2 {
		t.Errorf("%v", views.Conversations[0])
	}

	a.post("webwxrevokemsg", 0, map[string]any{"SvrMsgId": first.MsgID, "ToUserName": b.me}, nil)
	page = b.sync()
	if len(page.AddMsgList) != 1 || page.AddMsgList[0].MsgType != typeRecalled ||
		!strings.Contains(page.AddMsgList[0].Content, "&lt;newmsgid&gt;"+first.MsgID+"&lt;") ||
		!strings.Contains(page.AddMsgList[0].Content, `&lt;![CDATA["ALICE" 撤回了一条消息]]&gt;`) {
		t.Errorf("%+v", page.AddMsgList)
	}
	if own := a.sync(); len(own.AddMsgList) != 0 {
		t.Errorf("the one that has revoked is told: %+v", own.AddMsgList)
	}
	b.post("webwxrevokemsg", retLogic, map[string]any{"SvrMsgId": first.MsgID, "ToUserName": a.me}, nil)

	notes := map[string]any{"Msg": map[string]any{"Type": 1, "Content": heartbeat + "now", "ToUserName": fileHelper, "LocalID": "1"}}
	b.post("webwxsendmsg", 0, notes, nil)
	notes["Msg"].(map[string]any)["Content"] = "a note"
	b.post("webwxsendmsg", 0, notes, nil)
	kept := must(bob, wire.OpHistory, &wire.HistoryRequest{Conversation: hongyan.Direct(bob.user, bob.user).String()}, &wire.HistoryReply{})
	if len(kept.Messages) != 1 || kept.Messages[0].Content.GetText() != "a note" {
		t.Errorf("notes: %v", kept.Messages)
	}
}

// TestHeldCheck holds a synccheck until something comes, and one until the session ends.
func TestHeldCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	a := alice.login()
	a.sync()
	got := make(chan string, 1)
	go func() { got <- a.check() }()
	select {
	case text := <-got:
		t.Fatalf("not held: %s", text)
	case <-time.After(50 * time.Millisecond):
	}
	bob.send(hongyan.Direct(alice.user, bob.user), hongyan.Text("hello"))
	if text := <-got; text != `window.synccheck={retcode:"0",selector:"2"}` {
		t.Errorf("%s", text)
	}
	a.sync()
	go func() { got <- a.check() }()
	time.Sleep(20 * time.Millisecond)
	begin := time.Now()
	a.post("webwxlogout", 0, nil, nil)
	if text := <-got; text != `window.synccheck={retcode:"1101",selector:"0"}` || time.Since(begin) < goodbye {
		t.Errorf("%s after %v", text, time.Since(begin))
	}
	a.post("webwxinit", retDead, nil, nil)
}

// TestPushLogin takes a session up again by its cookies alone, until its device has ended.
func TestPushLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.person("alice")
	b := alice.login()
	w.restart()
	sid := b.sid
	push := func() (p pushed) {
		t.Helper()
		_, text := b.get(root+"webwxpushloginurl", "uin", "1")
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := push()
	if p.Ret != "0" {
		t.Fatalf("%+v", p)
	}
	b.uuid, b.sid = p.UUID, ""
	b.enter()
	if b.sid != sid {
		t.Error("another session")
	}
	must(alice, wire.OpSetSetting, &wire.SetSettingRequest{Setting: wire.FromSetting(hongyan.Setting{Name: SettingName, Value: []byte(SettingOff)})},
		&wire.SetSettingReply{})
	b.post("webwxinit", retDead, nil, nil)
	if p := push(); p.Ret != "1" {
		t.Errorf("switched off: %+v", p)
	}
	must(alice, wire.OpSetSetting, &wire.SetSettingRequest{Setting: wire.FromSetting(hongyan.Setting{Name: SettingName})}, &wire.SetSettingReply{})
	b.post("webwxlogout", 0, nil, nil)
	if p := push(); p.Ret != "1" || p.UUID != "" {
		t.Errorf("%+v", p)
	}
}

// TestGroup makes a group and changes it, twice where a client repeats its request.
func TestGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
	a, b := alice.login(), bob.login()
	create := map[string]any{"MemberCount": 1, "MemberList": []any{map[string]any{"UserName": b.me}}, "Topic": "geese"}
	var made, again struct {
		ChatRoomName string
		MemberCount  int
		MemberList   []member
	}
	a.post("webwxcreatechatroom", 0, create, &made, "r", "77")
	a.post("webwxcreatechatroom", 0, create, &again, "r", "77")
	if made.ChatRoomName != again.ChatRoomName || made.MemberCount != 2 || !strings.HasPrefix(made.ChatRoomName, "@@") {
		t.Errorf("%+v, and again %+v", made, again)
	}
	page := b.sync()
	if len(page.AddMsgList) != 1 || page.AddMsgList[0].Content != `"ALICE"邀请你加入了群聊` || page.AddMsgList[0].FromUserName != made.ChatRoomName ||
		len(page.ModContactList) != 1 || page.ModContactList[0].MemberCount != 2 {
		t.Errorf("%+v %+v", page.AddMsgList, page.ModContactList)
	}
	if own := a.sync(); len(own.AddMsgList) != 1 || own.AddMsgList[0].Content != `你邀请"BOB"加入了群聊  ` {
		t.Errorf("%+v", own.AddMsgList)
	}
	update := func(x *browser, ret int, body map[string]any, query ...string) {
		t.Helper()
		body["ChatRoomName"] = made.ChatRoomName
		x.post("webwxupdatechatroom", ret, body, nil, query...)
	}
	update(a, 0, map[string]any{"AddMemberList": userName(carol.user)}, "fun", "addmember")
	update(a, 0, map[string]any{"NewTopic": "swans"}, "fun", "modtopic")
	update(b, retLogic, map[string]any{"DelMemberList": userName(carol.user)})
	update(a, 0, map[string]any{"DelMemberList": userName(carol.user)}) // without fun, as openwechat does
	update(a, retParam, map[string]any{})
	carolsOnly := hongyan.GroupConversation(parseGroup(made.ChatRoomName))
	alice.send(carolsOnly, hongyan.Text("hello\nall"))
	var texts []string
	for _, m := range b.sync().AddMsgList {
		texts = append(texts, m.Content)
	}
	want := []string{`"ALICE"邀请"CAROL"加入了群聊`, `"ALICE"修改群名为“swans”`, `"ALICE"将"CAROL"移出了群聊`, a.me + ":<br/>hello<br/>all"}
	if fmt.Sprint(texts) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", texts, want)
	}
	var batch struct {
		Count       int
		ContactList []contact
	}
	b.post("webwxbatchgetcontact", 0, map[string]any{"List": []any{
		map[string]any{"UserName": "@nobody"}, map[string]any{"UserName": made.ChatRoomName, "EncryChatRoomId": made.ChatRoomName},
		map[string]any{"UserName": a.me}, map[string]any{"UserName": fileHelper},
	}}, &batch)
	if batch.Count != 4 || batch.ContactList[0].UserName != "@nobody" || batch.ContactList[1].NickName != "swans" ||
		len(batch.ContactList[1].MemberList) != 2 || batch.ContactList[2].NickName != "ALICE" || batch.ContactList[3].UserName != fileHelper {
		t.Errorf("%+v", batch)
	}
	update(b, 0, map[string]any{}, "fun", "quitchatroom")
	if page := b.sync(); len(page.DelContactList) != 1 || page.DelContactList[0].UserName != made.ChatRoomName {
		t.Errorf("%+v", page)
	}
}

// TestContacts asks, accepts, names and pins.
func TestContacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	a, b := alice.login(), bob.login()
	verify := func(x *browser, opcode int, value, content string) {
		t.Helper()
		x.post("webwxverifyuser", 0, map[string]any{
			"Opcode": opcode, "VerifyUserList": []any{map[string]any{"Value": value, "VerifyUserTicket": ""}}, "VerifyContent": content,
		}, nil)
	}
	verify(a, 2, b.me, "let <me> in")
	asked := b.sync().AddMsgList
	if len(asked) != 1 || asked[0].MsgType != typeAsk || asked[0].FromUserName != friendAsks || asked[0].RecommendInfo.UserName != a.me ||
		asked[0].RecommendInfo.Content != "let <me> in" {
		t.Fatalf("%+v", asked)
	}
	verify(b, 3, asked[0].RecommendInfo.UserName, "")
	if page := a.sync(); len(page.ModContactList) != 1 || page.ModContactList[0].UserName != b.me {
		t.Errorf("%+v", page)
	}
	alice.send(hongyan.Direct(alice.user, bob.user), hongyan.Text("hello"))
	a.post("webwxoplog", 0, map[string]any{"CmdId": 2, "UserName": b.me, "RemarkName": "Bobby"}, nil)
	a.post("webwxoplog", 0, map[string]any{"CmdId": 3, "UserName": b.me, "OP": 1}, nil)
	_, text := a.get(root+"webwxgetcontact", "seq", "0", "SKEY", a.skey)
	var list contactList
	if err := json.Unmarshal([]byte(text), &list); err != nil || list.MemberCount != 2 || list.Seq != 0 {
		t.Fatalf("%v %s", err, text)
	}
	if k := list.MemberList[1]; k.UserName != b.me || k.RemarkName != "Bobby" || k.ContactFlag != flagContact|flagChat|flagPinned || k.NickName != "BOB" {
		t.Errorf("%+v", k)
	}
	if status, picture := a.get(list.MemberList[1].HeadImgUrl[:strings.IndexByte(list.MemberList[1].HeadImgUrl, '?')], "username", b.me); status != 200 {
		t.Errorf("%d", status)
	} else if _, err := jpeg.Decode(strings.NewReader(picture)); err != nil {
		t.Error(err)
	}
}

// TestUpload sends a file in parts, the same part twice, and another one whole.
func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	a, b := alice.login(), bob.login()
	file := bytes.Repeat([]byte("0123456789abcdef"), 3*chunkSize/32) // one and a half parts
	upload := func(ret int, part []byte, fields map[string]string) (u uploaded) {
		t.Helper()
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		_ = form.WriteField("uploadmediarequest", fmt.Sprintf(`{"BaseRequest":{"Sid":%q},"ClientMediaId":17951,"TotalLen":%d}`, a.sid, len(file)))
		f, _ := form.CreateFormFile("filename", `C:\pictures\goose.bin`)
		_, _ = f.Write(part)
		for name, value := range fields {
			_ = form.WriteField(name, value)
		}
		_ = form.Close()
		r, _ := http.NewRequest(http.MethodPost, w.http.URL+root+"webwxuploadmedia?f=json", &body)
		r.Header.Set("Content-Type", form.FormDataContentType())
		_, text := w.browser().send(r) // without cookies
		if err := json.Unmarshal([]byte(text), &u); err != nil || u.BaseResponse.Ret != ret {
			t.Fatalf("%v %s", err, text)
		}
		return u
	}
	part := func(ret, n int, p []byte) uploaded {
		t.Helper()
		return upload(ret, p, map[string]string{"size": fmt.Sprint(len(file)), "chunks": "2", "chunk": fmt.Sprint(n), "name": "/home/a/goose.bin"})
	}
	part(0, 0, file[:chunkSize])
	if u := part(0, 0, file[:chunkSize]); u.MediaId != "" || u.StartPos != chunkSize {
		t.Errorf("%+v", u)
	}
	part(retParam, 2, file[:10])
	whole := part(0, 1, file[chunkSize:])
	if again := part(0, 1, file[chunkSize:]); again != whole || !strings.HasPrefix(whole.MediaId, "@crypt_m_") || whole.EncryFileName != "goose.bin" {
		t.Errorf("%+v, and again %+v", whole, again)
	}
	content := fmt.Sprintf(`<appmsg appid='wxeb' sdkver=''><title>goose.bin</title><type>6</type><appattach><totallen>10</totallen>`+
		`<attachid>%s</attachid><fileext>bin</fileext></appattach></appmsg>`, whole.MediaId)
	a.post("webwxsendappmsg", 0, map[string]any{"Msg": map[string]any{"Type": 6, "Content": content, "ToUserName": b.me, "LocalID": "1"}}, nil)
	m := b.sync().AddMsgList[0]
	if m.MsgType != typeApp || m.AppMsgType != appFile || m.FileName != "goose.bin" || m.FileSize != fmt.Sprint(len(file)) {
		t.Errorf("%+v", m)
	}
	if _, got := b.get(root+"webwxgetmedia", "mediaid", m.MediaId, "sender", a.me); got != string(file) {
		t.Errorf("%d bytes came", len(got))
	}
	small := upload(0, []byte("GIF89a, not really"), nil)
	a.post("webwxsendmsgimg", 0, map[string]any{"Msg": map[string]any{"Type": 3, "MediaId": small.MediaId, "ToUserName": b.me, "LocalID": "2"}}, nil)
	m = b.sync().AddMsgList[0]
	w.restart() // which forgets the conversations
	if _, got := b.get(root+"webwxgetmsgimg", "MsgID", m.MsgId); got != "GIF89a, not really" {
		t.Errorf("%q", got)
	}
	if status, _ := w.person("eve").login().get(root+"webwxgetmsgimg", "MsgID", m.MsgId); status != http.StatusNotFound {
		t.Errorf("a stranger gets %d", status)
	}
	// As a video, of which a part is asked for.
	a.post("webwxsendvideomsg", 0, map[string]any{"Msg": map[string]any{"Type": 43, "MediaId": whole.MediaId, "ToUserName": b.me, "LocalID": "4"}}, nil)
	video := b.sync().AddMsgList[0]
	r, _ := http.NewRequest(http.MethodGet, w.http.URL+root+"webwxgetvideo?msgid="+video.MsgId, nil)
	r.Header.Set("Range", "bytes=5-9")
	if status, got := b.send(r); status != http.StatusPartialContent || got != "56789" || video.MsgType != typeVideo {
		t.Errorf("%d %q of %+v", status, got, video)
	}
	// Forwarding what came in: the content leads to the file.
	forward := strings.NewReplacer("&lt;", "<", "&gt;", ">").Replace(m.Content)
	b.post("webwxsendmsgimg", 0, map[string]any{"Scene": 2, "Msg": map[string]any{
		"Type": 3, "MediaId": "", "Content": forward, "ToUserName": a.me, "LocalID": "3"}}, nil)
}

// TestClockSetBack: a machine's clock that was far ahead and is set right makes no message too late.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now.Store(int64(-8 * 24 * time.Hour)) // the store has seen the present
	b := w.person("alice").login()
	var answer sent
	b.post("webwxsendmsg", 0, map[string]any{"Msg": map[string]any{
		"Type": 1, "Content": "still on time", "ToUserName": "filehelper", "LocalID": "1", "ClientMsgId": "1",
	}}, &answer)
	if answer.MsgID == "" {
		t.Errorf("the answer is %+v", answer)
	}
}
