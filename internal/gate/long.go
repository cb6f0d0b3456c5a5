package gate

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/wire"
)

// longLink is a connection that speaks the long link, and the Link of its session: it cuts the stream into frames. It is
// the handler of the connection, or stands behind a socket, which is. An idle one has no buffer of its own.
type longLink struct {
	conn    *conn
	carrier carrier.Conn
	session Session
	socket  *websocket.Conn // nil if frames are not in messages
	dec     *wire.Decoder   // only while a frame is incomplete; else from the pool when something comes
	cut     int32           // bytes of that frame which have come; below 16 MiB and one piece
	kind    byte            // of items
	closing atomic.Bool     // the session has closed it: no frame any more
}

var _ Link = (*longLink)(nil)

var decoders = sync.Pool{New: func() any { return new(wire.Decoder) }}

// start opens the session, of a client behind the connection if there is one.
func (l *longLink) start(t transport, behind *client) {
	c := l.conn
	if c.operator && t == speaksTCP {
		t = speaksUnix
	}
	c.is(t)
	l.session = c.s.cfg.Open(l, behind.of(c.peer()))
	c.begin(l)
}

func (l *longLink) leave(tell func(Session)) { tell(l.session) }

func (l *longLink) Data(now time.Time, p []byte) {
	l.session.Alive(now)
	l.feed(now, p)
	l.rest()
}

// rest reads no more for a while if the session wants that.
func (l *longLink) rest() {
	if until := l.session.Rest(); !until.IsZero() {
		l.carrier.Rest(until)
	}
}

// feed hands the session the frames that p completes.
func (l *longLink) feed(now time.Time, p []byte) {
	dec := l.dec
	if dec == nil {
		dec = decoders.Get().(*wire.Decoder)
	}
	dec.SetLimit(l.session.Limit())
	dec.Feed(p)
	l.cut += int32(len(p))
	for !l.closing.Load() {
		f, ok, err := dec.Next()
		switch {
		case err != nil:
			l.broken(now, err)
		case ok:
			l.cut -= int32(f.Size())
			l.session.Frame(now, f)
			dec.SetLimit(l.session.Limit())
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

// broken ends a stream that cannot be read on.
func (l *longLink) broken(now time.Time, err error) {
	l.conn.s.m.broken.Inc()
	l.session.Broken(now, err)
	l.Close(nil) // counts only if the session has not closed it
}

func (l *longLink) Deadline() time.Time   { return l.session.Deadline() }
func (l *longLink) Expired(now time.Time) { l.session.Expired(now) }

func (l *longLink) Closed() {
	l.session.Closed()
	l.conn.release()
}

// Encode has nothing to do: what is queued are whole frames.
func (l *longLink) Encode(dst []byte, frame carrier.Item) []byte { return append(dst, frame.Bytes...) }

func (l *longLink) Slow() carrier.Item { return l.last(slowFrame) }

// slowFrame is the last frame to a peer that does not read its answers. Whether it can still get it is another matter.
var slowFrame = func() []byte {
	b, err := wire.Append(nil, wire.OpClose, 0, &wire.Close{Reason: wire.CloseSlow, Message: "answers were not read"})
	if err != nil {
		panic(err) // a constant message
	}
	return b
}()

func (l *longLink) item(frame []byte) carrier.Item { return carrier.Item{Kind: l.kind, Bytes: frame} }

func (l *longLink) Send(frame []byte) bool { return l.carrier.Send(l.item(frame)) }
func (l *longLink) Reply(frame []byte)     { l.carrier.Reply(l.item(frame)) }
func (l *longLink) Pending() int           { return l.carrier.Pending() }
func (l *longLink) Drained(f func())       { l.carrier.Drained(f) }

func (l *longLink) Close(frame []byte) {
	l.closing.Store(true)
	l.carrier.Close(l.last(frame))
}

// last is the item that ends the link, with a last frame, which may be nil.
func (l *longLink) last(frame []byte) carrier.Item {
	if l.socket == nil {
		return l.item(frame)
	}
	return carrier.Item{Kind: lastKind, Bytes: append([]byte{}, frame...)}
}
