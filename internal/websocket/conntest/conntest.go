// Package conntest is a carrier for the tests of protocols: one connection in memory, without goroutines and clocks. What
// comes in is given with Feed, what has gone out is in Out, and time is what the test says.
package conntest

import (
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// Conn is the connection. The fields belong to the test while none of its methods runs.
type Conn struct {
	Handler carrier.Handler

	// Stalled: the peer reads nothing, and what is sent stays queued.
	Stalled bool
	// SoftQueue and HardQueue are those of carrier.Limits; zero is no limit.
	SoftQueue, HardQueue int

	Out      []byte         // what the peer has got
	Ended    bool           // Close was called: Out has everything once Stalled is false
	Aborted  bool           // Abort was called, or a file was too short
	Detached func(net.Conn) // what Detach was given

	mu      sync.Mutex
	queue   []queued
	pending int
	drained func()
	told    bool // Handler.Closed was called
}

type queued struct {
	by     carrier.Handler // who encodes item
	item   carrier.Item
	file   *os.File
	offset int64
	n      int64
}

var _ carrier.Conn = (*Conn)(nil)

// Feed hands p to the handler as one piece, unless the connection is closed, and lets out what may go.
func (c *Conn) Feed(now time.Time, p []byte) {
	if c.Gone() || len(p) == 0 {
		return
	}
	c.Handler.Data(now, p)
	c.Flush()
}

// FeedPieces is Feed with a copy of p in pieces of at most n bytes.
func (c *Conn) FeedPieces(now time.Time, p []byte, n int) {
	for piece := range slices.Chunk(slices.Clone(p), n) {
		c.Feed(now, piece)
	}
}

// Pass lets time pass until now: the handler's deadlines that lie before have come, one after another.
func (c *Conn) Pass(now time.Time) {
	for !c.Gone() {
		deadline := c.Handler.Deadline()
		if deadline.IsZero() || deadline.After(now) {
			return
		}
		c.Handler.Expired(deadline)
		if next := c.Handler.Deadline(); !next.IsZero() && !next.After(deadline) {
			c.Close(carrier.Item{})
		}
		c.Flush()
	}
}

// Gone reports whether nothing is given to the handler any more.
func (c *Conn) Gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Ended || c.Aborted || c.Detached != nil
}

// End is the end of the connection, by either side.
func (c *Conn) End() {
	c.Flush()
	c.mu.Lock()
	first := !c.told && c.Detached == nil
	c.told, c.Ended = true, true
	c.mu.Unlock()
	if first {
		c.Handler.Closed()
	}
}

// Flush lets out what is queued, unless Stalled.
func (c *Conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Stalled || c.Aborted {
		return
	}
	for len(c.queue) > 0 {
		q := c.queue[0]
		c.queue = c.queue[1:]
		if q.file == nil {
			c.Out = q.by.Encode(c.Out, q.item)
			continue
		}
		part, err := io.ReadAll(io.NewSectionReader(q.file, q.offset, q.n))
		_ = q.file.Close()
		c.Out = append(c.Out, part...)
		if err != nil || int64(len(part)) < q.n {
			c.Aborted = true
		}
	}
	c.pending = 0
	if f := c.drained; f != nil && !c.Ended {
		c.drained = nil
		c.mu.Unlock()
		f()
		c.mu.Lock()
	}
}

// Take returns what the peer has got since the last Take.
func (c *Conn) Take() string {
	c.Flush()
	out := string(c.Out)
	c.Out = c.Out[:0]
	return out
}

func (c *Conn) over(n, limit int) bool { return c.pending > 0 && limit > 0 && c.pending+n > limit }

func (c *Conn) push(item carrier.Item) {
	if item.Bytes != nil {
		c.queue = append(c.queue, queued{by: c.Handler, item: item})
		c.pending += len(item.Bytes)
	}
}

// Write encodes at once where nothing waits, as a carrier may.
func (c *Conn) Write(item carrier.Item) {
	c.mu.Lock()
	direct := len(c.queue) == 0 && !c.Stalled && !c.Ended && !c.Aborted && item.Bytes != nil
	if direct {
		c.Out = c.Handler.Encode(c.Out, item)
		c.pending += len(item.Bytes) // until Flush
	}
	c.mu.Unlock()
	if !direct {
		c.Reply(carrier.Item{Kind: item.Kind, Bytes: slices.Clone(item.Bytes)})
	}
}

// Send is carrier.Conn's.
func (c *Conn) Send(item carrier.Item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Ended || c.Aborted || c.over(len(item.Bytes), c.SoftQueue) {
		return false
	}
	c.push(item)
	return true
}

// Reply is carrier.Conn's.
func (c *Conn) Reply(item carrier.Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.Ended || c.Aborted:
	case c.over(len(item.Bytes), c.HardQueue):
		c.queue, c.pending = nil, 0
		c.push(c.Handler.Slow())
		c.Ended = true
	default:
		c.push(item)
	}
}

// SendFile is carrier.Conn's.
func (c *Conn) SendFile(f *os.File, offset, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Ended || c.Aborted {
		_ = f.Close()
		return
	}
	c.queue = append(c.queue, queued{file: f, offset: offset, n: n})
}

// Pending is carrier.Conn's.
func (c *Conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending
}

// Drained keeps f until the next Flush.
func (c *Conn) Drained(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drained = f
}

// Close is carrier.Conn's.
func (c *Conn) Close(last carrier.Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.Ended && !c.Aborted {
		c.push(last)
		c.Ended = true
	}
}

// Abort is carrier.Conn's.
func (c *Conn) Abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queue {
		if q.file != nil {
			_ = q.file.Close()
		}
	}
	c.queue, c.pending, c.Aborted = nil, 0, true
}

// Rest does nothing: the test decides what comes when.
func (c *Conn) Rest(time.Time) {}

// Become is carrier.Conn's.
func (c *Conn) Become(h carrier.Handler) { c.Handler = h }

// Detach keeps take in Detached. It panics if something waits to be written, which no handler may let happen.
func (c *Conn) Detach(take func(net.Conn)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 || c.pending > 0 {
		panic("conntest: Detach with output queued")
	}
	c.Detached = take
}
