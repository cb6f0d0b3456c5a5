package ws

import (
	"bytes"
	"fmt"
)

// Limits of the head of a request or response: its first line and fields, up to and with the empty line.
const (
	MaxHead   = 16 << 10 // bytes
	MaxFields = 100
)

// Refusal is why a server turns a request down: an HTTP status and a sentence for the body of the response.
type Refusal struct {
	Status int
	Reason string
}

func (r *Refusal) Error() string { return fmt.Sprintf("ws: %s (%d)", r.Reason, r.Status) }

var (
	errHeadSize    = &Refusal{431, "head of more than 16384 bytes"}
	errFieldCount  = &Refusal{431, "more than 100 header fields"}
	errBareLF      = &Refusal{400, "line that does not end with CR LF"}
	errFieldSyntax = &Refusal{400, "malformed header field"}
)

// HeadReader finds the head of a request or response in the bytes of a connection, which may be cut anywhere. The zero
// value is ready; it belongs to one goroutine.
type HeadReader struct {
	buf   *buffer // what came before the last chunk; nil if nothing did
	start uint16  // where the head begins, behind empty lines
	line  uint16  // where the first line that has not ended begins
	seen  uint16  // up to where there is no end of that line
}

// Next returns the head, once it is complete, and the number of bytes of chunk that it used; head is nil and n is
// len(chunk) while more bytes are needed. The head lies in chunk if it lies there in one piece, else it is valid until
// Release. Empty lines before it are skipped (RFC 9112 §2.2). The error is a *Refusal: a line that ends without CR, or
// more than MaxHead bytes.
func (h *HeadReader) Next(chunk []byte) (head []byte, n int, err error) {
	head, n, bad := h.next(chunk)
	if bad != nil {
		h.Release()
		return nil, n, bad
	}
	return head, n, nil
}

func (h *HeadReader) next(chunk []byte) (head []byte, n int, bad *Refusal) {
	data, early := chunk, 0
	if h.buf != nil {
		early = len(h.buf.b)
		fresh := chunk[:min(len(chunk), MaxHead+1-early)]
		h.buf = h.buf.grown(len(fresh))
		h.buf.b = append(h.buf.b, fresh...)
		data = h.buf.b
	}
	start, line, seen := int(h.start), int(h.line), int(h.seen)
	for {
		length := bytes.IndexByte(data[seen:], '\n')
		if length < 0 {
			break
		}
		end := seen + length + 1
		if end > MaxHead {
			return nil, 0, errHeadSize
		}
		if end < line+2 || data[end-2] != '\r' {
			return nil, 0, errBareLF
		}
		if end == line+2 {
			if line > start {
				return data[start:end], end - early, nil
			}
			start = end
		}
		line, seen = end, end
	}
	if len(data) > MaxHead {
		return nil, 0, errHeadSize
	}
	if h.buf == nil && len(chunk) > 0 {
		h.buf = newBuffer(len(chunk))
		h.buf.b = append(h.buf.b, chunk...)
	}
	h.start, h.line, h.seen = uint16(start), uint16(line), uint16(len(data))
	return nil, len(chunk), nil
}

// Release ends the use of the head and makes the HeadReader ready for another.
func (h *HeadReader) Release() {
	if h.buf != nil {
		h.buf.release()
	}
	*h = HeadReader{}
}

// Fields are the header fields of a request or response. The slices they return lie in the head.
type Fields struct {
	list []field
}

type field struct {
	name, value []byte
}

// Get returns the value of the first field with the given name, which must be in lower case, without the space around
// it, or nil if there is none. A field without a value has an empty one.
func (f *Fields) Get(name string) []byte {
	for i := range f.list {
		if equalFold(f.list[i].name, name) {
			return f.list[i].value
		}
	}
	return nil
}

// All ranges over the values of all fields with the given name, which must be in lower case.
func (f *Fields) All(name string) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for i := range f.list {
			if equalFold(f.list[i].name, name) && !yield(f.list[i].value) {
				return
			}
		}
	}
}

// only returns the value of the field with the given name, and whether there is exactly one.
func (f *Fields) only(name string) (value []byte, ok bool) {
	count := 0
	for v := range f.All(name) {
		value = v
		count++
	}
	return value, count == 1
}

// parse reads the fields of a head behind its first line, up to the empty line.
func (f *Fields) parse(lines []byte) *Refusal {
	f.list = f.list[:0]
	for {
		line, rest, ok := cutLine(lines)
		if !ok {
			return errBareLF
		}
		if len(line) == 0 {
			return nil
		}
		lines = rest
		if len(f.list) == MaxFields {
			return errFieldCount
		}
		// A space before the colon or at the start of a line (a folded value) must be refused (RFC 9112 §5.1, §5.2):
		// proxies have been tricked with both. Neither is a character of a name.
		colon := bytes.IndexByte(line, ':')
		if colon < 0 || !isToken(line[:colon]) {
			return errFieldSyntax
		}
		value := trimSpace(line[colon+1:])
		if !isFieldValue(value) {
			return errFieldSyntax
		}
		f.list = append(f.list, field{line[:colon], value})
	}
}

// cutLine cuts p behind its first CR LF.
func cutLine(p []byte) (line, rest []byte, ok bool) {
	end := bytes.IndexByte(p, '\n')
	if end < 1 || p[end-1] != '\r' {
		return nil, nil, false
	}
	return p[:end-1], p[end+1:], true
}
