package ws

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"
)

// maxFinalBlocks is how many final DEFLATE blocks one message may contain. RFC 7692 §7.2.3.4 allows a sender to flush
// with such a block; since the decoder starts afresh behind each, a message that consists of them would cost far more
// time than its size suggests.
const maxFinalBlocks = 64

var errInflate = &Error{CodeInvalidData, "payload that does not inflate"}

// deflateTail completes a compressed message: the four bytes that the sender has left away (RFC 7692 §7.2.2), and an
// empty final block, so that the decoder says that it has come to a clean end.
var deflateTail = []byte{0x00, 0x00, 0xFF, 0xFF, 0x01, 0x00, 0x00, 0xFF, 0xFF}

// deflatedLimit is the largest compressed size of a message of limit bytes. Incompressible data grows by five bytes in
// each stored block, and some encoders store in small blocks.
func deflatedLimit(limit int) int { return limit + limit/64 + 64 }

// Inflater restores the compressed messages of one direction of a connection. Between messages it keeps what the peer
// may refer back to, at most the window that was agreed on, or nothing where the peer takes no context over.
type Inflater struct {
	past history
}

// NewInflater returns the Inflater for what role receives under the agreed parameters.
func NewInflater(role Role, agreed Deflate) *Inflater {
	noContext, bits := agreed.ServerNoContext, agreed.ServerWindowBits
	if role == Server {
		noContext, bits = agreed.ClientNoContext, agreed.ClientWindowBits
	}
	if noContext {
		return &plainInflater
	}
	return &Inflater{newHistory(bits)}
}

// plainInflater is the one that keeps nothing: it has no state, so one is enough.
var plainInflater Inflater

// decoder is a DEFLATE decoder with its source: some 40 KB, shared by all connections.
type decoder struct {
	src   bytes.Reader
	flate io.ReadCloser // also a flate.Resetter
}

var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	d.flate = flate.NewReader(&d.src)
	return d
}}

// inflate restores the message whose compressed payload is p, in a buffer that is the caller's. It stops when the
// message exceeds limit bytes, whatever p would still become.
func (f *Inflater) inflate(p []byte, limit int) (out *buffer, bad *Error) {
	in := newBuffer(len(p) + len(deflateTail))
	in.b = append(append(in.b, p...), deflateTail...)
	d := decoders.Get().(*decoder)
	d.src.Reset(in.b)
	out, bad = d.run(f.past.bytes, limit)
	d.src.Reset(nil)
	decoders.Put(d)
	in.release()
	if bad != nil {
		return nil, bad
	}
	f.past.add(out.b)
	return out, nil
}

// run decodes d.src, which ends with deflateTail, behind the given past.
func (d *decoder) run(past []byte, limit int) (*buffer, *Error) {
	reset := d.flate.(flate.Resetter).Reset
	if reset(&d.src, past) != nil {
		return nil, errInflate
	}
	out := newBuffer(min(4*d.src.Len(), limit) + 1)
	for finals := 1; ; {
		if len(out.b) == cap(out.b) {
			out = out.grown(len(out.b))
		}
		n, err := d.flate.Read(out.b[len(out.b):min(cap(out.b), limit+1)])
		out.b = out.b[:len(out.b)+n]
		if len(out.b) > limit {
			out.release()
			return nil, errTooBig
		}
		if err == io.EOF && d.src.Len() > 0 && finals < maxFinalBlocks {
			finals++
			recent := history{limit: 1 << maxWindowBits}
			recent.add(past)
			recent.add(out.b)
			err = reset(&d.src, recent.bytes)
		} else if err == io.EOF && d.src.Len() == 0 {
			return out, nil
		}
		if err != nil {
			out.release()
			return nil, errInflate
		}
	}
}

// history is the tail of what has been said in one direction: the sliding window that one message leaves to the next.
type history struct {
	bytes []byte
	limit int // bytes kept; 0 if no context is taken over
}

func newHistory(windowBits int) history {
	// zlib silently turns a window of 8 bits into one of 9 when it compresses, so a peer that has promised 8 may use 9.
	return history{limit: 1 << max(windowBits, 9)}
}

// add appends p and drops what exceeds the limit from the front.
func (h *history) add(p []byte) {
	if h.limit == 0 {
		return
	}
	if len(p) >= h.limit {
		h.bytes = append(h.bytes[:0], p[len(p)-h.limit:]...)
		return
	}
	if excess := len(h.bytes) + len(p) - h.limit; excess > 0 {
		h.bytes = h.bytes[:copy(h.bytes, h.bytes[excess:])]
	}
	h.bytes = append(h.bytes, p...)
}
