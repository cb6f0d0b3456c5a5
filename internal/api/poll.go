package api

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// pollSlack is how long after MaxWait a poll has its answer at the latest.
const pollSlack = 8 * time.Second

// syncRow is the operation that a poll asks for, pollPath where it lies.
var (
	syncRow, _ = wire.Lookup(wire.OpSync)
	pollPath   = Prefix + wire.Path(syncRow.Name)
)

// pollBody makes the request of a poll from the parameters of its address: key, limit and waitMs.
func pollBody(query func(name string) string) ([]byte, error) {
	key, err := parseKey(query("key"))
	if err != nil {
		return nil, err
	}
	q := &wire.SyncRequest{Key: key}
	for name, field := range map[string]*uint32{"limit": &q.Limit, "waitMs": &q.WaitMs} {
		text := query(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, hongyan.Errorf(hongyan.Invalid, "%s: %q is no number", name, text)
		}
		*field = uint32(n)
	}
	return proto.Marshal(q)
}

// poll answers a Sync in the form of a GET.
func (x *exchange) poll() {
	err := x.authenticate(syncRow)
	var body []byte
	if err == nil {
		body, err = pollBody(x.r.URL.Query().Get)
	}
	var reply operation.Reply
	if err == nil {
		reply, err = x.ask(Request{Op: wire.OpSync, Caller: x.caller, Token: x.token, Body: body})
	}
	var answer []byte
	if err == nil {
		answer, err = formatJSON.encode(syncRow, reply.Body)
	}
	x.finish(typeJSON, answer, err)
}

// Poll answers a Sync in the form of a GET without a goroutine, so that many may be held. False: it is no such request, or
// one of a web page of who knows where, and ServeHTTP answers it.
func (a *API) Poll(x *http1.Exchange, p Peer) bool {
	if string(x.Method) != http.MethodGet || string(x.Path) != pollPath || x.Get("origin") != nil {
		return false
	}
	token, err := bearer(string(x.Get("authorization")))
	if err == nil && token == "" {
		err = hongyan.Errorf(hongyan.Unauthenticated, "%s needs a token", syncRow.Name).WithHint(bearerHint)
	}
	l := &leanPoll{api: a, id: requestID(string(x.Get("x-request-id"))), token: token != ""}
	var body []byte
	if err == nil {
		body, err = pollBody(func(name string) string {
			value, _ := x.Query(name)
			return string(value)
		})
	}
	if err != nil {
		x.Respond(l.response(nil, err))
		return true
	}
	c := operation.Caller{Peer: p.Peer, Secure: p.Secure, Operator: p.Operator}
	parked := x.Park(x.Now.Add(operation.MaxWait+pollSlack), l)
	a.identify(c, token, func(id account.Identity, err error) {
		if err != nil {
			parked.Respond(l.response(nil, err))
			return
		}
		c.User, c.Device, c.Operator = id.User, id.Device, c.Operator || id.Operator
		l.began(a.Start(Request{Op: wire.OpSync, Caller: c, Token: token, Body: body}, func(r operation.Reply, err error) {
			parked.Respond(l.response(&r, err))
		}))
	})
	return true
}

// leanPoll is a poll without a goroutine.
type leanPoll struct {
	api   *API
	id    string // of the request
	token bool   // it came with one

	mu      sync.Mutex
	release func()
	gone    bool
}

// response is the answer to it.
func (l *leanPoll) response(r *operation.Reply, err error) http1.Response {
	fields := "X-Request-Id: " + l.id + "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	var body []byte
	if err == nil {
		body, err = formatJSON.encode(syncRow, r.Body)
	}
	if err == nil {
		l.api.metrics.answered("OK")
		return http1.Response{Status: http.StatusOK, Type: typeJSON, Fields: fields, Body: body}
	}
	p := l.api.problem(err, l.id, pollPath)
	for name, value := range p.header(l.token) {
		fields += name + ": " + value + "\r\n"
	}
	return http1.Response{Status: p.Status, Type: problemType, Fields: fields, Body: p.encode()}
}

// began notes how to have the request answered early. The client may have gone meanwhile.
func (l *leanPoll) began(release func()) {
	l.mu.Lock()
	l.release = release
	gone := l.gone
	l.mu.Unlock()
	if gone {
		release()
	}
}

// Gone is for http1.
func (l *leanPoll) Gone() {
	l.mu.Lock()
	l.gone = true
	release := l.release
	l.mu.Unlock()
	if release != nil {
		release()
	}
}

// Expired is for http1: an answer that should have come has not.
func (l *leanPoll) Expired(time.Time) http1.Response {
	l.Gone()
	return l.response(nil, hongyan.Errorf(hongyan.Unavailable, "the answer did not come in time").WithHint("ask again"))
}

// parseKey reads a SyncKey in base64, of either alphabet as in JSON, with or without padding. A plus that nobody has
// escaped comes as a space.
func parseKey(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/", " ", "+").Replace(strings.TrimRight(text, "="))
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, hongyan.Errorf(hongyan.KeyInvalid, "the key is no base64").
			WithHint("give it as it came, or none to begin anew")
	}
	return key, nil
}
