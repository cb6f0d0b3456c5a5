package carrier

import (
	"net"
	"os"
	"sync"
	"time"
)

// Sizes of buffers, in bytes.
const (
	idleRead   = 512      // each connection's own: most input fits, and an idle connection holds nothing more
	busyRead   = 16 << 10 // pooled, taken by a connection while more comes than that
	copySize   = 16 << 10 // pooled, for what Conn.Write copies
	writeBatch = 64 << 10 // of what is encoded to be written together, unless a single item is larger
)

// busyFor is how long a connection that has nothing more to read keeps its busy buffer.
const busyFor = 100 * time.Millisecond

// conn is the goroutine carrier's connection: the Conn of its handler, the reader (read.go) that owns it, and the writer
// (write.go), a goroutine that exists only while something is queued or a Drained call is due. The reader ends last.
type conn struct {
	raw      net.Conn // TCP or unix: deadlines and closing, for they mean the same under TLS
	rw       net.Conn // raw, or the TLS connection over it: everything that is read and written
	limits   *Limits
	counters *Counters
	in       input // the reader's own

	writer sync.WaitGroup // of the writer, if there is one; none starts once closing is set, but for the last item

	mu       sync.Mutex
	handler  Handler       // changed by the reader only, which so may read it without mu
	out      *output       // what is queued; nil if there is nothing
	pending  int           // bytes of the queue and of the write under way
	taken    int           // bytes of the write under way
	drained  func()        // to call when nothing is queued
	room     chan struct{} // closed when a reader that has paused may go on, or has to end; nil if it has not
	detached func(net.Conn)
	writing  bool      // there is a writer
	corked   bool      // the reader is within the handler: what that queues leaves together
	closing  bool      // nothing is queued any more, and nothing is read for the handler
	slow     bool      // the reader has to ask for the handler's last item (Handler.Slow)
	gone     bool      // raw is closed
	finished bool      // this side's half has been closed, or is being closed
	draining bool      // the reader knows that, and throws away what it reads
	flushBy  time.Time // once closing: until when the queue is written
	drainBy  time.Time // once closing: until when the peer's end is waited for
}

var _ Conn = (*conn)(nil)

// longAgo is a deadline that wakes whoever waits.
var longAgo = time.Unix(1, 0)

func (c *conn) Write(item Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.accepts(len(item.Bytes)) {
		item.Bytes = c.output().copy(item.Bytes)
		c.push(entry{Item: item, handler: c.handler})
	}
}

func (c *conn) Send(item Item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		return false
	case c.pending > 0 && c.pending+len(item.Bytes)+ItemCost > c.limits.SoftQueue:
		c.counters.OverSoft.Add(1)
		return false
	}
	c.push(entry{Item: item, handler: c.handler})
	return true
}

func (c *conn) Reply(item Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.accepts(len(item.Bytes)) {
		c.push(entry{Item: item, handler: c.handler})
	}
}

// accepts reports whether n bytes that may not be dropped can be queued. If they are too many the peer is given up. Under
// mu.
func (c *conn) accepts(n int) bool {
	switch {
	case c.closing:
		return false
	case c.pending > 0 && c.pending+n+ItemCost > c.limits.HardQueue:
		c.counters.OverHard.Add(1)
		c.discard()
		c.slow = true
		c.shut()
		return false
	}
	return true
}

func (c *conn) SendFile(f *os.File, offset, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		_ = f.Close()
		return
	}
	c.push(entry{file: &part{f, offset, n}})
}

func (c *conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending
}

func (c *conn) Drained(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.drained = f
		c.startWriter()
	}
}

func (c *conn) Close(last Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	if last.Bytes != nil {
		c.push(entry{Item: last, handler: c.handler})
	}
	c.shut()
}

func (c *conn) Abort() { c.abort(true) }

func (c *conn) Rest(until time.Time) {
	if c.in.rest.IsZero() {
		c.counters.Rests.Add(1)
	}
	c.in.rest = until
}

func (c *conn) Become(h Handler) {
	c.mu.Lock()
	c.handler = h
	c.mu.Unlock()
}

func (c *conn) Detach(take func(net.Conn)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.closing, c.drained, c.detached = true, nil, take
	}
}

// output returns what holds the queue. Under mu.
func (c *conn) output() *output {
	if c.out == nil {
		c.out = outputs.Get().(*output)
	}
	return c.out
}

// push queues an entry and sees to it that somebody writes it. Under mu.
func (c *conn) push(e entry) {
	out := c.output()
	out.queue = append(out.queue, e)
	if e.file == nil {
		c.pending += len(e.Bytes) + ItemCost
	}
	// A cork may hold back one write's worth, no more: the handler may take its time with the bytes that follow.
	if !c.corked || c.pending >= writeBatch {
		c.startWriter()
	}
}

// startWriter makes sure that there is a writer. Under mu.
func (c *conn) startWriter() {
	if !c.writing {
		c.writing = true
		c.writer.Add(1)
		go c.write()
	}
}

// cork holds back what is queued from now on, until uncork: the answers to one piece of input leave in one write.
func (c *conn) cork() {
	c.mu.Lock()
	c.corked = true
	c.mu.Unlock()
}

// uncork reports whether the handler is called any more.
func (c *conn) uncork() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	if c.out != nil {
		c.startWriter()
	}
	return !c.closing
}

// shut starts the end of the connection: nothing more either way, the queue is flushed, the reader woken to wait for the
// peer's end. Under mu, once.
func (c *conn) shut() {
	c.closing = true
	c.drained = nil
	c.flushBy = time.Now().Add(c.limits.Flush)
	c.drainBy = c.flushBy.Add(c.limits.Linger)
	_ = c.raw.SetWriteDeadline(c.flushBy) // also of a write under way
	_ = c.raw.SetReadDeadline(longAgo)
	c.resume()
	c.startWriter()
}

// abort ends the connection at once and throws the queue away: if hard, by a TCP reset, with which the operating system
// forgets what it still holds for the peer. For one that does not read that can be megabytes.
func (c *conn) abort(hard bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.detached != nil {
		return
	}
	c.closing, c.gone, c.slow = true, true, false
	c.drained = nil
	c.discard()
	c.resume()
	if tcp, ok := c.raw.(*net.TCPConn); ok && hard {
		_ = tcp.SetLinger(0)
	}
	_ = c.raw.Close()
}

// discard throws away what is queued, but for the write under way. Under mu.
func (c *conn) discard() {
	if c.out != nil {
		c.out.discard()
	}
	c.pending = c.taken
}

// resume lets a reader that has paused go on. Under mu.
func (c *conn) resume() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// entry is a piece of the queue: an item with the handler that encodes it, or a part of a file.
type entry struct {
	Item
	handler Handler
	file    *part
}

// part is a part of a file that is to be sent.
type part struct {
	f         *os.File
	offset, n int64
}

// output is what a connection has while something is queued. The queue is under the conn's mu, the rest the writer's.
type output struct {
	queue  []entry // its first next ones are gone
	next   int
	copies []byte // what the Items of Conn.Write in the queue refer to

	spare   []byte  // what copies was before: the batch refers to it
	batch   []entry // taken from the queue to be encoded
	encoded []byte  // the batch, as it goes on the wire
}

// keptEntries is how many entries the arrays of a pooled output may have.
const keptEntries = 1024

var outputs = sync.Pool{New: func() any { return new(output) }}

// copy copies b into memory that lasts until the item is encoded.
func (o *output) copy(b []byte) []byte {
	if o.copies == nil {
		o.copies = make([]byte, 0, copySize)
	}
	n := len(o.copies)
	if cap(o.copies)-n < len(b) {
		return append(make([]byte, 0, len(b)), b...) // never nil, which would be no item
	}
	o.copies = append(o.copies, b...)
	return o.copies[n:len(o.copies):len(o.copies)]
}

// take moves what comes next into the batch: one item, or several that are encoded into one write. If it is a file it
// returns that instead. pending is what the batch has counted for in the queue.
func (o *output) take() (pending int, file *part) {
	queue := o.queue[o.next:]
	n, size := 0, 0
	for n < len(queue) && queue[n].file == nil && (n == 0 || size+len(queue[n].Bytes) <= writeBatch) {
		size += len(queue[n].Bytes)
		n++
	}
	if n == 0 {
		file = queue[0].file
		n = 1
	} else {
		pending = size + n*ItemCost
		o.batch = append(o.batch[:0], queue[:n]...)
	}
	clear(queue[:n]) // lets go of the items while the array lives on
	switch o.next += n; {
	case o.next == len(o.queue):
		o.queue, o.next = o.queue[:0], 0
		// The batch alone refers to the copies: those to come find the other array, whose batch is written.
		o.copies, o.spare = o.spare[:0], o.copies
	case o.next >= len(o.queue)/2:
		rest := copy(o.queue, o.queue[o.next:])
		clear(o.queue[rest:])
		o.queue, o.next = o.queue[:rest], 0
	}
	return pending, file
}

// discard empties the queue.
func (o *output) discard() {
	for _, e := range o.queue[o.next:] {
		if e.file != nil {
			_ = e.file.f.Close()
		}
	}
	clear(o.queue)
	o.queue, o.next = o.queue[:0], 0
}

// release gives o back to the pool. Nothing is queued.
func (o *output) release() {
	o.copies, o.spare = o.copies[:0], o.spare[:0]
	if cap(o.encoded) > 2*writeBatch {
		o.encoded = nil
	}
	if cap(o.queue) > keptEntries || cap(o.batch) > keptEntries {
		o.queue, o.batch = nil, nil
	}
	outputs.Put(o)
}
