package api

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/wire"
)

// Request is a call as a carrier has read it.
type Request struct {
	Op     wire.Op
	Caller operation.Caller
	Token  string // that the caller was identified by; empty: by nothing but the connection
	Body   []byte // protobuf, as on the long link; not kept
}

// Start performs a request and gives the answer to done, once, on whatever goroutine has it. A Sync or an AwaitLogin that
// waits may be held for up to operation.MaxWait, and costs no goroutine meanwhile; release, which may be called at any
// time, has it answered now.
func (a *API) Start(q Request, done func(operation.Reply, error)) (release func()) {
	if !waits(q) {
		a.desk.Do(q.Caller, q.Op, q.Body, done)
		return func() {}
	}
	h, err := a.hold(q)
	if err != nil {
		done(operation.Reply{}, err)
		return func() {}
	}
	desk := *a.desk
	if q.Op == wire.OpSync {
		desk.Park = h.park(a.desk.Park)
	} else {
		desk.After = h.after(a.desk.After)
	}
	c, token := q.Caller, q.Token // and not the body, while it is held
	desk.Do(q.Caller, q.Op, q.Body, func(r operation.Reply, err error) {
		a.held.leave(h)
		switch code := hongyan.CodeOf(err); {
		case a.held.leaving() && (err == nil && empty(r) || code == hongyan.Busy): // busy with all that is answered now
			done(operation.Reply{}, a.held.leavingError())
		case err != nil || q.Op != wire.OpSync:
			done(r, err)
		default:
			a.stillThere(c, token, r, done)
		}
	})
	h.begun()
	return h.release
}

// waits reports whether a request may be held.
func waits(q Request) bool {
	switch q.Op {
	case wire.OpSync:
		var s wire.SyncRequest
		return wire.Unmarshal(q.Body, &s) == nil && s.WaitMs > 0
	case wire.OpAwaitLogin:
		var l wire.AwaitLoginRequest
		return wire.Unmarshal(q.Body, &l) == nil && l.WaitMs > 0
	}
	return false
}

// empty reports whether an answer brings nothing that ends a wait.
func empty(r operation.Reply) bool {
	switch b := r.Body.(type) {
	case *wire.SyncReply:
		return emptyPage(b)
	case *wire.AwaitLoginReply:
		return b.State == wire.LoginWaiting || b.State == wire.LoginScanned
	}
	return false
}

func emptyPage(page *wire.SyncReply) bool {
	return len(page.GetChanges()) == 0 && page.GetReset_() == nil && !page.GetMore()
}

// hold makes room for a request that waits.
func (a *API) hold(q Request) (*hold, error) {
	if len(q.Body) > MaxHeldBody {
		return nil, hongyan.Errorf(hongyan.TooLarge, "the body of a %s that waits has more than %d bytes", q.Op, MaxHeldBody).
			WithHint("send what is needed once, or do not wait")
	}
	return a.held.enter()
}

// stillThere gives an answer that may have been held for a while to a device that has not ended meanwhile.
func (a *API) stillThere(c operation.Caller, token string, r operation.Reply, done func(operation.Reply, error)) {
	a.identify(c, token, func(_ account.Identity, err error) {
		if err != nil {
			r = operation.Reply{}
		}
		done(r, err)
	})
}

// identify asks the desk who holds a token, on behalf of a caller of whom only the connection is known.
func (a *API) identify(c operation.Caller, token string, done func(account.Identity, error)) {
	body, err := proto.Marshal(&wire.AuthRequest{Token: token})
	if err != nil { // only for text that is not UTF-8
		done(account.Identity{}, hongyan.Errorf(hongyan.Unauthenticated, "this is no valid token"))
		return
	}
	a.desk.Do(c, wire.OpAuth, body, func(r operation.Reply, err error) {
		if err != nil {
			done(account.Identity{}, err)
			return
		}
		done(*r.Identity, nil)
	})
}

// bearer returns the token of a header Authorization (RFC 6750 §2.1), empty if there is none.
func bearer(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if token = strings.TrimLeft(token, " "); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", hongyan.Errorf(hongyan.Unauthenticated, "the header Authorization holds no bearer token").
			WithHint(bearerHint)
	}
	return token, nil
}

const bearerHint = "send the header Authorization: Bearer TOKEN, with a ticket or device token of Login, or a server API key"
