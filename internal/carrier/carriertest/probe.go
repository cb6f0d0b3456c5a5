//go:build unix

package carriertest

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// Kinds of items.
const (
	kindEcho byte = iota
	kindPush
	kindLast // of Close
	kindSlow // of a peer that was given up
	kindBare // encoded as its bytes alone, without a header
)

// headerSize is what stands before an item on the wire: its kind, how many have been encoded before it by this handler,
// and its length.
const headerSize = 9

// probe is a handler that echoes, unless a test sets something else before the first call, and watches its carrier. An
// item on the wire says when it was encoded.
type probe struct {
	t    *testing.T
	conn carrier.Conn

	onData    func(now time.Time, p []byte)
	onExpired func(now time.Time)

	deadline atomic.Pointer[time.Time] // nil: never
	received atomic.Int64              // bytes
	encoded  uint32                    // items
	left     bool                      // Become or Detach: nothing but Encode is called any more
	closed   chan struct{}             // closed by Closed

	call     sync.Mutex // held during every call but Encode; nobody ever waits for it
	encoding sync.Mutex // held during Encode
}

func newProbe(t *testing.T, c carrier.Conn) *probe {
	h := &probe{t: t, conn: c, closed: make(chan struct{})}
	h.onData = func(_ time.Time, p []byte) { c.Write(carrier.Item{Kind: kindEcho, Bytes: p}) }
	h.onExpired = func(time.Time) { c.Close(carrier.Item{Kind: kindLast, Bytes: []byte("expired")}) }
	return h
}

// enter is the beginning of every call of the carrier and returns its end.
func (h *probe) enter(method string) (leave func()) {
	if !h.call.TryLock() {
		h.t.Errorf("%s was called during another call", method)
		return func() {}
	}
	if h.left {
		h.t.Errorf("%s was called of a handler that has left", method)
	}
	select {
	case <-h.closed:
		h.t.Errorf("%s was called after Closed", method)
	default:
	}
	return h.call.Unlock
}

func (h *probe) Data(now time.Time, p []byte) {
	defer h.enter("Data")()
	if len(p) == 0 {
		h.t.Error("Data was called without a byte")
	}
	h.received.Add(int64(len(p)))
	h.onData(now, p)
	for i := range p { // p may be changed
		p[i] = 0xdb
	}
}

func (h *probe) Deadline() time.Time {
	defer h.enter("Deadline")()
	if d := h.deadline.Load(); d != nil {
		return *d
	}
	return time.Time{}
}

func (h *probe) Expired(now time.Time) {
	defer h.enter("Expired")()
	d := h.deadline.Load()
	switch {
	case d == nil:
		h.t.Error("Expired was called without a deadline")
	case now.Before(*d):
		h.t.Errorf("Expired was called %v before the deadline", d.Sub(now))
	case time.Now().Before(now):
		h.t.Error("Expired was told a time to come")
	}
	h.onExpired(now)
}

func (h *probe) Encode(dst []byte, item carrier.Item) []byte {
	if !h.encoding.TryLock() {
		h.t.Error("Encode was called during another Encode")
		return dst
	}
	defer h.encoding.Unlock()
	select {
	case <-h.closed:
		h.t.Error("Encode was called after Closed")
	default:
	}
	if item.Bytes == nil {
		h.t.Error("an item without bytes is none")
	}
	if item.Kind != kindBare {
		dst = append(dst, item.Kind)
		dst = binary.BigEndian.AppendUint32(dst, h.encoded)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(item.Bytes)))
		h.encoded++
	}
	return append(dst, item.Bytes...)
}

func (h *probe) Slow() carrier.Item {
	defer h.enter("Slow")()
	return carrier.Item{Kind: kindSlow, Bytes: []byte("slow")}
}

func (h *probe) Closed() {
	defer h.enter("Closed")()
	close(h.closed)
}

// expireIn sets the deadline.
func (h *probe) expireIn(d time.Duration) {
	at := time.Now().Add(d)
	h.deadline.Store(&at)
}

// waitClosed waits for Closed.
func (h *probe) waitClosed() {
	h.t.Helper()
	await(h.t, "Closed was called", h.closed)
}

// last closes the connection with an item.
func (h *probe) last(text string) {
	h.conn.Close(carrier.Item{Kind: kindLast, Bytes: []byte(text)})
}

// push is an item with a number, of the given size.
func push(n uint32, size int) carrier.Item {
	b := make([]byte, size)
	if size >= 4 {
		binary.BigEndian.PutUint32(b, n)
	}
	return carrier.Item{Kind: kindPush, Bytes: b}
}

// fill sends to a peer that does not read until neither the queue nor the operating system, which buffers megabytes,
// takes any more. It returns how many items were queued.
func (h *probe) fill(size int) (sent uint32) {
	h.t.Helper()
	for stuck := 0; stuck < 50; {
		pending := h.conn.Pending()
		switch {
		case h.conn.Send(push(sent, size)):
			stuck = 0
			if sent++; sent > 1<<30/uint32(size) {
				h.t.Fatal("Send never refused")
			}
		case h.conn.Pending() == pending:
			stuck++
			time.Sleep(2 * time.Millisecond)
		default:
			stuck = 0
		}
	}
	return sent
}
