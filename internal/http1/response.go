package http1

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// Response is an answer. What frames it on the wire, the Date and the Connection fields are made for it.
type Response struct {
	Status int    // from 200 on
	Type   string // Content-Type, or ""
	Fields string // further header fields, each a line that ends with CR LF
	Body   []byte // left out where the method or the status has none
}

// Text is an answer that a person can read: a sentence for a body.
func Text(status int, sentence string) Response {
	return Response{Status: status, Type: "text/plain; charset=utf-8", Body: append([]byte(sentence), '\n')}
}

// appendHead appends everything before a body of n bytes.
func (r *Response) appendHead(dst []byte, now time.Time, n int64, closes bool) []byte {
	dst = strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(r.Status), 10)
	dst = append(append(dst, ' '), http.StatusText(r.Status)...)
	dst = append(append(dst, "\r\nDate: "...), date(now)...)
	if r.Type != "" {
		dst = append(append(dst, "\r\nContent-Type: "...), r.Type...)
	}
	if r.Status != http.StatusNoContent && r.Status != http.StatusNotModified { // RFC 9110 §8.6
		dst = strconv.AppendInt(append(dst, "\r\nContent-Length: "...), n, 10)
	}
	dst = append(dst, "\r\n"...)
	if closes {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(append(dst, r.Fields...), "\r\n"...)
}

// second is a moment as HTTP writes it, which is the same for all answers of a second.
type second struct {
	unix int64
	text string
}

var lastSecond atomic.Pointer[second]

func date(now time.Time) string {
	s := lastSecond.Load()
	if unix := now.Unix(); s == nil || s.unix != unix {
		s = &second{unix, now.UTC().Format(http.TimeFormat)}
		lastSecond.Store(s)
	}
	return s.text
}

// append appends the whole response. headOnly leaves the body away, but not its length (RFC 9110 §9.3.2).
func (r *Response) append(dst []byte, now time.Time, headOnly, closes bool) []byte {
	dst = r.appendHead(dst, now, int64(len(r.Body)), closes)
	if headOnly || r.Status == http.StatusNoContent || r.Status == http.StatusNotModified {
		return dst
	}
	return append(dst, r.Body...)
}

// buffer is what an answer is made in.
type buffer struct{ bytes []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// maxPooled is the size in bytes above which a buffer is left to the garbage collector.
const maxPooled = 64 << 10

// respond queues a response.
func (c *Conn) respond(now time.Time, r Response, headOnly, closes bool) {
	b := buffers.Get().(*buffer)
	b.bytes = r.append(b.bytes, now, headOnly, closes)
	c.write(b)
}

// write queues a copy of what is in b and gives b back.
func (c *Conn) write(b *buffer) {
	c.wrote = true
	c.conn.Write(carrier.Item{Bytes: b.bytes})
	if cap(b.bytes) <= maxPooled {
		b.bytes = b.bytes[:0]
		buffers.Put(b)
	}
}
