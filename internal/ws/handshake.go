package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"strconv"
)

// Version is the only version of the protocol that was ever standardised (RFC 6455 §4.1).
const Version = "13"

// Field names, in lower case for looking them up and as they are sent.
const (
	fieldUpgrade    = "upgrade"
	fieldConnection = "connection"
	fieldOrigin     = "origin"
	fieldKey        = "sec-websocket-key"
	fieldVersion    = "sec-websocket-version"
	fieldProtocol   = "sec-websocket-protocol"
	fieldExtensions = "sec-websocket-extensions"
	fieldAccept     = "sec-websocket-accept"
)

// Acceptor is a server's policy for opening handshakes. It is not changed by use and may serve many goroutines.
type Acceptor struct {
	// Origins are the origins whose pages may connect, as browsers write them: "https://chat.example.org", the port
	// only where it is not the default. They are compared as a whole, but for the case of letters. "*" stands for all,
	// SameHost for the host that the request is for. If there are none, that is the only one.
	Origins []string
	// RequireOrigin turns away requests without an Origin field. Browsers always send one, other clients seldom do
	// (RFC 6455 §10.2).
	RequireOrigin bool
	// Protocols are the subprotocols that the server speaks. The first of the client's list that is among them is
	// chosen; a client with none of them gets a connection without subprotocol.
	Protocols []string
	// Deflate allows permessage-deflate with at least these restrictions; nil declines it.
	Deflate *Deflate
}

// SameHost among Acceptor.Origins lets a page connect to the host that it came from.
const SameHost = "self"

// Agreement is what the two sides of a connection have settled in the opening handshake.
type Agreement struct {
	Protocol   string  // subprotocol, or ""
	Compressed bool    // permessage-deflate is in use
	Deflate    Deflate // its parameters
}

var (
	errMethod      = &Refusal{405, "method other than GET"}
	errHTTP10      = &Refusal{400, "HTTP version below 1.1"}
	errNoHost      = &Refusal{400, "empty host"}
	errUpgrade     = &Refusal{426, "this is a WebSocket endpoint: the Upgrade field must name websocket"}
	errConnection  = &Refusal{400, "the Connection field does not name upgrade"}
	errVersion     = &Refusal{426, "WebSocket version other than 13"}
	errKey         = &Refusal{400, "no Sec-WebSocket-Key of 16 bytes in base64, or several"}
	errBody        = &Refusal{400, "upgrade request with a body"}
	errOrigin      = &Refusal{403, "origin not allowed"}
	errProtocols   = &Refusal{400, "malformed Sec-WebSocket-Protocol"}
	errExtensions  = &Refusal{400, "malformed Sec-WebSocket-Extensions"}
	errOriginCount = &Refusal{400, "several Origin fields"}
)

// Accept checks an upgrade request (RFC 6455 §4.2.1) and appends the response to dst: 101 with what was agreed on, or
// that of the refusal, which is also returned, as a *Refusal. After a refusal the connection is to be closed.
func (a *Acceptor) Accept(dst []byte, q *Request) ([]byte, Agreement, error) {
	key, bad := checkUpgrade(q)
	if bad == nil {
		bad = a.checkOrigin(q)
	}
	var agreed Agreement
	var offer deflateParams
	if bad == nil {
		agreed.Protocol, bad = a.chooseProtocol(q)
	}
	if bad == nil {
		agreed.Deflate, offer, agreed.Compressed, bad = a.chooseDeflate(q)
	}
	if bad != nil {
		return bad.AppendResponse(dst), Agreement{}, bad
	}
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = appendAccept(dst, key)
	if agreed.Protocol != "" {
		dst = append(append(dst, "\r\nSec-WebSocket-Protocol: "...), agreed.Protocol...)
	}
	if agreed.Compressed {
		dst = agreed.Deflate.appendAnswer(append(dst, "\r\nSec-WebSocket-Extensions: "...), offer)
	}
	return append(dst, "\r\n\r\n"...), agreed, nil
}

// keySize is the length of a Sec-WebSocket-Key and of its decoded value.
const (
	keySize   = 24
	nonceSize = 16
)

// checkUpgrade makes the checks of RFC 6455 §4.2.1 that do not depend on the server's policy.
func checkUpgrade(q *Request) (key []byte, bad *Refusal) {
	if string(q.Method) != "GET" {
		return nil, errMethod
	}
	if q.Minor < 1 {
		return nil, errHTTP10
	}
	if len(q.Host()) == 0 {
		return nil, errNoHost
	}
	if !q.HasToken(fieldUpgrade, "websocket") {
		return nil, errUpgrade
	}
	if !q.HasToken(fieldConnection, "upgrade") {
		return nil, errConnection
	}
	if version, ok := q.only(fieldVersion); !ok || string(version) != Version {
		return nil, errVersion
	}
	key, ok := q.only(fieldKey)
	if !ok || len(key) != keySize {
		return nil, errKey
	}
	// The unused bits of the last character may be set, as they are in the example of §4.1.
	var nonce [keySize / 4 * 3]byte
	if n, err := base64.StdEncoding.Decode(nonce[:], key); err != nil || n != nonceSize {
		return nil, errKey
	}
	// What follows the head will be read as frames: a body would be one request smuggled behind another.
	if length := q.Get("content-length"); length != nil && string(length) != "0" || q.Get("transfer-encoding") != nil {
		return nil, errBody
	}
	return key, nil
}

func (a *Acceptor) checkOrigin(q *Request) *Refusal {
	origin := q.Get(fieldOrigin)
	if origin == nil {
		if a.RequireOrigin {
			return errOrigin
		}
		return nil
	}
	if _, ok := q.only(fieldOrigin); !ok {
		return errOriginCount
	}
	if len(a.Origins) == 0 && sameHost(origin, q.Host()) {
		return nil
	}
	for _, allowed := range a.Origins {
		if allowed == "*" || equalFoldAny(origin, allowed) || allowed == SameHost && sameHost(origin, q.Host()) {
			return nil
		}
	}
	return errOrigin
}

// sameHost reports whether origin is that of a page from host, by http or https.
func sameHost(origin, host []byte) bool {
	for _, scheme := range []string{"http://", "https://"} {
		if len(origin) > len(scheme) && equalFold(origin[:len(scheme)], scheme) {
			return equalFoldAny(origin[len(scheme):], string(host))
		}
	}
	return false
}

func (a *Acceptor) chooseProtocol(q *Request) (string, *Refusal) {
	chosen, listed := "", 0
	for offered := range q.elements(fieldProtocol) {
		if !isToken(offered) {
			return "", errProtocols
		}
		for i := 0; chosen == "" && i < len(a.Protocols); i++ {
			if string(offered) == a.Protocols[i] {
				chosen = a.Protocols[i]
			}
		}
		listed++
	}
	if listed == 0 && q.Get(fieldProtocol) != nil {
		return "", errProtocols
	}
	return chosen, nil
}

// chooseDeflate takes the first offer of permessage-deflate that it can keep. Offers that it does not understand are
// declined, not refused (RFC 7692 §7.1); only a value that breaks the grammar is (RFC 6455 §9.1).
func (a *Acceptor) chooseDeflate(q *Request) (agreed Deflate, chosen deflateParams, ok bool, bad *Refusal) {
	for list := range q.All(fieldExtensions) {
		scan := extensionScanner{rest: list}
		var offer deflateParams
		legal := false // offer is one of permessage-deflate without a fault so far
		for piece := extensionName; piece != extensionEnd; {
			var name, value []byte
			piece, name, value = scan.next()
			if piece == extensionMalformed {
				return Deflate{}, deflateParams{}, false, errExtensions
			}
			if piece == extensionParam {
				legal = legal && offer.set(name, value, true)
				continue
			}
			if legal && !ok && a.Deflate != nil {
				agreed, chosen, ok = offer.agree(*a.Deflate), offer, true
			}
			legal, offer = equalFold(name, extDeflate), deflateParams{}
		}
	}
	return agreed, chosen, ok, nil
}

// guid is what a server appends to the key to show that it has understood the request (RFC 6455 §1.3).
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// appendAccept appends the Sec-WebSocket-Accept for a key of keySize bytes: the base64 of the binary digest.
func appendAccept(dst, key []byte) []byte {
	var text [keySize + len(guid)]byte
	copy(text[:], key)
	copy(text[keySize:], guid)
	sum := sha1.Sum(text[:])
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// AppendResponse appends the whole response that turns a request down: it says that the connection ends, how long its
// body is, and which version and protocol would have been right where that was the fault (RFC 6455 §4.4, RFC 9110
// §15.5.22).
func (r *Refusal) AppendResponse(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(r.Status), 10)
	dst = append(append(dst, ' '), statusText(r.Status)...)
	switch r.Status {
	case 405:
		dst = append(dst, "\r\nAllow: GET\r\nConnection: close"...)
	case 426:
		dst = append(dst, "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "+Version+"\r\nConnection: upgrade, close"...)
	default:
		dst = append(dst, "\r\nConnection: close"...)
	}
	dst = append(dst, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(r.Reason)+1), 10)
	dst = append(append(dst, "\r\n\r\n"...), r.Reason...)
	return append(dst, '\n')
}

// statusText is the reason phrase of the statuses with which an upgrade is usually refused, else "".
func statusText(status int) string {
	switch status {
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 426:
		return "Upgrade Required"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 503:
		return "Service Unavailable"
	case 505:
		return "HTTP Version Not Supported"
	}
	return ""
}
