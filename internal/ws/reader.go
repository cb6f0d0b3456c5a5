package ws

import (
	"encoding/binary"
	"sync"
)

// Event is what a Reader has found. Data is valid until the next call of the Reader and as long as the chunk that was
// handed to it is unchanged; it may be written to.
type Event struct {
	// Op is Text or Binary for a whole message, Ping, Pong or Close for a control frame, and NoEvent if all bytes have
	// been used and more are needed. Every Ping is to be answered with a Pong of the same Data (RFC 6455 §5.5.2): none
	// is reported once the peer has sent a Close. A Pong needs no answer, nor a Ping before it.
	Op   Opcode
	Code Code   // of a Close: a valid code, or CodeNoStatus if the frame had none
	Data []byte // the message, inflated; the payload of a control frame; the reason of a Close
}

// Reader takes the bytes of one direction of a connection, in chunks of any size, and finds the messages and control
// frames in them. It checks all that RFC 6455 §5 and §8.1 ask of a receiver:
//
//	for {
//		ev, n, err := r.Next(chunk)
//		chunk = chunk[n:]
//		if err != nil { … }             // *Error: fail the connection
//		if ev.Op == ws.NoEvent { break } // read more
//		…
//	}
//
// Going round until NoEvent matters: that call returns the buffer of the message before it to the pool. What cannot
// become right is refused as soon as the offending byte has come, not at the end of the frame or message. Fragments
// cost no memory beyond their bytes, however many there are.
//
// A Reader belongs to one goroutine.
type Reader struct {
	parts    *parts    // of what comes in parts, or of a failure; nil if there is neither
	inflater *Inflater // nil without permessage-deflate
	limit    int32     // bytes of a message
	role     Role
	closed   bool // a Close frame has come: what follows it is no part of the connection (§1.4)
}

// parts is the state of a Reader within a frame, or between the frames of a message. Most messages arrive whole, and a
// connection that is idle should not pay for those that do not.
type parts struct {
	buf      *buffer // the message under way and, behind it, a control frame that came in parts; nil if there is none
	size     int     // bytes of the message under way, at the start of buf
	left     int64   // payload of the frame under way that has not come yet
	key      Key     // for its next byte
	head     [MaxHeader]byte
	headLen  uint8     // bytes of a header that came in parts, in head
	op       Opcode    // of the frame under way
	fin      bool      // of the frame under way
	message  Opcode    // Text or Binary, or 0 while no message is under way
	deflated bool      // the message under way is compressed
	text     utf8State // of the message under way if it is uncompressed text
	failed   *Error    // what every further call returns
}

var partsPool = sync.Pool{New: func() any { return new(parts) }}

// MaxMessage is the largest limit of a Reader, in bytes.
const MaxMessage = 1 << 30

// NewReader returns a Reader for the bytes that role receives. A message of more than limit bytes, after inflating, is
// refused with CodeTooBig; a limit above MaxMessage counts as MaxMessage. inflater is nil unless permessage-deflate was
// agreed on.
func NewReader(role Role, limit int, inflater *Inflater) Reader {
	return Reader{role: role, limit: int32(min(limit, MaxMessage)), inflater: inflater}
}

var (
	errUnmasked    = violation("frame of a client without a mask")
	errMasked      = violation("frame of a server with a mask")
	errReserved    = violation("reserved bit set")
	errNoMessage   = violation("continuation without a message")
	errInterleaved = violation("new message inside a fragmented one")
	errTooBig      = &Error{CodeTooBig, "message too big"}
	errText        = &Error{CodeInvalidData, "text that is not UTF-8"}
)

// Next uses bytes of chunk up to the end of the next message or control frame and returns it with the number of bytes
// used, which is len(chunk) when there is NoEvent. Masked payloads are unmasked in place. The error is always an *Error
// and is repeated by every later call. After a Close event, Next uses all bytes and finds nothing.
func (r *Reader) Next(chunk []byte) (ev Event, n int, err error) {
	if size, length := r.simple(chunk); size > 0 {
		payload := chunk[size : size+length]
		Mask(Key(binary.LittleEndian.Uint32(chunk[size-4:])), payload)
		op := Opcode(chunk[0] & opBits)
		if op == Text && utf8Whole.next(payload) != utf8Whole {
			return r.fail(errText, len(chunk))
		}
		return Event{Op: op, Data: payload}, size + length, nil
	}
	if p := r.parts; p != nil {
		if p.failed != nil {
			return Event{}, len(chunk), p.failed
		}
		if p.message == 0 && p.left == 0 && p.headLen == 0 {
			r.Release()
		}
	}
	if r.closed {
		return Event{}, len(chunk), nil
	}
	for n < len(chunk) {
		if r.parts == nil || r.parts.left == 0 {
			have := len(chunk) - n
			h, used, bad := parseHeader(chunk[n:])
			if used == 0 || r.parts != nil && r.parts.headLen > 0 {
				h, have, used, bad = r.split().cutHeader(chunk[n:])
			}
			if bad = r.admit(h, have, used > 0, bad); bad != nil {
				return r.fail(bad, len(chunk))
			}
			if used == 0 {
				break
			}
			n += used
			if h.Fin && h.Op != Continuation && h.Length <= int64(len(chunk)-n) {
				payload := chunk[n : n+int(h.Length)]
				n += int(h.Length)
				Mask(h.Key, payload)
				if ev, bad = r.whole(h, payload); bad != nil {
					return r.fail(bad, len(chunk))
				}
				return ev, n, nil
			}
			r.split().begin(h)
		}
		p := r.parts
		piece := chunk[n:]
		if int64(len(piece)) > p.left {
			piece = piece[:p.left]
		}
		n += len(piece)
		p.left -= int64(len(piece))
		p.key = Mask(p.key, piece)
		if bad := p.gather(piece); bad != nil {
			return r.fail(bad, len(chunk))
		}
		if p.left > 0 {
			break
		}
		if p.fin {
			ev, bad := r.gathered()
			if bad != nil {
				return r.fail(bad, len(chunk))
			}
			return ev, n, nil
		}
	}
	return Event{}, len(chunk), nil
}

// SetLimit changes the limit for messages whose first frame has not come yet.
func (r *Reader) SetLimit(limit int) { r.limit = int32(min(limit, MaxMessage)) }

// simple finds what most chunks begin with, at a quarter of the cost of going through all cases: a whole, legal and
// uncompressed message in a masked frame of at most 64 KiB. size is the length of its header, length that of its payload;
// if size is 0, look more closely.
func (r *Reader) simple(chunk []byte) (size, length int) {
	if r.parts != nil || r.closed || r.role != Server || len(chunk) < 8 {
		return 0, 0
	}
	if chunk[0] != finBit|byte(Text) && chunk[0] != finBit|byte(Binary) {
		return 0, 0
	}
	size, length = 6, int(chunk[1])-maskBit
	switch {
	case length < 0 || length == length64:
		return 0, 0
	case length == length16:
		size = 8
		if length = int(binary.BigEndian.Uint16(chunk[2:])); length < length16 {
			return 0, 0
		}
	}
	if length > len(chunk)-size || length > int(r.limit) {
		return 0, 0
	}
	return size, length
}

// Release returns what the Reader holds to the pool. A connection that ends in the middle of a message calls it; the
// Reader must not be used after it.
func (r *Reader) Release() {
	if p := r.parts; p != nil {
		if p.buf != nil {
			p.buf.release()
		}
		*p = parts{}
		partsPool.Put(p)
		r.parts = nil
	}
}

func (r *Reader) fail(bad *Error, n int) (Event, int, error) {
	r.Release()
	r.split().failed = bad
	return Event{}, n, bad
}

// split returns the state of what comes in parts.
func (r *Reader) split() *parts {
	if r.parts == nil {
		r.parts = partsPool.Get().(*parts)
	}
	return r.parts
}

// cutHeader reads a header that has begun in an earlier chunk, or that chunk does not hold in full; have is how many bytes
// of it are there. used is how many of them belong to chunk, or 0 if more are needed: all of chunk is then in p.head.
func (p *parts) cutHeader(chunk []byte) (h Header, have, used int, bad *Error) {
	early := int(p.headLen)
	have = early + copy(p.head[early:], chunk)
	h, size, bad := parseHeader(p.head[:have])
	if size == 0 {
		p.headLen = uint8(have)
		return h, have, 0, bad
	}
	p.headLen = 0
	return h, have, size - early, bad
}

// admit checks a header against the state of the connection. bad is what parseHeader found. While it is not complete, only
// what its first have bytes say is known. Of several faults the one whose byte comes first counts, so that it does not
// matter how the bytes were cut.
func (r *Reader) admit(h Header, have int, complete bool, bad *Error) *Error {
	if bad == errOpcode || bad == errFragCtl {
		return bad
	}
	if h.Rsv != 0 && (h.Rsv != rsv1 || r.inflater == nil || h.Op != Text && h.Op != Binary) {
		return errReserved // RFC 6455 §5.2; RFC 7692 §6: RSV1 marks the first frame of a compressed message only
	}
	underWay := r.parts != nil && r.parts.message != 0
	if !h.Op.Control() && (h.Op == Continuation) != underWay {
		if h.Op == Continuation {
			return errNoMessage
		}
		return errInterleaved // §5.4
	}
	if have >= 2 && h.Masked != (r.role == Server) {
		if r.role == Server {
			return errUnmasked
		}
		return errMasked // §5.1
	}
	if bad != nil || h.Op.Control() || !complete {
		return bad
	}
	limit, size, deflated := int(r.limit), 0, h.Rsv != 0
	if underWay {
		size, deflated = r.parts.size, r.parts.deflated
	}
	if deflated {
		limit = deflatedLimit(limit)
	}
	if h.Length > int64(limit-size) {
		return errTooBig
	}
	return nil
}

// begin starts on a frame that is not a whole message, or whose payload has not come in full.
func (p *parts) begin(h Header) {
	p.left, p.key, p.op, p.fin = h.Length, h.Key, h.Op, h.Fin
	if h.Op == Text || h.Op == Binary {
		p.message, p.deflated, p.text = h.Op, h.Rsv != 0, utf8Whole
	}
}

// gather keeps a piece of the frame under way.
func (p *parts) gather(piece []byte) *Error {
	if !p.op.Control() {
		if p.message == Text && !p.deflated {
			if p.text = p.text.next(piece); p.text == utf8Bad {
				return errText
			}
		}
		p.size += len(piece)
	}
	if len(piece) > 0 {
		p.buf = p.buf.grown(len(piece))
		p.buf.b = append(p.buf.b, piece...)
	}
	return nil
}

// gathered makes an event of the frame that gather has completed.
func (r *Reader) gathered() (Event, *Error) {
	p := r.parts
	var all []byte
	if p.buf != nil {
		all = p.buf.b
	}
	if p.op.Control() {
		if p.buf != nil {
			p.buf.b = all[:p.size]
		}
		return r.control(p.op, all[p.size:])
	}
	message := p.message
	p.message, p.size = 0, 0
	if p.deflated {
		return r.inflated(message, all)
	}
	if message == Text && p.text != utf8Whole {
		return Event{}, errText
	}
	return Event{Op: message, Data: all}, nil
}

// whole makes an event of a frame that is a message or a control frame and lies in one piece.
func (r *Reader) whole(h Header, payload []byte) (Event, *Error) {
	if h.Op.Control() {
		return r.control(h.Op, payload)
	}
	if h.Rsv != 0 {
		return r.inflated(h.Op, payload)
	}
	if h.Op == Text && utf8Whole.next(payload) != utf8Whole {
		return Event{}, errText
	}
	return Event{Op: h.Op, Data: payload}, nil
}

func (r *Reader) control(op Opcode, payload []byte) (Event, *Error) {
	if op != Close {
		return Event{Op: op, Data: payload}, nil
	}
	code, reason, bad := parseClose(payload)
	if bad != nil {
		return Event{}, bad
	}
	r.closed = true
	if r.parts != nil {
		r.parts.message, r.parts.size = 0, 0
	}
	return Event{Op: Close, Code: code, Data: reason}, nil
}

func (r *Reader) inflated(message Opcode, payload []byte) (Event, *Error) {
	out, bad := r.inflater.inflate(payload, int(r.limit))
	if bad != nil {
		return Event{}, bad
	}
	r.Release()
	r.split().buf = out
	if message == Text && utf8Whole.next(out.b) != utf8Whole {
		return Event{}, errText
	}
	return Event{Op: message, Data: out.b}, nil
}
