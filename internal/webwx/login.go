package webwx

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/wire"
)

// deviceName is what a session is called among the devices of its account. One that a bot's token has confirmed has the
// number of the token's device behind it.
const deviceName = "Web WeChat"

// Limits of logins.
const (
	maxLogins     = 2 * account.MaxCodeLogins // that are remembered
	pushLoginLife = 5 * time.Minute           // of one that needs nobody to confirm it
)

// logins are the logins that are under way: the secrets that belong to the codes which clients know as uuid. They are in
// memory, as the logins themselves are.
type logins struct {
	mu     sync.Mutex
	now    func() time.Time
	byUUID map[string]*pendingLogin
	oldest []*pendingLogin
}

// pendingLogin is one of them.
type pendingLogin struct {
	uuid, secret string
	expires      time.Time
	known        wire.LoginState // what the client was told
	sid          string          // of the session that is taken up again; empty: there is none yet
}

func newLogins(now func() time.Time) *logins {
	return &logins{now: now, byUUID: map[string]*pendingLogin{}}
}

// add remembers a login; the oldest ones make room for it.
func (l *logins) add(p *pendingLogin) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	if len(l.oldest) >= maxLogins {
		l.forget()
	}
	l.byUUID[p.uuid] = p
	l.oldest = append(l.oldest, p)
}

// expire forgets what is over. Under the lock.
func (l *logins) expire() {
	for len(l.oldest) > 0 && !l.oldest[0].expires.After(l.now()) {
		l.forget()
	}
}

// forget forgets the oldest. Under the lock.
func (l *logins) forget() {
	delete(l.byUUID, l.oldest[0].uuid)
	l.oldest[0] = nil
	l.oldest = l.oldest[1:]
}

// find returns the login of a uuid and what its client was told of it.
func (l *logins) find(uuid string) (pendingLogin, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	p, ok := l.byUUID[uuid]
	if !ok {
		return pendingLogin{}, false
	}
	return *p, true
}

// told notes what the client of a login was told.
func (l *logins) told(uuid string, state wire.LoginState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.byUUID[uuid]; ok {
		p.known = state
	}
}

func (l *logins) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	return len(l.byUUID)
}

// jslogin begins a login: the client shows its uuid as a QR code, for another device of the account to confirm. A client
// that comes with the token of a bot needs nobody.
func (x *exchange) jslogin() error {
	token := credential(x.r)
	name := deviceName
	var bot account.Identity
	if token != "" {
		var err error
		if bot, err = x.whoIs(token); err != nil {
			return err
		}
		name = fmt.Sprintf("%s %d", deviceName, bot.Device)
	}
	asked, err := ask(x, wire.OpAskLogin, &wire.AskLoginRequest{
		Device: wire.FromDevice(hongyan.Device{Name: name, Class: hongyan.ClassWeb}),
	}, &wire.AskLoginReply{})
	if err != nil {
		return err
	}
	if token != "" {
		if err := x.confirm(bot, token, name, asked.Code); err != nil {
			return err
		}
	}
	x.server.logins.add(&pendingLogin{uuid: asked.Code, secret: asked.Secret, expires: time.UnixMilli(asked.ExpiresMs)})
	x.script(retOK, `window.QRLogin.code = 200; window.QRLogin.uuid = "%s";`, asked.Code)
	return nil
}

// credential is the bot's token that came with a request, for clients that can be given an address but no headers: the
// password of an address, of a proxy's too, becomes one of these headers.
func credential(r *http.Request) string {
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		scheme, value, _ := strings.Cut(r.Header.Get(name), " ")
		value = strings.TrimSpace(value)
		switch strings.ToLower(scheme) {
		case "bearer":
			return value
		case "basic":
			b, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				continue
			}
			_, password, _ := strings.Cut(string(b), ":")
			return password
		}
	}
	if t := tunnelOf(r); t != nil {
		return t.token
	}
	return ""
}

// confirm lets a login in on behalf of a bot. The token has one session at a time: the one before ends, or a bot that is
// started again and again would fill the account with devices.
func (x *exchange) confirm(bot account.Identity, token, name, code string) error {
	y := *x
	y.token = token
	y.caller.User, y.caller.Device = bot.User, bot.Device
	list, err := ask(&y, wire.OpDevices, &wire.DevicesRequest{}, &wire.DevicesReply{})
	if err != nil {
		return err
	}
	for _, d := range list.Devices {
		if d.Name == name {
			if _, err := y.do(wire.OpKick, &wire.KickRequest{Device: d.Id}); err != nil && hongyan.CodeOf(err) != hongyan.NotFound {
				return err
			}
		}
	}
	if _, err := y.do(wire.OpReadLogin, &wire.ReadLoginRequest{Code: code}); err != nil {
		return err
	}
	_, err = y.do(wire.OpAnswerLogin, &wire.AnswerLoginRequest{Code: code, Accept: true})
	return err
}

// pollLogin says how far a login is. It blocks while nothing changes, and says once that the code was read: openwechat
// asks again at once.
func (x *exchange) pollLogin() error {
	p, ok := x.server.logins.find(x.param("uuid"))
	if !ok {
		x.script(retOK, "window.code=400;")
		return nil
	}
	if p.sid != "" {
		x.script(retOK, `window.code=200;window.redirect_uri="%s";`, x.redirect(p))
		return nil
	}
	r, err := ask(x, wire.OpAwaitLogin, &wire.AwaitLoginRequest{
		Secret: p.secret, Known: p.known, WaitMs: uint32(maxSyncWait.Milliseconds()),
	}, &wire.AwaitLoginReply{})
	switch {
	case hongyan.CodeOf(err) == hongyan.NotFound || err == nil && r.State == wire.LoginDeclined:
		x.script(retOK, "window.code=400;")
	case err != nil:
		return err
	case r.State == wire.LoginAccepted:
		x.script(retOK, `window.code=200;window.redirect_uri="%s";`, x.redirect(p))
	case r.State == wire.LoginScanned && p.known != wire.LoginScanned:
		x.server.logins.told(p.uuid, wire.LoginScanned)
		picture := base64.StdEncoding.EncodeToString(identicon(r.By.GetUser()))
		x.script(retOK, "window.code=201;window.userAvatar = 'data:img/jpg;base64,%s';", picture)
	default:
		x.script(retOK, "window.code=408;")
	}
	return nil
}

// redirect is where a client whose login was accepted gets its session. No slash may stand behind the question mark:
// itchat cuts the address at the last one.
func (x *exchange) redirect(p pendingLogin) string {
	scheme := "http"
	if x.https() {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s%swebwxnewloginpage?ticket=%s&uuid=%s&lang=zh_CN&scan=%d",
		scheme, baseHost(x.r), root, x.pageTicket(p), p.uuid, x.now.Unix())
}

// pageTicket proves that a client was told that its login is accepted.
func (x *exchange) pageTicket(p pendingLogin) string {
	return hex.EncodeToString(x.server.seal.sum("page", p.secret)[:16])
}

// newLoginPage gives a client its session, as XML and as cookies.
func (x *exchange) newLoginPage() error {
	p, ok := x.server.logins.find(x.param("uuid"))
	if !ok || !hmac.Equal([]byte(x.param("ticket")), []byte(x.pageTicket(p))) {
		return hongyan.Errorf(hongyan.NotFound, "this login is over, or there was none")
	}
	sid, user, err := x.session(p)
	if err != nil {
		return err
	}
	x.setCookies(sid, user, fmt.Sprint(x.now.Unix()))
	x.page(retOK, fmt.Sprintf("<error><ret>0</ret><message></message><skey>%s</skey><wxsid>%s</wxsid><wxuin>%d</wxuin>"+
		"<pass_ticket>%s</pass_ticket><isgrayscale>1</isgrayscale></error>",
		x.server.seal.skey(sid), sid, uin(user), x.server.seal.passTicket(sid)))
	return nil
}

// session is what a login leads to.
func (x *exchange) session(p pendingLogin) (sid string, user hongyan.UserID, err error) {
	if sid = p.sid; sid == "" {
		r, err := ask(x, wire.OpAwaitLogin, &wire.AwaitLoginRequest{Secret: p.secret}, &wire.AwaitLoginReply{})
		if err != nil {
			return "", 0, err
		}
		if r.Login == nil {
			return "", 0, hongyan.Errorf(hongyan.Forbidden, "this login was not confirmed")
		}
		sid = x.server.seal.sid(r.Login.DeviceToken)
	}
	err = x.identify(sid, x.server.seal.token(sid))
	return sid, x.caller.User, err
}

// pushed is the answer to webwxpushloginurl. Its texts are texts, unlike those of all others.
type pushed struct {
	Ret  string `json:"ret"`
	Msg  string `json:"msg"`
	UUID string `json:"uuid"`
}

// pushLogin takes up a session again whose device has not ended, for a client that has kept its cookies. There is nothing
// that anybody would have to confirm once more.
func (x *exchange) pushLogin() error {
	p := &pendingLogin{uuid: rand.Text(), secret: rand.Text(), sid: x.sid, expires: x.now.Add(pushLoginLife)}
	x.server.logins.add(p)
	return x.reply(pushed{Ret: "0", Msg: "all ok", UUID: p.uuid})
}

// refuseLogin is newLoginPage's answer to a login that cannot be. Clients show the message.
func (x *exchange) refuseLogin(err error) {
	x.page(retLogin, fmt.Sprintf("<error><ret>%d</ret><message>%s</message></error>", retLogin, html.EscapeString(messageFor(err))))
}

// page answers with the XML of newLoginPage. wechat4u since 0.7.8 sends neither of the parameters by which the others ask
// for a plain answer, and takes the same XML from a redirect only; there is nowhere to redirect to.
func (x *exchange) page(ret int, xml string) {
	x.server.metrics.answered(x.name, ret)
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if x.param("fun") != "new" && x.param("version") != "v2" {
		x.w.WriteHeader(http.StatusMovedPermanently)
	}
	_, _ = x.w.Write([]byte(xml))
}

// logout ends the session's device. What is held for it ends a moment later by itself: see syncCheck.
func (x *exchange) logout() error {
	if _, err := x.do(wire.OpLogout, &wire.LogoutRequest{}); err != nil {
		return err
	}
	return x.reply(done{})
}

// subHosts are what the protocol's clients put before the name of the main host.
var subHosts = []string{"login.", "file.", "file2.", "webpush.", "webpush2."}

// baseHost is the host of the main endpoints, with its port if it has one, seen from the host of a request.
func baseHost(r *http.Request) string {
	host := r.Host
	if name, port, err := net.SplitHostPort(host); err == nil && (port == "80" || port == "443") && !strings.Contains(name, ":") {
		host = name
	}
	if name := strings.ToLower(host); name == "login.weixin.qq.com" || name == "webpush.weixin.qq.com" {
		return "wx.qq.com"
	}
	if i := slices.IndexFunc(subHosts, func(p string) bool { return strings.HasPrefix(strings.ToLower(host), p) }); i >= 0 {
		return host[len(subHosts[i]):]
	}
	return host
}

// baseName is baseHost without the port.
func baseName(r *http.Request) string {
	host := baseHost(r)
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// https reports whether the client sees an encrypted connection.
func (x *exchange) https() bool {
	return x.tls || x.r.TLS != nil || x.r.URL.Scheme == "https" || strings.EqualFold(x.r.Header.Get("X-Forwarded-Proto"), "https")
}
