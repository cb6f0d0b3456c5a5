package gate

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/wire"
)

// input is the reading half of a link, the reader's alone.
type input struct {
	session Session
	dec     wire.Decoder
	idle    []byte    // idleRead bytes, all that a silent connection keeps
	cut     int       // bytes of the frame whose rest has not come
	armed   time.Time // the read deadline that is set, zero for none
	spent   bool      // it has come: whatever the session's is, it has to be set
}

// run is the reader: it carries the connection, whose first bytes have come, until it is gone, and with it the writer.
func (l *link) run(first []byte) {
	err := l.read(first)
	switch {
	case err == nil: // this side ended it
		l.drain()
	case errors.Is(err, io.EOF): // the peer has said all it had to say; what is queued can still reach it
		l.Close(nil)
	default:
		l.abort(false)
	}
	l.writer.Wait()
	_ = l.raw.Close()
	l.in.session.Closed()
}

// read hands the session what arrives until the link is closing, which returns nil, or reading fails.
func (l *link) read(first []byte) error {
	l.m.received.Add(float64(len(first)))
	if !l.feed(time.Now(), first) {
		return nil
	}
	var busy *[busyRead]byte
	defer func() {
		if busy != nil {
			busyPool.Put(busy)
		}
	}()
	for {
		if !l.arm() {
			return nil
		}
		buf := l.in.idle
		if busy != nil {
			buf = busy[:]
		}
		n, err := l.rw.Read(buf)
		l.m.received.Add(float64(n))
		now := time.Now()
		if n > 0 && !l.feed(now, buf[:n]) {
			return nil
		}
		// More is sure to come soon only inside a frame; else a silent connection would keep the buffer.
		switch {
		case busy == nil && n == len(buf) && l.in.cut > 0:
			busy = busyPool.Get().(*[busyRead]byte)
		case busy != nil && l.in.cut == 0:
			busyPool.Put(busy)
			busy = nil
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.expire(now)
		case err != nil:
			return err
		}
	}
}

// feed hands the session the frames that piece completes. False: the link is closing.
func (l *link) feed(now time.Time, piece []byte) bool {
	l.cork()
	defer l.uncork()
	l.in.dec.SetLimit(l.in.session.Limit())
	l.in.dec.Feed(piece)
	l.in.cut += len(piece)
	for !l.isClosing() {
		f, ok, err := l.in.dec.Next()
		switch {
		case err != nil:
			l.m.broken.Inc()
			l.in.session.Broken(now, err)
			l.Close(nil) // counts only if the session has not closed it
		case !ok:
			return true
		default:
			l.in.cut -= f.Size()
			l.in.dec.SetLimit(l.in.session.Frame(now, f))
		}
	}
	return false
}

// arm sets the read deadline to the session's, unless an earlier one is set already: most deadlines move away with
// every frame, and looking again when the old one comes is cheaper than moving a timer each time. False: the link is
// closing, and its deadline is not the session's any more.
func (l *link) arm() bool {
	deadline := l.in.session.Deadline()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return false
	}
	earlier := !deadline.IsZero() && (l.in.armed.IsZero() || deadline.Before(l.in.armed))
	if earlier || l.in.spent {
		l.in.armed, l.in.spent = deadline, false
		_ = l.raw.SetReadDeadline(deadline)
	}
	return true
}

// expire is called when the read deadline has come: the session's, one that it has moved since, or the one that says
// that the link is closing.
func (l *link) expire(now time.Time) {
	l.in.spent = true
	due := func() bool {
		deadline := l.in.session.Deadline()
		return !deadline.IsZero() && !now.Before(deadline)
	}
	if l.isClosing() || !due() {
		return
	}
	l.in.session.Expired(now)
	if due() {
		l.Close(nil)
	}
}

// drain throws away what the peer still sends, until it ends its half or its time is over. A socket that is closed
// with unread input is reset, and the reset overtakes the last frame (RFC 1122 §4.2.2.13).
func (l *link) drain() {
	l.mu.Lock()
	l.draining = true
	_ = l.raw.SetReadDeadline(l.drainBy)
	l.mu.Unlock()
	for {
		_, err := l.raw.Read(l.in.idle)
		switch {
		case errors.Is(err, io.EOF):
			return // what is queued may still be read
		case err != nil:
			_ = l.raw.Close()
			return
		}
	}
}

func (l *link) isClosing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing
}

// busyPool holds the buffers of readers in the middle of a frame.
var busyPool = sync.Pool{New: func() any { return new([busyRead]byte) }}
