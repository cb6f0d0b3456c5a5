package ws

import (
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// Messages of fewer bytes are sent as they are: they would hardly shrink, and compressing one costs as much time as
	// sending it. With earlier messages to refer to, short ones shrink too.
	minDeflate        = 512
	minDeflateContext = 128

	// maxContext is how many bytes of earlier messages a Deflater refers to, whatever larger window was agreed on: they
	// are its memory between messages, and the encoder has to read them again for each message.
	maxContext = 4 << 10
)

// Deflater compresses the messages of one direction of a connection. Between messages it keeps what it may refer back
// to, at most 4 KiB. One that takes no context over has no state: connections that have agreed on the same window may
// share it, also at the same time, and a message for many of them needs to be compressed only once.
type Deflater struct {
	past  history
	bits  int // window
	least int // bytes of the shortest message that is compressed
}

// NewDeflater returns the Deflater for what role sends under the agreed parameters.
func NewDeflater(role Role, agreed Deflate) *Deflater {
	noContext, bits := agreed.ServerNoContext, agreed.ServerWindowBits
	if role == Client {
		noContext, bits = agreed.ClientNoContext, agreed.ClientWindowBits
	}
	if noContext {
		return &plainDeflaters[bits]
	}
	return &Deflater{past: history{limit: min(1<<bits, maxContext)}, bits: bits, least: minDeflateContext}
}

// plainDeflaters are those that take no context over, by the bits of their window. As they have no state there need not be
// more of them.
var plainDeflaters = func() (all [maxWindowBits + 1]Deflater) {
	for bits := range all {
		all[bits] = Deflater{bits: bits, least: minDeflate}
	}
	return all
}()

// AppendMessage is the function AppendMessage, for Text and Binary, with compression where that makes the frame smaller.
func (d *Deflater) AppendMessage(dst []byte, op Opcode, payload []byte, key *Key) []byte {
	if len(payload) < d.least {
		return AppendMessage(dst, op, payload, key)
	}
	h := Header{Fin: true, Rsv: rsv1, Op: op, Length: int64(len(payload))}
	if key != nil {
		h.Masked, h.Key = true, *key
	}
	start, room := len(dst), h.size() // room for the header of a payload that is no longer
	dst = d.deflate(slices.Grow(dst, room+len(payload)/2)[:start+room], payload)
	body := dst[start+room:]
	if len(body) >= len(payload) {
		return AppendMessage(dst[:start], op, payload, key) // outside the context, like everything that is not compressed
	}
	d.past.add(payload)
	h.Length = int64(len(body))
	if h.Masked {
		Mask(h.Key, body)
	}
	return append(h.Append(dst[:start]), body...)
}

// encoder is a DEFLATE encoder that appends to out: about 1 MB, shared by all connections.
type encoder struct {
	flate *flate.Writer
	out   []byte
}

func (e *encoder) Write(p []byte) (int, error) {
	e.out = append(e.out, p...)
	return len(p), nil
}

var (
	encoders       sync.Pool                // with a window of 15 bits
	windowEncoders [maxWindowBits]sync.Pool // with a smaller one, by its bits
)

// deflate appends the compressed payload without the four bytes that end it (RFC 7692 §7.2.1).
func (d *Deflater) deflate(dst, payload []byte) []byte {
	dict, window, bits := d.past.bytes, 1<<d.bits, d.bits
	if len(payload) <= window/2 {
		// No reference reaches further back than dictionary and message together are long. Where they fit into the
		// window the plain encoder cannot leave it, and it is the faster one.
		dict = dict[max(0, len(dict)+len(payload)-window):]
		bits = maxWindowBits
	}
	pool := &encoders
	if bits < maxWindowBits {
		pool = &windowEncoders[bits]
	}
	e, ok := pool.Get().(*encoder)
	if !ok {
		e = newEncoder(bits)
	}
	e.out = dst
	e.flate.ResetDict(e, dict)
	_, err := e.flate.Write(payload)
	if err == nil {
		err = e.flate.Flush()
	}
	if err != nil {
		panic("ws: flate failed although its writer cannot: " + err.Error())
	}
	dst, e.out = e.out[:len(e.out)-4], nil
	e.flate.ResetDict(nil, nil) // the pool must not hold on to the dictionary of a connection
	pool.Put(e)
	return dst
}

func newEncoder(bits int) *encoder {
	e := new(encoder)
	var err error
	if bits == maxWindowBits {
		e.flate, err = flate.NewWriter(nil, flate.BestSpeed)
	} else {
		e.flate, err = flate.NewWriterWindow(nil, 1<<bits)
	}
	if err != nil {
		panic(err) // the arguments are constants
	}
	return e
}
