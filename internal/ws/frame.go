package ws

import "encoding/binary"

const (
	// MaxControl is the largest payload of a control frame, in bytes (RFC 6455 §5.5).
	MaxControl = 125
	// MaxHeader is the largest frame header in bytes: two, a 64-bit length and a masking key.
	MaxHeader = 2 + 8 + 4
)

// Bits of the first two bytes of a frame (RFC 6455 §5.2).
const (
	finBit  = 0x80
	rsvBits = 0x70
	opBits  = 0x0F

	maskBit  = 0x80
	lenBits  = 0x7F
	length16 = 126
	length64 = 127
)

// rsv1 is the Rsv of a compressed message's first frame (RFC 7692 §6).
const rsv1 = 4

// Header is the part of a frame before its payload (RFC 6455 §5.2).
type Header struct {
	Fin    bool
	Rsv    uint8 // RSV1 is 4, RSV2 is 2, RSV3 is 1
	Op     Opcode
	Masked bool
	Key    Key   // meaningful if Masked
	Length int64 // bytes of payload
}

var (
	errOpcode     = violation("reserved opcode")
	errLongCtl    = violation("control frame of more than 125 bytes")
	errFragCtl    = violation("fragmented control frame")
	errNotMinimal = violation("length not in its shortest form")
	errLengthSign = violation("length with its top bit set")
)

// ParseHeader reads the header at the start of p and checks what does not depend on the connection: reserved opcodes,
// control frames that are fragmented or longer than 125 bytes, lengths that are not in their shortest form or that have
// the top bit set. n is the length of the header, or 0 while p holds only a part of one; the fields whose bytes have
// arrived are then set already, and rules that they break are reported at once. Whatever follows an error is not a
// frame any more. The error is always an *Error.
func ParseHeader(p []byte) (h Header, n int, err error) {
	h, n, bad := parseHeader(p)
	if bad != nil {
		return h, n, bad
	}
	return h, n, nil
}

func parseHeader(p []byte) (h Header, n int, bad *Error) {
	if len(p) < 2 {
		if len(p) == 1 {
			h.setFirst(p[0])
			bad = h.checkFirst()
		}
		return h, 0, bad
	}
	h.setFirst(p[0])
	h.Masked = p[1]&maskBit != 0
	h.Length = int64(p[1] & lenBits)
	if bad = h.checkFirst(); bad != nil {
		return h, 0, bad
	}
	n = 2
	if h.Length >= length16 {
		if h.Op.Control() {
			return h, 0, errLongCtl
		}
		if h.Length == length16 {
			if len(p) < 4 {
				return h, 0, nil
			}
			h.Length = int64(binary.BigEndian.Uint16(p[2:]))
			n = 4
			if h.Length < length16 {
				return h, 0, errNotMinimal
			}
		} else {
			if len(p) < 10 {
				return h, 0, nil
			}
			h.Length = int64(binary.BigEndian.Uint64(p[2:]))
			n = 10
			if h.Length < 0 {
				return h, 0, errLengthSign
			}
			if h.Length <= 0xFFFF {
				return h, 0, errNotMinimal
			}
		}
	}
	if h.Masked {
		if len(p) < n+4 {
			return h, 0, nil
		}
		h.Key = Key(binary.LittleEndian.Uint32(p[n:]))
		n += 4
	}
	return h, n, nil
}

func (h *Header) setFirst(b byte) {
	h.Fin = b&finBit != 0
	h.Rsv = b & rsvBits >> 4
	h.Op = Opcode(b & opBits)
}

func (h *Header) checkFirst() *Error {
	if h.Op.reserved() {
		return errOpcode
	}
	if h.Op.Control() && !h.Fin {
		return errFragCtl
	}
	return nil
}

// Append appends the header, with the length in its shortest form.
func (h Header) Append(dst []byte) []byte {
	first := h.Rsv<<4&rsvBits | byte(h.Op)&opBits
	if h.Fin {
		first |= finBit
	}
	var mask byte
	if h.Masked {
		mask = maskBit
	}
	switch {
	case h.Length < length16:
		dst = append(dst, first, mask|byte(h.Length))
	case h.Length <= 0xFFFF:
		dst = append(dst, first, mask|length16, byte(h.Length>>8), byte(h.Length))
	default:
		dst = append(dst, first, mask|length64)
		dst = binary.BigEndian.AppendUint64(dst, uint64(h.Length))
	}
	if h.Masked {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(h.Key))
	}
	return dst
}

// size is the number of bytes that Append appends.
func (h Header) size() int {
	n := 2
	switch {
	case h.Length > 0xFFFF:
		n = 10
	case h.Length >= length16:
		n = 4
	}
	if h.Masked {
		n += 4
	}
	return n
}

// AppendFrame appends a frame with the header h, whose Length is taken from payload, and a masked copy of payload if
// h.Masked. It is what fragmented messages are made of; a message in one frame is AppendMessage's.
func AppendFrame(dst []byte, h Header, payload []byte) []byte {
	h.Length = int64(len(payload))
	dst = h.Append(dst)
	at := len(dst)
	dst = append(dst, payload...)
	if h.Masked {
		Mask(h.Key, dst[at:])
	}
	return dst
}

// AppendMessage appends payload as one unfragmented frame with the opcode Text, Binary, Ping or Pong (a Close is
// Closing's). A server passes no key. A client passes a fresh one for every frame, from a source that cannot be
// predicted (RFC 6455 §5.3). The payload of a control frame must not exceed MaxControl, and that of a Text must be
// valid UTF-8: AppendMessage does not look.
func AppendMessage(dst []byte, op Opcode, payload []byte, key *Key) []byte {
	if key == nil && len(payload) <= 0xFFFF { // what a server sends most
		if len(payload) < length16 {
			dst = append(dst, finBit|byte(op), byte(len(payload)))
		} else {
			dst = append(dst, finBit|byte(op), length16, byte(len(payload)>>8), byte(len(payload)))
		}
		return append(dst, payload...)
	}
	h := Header{Fin: true, Op: op}
	if key != nil {
		h.Masked, h.Key = true, *key
	}
	return AppendFrame(dst, h, payload)
}
