package gate

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/wire"
)

// longLink is the handler of a connection that speaks the long link, and the Link of its session: it cuts the stream
// into frames. An idle one has no buffer of its own.
type longLink struct {
	conn    *conn
	carrier carrier.Conn
	dec     *wire.Decoder // only while a frame is incomplete; else from the pool when something comes
	cut     int32         // bytes of that frame which have come; below 16 MiB and one piece
	closing atomic.Bool   // the session has closed it: no frame any more
}

var _ Link = (*longLink)(nil)

var decoders = sync.Pool{New: func() any { return new(wire.Decoder) }}

// start opens the session.
func (l *longLink) start() {
	c := l.conn
	switch {
	case c.tls:
		c.is(speaksTLS)
	case c.operator:
		c.is(speaksUnix)
	default:
		c.is(speaksTCP)
	}
	c.open(l)
}

func (l *longLink) Data(now time.Time, p []byte) {
	session := l.conn.session
	dec := l.dec
	if dec == nil {
		dec = decoders.Get().(*wire.Decoder)
	}
	dec.SetLimit(session.Limit())
	dec.Feed(p)
	l.cut += int32(len(p))
	for !l.closing.Load() {
		f, ok, err := dec.Next()
		switch {
		case err != nil:
			l.conn.s.m.broken.Inc()
			session.Broken(now, err)
			l.Close(nil) // counts only if the session has not closed it
		case ok:
			l.cut -= int32(f.Size())
			session.Frame(now, f)
			dec.SetLimit(session.Limit())
		case l.cut > 0:
			l.dec = dec
			return
		default:
			l.dec = nil
			decoders.Put(dec)
			return
		}
	}
	l.dec = nil
}

func (l *longLink) Deadline() time.Time   { return l.conn.session.Deadline() }
func (l *longLink) Expired(now time.Time) { l.conn.session.Expired(now) }

func (l *longLink) Closed() {
	l.conn.session.Closed()
	l.conn.release()
}

// Encode has nothing to do: what is queued are whole frames.
func (l *longLink) Encode(dst []byte, frame carrier.Item) []byte { return append(dst, frame.Bytes...) }

func (l *longLink) Slow() carrier.Item { return carrier.Item{Bytes: slowFrame} }

// slowFrame is the last frame to a peer that does not read its answers. Whether it can still get it is another matter.
var slowFrame = func() []byte {
	b, err := wire.Append(nil, wire.OpClose, 0, &wire.Close{Reason: wire.CloseSlow, Message: "answers were not read"})
	if err != nil {
		panic(err) // a constant message
	}
	return b
}()

func (l *longLink) Send(frame []byte) bool { return l.carrier.Send(carrier.Item{Bytes: frame}) }
func (l *longLink) Reply(frame []byte)     { l.carrier.Reply(carrier.Item{Bytes: frame}) }
func (l *longLink) Pending() int           { return l.carrier.Pending() }
func (l *longLink) Drained(f func())       { l.carrier.Drained(f) }

func (l *longLink) Close(frame []byte) {
	l.closing.Store(true)
	l.carrier.Close(carrier.Item{Bytes: frame})
}
