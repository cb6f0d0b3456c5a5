// Package wire turns Hongyan's words into bytes and back: the frames of the long link with their 16-byte header, the
// table of operations, and the bodies of the schema in proto/hongyan/v1, which nothing else imports.
//
// It works on byte slices alone. docs/PROTOCOL.md describes the same for writers of clients; testdata holds vectors for
// every language.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderSize is the length of a frame's header and the length of the smallest frame, in bytes.
//
// Layout, big-endian: total length u32 (header included), header length u16 (16), version u16 (1), operation u32,
// sequence u32; then the body.
const HeaderSize = 16

// Version is the only frame version so far.
const Version = 1

// Limits of a whole frame, in bytes.
const (
	MaxFrame       = 1 << 20 // once authenticated
	MaxFrameUnauth = 4 << 10 // before
)

// Frame is one frame of the long link.
type Frame struct {
	Op   Op
	Seq  uint32 // chosen by the requester, echoed by the reply; 0 in what the server pushes
	Body []byte
}

// Size is the length of f on the wire.
func (f Frame) Size() int { return HeaderSize + len(f.Body) }

// AppendFrame appends the bytes of f to b.
func AppendFrame(b []byte, f Frame) []byte {
	b = appendHeader(b, f.Op, f.Seq, len(f.Body))
	return append(b, f.Body...)
}

func appendHeader(b []byte, op Op, seq uint32, body int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(HeaderSize+body))
	b = binary.BigEndian.AppendUint16(b, HeaderSize)
	b = binary.BigEndian.AppendUint16(b, Version)
	b = binary.BigEndian.AppendUint32(b, uint32(op))
	return binary.BigEndian.AppendUint32(b, seq)
}

// Errors of a stream that cannot be read on: where the next frame begins is unknown, so the link closes. Test with
// errors.Is; the text says what was found.
var (
	ErrLength       = errors.New("frame length below the header's 16 bytes")
	ErrTooLarge     = errors.New("frame over the size limit")
	ErrHeaderLength = errors.New("frame header length is not 16")
	ErrVersion      = errors.New("unknown frame version")
)

// ParseFrame reads the first frame of b and returns how many bytes it took. While the frame is incomplete it returns
// n = 0 and no error, but it judges the length and the header as soon as their bytes are there, so that nothing is
// buffered for a frame that will be refused. The body aliases b.
func ParseFrame(b []byte, limit int) (f Frame, n int, err error) {
	if len(b) < 4 {
		return Frame{}, 0, nil
	}
	length := binary.BigEndian.Uint32(b)
	switch {
	case length < HeaderSize:
		return Frame{}, 0, fmt.Errorf("%w: length %d", ErrLength, length)
	case uint64(length) > uint64(limit):
		return Frame{}, 0, fmt.Errorf("%w: length %d, limit %d", ErrTooLarge, length, limit)
	}
	if len(b) >= 6 {
		if h := binary.BigEndian.Uint16(b[4:]); h != HeaderSize {
			return Frame{}, 0, fmt.Errorf("%w: header length %d", ErrHeaderLength, h)
		}
	}
	if len(b) >= 8 {
		if v := binary.BigEndian.Uint16(b[6:]); v != Version {
			return Frame{}, 0, fmt.Errorf("%w: version %d, this side speaks %d", ErrVersion, v, Version)
		}
	}
	if uint64(len(b)) < uint64(length) {
		return Frame{}, 0, nil
	}
	return Frame{
		Op:   Op(binary.BigEndian.Uint32(b[8:])),
		Seq:  binary.BigEndian.Uint32(b[12:]),
		Body: b[HeaderSize:length:length],
	}, int(length), nil
}

// Decoder reads frames from a stream that arrives in pieces of any size. It keeps bytes only while a frame is
// incomplete, and never more than one frame's limit and one piece. The zero Decoder reads frames up to
// MaxFrameUnauth.
type Decoder struct {
	limit int
	cut   []byte // the beginning of a frame whose rest has not come
	in    []byte // what is left of the piece being read, or of cut once the piece is joined to it
	err   error
}

// SetLimit changes the largest frame that is accepted, in bytes, from the next frame on.
func (d *Decoder) SetLimit(bytes int) { d.limit = bytes }

// Feed gives the decoder the next piece. All frames of the piece before must have been taken with Next. After an error
// it does nothing.
func (d *Decoder) Feed(piece []byte) {
	switch {
	case d.err != nil:
	case len(d.cut) > 0:
		d.cut = append(d.cut, piece...)
		d.in = d.cut
	default:
		d.in = piece
	}
}

// Next returns the next whole frame; false without an error means that more bytes are needed. The body is valid until
// the following Feed. After an error the stream is lost and every call returns the error.
func (d *Decoder) Next() (Frame, bool, error) {
	if d.err != nil {
		return Frame{}, false, d.err
	}
	limit := d.limit
	if limit == 0 {
		limit = MaxFrameUnauth
	}
	f, n, err := ParseFrame(d.in, limit)
	if err != nil {
		d.err = err
		d.in, d.cut = nil, nil
		return Frame{}, false, err
	}
	if n == 0 {
		d.keep()
		return Frame{}, false, nil
	}
	d.in = d.in[n:]
	return f, true, nil
}

// keep holds on to the unread beginning of a frame, or lets the buffer go when nothing is left.
func (d *Decoder) keep() {
	switch {
	case len(d.in) == 0:
		d.cut = nil
	case len(d.in) == len(d.cut):
		// It is all of cut: a large frame that arrives in many pieces is not copied once for each of them.
	default:
		// A buffer of its own: the caller may reuse the piece, and bodies that alias the old buffer are still valid.
		d.cut = append([]byte(nil), d.in...)
	}
	d.in = d.cut
}
