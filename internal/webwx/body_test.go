package webwx

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/api"
)

// TestBodies reads what different clients write for the same.
func TestBodies(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"BaseRequest":{"Sid":"s","Uin":"1"},"Msg":{"Type":1,"LocalID":"15","ClientMsgId":15}}`:     "s 1 15 15",
		`{"baserequest":{"sid":"s","Uin":1.5},"Msg":{"Type":"1","LocalID":1.5e3,"ClientMsgId":"x"}}`: "s 1 1.5e3 x",
		`{"BaseRequest":null,"Msg":{"Type":null,"LocalID":true}}`:                                    " 0 true ",
		"": " 0  ", " \n": " 0  ", `{"Msg":{"Type":""}}`: " 0  ",
		`{"Msg":{"Type":[]}}`: "error", `{"Msg":{"LocalID":{}}}`: "error", `{"Msg":{"Type":"x"}}`: "error", `{"Msg":7}`: "error",
		`[]`: "error", `{`: "error", `{"Msg":{"Type":1e99}}`: "error", `{"Msg":{"Content":5}}`: "error", `{} x`: "error",
	} {
		b, err := parseBody([]byte(raw))
		got := fmt.Sprint(b.BaseRequest.Sid, " ", b.Msg.Type, " ", b.Msg.LocalID, " ", b.Msg.ClientMsgId)
		if err != nil {
			got = "error"
			if hongyan.CodeOf(err) != hongyan.Invalid {
				t.Errorf("%s: %v", raw, err)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

// FuzzBody: whatever comes is read or refused, and a key that was read is a list of numbers.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"BaseRequest":{"Uin":"1","Sid":"s","Skey":"k","DeviceID":"e"},"SyncKey":{"Count":1,"List":[{"Key":1,"Val":2}]},"rr":-5}`,
		`{"BaseRequest":{},"Msg":{"Type":1,"Content":"<&>","ToUserName":"@1","LocalID":1.7e16,"ClientMsgId":"1"},"Scene":0}`,
		`{"Count":1,"List":[{"UserName":"@1","EncryChatRoomId":""}]}`,
		`{"Opcode":3,"VerifyUserList":[{"Value":"@1","VerifyUserTicket":""}],"SceneList":[33]}`,
		`{"MemberList":[{"UserName":"@1"}],"Topic":"t"}`, `null`, `[]`, "", "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBody(raw)
		if err != nil {
			if hongyan.CodeOf(err) != hongyan.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		if c, ok := b.SyncKey.cursor(); ok {
			if again, ok := c.key().cursor(); !ok || again != c {
				t.Errorf("%+v is again %+v", c, again)
			}
		}
	})
}

// FuzzForm: whatever comes is read or refused, and what is read is within its limits.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nWU_FILE_0\r\n--b\r\nContent-Disposition: form-data; name=\"filename\"; filename=\"a\"\r\n\r\nbytes\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=\"filename\"\r\n\r\n\r\n--b--\r\n", "--b--", "", "--b\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		form, err := parseForm(multipart.NewReader(bytes.NewReader(raw), "b"))
		if err != nil {
			if c := hongyan.CodeOf(err); c != hongyan.Invalid && c != hongyan.TooLarge {
				t.Errorf("%v", err)
			}
			return
		}
		if !form.there || len(form.file) > maxUpload {
			t.Errorf("%d bytes of a file, there: %v", len(form.file), form.there)
		}
		for name, value := range form.fields {
			if name != strings.ToLower(name) || len(value) > maxFormValue {
				t.Errorf("%q has %d bytes", name, len(value))
			}
		}
	})
}

// TestMalformed sends what no client should send to every endpoint: each has its answer, and the server goes on.
func TestMalformed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.person("alice").login()
	withSid := func(rest string) string { return `{"BaseRequest":{"Sid":"` + b.sid + `"}` + rest + `}` }
	stranger := w.browser()
	for endpoint, to := range endpoints {
		if to.needs != needsSession {
			continue
		}
		ret := `"Ret":1101`
		switch name := endpoint[strings.LastIndexByte(endpoint, '/')+1:]; {
		case name == "synccheck":
			ret = `retcode:"1101"`
		case name == "webwxpushloginurl":
			ret = `"ret":"1"`
		case strings.HasPrefix(name, "webwxget") && name != "webwxgetcontact", name == "webwxpreview":
			ret = "no such session"
		}
		for _, body := range []string{"", "{}", `{"BaseRequest":{"Sid":"x","Skey":"y"}}`, `{"BaseRequest":{"Sid":"` + b.sid[:20] + `"}}`} {
			if _, text := stranger.request(http.MethodPost, endpoint, body); !strings.Contains(text, ret) {
				t.Errorf("%s with %s: %s, want %s", endpoint, body, text, ret)
			}
		}
	}
	for _, c := range []struct{ endpoint, body, want string }{
		{"webwxsync", "{", `"Ret":1,`},
		{"webwxsync", withSid(`,"SyncKey":7`), `"Ret":1,`},
		{"webwxsync", withSid(``), `"Ret":0,`}, // it begins anew
		{"webwxsync", withSid(`,"SyncKey":{"Count":9,"List":[{"Key":1,"Val":-5}]}`), `"Ret":0,`},
		{"webwxsendmsg", withSid(`,"Msg":{"Content":5}`), `"Ret":1,`},
		{"webwxsendmsg", withSid(`,"Msg":{"Type":1,"Content":"x","ToUserName":"@nobody"}`), `"Ret":1,`},
		{"webwxsendmsg", withSid(`,"Msg":{"Type":1,"Content":"x","ToUserName":"` + userName(99) + `"}`), `"Ret":1,`},
		{"webwxsendmsg", withSid(`,"Msg":{"Type":1,"Content":"","ToUserName":"filehelper"}`), `"Ret":1,`},
		{"webwxsendmsg", withSid(`,"Msg":{"Type":1,"Content":"` + strings.Repeat("x", hongyan.MaxText+1) + `","ToUserName":"filehelper"}`), `"Ret":1,`},
		{"webwxsendmsg", `{"BaseRequest":{"Sid":"` + b.sid + `"},"pad":"` + strings.Repeat("x", maxBody) + `"}`, `"Ret":1,`},
		{"webwxsendmsgimg", withSid(`,"Msg":{"MediaId":"@crypt_m_AAAAAAAAAAAAAAAAAAAAAA","ToUserName":"filehelper"}`), `"Ret":1,`},
		{"webwxsendmsgimg", withSid(`,"Msg":{"MediaId":"@crypt_../../etc/passwd","ToUserName":"filehelper"}`), `"Ret":1,`},
		{"webwxsendappmsg", withSid(`,"Msg":{"Content":"<appmsg","ToUserName":"filehelper"}`), `"Ret":1,`},
		{"webwxrevokemsg", withSid(`,"SvrMsgId":"5","ToUserName":"filehelper"`), `"Ret":1,`},
		{"webwxoplog", withSid(`,"CmdId":9,"UserName":"filehelper"`), `"Ret":1,`},
		{"webwxverifyuser", withSid(`,"Opcode":3,"VerifyUserList":[]`), `"Ret":1,`},
		{"webwxupdatechatroom", withSid(`,"ChatRoomName":"@@1","NewTopic":"x"`), `"Ret":1,`},
		{"webwxcreatechatroom", withSid(`,"MemberList":[{"UserName":"x"}]`), `"Ret":1,`},
		{"webwxbatchgetcontact", withSid(`,"List":[` + strings.Repeat(`{},`, maxBatch) + `{}]`), `"Ret":1,`},
		{"webwxuploadmedia", withSid(``), `"Ret":1,`},
		{"webwxgetmsgimg", withSid(``), "no such file"},
		{"webwxgetmedia", withSid(``), "no such file"},
		{"nothing", "", "404"},
	} {
		for _, contentType := range []string{"", "text/plain", "application/json", "application/octet-stream; charset=\"", "application/x-www-form-urlencoded"} {
			r, _ := http.NewRequest(http.MethodPost, w.http.URL+root+c.endpoint, strings.NewReader(c.body))
			if contentType != "" {
				r.Header.Set("Content-Type", contentType)
			}
			if status, text := stranger.send(r); !strings.Contains(text, c.want) || status >= 500 {
				t.Errorf("%s as %q with %.200s: %d %s, want %s", c.endpoint, contentType, c.body, status, text, c.want)
			}
		}
	}
	// Every answer that is refused has the key that openwechat reads all the same, and an empty one once the session is over.
	if _, text := w.browser().request(http.MethodPost, root+"webwxsync", `{}`); !strings.Contains(text, `"SyncKey":{"Count":0,"List":[]}`) {
		t.Errorf("%s", text)
	}
	b.post("webwxinit", 0, nil, nil)
}

// TestWho refuses those whom the operator does not want: by place, by a connection that is not encrypted, by how often.
func TestWho(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.person("alice")
	b := alice.login()
	w.peer.Store(&api.Peer{Peer: account.Peer{Loopback: false}})
	if _, text := b.get("/jslogin"); text != "window.QRLogin.code = 500;" {
		t.Errorf("in the clear: %s", text)
	}
	w.peer.Store(&api.Peer{Secure: true})
	w.config.LoopbackOnly = true
	w.restart()
	if status, _ := b.get("/jslogin"); status != http.StatusForbidden {
		t.Errorf("from elsewhere: %d", status)
	}
	w.peer.Store(&api.Peer{Secure: true, Peer: account.Peer{Loopback: true}})
	r, _ := http.NewRequest(http.MethodGet, w.http.URL+"/jslogin", nil)
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	if status, _ := b.send(r); status != http.StatusForbidden {
		t.Errorf("from elsewhere by a proxy here: %d", status)
	}
	if status, _ := b.get("/jslogin"); status != http.StatusOK {
		t.Errorf("from here: %d", status)
	}
	l, err := newLimiter()
	if err != nil {
		t.Fatal(err)
	}
	now, refused := w.config.Now(), 0
	for range 2 * requestBurst {
		if _, ok := l.turn(now, "x"); !ok {
			refused++
		}
	}
	if want := 2*requestBurst - (requestBurst + int(maxDelay/requestEvery)); refused != want {
		t.Errorf("%d of %d are refused, want %d", refused, 2*requestBurst, want)
	}
	if d, ok := l.turn(now, "y"); d != 0 || !ok {
		t.Errorf("another one waits %v", d)
	}
	if d, ok := l.turn(now.Add(maxDelay+requestEvery), "x"); d > maxDelay || !ok {
		t.Errorf("later: %v %v", d, ok)
	}
}
