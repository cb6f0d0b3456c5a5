package webwx

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// SecretSize is the size of Config.Secret in bytes.
const SecretSize = 32

// sealer turns device tokens into sids and back. Whoever has a sid can use this adapter as the device, and nothing else of
// the server. The same token has the same sid, so nothing of a session needs to be remembered.
type sealer struct {
	aead cipher.AEAD
	mac  []byte // key of what is derived
}

func newSealer(secret [SecretSize]byte) (*sealer, error) {
	key, err := hkdf.Key(sha256.New, secret[:], nil, "webwx seal", 32)
	if err != nil {
		return nil, err
	}
	mac, err := hkdf.Key(sha256.New, secret[:], nil, "webwx mac", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead, mac}, err
}

// sum derives 32 bytes from what is said in parts.
func (s *sealer) sum(parts ...string) []byte {
	h := hmac.New(sha256.New, s.mac)
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return h.Sum(nil)
}

// sid seals a token. The nonce is derived from the token: the same one is only ever used for the same text.
func (s *sealer) sid(token string) string {
	nonce := s.sum("nonce", token)[:s.aead.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, []byte(token), nil))
}

// token opens a sid; empty if it is none.
func (s *sealer) token(sid string) string {
	b, err := base64.RawURLEncoding.Strict().DecodeString(sid)
	if n := s.aead.NonceSize(); err == nil && len(b) > n {
		if token, err := s.aead.Open(nil, b[:n], b[n:], nil); err == nil {
			return string(token)
		}
	}
	return ""
}

// skey is what clients expect under this name. Nothing is decided by it.
func (s *sealer) skey(sid string) string {
	sum := hex.EncodeToString(s.sum("skey", sid))
	return "@crypt_" + sum[:8] + "_" + sum[8:40]
}

// passTicket is what clients expect under this name. Many send it mangled or not at all, so nothing is decided by it.
func (s *sealer) passTicket(sid string) string { return hex.EncodeToString(s.sum("pass", sid)[:16]) }

// uin is the number of an account as clients hold it: 31 bits that are never 0.
func uin(u hongyan.UserID) int64 { return int64(u&0x3fffffff) | 1<<30 }

// Cookies of a session. All that lead to it hold the sid.
const (
	cookieSid    = "wxsid"
	cookieUin    = "wxuin"
	cookieTicket = "webwx_data_ticket" // openwechat uploads with it
	cookieAuth   = "webwx_auth_ticket" // lives long, for webwxpushloginurl
)

// Lives of cookies.
const (
	cookieLife     = 12 * time.Hour
	cookieLongLife = 10 * 365 * 24 * time.Hour
)

// setCookies gives the client its session. Every cookie has attributes: wechat4u finds the end of a value by the
// semicolon. Domain makes them reach the host for files, where openwechat looks for the ticket; an address has no such
// host. SameSite keeps other sites' pages from acting with them.
func (x *exchange) setCookies(sid string, user hongyan.UserID, loadTime string) {
	domain := baseName(x.r)
	if strings.Trim(domain, "0123456789.:") == "" || !strings.Contains(domain, ".") {
		domain = ""
	}
	set := func(name, value string, life time.Duration) {
		http.SetCookie(x.w, &http.Cookie{
			Name: name, Value: value, Path: "/", Domain: domain, Expires: x.now.Add(life).UTC(), Secure: x.https(),
			HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	set(cookieUin, strconv.FormatInt(uin(user), 10), cookieLife)
	set(cookieSid, sid, cookieLife)
	set("wxloadtime", loadTime, cookieLife)
	set("mm_lang", "zh_CN", cookieLife)
	set(cookieTicket, sid, cookieLife)
	set("webwxuvid", hex.EncodeToString(x.server.seal.sum("uvid", sid)[:16]), cookieLongLife)
	set(cookieAuth, sid, cookieLongLife)
}

// authenticate finds out whose request it is, by any of what the many clients give: the sid in the body, in the address or
// in a cookie, or one of the tickets.
func (x *exchange) authenticate() error {
	candidates := []string{string(x.body.BaseRequest.Sid), x.param("sid"), x.cookie(cookieSid), x.ticket(),
		x.cookie(cookieTicket), x.cookie(cookieAuth)}
	for _, sid := range candidates {
		if token := x.server.seal.token(sid); token != "" {
			return x.identify(sid, token)
		}
	}
	return errNoSession
}

// ticket is the data ticket of the address or form. songtianyi sends what stands behind it in the cookie too.
func (x *exchange) ticket() string {
	value, _, _ := strings.Cut(x.param(cookieTicket), ";")
	return value
}

var errNoSession = hongyan.Errorf(hongyan.Unauthenticated, "there is no such session").WithHint("log in again")

// identify makes the holder of a token the caller, after its turn has come.
func (x *exchange) identify(sid, token string) error {
	if err := x.server.limiter.wait(x.ctx, x.server.config.Now, "sid "+sid); err != nil {
		return err
	}
	id, err := x.whoIs(token)
	if err != nil {
		return err
	}
	if id.User == 0 { // a server API key
		return errNoSession
	}
	if err := x.switchedOn(id.User); err != nil {
		return err
	}
	x.sid, x.token = sid, token
	x.caller.User, x.caller.Device = id.User, id.Device
	return nil
}

// SettingName is the setting by which an account keeps clients of the protocol out: with the value SettingOff.
const (
	SettingName = "webwx"
	SettingOff  = "off"
)

// switchedOn asks whether an account lets clients of the protocol in.
func (x *exchange) switchedOn(u hongyan.UserID) error {
	got := make(chan error, 1)
	x.server.config.Setting(u, SettingName, func(value []byte, err error) {
		if err == nil && string(value) == SettingOff {
			err = hongyan.Errorf(hongyan.Revoked, "this account keeps Web WeChat clients out").
				WithHint("let them in with: hongyan devices webwx on")
		}
		got <- err
	})
	select {
	case err := <-got:
		return err
	case <-x.ctx.Done():
		return errGone
	}
}

// whoIs asks who holds a token.
func (x *exchange) whoIs(token string) (account.Identity, error) {
	r, err := x.do(wire.OpAuth, &wire.AuthRequest{Token: token})
	if err != nil {
		return account.Identity{}, err
	}
	return *r.Identity, nil
}

// do performs an operation and waits for its answer, or for the client to go.
func (x *exchange) do(op wire.Op, q proto.Message) (operation.Reply, error) {
	b, err := proto.Marshal(q)
	if err != nil {
		return operation.Reply{}, hongyan.Errorf(hongyan.Invalid, "the request holds text that is not UTF-8")
	}
	type result struct {
		r   operation.Reply
		err error
	}
	got := make(chan result, 1)
	release := x.server.config.Start(api.Request{Op: op, Caller: x.caller, Token: x.token, Body: b},
		func(r operation.Reply, err error) { got <- result{r, err} })
	select {
	case r := <-got:
		return r.r, r.err
	case <-x.ctx.Done():
		release()
		return operation.Reply{}, errGone
	}
}

// ask performs an operation whose answer has a body of type R. An empty body is a new one.
func ask[R proto.Message](x *exchange, op wire.Op, q proto.Message, empty R) (R, error) {
	r, err := x.do(op, q)
	if err != nil {
		return empty, err
	}
	if reply, ok := r.Body.(R); ok {
		return reply, nil
	}
	return empty, nil
}
