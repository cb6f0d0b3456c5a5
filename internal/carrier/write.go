package carrier

import (
	"errors"
	"io"
	"os"
	"time"
)

// write is the writer: it writes until nothing is queued, and once the connection is closing it then ends the stream.
func (c *conn) write() {
	defer c.writer.Done()
	for {
		out, file, then := c.take()
		switch {
		case file != nil:
			c.flushFile(file)
		case out != nil:
			c.flush(c.encode(out))
		case then != nil:
			then()
		default:
			return
		}
	}
}

// take returns what is to be done next: the batch of out to write, a file, or a call because nothing is queued. It
// returns nothing at all when the writer ends.
func (c *conn) take() (out *output, file *part, then func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil || len(c.out.queue) == 0 {
		switch {
		case c.drained != nil:
			then, c.drained = c.drained, nil
		case c.slow: // there will be a last item
			c.writing = false
		case c.closing && !c.finished && !c.gone && c.detached == nil:
			then, c.finished = c.finish, true
		default:
			c.writing = false
		}
		if !c.writing && c.out != nil {
			c.out.release()
			c.out = nil
		}
		return nil, nil, then
	}
	if c.corked && !c.closing && c.pending < writeBatch { // uncork starts another writer
		c.writing = false
		return nil, nil, nil
	}
	if c.taken, file = c.out.take(); file != nil {
		return nil, file, nil
	}
	return c.out, nil, nil
}

// encode returns the batch as it goes on the wire.
func (c *conn) encode(out *output) []byte {
	wire := out.encoded[:0]
	for _, e := range out.batch {
		wire = e.handler.Encode(wire, e.Item)
	}
	out.encoded = wire
	clear(out.batch)
	c.wrote(c.taken - len(wire)) // the same bytes, in another number
	return wire
}

// flush writes what was encoded, in pieces that each have Limits.Write. A piece that is not accepted in time is the end:
// a TLS connection cannot continue after it, and the peer has had its chance.
func (c *conn) flush(wire []byte) {
	for len(wire) > 0 {
		c.armWrite()
		n, err := c.rw.Write(wire[:min(len(wire), writeBatch)])
		c.counters.Sent.Add(uint64(n))
		wire = wire[n:]
		if err != nil {
			c.wrote(n + len(wire))
			c.failed(err)
			return
		}
		c.wrote(n)
	}
}

// flushFile writes a part of a file, each piece as flush does. The pieces are io.LimitedReaders of a file, for which the
// operating system can copy by itself.
func (c *conn) flushFile(p *part) {
	defer p.f.Close()
	_, err := p.f.Seek(p.offset, io.SeekStart)
	for left := p.n; left > 0 && err == nil; {
		c.armWrite()
		piece := io.LimitedReader{R: p.f, N: min(left, writeBatch)}
		var n int64
		n, err = io.Copy(c.rw, &piece)
		c.counters.Sent.Add(uint64(n))
		left -= n
		if err == nil && piece.N > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		c.failed(err)
	}
}

// failed ends the connection after a write that failed. A peer that does not read is counted.
func (c *conn) failed(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.counters.Stuck.Add(1)
	}
	c.abort(true)
}

func (c *conn) armWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		_ = c.raw.SetWriteDeadline(c.flushBy)
	} else {
		_ = c.raw.SetWriteDeadline(time.Now().Add(c.limits.Write))
	}
}

// wrote says that n bytes of the write under way are not pending any more.
func (c *conn) wrote(n int) {
	c.mu.Lock()
	c.pending -= n
	c.taken -= n
	if c.pending <= c.limits.Pause/2 {
		c.resume()
	}
	c.mu.Unlock()
}

// finish closes this side's half of the stream behind everything that was queued.
func (c *conn) finish() {
	if c.rw != c.raw {
		_ = c.rw.(halfCloser).CloseWrite() // the TLS close_notify, RFC 8446 §6.1
	}
	_ = c.raw.(halfCloser).CloseWrite()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drainBy = time.Now().Add(c.limits.Linger)
	if c.draining {
		_ = c.raw.SetReadDeadline(c.drainBy)
	}
}

// halfCloser is what TCP, unix and TLS connections can do and net.Conn does not tell.
type halfCloser interface{ CloseWrite() error }
