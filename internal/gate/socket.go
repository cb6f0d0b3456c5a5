package gate

import (
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/ws"
	"github.com/hongyan-im/hongyan/wire"
)

// linkSocket is the handler of a WebSocket that carries the long link: it makes messages of frames.
type linkSocket struct {
	carrier.Handler // of the WebSocket
	link            *longLink
}

// lastKind is the kind of the item that ends a long link: its last frame, if there is one, and the Close frame behind it.
// This side of the connection ends with it, without waiting for the peer's Close: what is said at the end was said in the
// frame.
const lastKind = 0xFF

var lastClose = carrier.Item{Kind: byte(ws.Close), Bytes: ws.AppendCloseBody(nil, ws.CodeNormal, "")}

func (s *linkSocket) Encode(dst []byte, item carrier.Item) []byte {
	switch ws.Opcode(item.Kind) {
	case lastKind:
		if len(item.Bytes) > 0 {
			dst = s.Encode(dst, s.link.item(item.Bytes))
		}
		item = lastClose
	case ws.Text:
		text, err := frameText(item.Bytes)
		if err != nil {
			s.link.conn.s.log.Error("a frame cannot be written as text", "error", err)
			return dst
		}
		item.Bytes = text
	}
	return s.Handler.Encode(dst, item)
}

func (s *linkSocket) Slow() carrier.Item { return s.link.Slow() }

// frameText writes a whole frame as text.
func frameText(frame []byte) ([]byte, error) {
	f, _, err := wire.ParseFrame(frame, len(frame))
	if err != nil {
		return nil, err
	}
	return wire.AppendText(nil, f)
}

// minMessage is how many bytes of frames a message may hold at least, however small a frame has to be at present.
const minMessage = 16 << 10

// linkReceiver is a longLink as its WebSocket sees it.
type linkReceiver longLink

func (r *linkReceiver) Alive(now time.Time) {
	if !r.closing.Load() {
		r.session.Alive(now)
		r.socket.SetLimit(max(r.session.Limit(), minMessage))
	}
}

// Message takes frames: in binary messages as a stream, in which the bounds of messages mean nothing; in text messages
// one each.
func (r *linkReceiver) Message(now time.Time, op ws.Opcode, payload []byte) {
	l := (*longLink)(r)
	switch {
	case l.closing.Load():
		return
	case byte(op) != l.kind:
		l.broken(now, errMessageKind)
	case op == ws.Binary:
		l.feed(now, payload)
	default:
		l.feedText(now, payload)
	}
	l.rest()
}

var errMessageKind = hongyan.Errorf(hongyan.Invalid, "text messages are for the subprotocol %s, binary ones for %s",
	ProtocolText, ProtocolBinary)

// feedText hands the session a frame that was written as text.
func (l *longLink) feedText(now time.Time, text []byte) {
	if len(text) > l.session.Limit() {
		l.broken(now, wire.ErrTooLarge)
		return
	}
	f, err := wire.ParseText(text)
	if err == nil {
		l.session.Frame(now, f)
		return
	}
	refusal, err := wire.Append(nil, wire.OpError, f.Seq, wire.FromError(f.Op, err))
	if err != nil {
		l.broken(now, err)
		return
	}
	l.Reply(refusal)
}

func (r *linkReceiver) Deadline() time.Time { return r.session.Deadline() }

func (r *linkReceiver) Expired(now time.Time) {
	r.session.Expired(now)
	if d := r.session.Deadline(); !d.IsZero() && !now.Before(d) {
		(*longLink)(r).Close(nil) // the carrier would do without a Close frame
	}
}

func (r *linkReceiver) Closed(websocket.End) {
	r.session.Closed()
	r.conn.release()
}

// counted is the Receiver of a WebSocket that is no long link, with its place in the counts.
type counted struct {
	websocket.Receiver
	conn   *conn
	socket *websocket.Conn
}

func (c *counted) Closed(end websocket.End) {
	c.Receiver.Closed(end)
	c.conn.release()
}

func (c *counted) leave(func(Session)) { c.socket.Close(ws.CodeGoingAway, "the server is leaving") }
