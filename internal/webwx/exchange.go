package webwx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/operation"
)

// exchange is one request with its answer.
type exchange struct {
	server *Server
	ctx    context.Context
	w      http.ResponseWriter
	r      *http.Request
	now    time.Time
	name   string // of the endpoint
	query  url.Values
	form   url.Values // of a body that is one
	body   body
	raw    []byte // the body
	caller operation.Caller
	tls    bool
	sid    string // of the session
	token  string // that it stands for
}

// errGone says that nobody is there any more to be answered.
var errGone = errors.New("webwx: the client has gone")

func (s *Server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	var p api.Peer
	if t := tunnelOf(r); t != nil {
		p = t.peer
	} else {
		p = s.config.Peer(r)
	}
	p.Loopback = p.Loopback && direct(r)
	return &exchange{
		server: s, ctx: r.Context(), w: w, r: r, now: s.config.Now(), tls: p.TLS, query: lowerKeys(r.URL.Query()),
		caller: operation.Caller{Peer: p.Peer, Secure: p.Secure},
	}
}

// direct reports whether a request that came by loopback seems to come from this machine and not by a proxy on it. Its
// host says nothing here: clients are brought to another host by entries in the hosts file and by proxies.
func direct(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	return true
}

// lowerKeys makes parameters independent of the case of their names, which differs between clients (MsgID, msgid).
func lowerKeys(v url.Values) url.Values {
	lower := make(url.Values, len(v))
	for name, values := range v {
		name = strings.ToLower(name)
		lower[name] = append(lower[name], values...)
	}
	return lower
}

// prepare reads the request and finds out whose it is. What is open to all is counted by network.
func (x *exchange) prepare(needs need) error {
	h := x.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if needs != needsSession {
		key := "net " + auth.Network(x.caller.Peer.Addr).String()
		if err := x.server.limiter.wait(x.ctx, x.server.config.Now, key); err != nil {
			return err
		}
	}
	if needs == needsNothing {
		return nil
	}
	if err := x.readBody(); err != nil || needs == needsBody {
		return err
	}
	return x.authenticate()
}

// readBody reads the body as JSON, or as a form where it says to be one.
func (x *exchange) readBody() error {
	if x.r.Body == nil || x.r.ContentLength == 0 {
		return nil
	}
	tooLarge := hongyan.Errorf(hongyan.TooLarge, "the body has more than %d bytes", maxBody)
	if x.r.ContentLength > maxBody {
		x.w.Header().Set("Connection", "close")
		return tooLarge
	}
	connection := http.NewResponseController(x.w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyTime)) // an error: there is no connection, as in tests
	b, err := io.ReadAll(io.LimitReader(x.r.Body, maxBody+1))
	switch {
	case err != nil:
		return hongyan.Errorf(hongyan.Invalid, "the body cannot be read: %v", err)
	case len(b) > maxBody:
		return tooLarge
	}
	_ = connection.SetReadDeadline(time.Time{}) // or a held request would end with it
	x.raw = b
	if t, _, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type")); t == "application/x-www-form-urlencoded" && !looksLikeJSON(b) {
		form, err := url.ParseQuery(string(b))
		if err != nil {
			return hongyan.Errorf(hongyan.Invalid, "the form cannot be read: %v", err)
		}
		x.form = lowerKeys(form)
		return nil
	}
	x.body, err = parseBody(b)
	return err
}

// looksLikeJSON reports whether a body is meant to be JSON: Python's requests calls any text a form.
func looksLikeJSON(b []byte) bool {
	s := strings.TrimLeft(string(b[:min(len(b), 64)]), " \t\r\n")
	return strings.HasPrefix(s, "{")
}

// param is a parameter of the address or the form.
func (x *exchange) param(name string) string {
	if v := x.query.Get(name); v != "" {
		return v
	}
	return x.form.Get(name)
}

func (x *exchange) cookie(name string) string {
	if c, err := x.r.Cookie(name); err == nil {
		return c.Value
	}
	return ""
}

// Results of a request, Ret and retcode. What a client does about each differs; all end their session on retDead.
const (
	retOK     = 0
	retSystem = -1
	retLogic  = -2
	retParam  = 1
	retDead   = 1101
	retLogin  = 1203 // of a login only
	retOften  = 1205
)

// retOf is what an error is to a client.
func retOf(err error) int {
	switch hongyan.CodeOf(err) {
	case hongyan.Unauthenticated, hongyan.BadCredentials, hongyan.TokenExpired, hongyan.Revoked:
		return retDead
	case hongyan.Invalid, hongyan.TooLarge, hongyan.NotFound:
		return retParam
	case hongyan.Throttled:
		return retOften
	case hongyan.Internal, hongyan.Unavailable, hongyan.Busy, hongyan.StorageLow:
		return retSystem
	}
	return retLogic
}

// baseResponse is part of every answer in JSON.
type baseResponse struct {
	Ret    int
	ErrMsg string
}

// done is the answer that only says that it worked, and part of others.
type done struct {
	BaseResponse baseResponse
}

// failure is the answer of every endpoint that could not do its work. It has whatever clients read without a look at Ret.
type failure struct {
	BaseResponse baseResponse
	MsgID        string
	LocalID      string
	Count        int
	ContactList  []contact
	MemberCount  int
	MemberList   []contact
	Seq          int
	AddMsgCount  int
	AddMsgList   []message
	SyncKey      syncKey
	SyncCheckKey syncKey
}

// fail answers that a request could not be done. The status is 200 all the same: clients look into the body.
func (x *exchange) fail(err error) {
	if errors.Is(err, errGone) {
		return
	}
	ret := retOf(err)
	if e := new(hongyan.Error); ret == retSystem && !errors.As(err, &e) {
		x.server.config.Log.Error("web wechat request failed", "endpoint", x.name, "error", err)
		err = errors.New("the server failed")
	}
	switch x.name {
	case "jslogin":
		x.script(ret, "window.QRLogin.code = 500;")
	case "login":
		x.script(ret, "window.code=500;")
	case "webwxnewloginpage":
		x.refuseLogin(err)
	case "webwxpushloginurl":
		x.answer(ret, pushed{Ret: "1", Msg: messageFor(err)})
	case "qrcode", "l", "webwxgetmsgimg", "webwxgetvoice", "webwxgetvideo", "webwxgetmedia", "webwxpreview", "webwxgeticon", "webwxgetheadimg":
		x.failFile(ret, err)
	case "synccheck":
		x.syncChecked(ret, 0)
	default:
		key := x.body.SyncKey
		if key.Count != len(key.List) || ret == retDead {
			key = noSyncKey
		}
		x.answer(ret, failure{
			BaseResponse: baseResponse{ret, messageFor(err)}, ContactList: []contact{}, MemberList: []contact{},
			AddMsgList: []message{}, SyncKey: key, SyncCheckKey: key,
		})
	}
}

// failFile answers that there is no file: there is no body to say so in.
func (x *exchange) failFile(ret int, err error) {
	status := http.StatusInternalServerError
	switch ret {
	case retDead:
		status = http.StatusUnauthorized
	case retParam, retLogic:
		status = http.StatusNotFound
	case retOften:
		status = http.StatusTooManyRequests
	}
	x.server.metrics.answered(x.name, ret)
	http.Error(x.w, messageFor(err), status)
}

// messageFor is what a person may read of an error.
func messageFor(err error) string {
	if e := new(hongyan.Error); errors.As(err, &e) {
		return strings.ToValidUTF8(e.Message, "\uFFFD")
	}
	return err.Error()
}

// reply answers with JSON that says that it worked.
func (x *exchange) reply(v any) error {
	x.answer(retOK, v)
	return nil
}

func (x *exchange) answer(ret int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // contents are full of it
	if err := e.Encode(v); err != nil {
		x.server.config.Log.Error("web wechat answer cannot be written", "endpoint", x.name, "error", err)
		ret, b = retSystem, *bytes.NewBufferString(`{"BaseResponse":{"Ret":-1,"ErrMsg":""}}`)
	}
	x.write(ret, "application/json; charset=utf-8", bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// script answers with one line that clients match by pattern and evaluate: no newline behind it.
func (x *exchange) script(ret int, format string, args ...any) {
	x.write(ret, "text/javascript; charset=utf-8", fmt.Appendf(nil, format, args...))
}

func (x *exchange) write(ret int, mediaType string, b []byte) {
	x.server.metrics.answered(x.name, ret)
	x.w.Header().Set("Content-Type", mediaType)
	_, _ = x.w.Write(b)
}
