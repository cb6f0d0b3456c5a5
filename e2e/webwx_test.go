package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/wire"
)

// webBot speaks the Web WeChat protocol as bots do: it knows its sid and its SyncKey, and repeats what has failed.
type webBot struct {
	t      *testing.T
	client *http.Client
	base   string
	sid    string
	me     string
	key    json.RawMessage
}

// token makes a device of an account and returns its token.
func (s *server) token(name string) string {
	s.t.Helper()
	out, err := exec.Command(binary, "user", "token", name, "--data", s.data).Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

var (
	webUUID     = regexp.MustCompile(`uuid = "(.*?)";`)
	webRedirect = regexp.MustCompile(`window.redirect_uri="(.*?)"`)
	webSid      = regexp.MustCompile(`<wxsid>(.*)</wxsid>`)
)

// webLogin logs a bot in by a token.
func (s *server) webLogin(name string) *webBot {
	s.t.Helper()
	b := &webBot{t: s.t, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}, base: "http://" + s.addr}
	s.t.Cleanup(b.client.CloseIdleConnections)
	get := func(url, token string, pattern *regexp.Regexp) string {
		s.t.Helper()
		r, _ := http.NewRequest(http.MethodGet, url, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		text, err := b.do(r)
		found := pattern.FindStringSubmatch(text)
		if err != nil || found == nil {
			s.t.Fatalf("%s: %q %v", url, text, err)
		}
		return found[1]
	}
	uuid := get(b.base+"/jslogin", s.token(name), webUUID)
	page := get(b.base+"/cgi-bin/mmwebwx-bin/login?uuid="+uuid, "", webRedirect)
	b.sid = get(page+"&fun=new", "", webSid)
	var a struct {
		User    struct{ UserName string }
		SyncKey json.RawMessage
	}
	if err := b.post("webwxinit", map[string]any{}, &a); err != nil {
		s.t.Fatal(err)
	}
	b.me, b.key = a.User.UserName, a.SyncKey
	return b
}

func (b *webBot) do(r *http.Request) (string, error) {
	a, err := b.client.Do(r.WithContext(b.t.Context()))
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return string(text), err
}

// post makes a request; a Ret that is not 0 is an error.
func (b *webBot) post(endpoint string, body map[string]any, answer any) error {
	body["BaseRequest"] = map[string]any{"Sid": b.sid}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, b.base+"/cgi-bin/mmwebwx-bin/"+endpoint, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	text, err := b.do(r)
	if err != nil {
		return err
	}
	var base struct{ BaseResponse struct{ Ret int } }
	if err := json.Unmarshal([]byte(text), &base); err != nil || base.BaseResponse.Ret != 0 {
		return fmt.Errorf("%s: %s %v", endpoint, text, err)
	}
	return json.Unmarshal([]byte(text), answer)
}

// through repeats what fails until it does not.
func (b *webBot) through(what string, try func() error) {
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil || b.t.Context().Err() != nil {
			return
		}
		if time.Since(begin) > hang {
			b.t.Errorf("%s: %v", what, err)
			return
		}
	}
}

// receive takes messages until count have come.
func (b *webBot) receive(count int) (texts []string) {
	for len(texts) < count && !b.t.Failed() && b.t.Context().Err() == nil {
		var k struct{ List []struct{ Key, Val int } }
		_ = json.Unmarshal(b.key, &k)
		var items []string
		for _, i := range k.List {
			items = append(items, fmt.Sprintf("%d_%d", i.Key, i.Val))
		}
		b.through("synccheck", func() error {
			r, err := http.NewRequest(http.MethodGet, b.base+"/cgi-bin/mmwebwx-bin/synccheck?sid="+b.sid+"&synckey="+url.QueryEscape(strings.Join(items, "|")), nil)
			if err != nil {
				return err
			}
			text, err := b.do(r)
			if err == nil && !strings.HasPrefix(text, `window.synccheck={retcode:"0",`) {
				err = fmt.Errorf("%s", text)
			}
			return err
		})
		b.through("webwxsync", func() error {
			var a struct {
				AddMsgList []struct {
					MsgType int
					Content string
				}
				SyncKey json.RawMessage
			}
			if err := b.post("webwxsync", map[string]any{"SyncKey": b.key}, &a); err != nil {
				return err
			}
			b.key = a.SyncKey
			for _, m := range a.AddMsgList {
				if m.MsgType == 1 {
					texts = append(texts, m.Content)
				}
			}
			return nil
		})
	}
	return texts
}

// TestWebBotsThroughKills kills the server again and again while one bot sends and another one receives. What was
// acknowledged comes once and in order, to the bot and to a client of the short link; nothing else comes.
func TestWebBotsThroughKills(t *testing.T) {
	s := newServer(t, t.TempDir())
	s.addUser("alice", "bob")
	alice, bob, short := s.webLogin("alice"), s.webLogin("bob"), s.shortLogin("bob")
	const messages, kills = 60, 5
	want := make([]string, messages)
	for i := range want {
		want[i] = fmt.Sprintf("message %d", i+1)
	}
	received := make(chan []string, 1)
	go func() { received <- bob.receive(messages) }()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i, text := range want {
			body := map[string]any{"Msg": map[string]any{
				"Type": 1, "Content": text, "ToUserName": bob.me, "LocalID": fmt.Sprint(i), "ClientMsgId": fmt.Sprint(i),
			}}
			alice.through("webwxsendmsg", func() error { return alice.post("webwxsendmsg", body, new(struct{})) })
			time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		}
	}()
	for range kills {
		time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		s.kill()
		s.start()
	}
	<-sent
	if got := <-received; !slices.Equal(got, want) {
		t.Errorf("the bot received %d messages: %q", len(got), got)
	}
	page := new(wire.SyncReply)
	short.must("sync", &wire.SyncRequest{}, page)
	for _, c := range page.GetReset_().GetConversations() {
		history := new(wire.HistoryReply)
		short.must("history", &wire.HistoryRequest{Conversation: c.Id, Limit: 200}, history)
		var got []string
		for _, m := range history.Messages {
			got = append(got, m.GetContent().GetText())
		}
		if !slices.Equal(got, want) {
			t.Errorf("stored are %d messages: %q", len(got), got)
		}
	}
}

// TestWebHosts asks by every way that leads to the endpoints: with a foreign host, in absolute form as by a proxy, and over TLS.
func TestWebHosts(t *testing.T) {
	s := newServer(t, t.TempDir(), "--webwx.connect")
	s.addUser("alice")
	token := s.token("alice")
	insecure := &tls.Config{InsecureSkipVerify: true} // the server's own certificate is not the matter here
	for name, c := range map[string]struct {
		tls          bool
		target, host string
		redirect     string
	}{
		"its own name": {target: "/jslogin", host: s.addr, redirect: "http://" + s.addr + "/"},
		"another name": {target: "/jslogin", host: "login.wx.qq.com", redirect: "http://wx.qq.com/"},
		"a proxy":      {target: "https://login.wx.qq.com/jslogin?x=1", host: "login.wx.qq.com", redirect: "https://wx.qq.com/"},
		"a port":       {target: "/jslogin", host: "login.chat.example.com:8443", redirect: "http://chat.example.com:8443/"},
		"TLS":          {tls: true, target: "/jslogin", host: "login.web.wechat.com", redirect: "https://web.wechat.com/"},
	} {
		t.Run(name, func(t *testing.T) {
			var conn net.Conn
			conn, err := net.Dial("tcp", s.addr)
			if err == nil && c.tls {
				conn = tls.Client(conn, insecure)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(hang))
			in := bufio.NewReader(conn)
			ask := func(target string) string {
				t.Helper()
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", target, c.host, token)
				a, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Body.Close()
				text, err := io.ReadAll(a.Body)
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			found := webUUID.FindStringSubmatch(ask(c.target))
			if found == nil {
				t.Fatal("no uuid")
			}
			target := strings.Replace(strings.Replace(c.target, "/jslogin", "/cgi-bin/mmwebwx-bin/login", 1), "?x=1", "", 1) + "?uuid=" + found[1]
			text := ask(target)
			if got := webRedirect.FindStringSubmatch(text); got == nil || !strings.HasPrefix(got[1], c.redirect) {
				t.Errorf("%s, want %s", text, c.redirect)
			}
		})
	}
	for target, want := range map[string]string{
		"login.wx.qq.com:443": "200", "wx.qq.com.evil.example:443": "403", "example.com:443": "403", "wx.qq.com:80": "403", "qq.com:443": "403",
	} {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(hang))
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+want+" ") {
			t.Errorf("%s: %q %v, want %s", target, line, err, want)
		}
		conn.Close()
	}
}
