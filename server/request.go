package server

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/hongyan-im/hongyan/internal/gate"
)

// Request is how a connection begins: for a WebSocket an HTTP request, for TCP nothing but where it comes from.
type Request struct {
	http     *gate.Request // nil for TCP
	peer     gate.Peer
	protocol string
}

// TCP reports whether the connection speaks frames over TCP. It has no path, query, header or cookie then.
func (r *Request) TCP() bool { return r.http == nil }

// RemoteAddr is the address of the peer.
func (r *Request) RemoteAddr() netip.AddrPort { return r.peer.Addr }

// TLS reports whether the connection is encrypted.
func (r *Request) TLS() bool { return r.peer.TLS }

// Protocol is the subprotocol that was agreed on, or "".
func (r *Request) Protocol() string { return r.protocol }

// Path is the path of the request as it was sent, with its percent-encoding.
func (r *Request) Path() string {
	if r.http == nil {
		return ""
	}
	return string(r.http.Path)
}

// Query is the first parameter of that name in the query, decoded, or "".
func (r *Request) Query(name string) string {
	if r.http == nil {
		return ""
	}
	value, _ := r.http.Query(name)
	return string(value)
}

// Header is the first field of that name, in any case, or "".
func (r *Request) Header(name string) string {
	if r.http == nil {
		return ""
	}
	return string(r.http.Get(strings.ToLower(name)))
}

// Cookie is the first cookie of that name, or "".
func (r *Request) Cookie(name string) string {
	if r.http == nil {
		return ""
	}
	value, _ := r.http.Cookie(name)
	return string(value)
}

// Refusal is an error of Config.Open that says by which HTTP status a WebSocket is refused.
type Refusal struct {
	Status int
	Reason string // a sentence for the body of the response
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s (%d)", r.Reason, r.Status) }
