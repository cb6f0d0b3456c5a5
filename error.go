package hongyan

import (
	"errors"
	"fmt"
	"time"
)

// Code classifies an Error for peers. The numbers travel and are never reused; docs/PROTOCOL.md lists them.
type Code uint16

const (
	Internal           Code = 1  // a fault of the server; details are in its log
	Invalid            Code = 2  // the request is malformed or breaks a stated limit
	UnknownOperation   Code = 3  // no such operation in this version
	Unauthenticated    Code = 4  // the connection has not said who it is
	BadCredentials     Code = 5  // wrong name or password
	TokenExpired       Code = 6  // log in again, or use the device token
	Revoked            Code = 7  // the device or token was revoked
	Throttled          Code = 8  // too many attempts: wait RetryAfter
	TLSRequired        Code = 9  // come back encrypted
	RegistrationClosed Code = 10 // accounts are made by invitation or by the operator
	Forbidden          Code = 11 // not allowed for this account
	NotFound           Code = 12 // no such account, group, message or device
	Exists             Code = 13 // the name is taken
	Conflict           Code = 14 // the client id was used for another content
	TooLate            Code = 15 // first attempted before the deduplication window, or past the recall window
	ClockSkew          Code = 16 // the first attempt lies in the server's future
	TooLarge           Code = 17 // over a size limit
	TooMany            Code = 18 // over a count limit
	Blocked            Code = 19 // the other side has blocked this account
	ContactRequired    Code = 20 // this server asks for a contact before a message
	NotMember          Code = 21 // not, or no longer, a member
	Muted              Code = 22 // may not speak there now
	Dissolved          Code = 23 // the group is no more
	KeyInvalid         Code = 24 // the SyncKey is damaged or another account's
	KeyAhead           Code = 25 // the SyncKey is ahead of everything this store has written
	Busy               Code = 26 // a queue is full: nothing was done, try again
	StorageLow         Code = 27 // the server is short of disk: nothing was done, try again later
	Unavailable        Code = 28 // the outcome is unknown or the server is leaving: try again with the same ids
)

var codeNames = map[Code]string{
	Internal: "internal", Invalid: "invalid", UnknownOperation: "unknown_operation",
	Unauthenticated: "unauthenticated", BadCredentials: "bad_credentials", TokenExpired: "token_expired",
	Revoked: "revoked", Throttled: "throttled", TLSRequired: "tls_required",
	RegistrationClosed: "registration_closed", Forbidden: "forbidden", NotFound: "not_found", Exists: "exists",
	Conflict: "conflict", TooLate: "too_late", ClockSkew: "clock_skew", TooLarge: "too_large", TooMany: "too_many",
	Blocked: "blocked", ContactRequired: "contact_required", NotMember: "not_member", Muted: "muted",
	Dissolved: "dissolved", KeyInvalid: "key_invalid", KeyAhead: "key_ahead", Busy: "busy",
	StorageLow: "storage_low", Unavailable: "unavailable",
}

// String is the name of the code in documents, JSON and logs.
func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("code_%d", uint16(c))
}

// Codes returns every code with its name, for documents and tests.
func Codes() map[Code]string {
	all := make(map[Code]string, len(codeNames))
	for c, name := range codeNames {
		all[c] = name
	}
	return all
}

// Retryable reports whether the same request, with the same ids, may succeed later without anybody changing anything.
func (c Code) Retryable() bool {
	switch c {
	case Throttled, Busy, StorageLow, Unavailable, Internal:
		return true
	}
	return false
}

// Error is a refusal that a peer is told: what was wrong, and what can be done. Any other error stays in the log and
// reaches the peer as Internal.
type Error struct {
	Code       Code
	Message    string        // what was wrong, one sentence without a full stop
	Hint       string        // what to do, may be empty
	RetryAfter time.Duration // not before, zero if it does not matter
}

// Errorf makes an Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns a copy that says what to do.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

// WithRetryAfter returns a copy that says when to try again.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("%s (%s)", e.Message, e.Code)
	}
	return fmt.Sprintf("%s (%s): %s", e.Message, e.Code, e.Hint)
}

// CodeOf is the code of the first *Error in err's chain, Internal for any other error, and zero for nil.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
