package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
)

// problemType is the media type of a refusal (RFC 9457 §3).
const problemType = "application/problem+json"

// problem is a refusal as its client reads it (RFC 9457 §3.1), with the members of the schema's Error behind those of
// the standard. Type leads to the readable page, which lists the codes.
type problem struct {
	Type         string `json:"type"`
	Title        string `json:"title"`
	Status       int    `json:"status"`
	Detail       string `json:"detail"`
	Code         string `json:"code"`
	Hint         string `json:"hint,omitempty"`
	RetryAfterMS int64  `json:"retryAfterMs,omitempty"`
	RequestID    string `json:"requestId"`
}

// verdict is what a code is to HTTP.
type verdict struct {
	status int
	title  string
}

var verdicts = map[hongyan.Code]verdict{
	hongyan.Internal:           {http.StatusInternalServerError, "A fault of the server"},
	hongyan.Invalid:            {http.StatusBadRequest, "Malformed, or against a stated rule"},
	hongyan.UnknownOperation:   {http.StatusNotFound, "No such operation"},
	hongyan.Unauthenticated:    {http.StatusUnauthorized, "An account is needed"},
	hongyan.BadCredentials:     {http.StatusUnauthorized, "Wrong name or password"},
	hongyan.TokenExpired:       {http.StatusUnauthorized, "The ticket has expired"},
	hongyan.Revoked:            {http.StatusUnauthorized, "The device or key was ended"},
	hongyan.Throttled:          {http.StatusTooManyRequests, "Too many attempts"},
	hongyan.TLSRequired:        {http.StatusForbidden, "The connection is not encrypted"},
	hongyan.RegistrationClosed: {http.StatusForbidden, "No registration without an invitation"},
	hongyan.Forbidden:          {http.StatusForbidden, "Not for this account"},
	hongyan.NotFound:           {http.StatusNotFound, "No such account, group, message or device"},
	hongyan.Exists:             {http.StatusConflict, "The name is taken"},
	hongyan.Conflict:           {http.StatusConflict, "The client id was used for something else"},
	hongyan.TooLate:            {http.StatusConflict, "The time for it is over"},
	hongyan.ClockSkew:          {http.StatusConflict, "The first attempt is in the future"},
	hongyan.TooLarge:           {http.StatusRequestEntityTooLarge, "Over a limit of size"},
	hongyan.TooMany:            {http.StatusConflict, "Over a limit of number"},
	hongyan.Blocked:            {http.StatusForbidden, "Blocked by the other side"},
	hongyan.ContactRequired:    {http.StatusForbidden, "A contact is needed before a message"},
	hongyan.NotMember:          {http.StatusForbidden, "Not a member"},
	hongyan.Muted:              {http.StatusForbidden, "May not write there now"},
	hongyan.Dissolved:          {http.StatusGone, "The group is no more"},
	hongyan.KeyInvalid:         {http.StatusBadRequest, "The key is damaged or another account's"},
	hongyan.KeyAhead:           {http.StatusConflict, "The key is ahead of the store"},
	hongyan.Busy:               {http.StatusServiceUnavailable, "A queue is full"},
	hongyan.StorageLow:         {http.StatusInsufficientStorage, "The server is short of disk"},
	hongyan.Unavailable:        {http.StatusServiceUnavailable, "The outcome is unknown, or the server is leaving"},
}

// refusal is an error whose status is not its code's own: one that only HTTP knows.
type refusal struct {
	status int
	error
}

// refuse makes a refusal.
func refuse(status int, e *hongyan.Error) error { return refusal{status, e} }

func (r refusal) Unwrap() error { return r.error }

// newProblem says err to a client. What is no *hongyan.Error is not for clients.
func newProblem(err error, requestID string) problem {
	e := &hongyan.Error{}
	if !errors.As(err, &e) {
		e = hongyan.Errorf(hongyan.Internal, "the server failed").WithHint("try again later, and tell the operator the request id")
	}
	v, ok := verdicts[e.Code]
	if !ok {
		v = verdicts[hongyan.Internal]
	}
	var r refusal
	if errors.As(err, &r) {
		v.status = r.status
	}
	code := strings.ToUpper(e.Code.String())
	return problem{
		Type: Prefix + "#" + code, Title: v.title, Status: v.status, Detail: strings.ToValidUTF8(e.Message, "\uFFFD"),
		Code: code, Hint: strings.ToValidUTF8(e.Hint, "\uFFFD"), RetryAfterMS: max(0, e.RetryAfter.Milliseconds()),
		RequestID: requestID,
	}
}

// encode is p as JSON, in one line.
func (p problem) encode() []byte {
	b, _ := json.Marshal(p) // strings and numbers alone cannot fail
	return b
}

// retryAfter is the value of the header Retry-After (RFC 9110 §10.2.3), in whole seconds, never too early.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// problem makes what err is told as, counts it, and logs what is the server's fault.
func (a *API) problem(err error, requestID, path string) problem {
	p := newProblem(err, requestID)
	if p.Status == http.StatusInternalServerError {
		a.log.Error("request failed", "path", path, "request_id", requestID, "error", err)
	}
	a.metrics.answered(p.Code)
	return p
}

// header is what the header of an answer says besides. token says that the request came with one.
func (p problem) header(token bool) map[string]string {
	h := map[string]string{}
	if p.RetryAfterMS > 0 {
		h["Retry-After"] = retryAfter(time.Duration(p.RetryAfterMS) * time.Millisecond)
	}
	if p.Status == http.StatusUnauthorized { // RFC 9110 §15.5.2 wants a challenge, RFC 6750 §3 says how
		h["WWW-Authenticate"] = `Bearer realm="hongyan"`
		if token {
			h["WWW-Authenticate"] += `, error="invalid_token"`
		}
	}
	return h
}

// refuse answers with a problem.
func (x *exchange) refuse(err error) {
	p := x.api.problem(err, x.id, x.r.URL.Path)
	h := x.w.Header()
	h.Set("Content-Type", problemType)
	for name, value := range p.header(x.token != "") {
		h.Set(name, value)
	}
	if !x.read && x.r.ContentLength != 0 {
		h.Set("Connection", "close")
		// net/http reads on for what is left of a short body, for as long as it takes to come.
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(x.api.bodyTimeUnauth))
	}
	x.w.WriteHeader(p.Status)
	_, _ = x.w.Write(p.encode())
}
