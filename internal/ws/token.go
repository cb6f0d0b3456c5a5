package ws

import "bytes"

// tokenChars are the characters of a token (RFC 9110 §5.6.2).
var tokenChars = func() (is [256]bool) {
	for c := byte('a'); c <= 'z'; c++ {
		is[c], is[c-'a'+'A'] = true, true
	}
	for _, c := range []byte("0123456789!#$%&'*+-.^_`|~") {
		is[c] = true
	}
	return is
}()

func isToken[T string | []byte](s T) bool {
	for i := range len(s) {
		if !tokenChars[s[i]] {
			return false
		}
	}
	return len(s) > 0
}

// isFieldValue reports whether s has no control characters but tabs (RFC 9110 §5.5).
func isFieldValue[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7F {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// equalFold reports whether p is s, which is in lower case, but for the case of ASCII letters. (bytes.EqualFold would
// also take a Kelvin sign for a k; RFC 6455 §2.1 does not.)
func equalFold[T string | []byte](p T, s string) bool {
	if len(p) != len(s) {
		return false
	}
	for i := range len(p) {
		if lower(p[i]) != s[i] {
			return false
		}
	}
	return true
}

// equalFoldAny is equalFold for an s in any case.
func equalFoldAny(p []byte, s string) bool {
	if len(p) != len(s) {
		return false
	}
	for i := range len(p) {
		if lower(p[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

// trimSpace removes spaces and tabs from both ends of p.
func trimSpace(p []byte) []byte {
	for len(p) > 0 && isSpace(p[0]) {
		p = p[1:]
	}
	for len(p) > 0 && isSpace(p[len(p)-1]) {
		p = p[:len(p)-1]
	}
	return p
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// elements ranges over the elements of all fields with the given name as comma-separated lists (RFC 9110 §5.6.1), empty
// ones left out. No element may contain a comma.
func (f *Fields) elements(name string) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for list := range f.All(name) {
			for len(list) > 0 {
				element, rest, _ := bytes.Cut(list, []byte(","))
				if element = trimSpace(element); len(element) > 0 && !yield(element) {
					return
				}
				list = rest
			}
		}
	}
}

// HasToken reports whether one of the comma-separated lists of that name has the given token. Both are to be in lower
// case.
func (f *Fields) HasToken(name, token string) bool {
	for element := range f.elements(name) {
		if equalFold(element, token) {
			return true
		}
	}
	return false
}

// extensionScanner reads a Sec-WebSocket-Extensions value (RFC 6455 §9.1) piece by piece.
type extensionScanner struct {
	rest   []byte
	inside bool // behind the first extension
}

type extensionPiece uint8

const (
	extensionEnd       extensionPiece = iota // of the list
	extensionName                            // name of an extension
	extensionParam                           // name of a parameter of that extension, and its value
	extensionMalformed                       // the list breaks the grammar
)

// next returns the following piece. The value of a parameter is without quotes, and nil if there is none.
func (s *extensionScanner) next() (piece extensionPiece, name, value []byte) {
	s.rest = trimSpace(s.rest)
	if s.inside {
		if s.take(';') {
			return s.param()
		}
		if len(s.rest) > 0 && !s.take(',') {
			return extensionMalformed, nil, nil
		}
	}
	for s.rest = trimSpace(s.rest); s.take(','); {
		s.rest = trimSpace(s.rest)
	}
	if len(s.rest) == 0 {
		if !s.inside {
			return extensionMalformed, nil, nil
		}
		return extensionEnd, nil, nil
	}
	if name = s.token(); name == nil {
		return extensionMalformed, nil, nil
	}
	s.inside = true
	return extensionName, name, nil
}

func (s *extensionScanner) param() (piece extensionPiece, name, value []byte) {
	s.rest = trimSpace(s.rest)
	if name = s.token(); name == nil {
		return extensionMalformed, nil, nil
	}
	s.rest = trimSpace(s.rest)
	if !s.take('=') {
		return extensionParam, name, nil
	}
	s.rest = trimSpace(s.rest)
	if s.take('"') {
		value = s.quoted()
	} else {
		value = s.token()
	}
	if !isToken(value) { // quoted or not (§9.1)
		return extensionMalformed, nil, nil
	}
	return extensionParam, name, value
}

func (s *extensionScanner) take(c byte) bool {
	if len(s.rest) > 0 && s.rest[0] == c {
		s.rest = s.rest[1:]
		return true
	}
	return false
}

func (s *extensionScanner) token() []byte {
	n := 0
	for n < len(s.rest) && tokenChars[s.rest[n]] {
		n++
	}
	token := s.rest[:n]
	s.rest = s.rest[n:]
	if n == 0 {
		return nil
	}
	return token
}

// quoted reads the rest of a quoted string behind its first quote; nil if it does not end.
func (s *extensionScanner) quoted() []byte {
	value := make([]byte, 0, 16)
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			s.rest = s.rest[i+1:]
			return value
		case '\\':
			if i++; i == len(s.rest) {
				return nil
			}
			value = append(value, s.rest[i])
		default:
			value = append(value, c)
		}
	}
	return nil
}
