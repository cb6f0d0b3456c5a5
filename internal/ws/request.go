package ws

import (
	"bytes"
)

// Request is the head of an HTTP/1 request, of an upgrade or of any other. Everything in it lies in the head that was
// parsed and lives as long. A Request may be used for one head after another; it then allocates nothing.
type Request struct {
	Method   []byte // as sent; methods are case-sensitive
	Path     []byte // as sent, percent-encoding and dots included; begins with "/", or is "*", or of CONNECT the authority
	RawQuery []byte // what follows "?", or nil
	Minor    int    // of the HTTP version: 1 for HTTP/1.1
	Fields

	authority []byte // of a target in absolute form, or of CONNECT
}

var (
	errRequestLine = &Refusal{400, "malformed request line"}
	errHTTPVersion = &Refusal{505, "HTTP version other than 1"}
	errTarget      = &Refusal{400, "malformed request target"}
	errHost        = &Refusal{400, "no Host field, several, or a malformed one"}
)

// Parse reads a head as HeadReader returns it. It checks what RFC 9112 asks of any request: the request line, the
// syntax of the fields, and exactly one Host from HTTP/1.1 on. The error is a *Refusal.
func (q *Request) Parse(head []byte) error {
	*q = Request{Fields: q.Fields}
	if bad := q.parse(head); bad != nil {
		return bad
	}
	return nil
}

func (q *Request) parse(head []byte) *Refusal {
	line, rest, ok := cutLine(head)
	if !ok {
		return errBareLF
	}
	method, line, ok := bytes.Cut(line, []byte(" "))
	if !ok || !isToken(method) {
		return errRequestLine
	}
	target, version, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return errRequestLine
	}
	major, minor, ok := httpVersion(version)
	if !ok {
		return errRequestLine
	}
	if major != 1 {
		return errHTTPVersion
	}
	q.Method, q.Minor = method, minor
	if !q.setTarget(target) {
		return errTarget
	}
	if bad := q.Fields.parse(rest); bad != nil {
		return bad
	}
	host, ok := q.only("host")
	if host != nil && (!ok || !isAuthority(host)) || host == nil && minor > 0 {
		return errHost
	}
	return nil
}

// httpVersion reads "HTTP/1.1".
func httpVersion(p []byte) (major, minor int, ok bool) {
	if len(p) != 8 || string(p[:5]) != "HTTP/" || p[6] != '.' {
		return 0, 0, false
	}
	major, minor = int(p[5])-'0', int(p[7])-'0'
	return major, minor, major >= 0 && major <= 9 && minor >= 0 && minor <= 9
}

// setTarget takes a target in origin form, absolute form (http and https) or the form "*" (RFC 9112 §3.2), of CONNECT in
// authority form.
func (q *Request) setTarget(target []byte) bool {
	for _, c := range target {
		if c <= ' ' || c >= 0x7F || c == '#' {
			return false
		}
	}
	switch {
	case string(q.Method) == "CONNECT":
		q.Path, q.authority = target, target
		return len(target) > 0 && isAuthority(target)
	case string(target) == "*":
		q.Path = target
		return true
	}
	if scheme, rest, ok := bytes.Cut(target, []byte("://")); ok && len(scheme) > 0 && scheme[0] != '/' {
		if !equalFold(scheme, "http") && !equalFold(scheme, "https") {
			return false
		}
		end := bytes.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		q.authority, target = rest[:end], rest[end:]
		if len(q.authority) == 0 || !isAuthority(q.authority) {
			return false
		}
		if len(target) == 0 || target[0] == '?' {
			q.Path = []byte("/")
		}
	}
	path, query, ok := bytes.Cut(target, []byte("?"))
	if q.Path == nil {
		q.Path = path
	}
	if ok {
		q.RawQuery = query
	}
	return len(q.Path) > 0 && q.Path[0] == '/'
}

// isAuthority reports whether p has only characters of a host and a port (RFC 3986 §3.2.2, §3.2.3).
func isAuthority[T string | []byte](p T) bool {
	for i := range len(p) {
		switch c := p[i]; c {
		case '-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '[', ']', '%':
		default:
			if c = lower(c); (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}

// Host is the authority that the request is for: that of a target in absolute form, else that of the Host field (RFC
// 9112 §3.2.2). It may be empty.
func (q *Request) Host() []byte {
	if q.authority != nil {
		return q.authority
	}
	return q.Get("host")
}

// Cookie returns the value of the first cookie with that name, without quotes around it, and whether there is one.
func (q *Request) Cookie(name string) (value []byte, ok bool) {
	for list := range q.All("cookie") {
		for len(list) > 0 {
			var pair []byte
			pair, list, _ = bytes.Cut(list, []byte(";"))
			key, value, ok := bytes.Cut(trimSpace(pair), []byte("="))
			if !ok || string(key) != name {
				continue
			}
			if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			return value, true
		}
	}
	return nil, false
}

// Query returns the decoded value of the first query parameter with that name, and whether there is one. A parameter
// with a malformed escape counts as missing. It allocates only where there is something to decode.
func (q *Request) Query(name string) (value []byte, ok bool) {
	for rest := q.RawQuery; len(rest) > 0; {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		if key, ok := unescape(key); ok && string(key) == name {
			return unescape(value)
		}
	}
	return nil, false
}

// unescape decodes the percent-encoding and the pluses of a query.
func unescape(p []byte) ([]byte, bool) {
	if bytes.IndexByte(p, '%') < 0 && bytes.IndexByte(p, '+') < 0 {
		return p, true
	}
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(p) || unhex(p[i+1]) > 15 || unhex(p[i+2]) > 15 {
				return nil, false
			}
			out = append(out, unhex(p[i+1])<<4|unhex(p[i+2]))
			i += 2
		default:
			out = append(out, p[i])
		}
	}
	return out, true
}

// unhex is the value of a hexadecimal digit, or more than 15.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case lower(c) >= 'a' && lower(c) <= 'f':
		return lower(c) - 'a' + 10
	}
	return 0xFF
}
