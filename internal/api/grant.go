package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Where else than in a header the right to a stream may stand.
const (
	streamTicket = "ticket"         // in the query
	streamCookie = "hongyan_events" // in a cookie
)

// authenticateStream finds out who a stream is for, by the header Authorization, a one-time ticket, or the cookie.
func (x *exchange) authenticateStream() error {
	token, err := bearer(x.r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	if text := x.r.URL.Query().Get(streamTicket); token == "" && text != "" {
		var ok bool
		if token, ok = x.api.tickets.redeem(text); !ok {
			return hongyan.Errorf(hongyan.Unauthenticated, "the stream ticket is unknown, spent or over").
				WithHint("get another: POST " + Prefix + "events/ticket")
		}
	}
	if token == "" {
		token = x.cookie()
	}
	if token == "" {
		return hongyan.Errorf(hongyan.Unauthenticated, "a stream needs an account").
			WithHint("send a token, or get a ticket (POST " + Prefix + "events/ticket) or a cookie (POST " + Prefix + "events/cookie) first")
	}
	return x.forAccount(token)
}

// cookie is the token in the cookie of a page of this server. Those of others get nothing by it, though their browser
// sends it along: same-site is not same-origin.
func (x *exchange) cookie() string {
	c, err := x.r.Cookie(streamCookie)
	if err != nil {
		return ""
	}
	if origin := x.r.Header.Get("Origin"); origin != "" && !own(origin, x.r.Host) {
		return ""
	}
	if site := x.r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return ""
	}
	return c.Value
}

// forAccount makes the holder of a token the caller, who must have an account. What the exchange goes on with is the
// ticket that it gets for the token, so that nothing runs longer on it than a ticket lives.
func (x *exchange) forAccount(token string) error {
	id, err := x.identify(token)
	if err != nil {
		return err
	}
	if id.User == 0 {
		return hongyan.Errorf(hongyan.Unauthenticated, "a server API key has no account whose changes could be streamed").
			WithHint("use the token of a device")
	}
	x.token, x.streamUntil = id.Ticket, id.TicketExpires
	return nil
}

// grant authenticates a request for a ticket or a cookie.
func (x *exchange) grant() error {
	token, err := bearer(x.r.Header.Get("Authorization"))
	if err == nil && token == "" {
		err = hongyan.Errorf(hongyan.Unauthenticated, "a stream needs a token").WithHint(bearerHint)
	}
	if err == nil {
		err = x.forAccount(token)
	}
	if err == nil {
		_, err = x.body() // there is nothing in it to be read, but it is to be gone
	}
	return err
}

// grantTicket answers with a one-time ticket for a stream.
func (x *exchange) grantTicket() {
	err := x.grant()
	var text string
	var expires time.Time
	if err == nil {
		text, expires, err = x.api.tickets.issue(x.caller.User, x.token)
	}
	x.finish(typeJSON, []byte(`{"ticket":"`+text+`","expiresMs":"`+strconv.FormatInt(expires.UnixMilli(), 10)+`"}`), err)
}

// grantCookie gives a page of this server a cookie for its streams, which its browser can then resume by itself.
func (x *exchange) grantCookie() {
	err := x.grant()
	if err == nil {
		http.SetCookie(x.w, &http.Cookie{
			Name: streamCookie, Value: x.token, Path: Prefix + "events", Expires: x.streamUntil,
			HttpOnly: true, Secure: x.tls, SameSite: http.SameSiteStrictMode,
		})
	}
	x.finish(typeJSON, []byte("{}"), err)
}
