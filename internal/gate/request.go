package gate

import (
	"net"
	"net/netip"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// httpLink is a connection that speaks HTTP, and the router of its requests.
type httpLink struct {
	conn *conn
	http *http1.Conn
}

// startHTTP returns the handler of a connection that begins to speak HTTP.
func (c *conn) startHTTP(by carrier.Conn, now time.Time) carrier.Handler {
	h := &httpLink{conn: c}
	h.http = http1.New(by, h, &c.s.lean, now)
	by.Become(h.http)
	c.is(c.inside(speaksHTTP, speaksHTTPS))
	c.begin(h)
	return h.http
}

// Closed is for http1.
func (h *httpLink) Closed() { h.conn.release() }

func (h *httpLink) leave(func(Session)) { h.http.Leave() }

// Route is for http1.
func (h *httpLink) Route(x *http1.Exchange) {
	s := h.conn.s
	if s.cfg.Route != nil {
		s.cfg.Route(&Request{Exchange: x, conn: h.conn})
	}
	if !x.Settled() && s.http != nil {
		x.HandOver()
	}
}

// Take is for http1.
func (h *httpLink) Take(rw net.Conn, first []byte) { h.conn.s.http.take(h.conn, rw, first) }

// Request is an HTTP request that is to be settled, or to be left to net/http. It is valid during the call only.
type Request struct {
	*http1.Exchange
	conn   *conn
	client *client
}

// client is who has sent requests over a connection of a proxy.
type client struct {
	addr   netip.Addr
	secure bool
}

// Peer is who sent the request.
func (r *Request) Peer() Peer { return r.client.of(r.conn.peer()) }

// Behind says that a proxy, which is believed, has passed on the request of somebody else, and whether nobody on the way
// to the proxy can have read along.
func (r *Request) Behind(addr netip.Addr, secure bool) { r.client = &client{addr, secure} }

// of returns what is known of a client whose proxy is p. nil: p is no proxy.
func (c *client) of(p Peer) Peer {
	if c == nil {
		return p
	}
	return p.Behind(c.addr, c.secure)
}

// Subprotocols of the long link over WebSocket, the better one first.
const (
	ProtocolBinary = "hongyan.v1"      // the stream of frames in binary messages
	ProtocolText   = "hongyan.v1.json" // each frame as JSON in a text message
)

// OpenLink upgrades to a WebSocket that carries the long link, with a session of Config.Open. a has to have both
// subprotocols; a client that asks for neither is refused. The error is the *ws.Refusal that the client has been told.
func (r *Request) OpenLink(a *ws.Acceptor) error {
	allow := func(agreed ws.Agreement) *ws.Refusal {
		if agreed.Protocol == "" {
			return errNoProtocol
		}
		return nil
	}
	return r.Upgrade(a, allow, func(by carrier.Conn, agreed ws.Agreement) carrier.Handler {
		l := &longLink{conn: r.conn, carrier: by, kind: byte(ws.Binary)}
		if agreed.Protocol == ProtocolText {
			l.kind = byte(ws.Text)
		}
		h := websocket.Wrap(by, agreed, minMessage,
			func(h carrier.Handler) carrier.Handler { return &linkSocket{h, l} },
			func(socket *websocket.Conn) websocket.Receiver {
				l.socket = socket
				return (*linkReceiver)(l)
			})
		l.start(r.conn.inside(speaksWS, speaksWSS), r.client)
		return h
	})
}

var errNoProtocol = &ws.Refusal{
	Status: 400, Reason: "ask for the subprotocol " + ProtocolBinary + " or " + ProtocolText + " in Sec-WebSocket-Protocol",
}

// OpenWebSocket upgrades to a WebSocket whose messages, of up to limit bytes, are for whom receive makes. allow is asked
// when nothing but the server's own will is missing; it may be nil. The error is the *ws.Refusal that the client has been
// told.
func (r *Request) OpenWebSocket(
	a *ws.Acceptor, limit int, allow func(ws.Agreement) *ws.Refusal, receive func(*websocket.Conn) websocket.Receiver,
) error {
	return r.Upgrade(a, allow, func(by carrier.Conn, agreed ws.Agreement) carrier.Handler {
		c := &counted{conn: r.conn}
		c.socket = websocket.New(by, agreed, limit, func(socket *websocket.Conn) websocket.Receiver {
			c.Receiver = receive(socket)
			return c
		})
		r.conn.is(r.conn.inside(speaksWS, speaksWSS))
		r.conn.begin(c)
		return c.socket
	})
}
