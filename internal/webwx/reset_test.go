package webwx

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/internal/certs"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// TestTrimmed comes back after more has happened than is kept: what is left of it comes, in order, and nothing twice.
func TestTrimmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	a := alice.login()
	c := hongyan.Direct(alice.user, bob.user)
	const sent, kept = 2*pageChanges + backfillChanges, pageChanges + backfillChanges
	for i := range sent {
		bob.send(c, hongyan.Text(fmt.Sprint(i)))
	}
	sweeper := inbox.NewSweeper(w.part, store.Retention{Messages: kept})
	for finished := false; !finished; {
		stepped := make(chan bool, 1)
		sweeper.Step(time.Now().UnixMilli(), func(end bool, err error) {
			if err != nil {
				t.Error(err)
			}
			stepped <- end || err != nil
		})
		finished = <-stepped
	}
	var got []string
	for {
		page := a.sync()
		for _, m := range page.AddMsgList {
			got = append(got, m.Content)
		}
		if page.ContinueFlag == 0 {
			break
		}
		if check := a.check(); check != `window.synccheck={retcode:"0",selector:"2"}` {
			t.Errorf("there is more, but %s", check)
		}
	}
	if len(got) != kept || got[0] != fmt.Sprint(sent-kept) || got[kept-1] != fmt.Sprint(sent-1) {
		t.Errorf("%d messages: %v", len(got), got)
	}
}

// TestOtherStore presents keys that this store has not given: of another generation, and of versions to come. The client
// goes on from the present.
func TestOtherStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	a := alice.login()
	present := a.key
	c := hongyan.Direct(alice.user, bob.user)
	for name, item := range map[string]int{"generation": 0, "future": 1} {
		foreign := syncKey{Count: 4, List: append([]syncKeyItem{}, present.List...)}
		foreign.List[item].Val ^= 1 << 20
		a.key = foreign
		if check := a.check(); check != `window.synccheck={retcode:"0",selector:"2"}` {
			t.Errorf("%s: %s", name, check)
		}
		if page := a.sync(); len(page.AddMsgList) != 0 {
			t.Errorf("%s: %+v", name, page.AddMsgList)
		}
		bob.send(c, hongyan.Text(name))
		if page := a.sync(); len(page.AddMsgList) != 1 || page.AddMsgList[0].Content != name {
			t.Errorf("%s: %+v", name, page.AddMsgList)
		}
	}
}

// TestFront goes through the front as a client does that knows nothing but a proxy and an authority.
func TestFront(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	source, err := certs.Authority(dir, "ca.pem", Domains, Hosts, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w.config.Front = source.Config()
	w.restart()
	alice := w.person("alice")
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	proxy, _ := url.Parse(w.http.URL)
	proxy.User = url.UserPassword("bot", alice.token)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool}}}
	t.Cleanup(client.CloseIdleConnections)
	get := func(url string) (string, error) {
		a, err := client.Get(url)
		if err != nil {
			return "", err
		}
		defer a.Body.Close()
		b, err := io.ReadAll(a.Body)
		return string(b), err
	}
	for _, host := range []string{"login.wx.qq.com", "login.weixin.qq.com", "wx.qq.com", "login.web2.wechat.com", "web.wechat.com"} {
		text, err := get("https://" + host + "/jslogin")
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		uuid := find(t, uuidPattern, text)[1]
		if text, err = get("https://" + host + root + "login?uuid=" + uuid); err != nil || !strings.Contains(text, `"https://w`) {
			t.Errorf("%s: %s %v", host, text, err)
		}
	}
	if _, err := get("https://example.com/jslogin"); err == nil {
		t.Error("the front answers for example.com")
	}
	// What the adapter does not serve is not to be had through the front either.
	if text, err := get("https://wx.qq.com/v1/sync"); err != nil || !strings.Contains(text, "404") {
		t.Errorf("%s %v", text, err)
	}
	// A tunnel's client is who has opened it: for this machine only, others do not come through.
	w.config.LoopbackOnly = true
	w.restart()
	w.peer.Store(&api.Peer{Secure: true})
	client.CloseIdleConnections()
	if _, err := get("https://wx.qq.com/jslogin"); err == nil {
		t.Error("the front opens a tunnel for another machine")
	}
	// Without a front there is no proxy.
	w.config.Front = nil
	w.restart()
	if _, err := get("https://wx.qq.com/jslogin"); err == nil {
		t.Error("there is a proxy that was not asked for")
	}
}

// TestFields holds every object against what clients decode without a look: nothing is missing and no list is null.
func TestFields(t *testing.T) {
	t.Parallel()
	x := &exchange{}
	for name, v := range map[string]any{
		"sync": newPage(x).answer, "failure": failure{ContactList: []contact{}, MemberList: []contact{}, AddMsgList: []message{}, SyncKey: noSyncKey, SyncCheckKey: noSyncKey},
	} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(raw), `"SyncKey":{"Count":0,"List":null}`, "")
		if text = strings.ReplaceAll(text, `"SyncCheckKey":{"Count":0,"List":null}`, ""); strings.Contains(text, "null") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
