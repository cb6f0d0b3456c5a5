package api

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// exchange is one request of net/http with its answer.
type exchange struct {
	api    *API
	w      http.ResponseWriter
	r      *http.Request
	id     string // of the request
	name   string // in its path
	token  string // that came with it
	caller operation.Caller
	tls    bool // the client has encrypted
	read   bool // the whole body was read
	status int  // of an answer that is no problem; 0 is 200
	// streamUntil is when the token of a stream expires.
	streamUntil time.Time
	replaced    chan struct{}     // closed when a stream has to end; nil for other requests
	signals     chan *wire.Signal // for a stream; nil for other requests
}

// ServeHTTP answers a request below Prefix.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := a.peer(r)
	p.Loopback = p.Operator || p.Loopback && direct(r)
	x := &exchange{
		api: a, w: w, r: r, id: requestID(r.Header.Get(headerRequestID)),
		caller: operation.Caller{Peer: p.Peer, Secure: p.Secure, Operator: p.Operator},
		tls:    p.TLS,
	}
	h := w.Header()
	h.Set(headerRequestID, x.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodPost && r.Method != http.MethodPut && r.ContentLength != 0 { // which nobody would read
		x.refuse(hongyan.Errorf(hongyan.Invalid, "%s has no body here", r.Method).WithHint("use " + http.MethodPost))
		return
	}
	if !x.crossOrigin() {
		return
	}
	to, name, ok := a.find(strings.TrimPrefix(r.URL.Path, Prefix))
	x.name = name
	serve := to[r.Method]
	switch {
	case !ok:
		x.refuse(hongyan.Errorf(hongyan.UnknownOperation, "there is no operation at %q", r.URL.Path).
			WithHint("operations are POST " + Prefix + "NAME, as in " + Prefix + "send; GET " + Prefix + " lists them"))
	case serve == nil:
		h.Set("Allow", to.allows())
		x.refuse(refuse(http.StatusMethodNotAllowed, hongyan.Errorf(hongyan.Invalid, "%s takes no %s", r.URL.Path, r.Method).
			WithHint("use "+to.allows())))
	default:
		serve(x)
	}
}

// direct reports whether a request that came by loopback seems to come from this machine: not by a proxy on it, and not
// by a page whose name somebody else lets lead here. Who passes for local may do more, so a doubt is enough.
func direct(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host, _ := hostOf(r)
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

const headerRequestID = "X-Request-Id"

// requestID is the id that a client gave its request, if it is one that logs and headers can carry, or a new one.
func requestID(given string) string {
	const limit = 64
	if given == "" || len(given) > limit {
		return rand.Text()
	}
	for i := range len(given) {
		c := given[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.:", c) >= 0) {
			return rand.Text()
		}
	}
	return given
}

// call performs an operation.
func (x *exchange) call(row *wire.Operation) {
	in, out, err := formats(x.r)
	if err == nil {
		err = x.authenticate(row)
	}
	var body []byte
	if err == nil {
		body, err = x.body()
	}
	if err == nil {
		body, err = in.decode(row, body)
	}
	var reply operation.Reply
	if err == nil {
		reply, err = x.ask(Request{Op: row.Op, Caller: x.caller, Token: x.token, Body: body})
	}
	var answer []byte
	if err == nil {
		answer, err = out.encode(row, reply.Body)
	}
	x.finish(out.mediaType(), answer, err)
}

// finish answers with a body or a problem.
func (x *exchange) finish(mediaType string, body []byte, err error) {
	switch {
	case errors.Is(err, errGone):
	case err != nil:
		x.refuse(err)
	default:
		x.api.metrics.answered("OK")
		x.w.Header().Set("Content-Type", mediaType)
		if x.status != 0 {
			x.w.WriteHeader(x.status)
		}
		_, _ = x.w.Write(body)
	}
}

// identifies reports whether an operation says who is there by what is in its body. A token beside it, which may be an
// old one, does not count.
func identifies(op wire.Op) bool {
	switch op {
	case wire.OpRegister, wire.OpLogin, wire.OpAuth, wire.OpAskLogin, wire.OpAwaitLogin:
		return true
	}
	return false
}

// authenticate finds out who asks for an operation, before its body is read.
func (x *exchange) authenticate(row *wire.Operation) error {
	if identifies(row.Op) {
		return nil
	}
	token, err := bearer(x.r.Header.Get("Authorization"))
	switch {
	case err != nil:
		return err
	case token != "":
		_, err = x.identify(token)
		return err
	case row.Access != wire.Anyone && !x.caller.Operator:
		return hongyan.Errorf(hongyan.Unauthenticated, "%s needs a token", row.Name).WithHint(bearerHint)
	}
	return nil
}

// identify makes the holder of a token the caller.
func (x *exchange) identify(token string) (account.Identity, error) {
	type result struct {
		id  account.Identity
		err error
	}
	got := make(chan result, 1)
	x.token = token
	x.api.identify(x.caller, token, func(id account.Identity, err error) { got <- result{id, err} })
	select {
	case r := <-got:
		if r.err == nil {
			x.caller.User, x.caller.Device = r.id.User, r.id.Device
			x.caller.Operator = x.caller.Operator || r.id.Operator
		}
		return r.id, r.err
	case <-x.r.Context().Done():
		return account.Identity{}, errGone
	}
}

// errGone says that nobody is there any more to be answered.
var errGone = errors.New("api: the client has gone")

// body reads the request's body within the limits of who asks.
func (x *exchange) body() ([]byte, error) {
	if x.caller.User == 0 && !x.caller.Operator {
		return x.bodyWithin(MaxBodyUnauth, x.api.bodyTimeUnauth)
	}
	return x.bodyWithin(MaxBody, x.api.bodyTime)
}

// bodyWithin reads the request's body, if it has at most limit bytes and comes within a time.
func (x *exchange) bodyWithin(limit int, span time.Duration) ([]byte, error) {
	tooLarge := hongyan.Errorf(hongyan.TooLarge, "the body has more than %d bytes", limit).
		WithHint("before authentication bodies are short; afterwards send less at once")
	if x.r.ContentLength > int64(limit) {
		return nil, tooLarge
	}
	connection := http.NewResponseController(x.w)
	_ = connection.SetReadDeadline(time.Now().Add(span)) // an error: there is no connection, as in tests
	b, err := io.ReadAll(io.LimitReader(x.r.Body, int64(limit)+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, hongyan.Errorf(hongyan.Unavailable, "the body did not come within %v", span).
			WithHint("send the request again, with the same ids"))
	case err != nil:
		return nil, hongyan.Errorf(hongyan.Invalid, "the body cannot be read: %v", err)
	case len(b) > limit:
		return nil, tooLarge
	}
	_ = connection.SetReadDeadline(time.Time{}) // or a held request would end with it
	x.read = true
	return b, nil
}

// ask performs a request and waits for its answer, or for the client to go.
func (x *exchange) ask(q Request) (operation.Reply, error) {
	type result struct {
		r   operation.Reply
		err error
	}
	got := make(chan result, 1)
	release := x.api.Start(q, func(r operation.Reply, err error) { got <- result{r, err} })
	for {
		select {
		case r := <-got:
			return r.r, r.err
		case <-x.r.Context().Done():
			release()
			return operation.Reply{}, errGone
		case <-x.replaced:
			release()
			return operation.Reply{}, errReplaced
		case s := <-x.signals:
			if x.signal(s) != nil {
				release()
				return operation.Reply{}, errGone
			}
		}
	}
}
