package gate

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/wire"
)

// link is the goroutine carrier's connection: the Link of its session, the reader (read.go) that owns it, and the
// writer (write), a goroutine that exists only while something is queued or a Drained call is due. The reader ends
// last.
type link struct {
	raw net.Conn // TCP or unix: deadlines and closing, for they mean the same under TLS
	rw  net.Conn // raw, or the TLS connection over it: everything that is read and written
	lim *Limits
	m   *metrics
	in  input // the reader's own

	writer sync.WaitGroup // of the writer, if there is one; none starts once closing is set

	mu       sync.Mutex
	queue    [][]byte  // frames that no write has taken yet
	taken    int       // bytes of the write under way
	pending  int       // bytes of queue and of the write under way
	drained  func()    // to call when nothing is pending
	writing  bool      // there is a writer
	corked   bool      // the reader is in the middle of a piece: what its frames queue leaves together
	closing  bool      // nothing is queued any more, and nothing is read for the session
	finished bool      // this side's half has been closed, or is being closed
	draining bool      // the reader knows that, and throws away what it reads
	flushBy  time.Time // once closing: until when the queue is written
	drainBy  time.Time // once closing: until when the peer's end is waited for
}

var _ Link = (*link)(nil)

// longAgo is a deadline that wakes whoever waits.
var longAgo = time.Unix(1, 0)

// slowFrame is the last frame to a peer that does not read its answers. Whether it can still get it is another matter.
var slowFrame = func() []byte {
	b, err := wire.Append(nil, wire.OpClose, 0, &wire.Close{Reason: wire.CloseSlow, Message: "answers were not read"})
	if err != nil {
		panic(err) // a constant message
	}
	return b
}()

func (l *link) Send(frame []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closing:
		return false
	case l.pending > 0 && l.pending+len(frame) > l.lim.SoftQueue:
		l.m.overSoft.Inc()
		return false
	}
	l.push(frame)
	return true
}

func (l *link) Reply(frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closing:
	case l.pending > 0 && l.pending+len(frame) > l.lim.HardQueue:
		l.m.overHard.Inc()
		l.queue, l.pending = nil, l.taken
		l.push(slowFrame)
		l.shut()
	default:
		l.push(frame)
	}
}

func (l *link) Pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending
}

func (l *link) Drained(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closing {
		l.drained = f
		l.startWriter()
	}
}

func (l *link) Close(frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return
	}
	if frame != nil {
		l.push(frame)
	}
	l.shut()
}

// push queues a frame and sees to it that somebody writes it. Under mu.
func (l *link) push(frame []byte) {
	l.queue = append(l.queue, frame)
	l.pending += len(frame)
	// A cork may hold back one write's worth, no more: the session may take its time with the frames that follow.
	if !l.corked || l.pending >= writeBatch {
		l.startWriter()
	}
}

// startWriter makes sure that there is a writer. Under mu.
func (l *link) startWriter() {
	if !l.writing {
		l.writing = true
		l.writer.Add(1)
		go l.write()
	}
}

// cork holds back what is queued from now on, until uncork: the answers to the frames of one piece leave in one write.
func (l *link) cork() {
	l.mu.Lock()
	l.corked = true
	l.mu.Unlock()
}

func (l *link) uncork() {
	l.mu.Lock()
	l.corked = false
	if len(l.queue) > 0 {
		l.startWriter()
	}
	l.mu.Unlock()
}

// shut starts the end of the connection: no more frames either way, the queue is flushed, the reader woken to wait for
// the peer's end. Under mu, once.
func (l *link) shut() {
	l.closing = true
	l.drained = nil
	l.flushBy = time.Now().Add(l.lim.Flush)
	l.drainBy = l.flushBy.Add(l.lim.Linger)
	_ = l.raw.SetWriteDeadline(l.flushBy) // also of a write under way
	_ = l.raw.SetReadDeadline(longAgo)
	l.startWriter()
}

// abort ends the connection at once and throws the queue away. A slow peer's is cut.
func (l *link) abort(slow bool) {
	l.mu.Lock()
	l.closing = true
	l.drained = nil
	l.queue, l.pending = nil, l.taken
	l.mu.Unlock()
	if slow {
		cut(l.raw)
	} else {
		_ = l.raw.Close()
	}
}

// cut closes a connection without an orderly end: by a TCP reset, with which the operating system forgets what it still
// holds for the peer. For one that does not read that can be megabytes.
func cut(raw net.Conn) {
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// write is the writer: it writes until nothing is queued, and once the link is closing it then ends the stream.
func (l *link) write() {
	defer l.writer.Done()
	var batch *[writeBatch]byte
	defer func() {
		if batch != nil {
			batchPool.Put(batch)
		}
	}()
	for {
		out, then := l.take(&batch)
		switch {
		case then != nil:
			then()
		case out != nil:
			l.flush(out)
		default:
			return
		}
	}
}

// flush writes out, a whole number of frames, in pieces that each have Limits.Write. A piece that is not accepted in
// time is the end: a TLS connection cannot continue after it, and the peer has had its chance.
func (l *link) flush(out []byte) {
	for len(out) > 0 {
		l.armWrite()
		n, err := l.rw.Write(out[:min(len(out), writeBatch)])
		l.m.sent.Add(float64(n))
		out = out[n:]
		if err != nil {
			slow := errors.Is(err, os.ErrDeadlineExceeded)
			if slow {
				l.m.slowWrite.Inc()
			}
			l.wrote(n + len(out))
			l.abort(slow)
			return
		}
		l.wrote(n)
	}
}

func (l *link) armWrite() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		_ = l.raw.SetWriteDeadline(l.flushBy)
	} else {
		_ = l.raw.SetWriteDeadline(time.Now().Add(l.lim.Write))
	}
}

func (l *link) wrote(n int) {
	l.mu.Lock()
	l.pending -= n
	l.taken -= n
	l.mu.Unlock()
}

// take returns the next bytes to write: one frame as it is, or several copied together into batch. When nothing is
// queued it returns what is to be done then, and nothing at all when the writer ends.
func (l *link) take(batch **[writeBatch]byte) (out []byte, then func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		switch {
		case l.drained != nil:
			then, l.drained = l.drained, nil
		case l.closing && !l.finished:
			then, l.finished = l.finish, true
		default:
			l.writing = false
		}
		return nil, then
	}
	out = l.queue[0]
	n := 1
	if len(l.queue) > 1 && len(out)+len(l.queue[1]) <= writeBatch {
		if *batch == nil {
			*batch = batchPool.Get().(*[writeBatch]byte)
		}
		out = (*batch)[:0]
		for n = 0; n < len(l.queue) && len(out)+len(l.queue[n]) <= writeBatch; n++ {
			out = append(out, l.queue[n]...)
		}
	}
	clear(l.queue[:n]) // lets go of the frames while the array lives on
	if l.queue = l.queue[n:]; len(l.queue) == 0 {
		l.queue = nil
	}
	l.taken = len(out)
	return out, nil
}

// finish closes this side's half of the stream behind everything that was queued.
func (l *link) finish() {
	if l.rw != l.raw {
		_ = l.rw.(halfCloser).CloseWrite() // the TLS close_notify, RFC 8446 §6.1
	}
	_ = l.raw.(halfCloser).CloseWrite()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drainBy = time.Now().Add(l.lim.Linger)
	if l.draining {
		_ = l.raw.SetReadDeadline(l.drainBy)
	}
}

// halfCloser is what TCP, unix and TLS connections can do and net.Conn does not tell.
type halfCloser interface{ CloseWrite() error }

// batchPool holds the buffers in which writers put frames together.
var batchPool = sync.Pool{New: func() any { return new([writeBatch]byte) }}
