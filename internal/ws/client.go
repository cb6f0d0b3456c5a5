package ws

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// URL is a ws or wss URI, taken apart for a client (RFC 6455 §3).
type URL struct {
	Secure bool   // wss: the connection is TLS
	Host   string // for the Host field: with the port only if that is not the default
	Addr   string // to dial: host and port
	Target string // path and query
}

// ParseURL reads a ws or wss URI. A fragment, a user or a missing host is an error.
func ParseURL(raw string) (URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return URL{}, fmt.Errorf("ws: %w", err)
	}
	port := ":80"
	switch {
	case u.Scheme == "wss":
		port = ":443"
	case u.Scheme != "ws":
		return URL{}, fmt.Errorf("ws: scheme %q of %q is neither ws nor wss", u.Scheme, raw)
	}
	if strings.Contains(raw, "#") {
		return URL{}, fmt.Errorf("ws: fragment in %q", raw)
	}
	if u.User != nil || u.Hostname() == "" || !isAuthority(u.Host) {
		return URL{}, fmt.Errorf("ws: %q has no host, a malformed one, or a user", raw)
	}
	host := strings.TrimSuffix(u.Host, ":")
	parsed := URL{Secure: port == ":443", Host: strings.TrimSuffix(host, port), Addr: host, Target: u.EscapedPath()}
	if u.Port() == "" {
		parsed.Addr += port
	}
	if parsed.Target == "" {
		parsed.Target = "/"
	}
	if u.RawQuery != "" {
		parsed.Target += "?" + u.RawQuery
	}
	return parsed, nil
}

// Hello is a client's side of the opening handshake of one connection.
type Hello struct {
	Host      string          // as in URL
	Target    string          // as in URL
	Nonce     [nonceSize]byte // random, new for each connection (RFC 6455 §4.1)
	Origin    string          // "" for clients that are no browsers
	Protocols []string        // subprotocols, the preferred one first
	Deflate   *Deflate        // offer of permessage-deflate, or nil
	Fields    []Field         // others: cookies, authorisation
}

// Field is a header field to be sent.
type Field struct {
	Name, Value string
}

// AppendRequest appends the request (RFC 6455 §4.1). It returns an error, and dst as it was, if a part of h would break
// the syntax of the head or repeat a field of the handshake.
func (h *Hello) AppendRequest(dst []byte) ([]byte, error) {
	if err := h.check(); err != nil {
		return dst, err
	}
	dst = append(append(dst, "GET "...), h.Target...)
	dst = append(append(dst, " HTTP/1.1\r\nHost: "...), h.Host...)
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "+Version+"\r\nSec-WebSocket-Key: "...)
	dst = base64.StdEncoding.AppendEncode(dst, h.Nonce[:])
	if h.Origin != "" {
		dst = append(append(dst, "\r\nOrigin: "...), h.Origin...)
	}
	for i, protocol := range h.Protocols {
		if i == 0 {
			dst = append(dst, "\r\nSec-WebSocket-Protocol: "...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = append(dst, protocol...)
	}
	if h.Deflate != nil {
		dst = h.Deflate.appendOffer(append(dst, "\r\nSec-WebSocket-Extensions: "...))
	}
	for _, f := range h.Fields {
		dst = append(append(append(append(dst, "\r\n"...), f.Name...), ": "...), f.Value...)
	}
	return append(dst, "\r\n\r\n"...), nil
}

func (h *Hello) check() error {
	if h.Host == "" || !isAuthority(h.Host) {
		return fmt.Errorf("ws: malformed host %q", h.Host)
	}
	var q Request
	if !strings.HasPrefix(h.Target, "/") || !q.setTarget([]byte(h.Target)) {
		return fmt.Errorf("ws: malformed target %q", h.Target)
	}
	if !isFieldValue(h.Origin) {
		return fmt.Errorf("ws: malformed origin %q", h.Origin)
	}
	for i, protocol := range h.Protocols {
		if !isToken(protocol) || slices.Contains(h.Protocols[:i], protocol) {
			return fmt.Errorf("ws: subprotocol %q is malformed or listed twice", protocol)
		}
	}
	for _, f := range h.Fields {
		switch name := strings.ToLower(f.Name); name {
		case "host", "content-length", "transfer-encoding", fieldUpgrade, fieldConnection, fieldOrigin, fieldKey,
			fieldVersion, fieldProtocol, fieldExtensions:
			return fmt.Errorf("ws: field %s is the handshake's own", f.Name)
		default:
			if !isToken(name) || !isFieldValue(f.Value) {
				return fmt.Errorf("ws: malformed field %q", f.Name)
			}
		}
	}
	return nil
}

// Response is the head of an HTTP/1 response. What it returns lies in the head that was parsed.
type Response struct {
	Status int // 100 to 999
	Minor  int // of the HTTP version: 1 for HTTP/1.1
	Fields
}

var errStatusLine = errors.New("ws: malformed status line")

// Parse reads a head as HeadReader returns it.
func (r *Response) Parse(head []byte) error {
	*r = Response{Fields: r.Fields}
	line, rest, ok := cutLine(head)
	if !ok {
		return errStatusLine
	}
	version, line, ok := bytes.Cut(line, []byte(" "))
	major, minor, known := httpVersion(version)
	if !ok || !known || major != 1 || len(line) < 3 || len(line) > 3 && line[3] != ' ' {
		return errStatusLine
	}
	for _, digit := range line[:3] {
		if digit < '0' || digit > '9' {
			return errStatusLine
		}
		r.Status = 10*r.Status + int(digit-'0')
	}
	if r.Status < 100 {
		return errStatusLine
	}
	r.Minor = minor
	if bad := r.Fields.parse(rest); bad != nil {
		return fmt.Errorf("ws: malformed response: %s", bad.Reason)
	}
	return nil
}

// StatusError is the answer of a server that did not switch protocols: a redirection, a demand for authorisation, or a
// refusal. The fields of the Response say more.
type StatusError struct {
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("ws: server answered with status %d", e.Status)
}

var (
	errAnswerVersion    = errors.New("ws: server switched protocols in an HTTP version below 1.1")
	errAnswerUpgrade    = errors.New("ws: server's Upgrade field is not websocket")
	errAnswerConnection = errors.New("ws: server's Connection field does not name upgrade")
	errAnswerAccept     = errors.New("ws: server's Sec-WebSocket-Accept does not fit the key")
	errAnswerProtocol   = errors.New("ws: server chose a subprotocol that was not offered")
	errAnswerExtension  = errors.New("ws: server chose an extension or a parameter that was not offered")
)

// Verify checks the response to h (RFC 6455 §4.1, RFC 7692 §7.1). A status other than 101 is a *StatusError; after any
// error the connection is to be closed.
func (h *Hello) Verify(r *Response) (Agreement, error) {
	if r.Status != 101 {
		return Agreement{}, &StatusError{r.Status}
	}
	if r.Minor < 1 {
		return Agreement{}, errAnswerVersion
	}
	if upgrade, ok := r.only(fieldUpgrade); !ok || !equalFold(upgrade, "websocket") {
		return Agreement{}, errAnswerUpgrade
	}
	if !r.HasToken(fieldConnection, "upgrade") {
		return Agreement{}, errAnswerConnection
	}
	var key [keySize]byte
	base64.StdEncoding.Encode(key[:], h.Nonce[:])
	if accept, ok := r.only(fieldAccept); !ok || string(accept) != string(appendAccept(nil, key[:])) {
		return Agreement{}, errAnswerAccept
	}
	var agreed Agreement
	if r.Get(fieldProtocol) != nil {
		protocol, ok := r.only(fieldProtocol)
		if !ok || !slices.Contains(h.Protocols, string(protocol)) {
			return Agreement{}, errAnswerProtocol
		}
		agreed.Protocol = string(protocol)
	}
	if err := h.verifyExtensions(r, &agreed); err != nil {
		return Agreement{}, err
	}
	return agreed, nil
}

// verifyExtensions accepts one permessage-deflate that keeps to the offer, and nothing else.
func (h *Hello) verifyExtensions(r *Response, agreed *Agreement) error {
	var answer deflateParams
	for list := range r.All(fieldExtensions) {
		scan := extensionScanner{rest: list}
		for done := false; !done; {
			switch piece, name, value := scan.next(); piece {
			case extensionEnd:
				done = true
			case extensionName:
				if h.Deflate == nil || agreed.Compressed || !equalFold(name, extDeflate) {
					return errAnswerExtension
				}
				agreed.Compressed = true
			case extensionParam:
				if !answer.set(name, value, false) {
					return errAnswerExtension
				}
			default:
				return errAnswerExtension
			}
		}
	}
	if agreed.Compressed {
		var ok bool
		if agreed.Deflate, ok = h.Deflate.conclude(answer); !ok {
			return errAnswerExtension
		}
	}
	return nil
}
