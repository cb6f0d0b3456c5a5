//go:build linux

package reactor

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// conn is a connection. What is below mu is for any goroutine, the rest the loop's alone.
type conn struct {
	loop    *loop
	handler carrier.Handler
	timer   timer
	fd      int32
	flags   flags

	// busy is whether out is set or closing is, for the loop to look at without mu: it is set under mu, by anybody, and
	// cleared by the loop.
	busy atomic.Bool

	mu      sync.Mutex
	dirty   bool // in the loop's list of connections to flush
	closing bool // nothing is queued any more
	out     *output
}

var _ carrier.Conn = (*conn)(nil)

// flags are what the loop knows about a connection.
type flags uint16

const (
	unread   flags = 1 << iota // there may be input that no event will tell of again
	full                       // the socket takes no more at present; an event will tell
	heldUp                     // too much is queued to read (Limits.Pause)
	resting                    // in the loop's rests
	rested                     // has been there
	peerDone                   // the peer has ended its half
	halfDone                   // this side has ended its half
	broken                     // writing has failed, or must not go on
	gone                       // the socket is closed, or another's
)

// Write encodes at once what need not wait: the common case of an answer within Data.
func (c *conn) Write(item carrier.Item) {
	l := c.loop
	if !c.busy.Load() {
		l.use(c)
		l.out = c.handler.Encode(l.out, item)
		if len(l.out) >= writeSize {
			c.flushBuffer()
		}
		return
	}
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	if c.tooMuch(len(item.Bytes)) {
		c.giveUp()
		c.mu.Unlock()
		return
	}
	if o := c.out; len(o.entries) > 0 || o.file != nil || len(o.rest) == 0 {
		c.push(entry{Item: carrier.Item{Kind: item.Kind, Bytes: append([]byte{}, item.Bytes...)}})
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.keep(c.handler.Encode(c.out.rest, item)) // it is its turn, only the socket is full
}

func (c *conn) Send(item carrier.Item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	if pending := c.pending(); pending > 0 && pending+len(item.Bytes)+carrier.ItemCost > c.limits().SoftQueue {
		c.loop.r.cfg.Counters.OverSoft.Add(1)
		return false
	}
	c.push(entry{Item: item})
	return true
}

func (c *conn) Reply(item carrier.Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
	case c.tooMuch(len(item.Bytes)):
		c.giveUp()
	default:
		c.push(entry{Item: item})
	}
}

func (c *conn) SendFile(f *os.File, offset, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		_ = f.Close()
		return
	}
	c.push(entry{file: &file{File: f, offset: offset, left: n}})
}

func (c *conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending()
}

func (c *conn) Drained(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.queue().drained = f
		c.touch()
	}
}

func (c *conn) Close(last carrier.Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	if last.Bytes != nil {
		c.push(entry{Item: last})
	}
	c.shut()
}

func (c *conn) Abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing && c.out == nil {
		return // it is gone
	}
	c.closing = true
	c.queue().aborted = true
	c.touch()
}

func (c *conn) Rest(until time.Time) {
	l := c.loop
	if c.flags&resting == 0 {
		l.r.cfg.Counters.Rests.Add(1)
	}
	c.flags |= resting | rested
	l.rests[c] = l.tickAfter(until)
	c.armAt(l.rests[c])
}

func (c *conn) Become(h carrier.Handler) {
	if c.busy.Load() {
		c.mu.Lock()
		if c.out != nil {
			c.out.boundTo(c.handler)
		}
		c.mu.Unlock()
	}
	c.handler = h
}

func (c *conn) Detach(take func(net.Conn)) { c.loop.detach = take }

func (c *conn) limits() *carrier.Limits { return &c.loop.r.cfg.Limits }

// pending is Pending, under mu.
func (c *conn) pending() int {
	if c.out == nil {
		return 0
	}
	return c.out.queued + c.out.taken + c.out.unsent
}

// tooMuch reports whether n more bytes are over the hard bound. Under mu.
func (c *conn) tooMuch(n int) bool {
	pending := c.pending()
	return pending > 0 && pending+n+carrier.ItemCost > c.limits().HardQueue
}

// giveUp closes the connection to a peer that does not read its answers. Under mu.
func (c *conn) giveUp() {
	c.loop.r.cfg.Counters.OverHard.Add(1)
	c.out.drop()
	c.out.slow = true
	c.shut()
}

// shut starts the end of the connection. Under mu, once.
func (c *conn) shut() {
	c.closing = true
	c.queue().drained = nil
	c.touch()
}

// push queues an entry. Under mu.
func (c *conn) push(e entry) {
	q := c.queue()
	q.entries = append(q.entries, e)
	if e.file == nil {
		q.queued += len(e.Bytes) + carrier.ItemCost
	}
	c.touch()
}

// queue returns what holds the output. Under mu.
func (c *conn) queue() *output {
	if c.out == nil {
		c.out = outputs.Get().(*output)
		c.busy.Store(true)
	}
	return c.out
}

// touch has the loop look at the connection before it sleeps again. Under mu.
func (c *conn) touch() {
	if !c.dirty {
		c.dirty = true
		c.loop.touched(c)
	}
}

// entry is a piece of output: an item or a file.
type entry struct {
	carrier.Item
	handler carrier.Handler // that encodes it; nil: the present one
	file    *file
}

// file is a part of a file that is to be sent.
type file struct {
	*os.File
	offset, left int64
}

// output is what a connection has while something is queued or it is about to end. Fields are under the conn's mu, but
// for those of the loop.
type output struct {
	entries []entry // in order, not encoded yet
	queued  int     // bytes that entries count for
	taken   int     // and what those did that are being encoded and written
	unsent  int     // len(rest)
	drained func()  // to call when nothing is pending
	slow    bool    // Handler.Slow is to be sent behind rest
	aborted bool

	file *file  // the loop's: being sent
	rest []byte // the loop's: encoded, and to be written before everything else
	by   uint32 // the loop's: the tick at which what is being waited for is given up; 0: nothing is
	last bool   // the loop's: by is that of the end of the connection
}

var outputs = sync.Pool{New: func() any { return new(output) }}

// drop throws away what is not encoded yet.
func (o *output) drop() {
	for _, e := range o.entries {
		if e.file != nil {
			_ = e.file.Close()
		}
	}
	clear(o.entries)
	o.entries, o.queued = o.entries[:0], 0
}

// hasItems reports whether it is the turn of items: nothing else is to be written before them.
func (o *output) hasItems() bool {
	return len(o.rest) == 0 && o.file == nil && len(o.entries) > 0 && o.entries[0].file == nil
}

// boundTo says that h encodes what is queued, whoever comes after it.
func (o *output) boundTo(h carrier.Handler) {
	for i := range o.entries {
		if e := &o.entries[i]; e.handler == nil {
			e.handler = h
		}
	}
}

// shift takes the first n entries away.
func (o *output) shift(n int) {
	left := copy(o.entries, o.entries[n:])
	clear(o.entries[left:])
	o.entries = o.entries[:left]
}

// release returns o to the pool.
func (o *output) release() {
	o.drop()
	if o.file != nil {
		_ = o.file.Close()
	}
	if cap(o.entries) > keptEntries {
		o.entries = nil
	}
	*o = output{entries: o.entries}
	outputs.Put(o)
}
