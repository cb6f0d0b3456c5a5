// Package server runs services of your own on Hongyan's gateway: WebSocket (RFC 6455, with the compression of RFC 7692)
// and frames over TCP, each with TLS too, all on the same ports. On Linux plain connections live on a few epoll loops,
// without a goroutine or a buffer for each: some hundred bytes of memory for an idle one.
//
//	s, err := server.Listen(server.Config{
//		Listen:  []string{"127.0.0.1:8080"},
//		Message: func(c *server.Conn, m server.Message) { c.Write(m) },
//	})
//
// The functions of a Config are called on the goroutine that carries the connection, and on Linux that carries others as
// well: they must not wait for anything. Hand what takes long to a goroutine of your own, and answer from there by Send.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/websocket"
	"github.com/hongyan-im/hongyan/internal/ws"
)

// Config is what a Server is made of. Only Listen and Message are required.
type Config struct {
	Listen []string // TCP addresses, each "host:port"; an empty host means every address of the machine

	// Open decides on a connection; nil lets everybody in. r is valid during the call only: keep what you need of it in
	// c.Value. Nothing can be sent by c yet. An error refuses the connection: by the status of a *Refusal, or 403, for
	// WebSocket; by closing it for TCP.
	Open func(c *Conn, r *Request) error
	// Message takes a whole message. Its Data may be changed, and is valid during the call only.
	Message func(c *Conn, m Message)
	// Error says that the peer has broken the protocol; Close follows.
	Error func(c *Conn, err error)
	// Close says how a connection that was opened has ended. It is called exactly once and last.
	Close func(c *Conn, end End)

	// HTTP answers requests that are no opening handshakes of WebSocket; without it they get 404.
	HTTP http.Handler
	// TLS offers TLS on every listener; without it TLS is refused.
	TLS *tls.Config

	// Origins are the origins whose pages may connect, as browsers write them: "https://chat.example.org"; "*" stands for
	// all. If there are none, a page may connect only to the host that it came from. Clients that send no Origin, which
	// browsers always do, may connect.
	Origins []string
	// Protocols are the subprotocols that the server speaks. The first of the client's that is among them is chosen.
	Protocols []string
	// Compress accepts permessage-deflate, without context from message to message, so that an idle connection keeps no
	// window.
	Compress bool

	MaxMessage int           // bytes of a message, after inflating, or of a frame's body; 0 means 1 MiB
	MaxQueue   int           // bytes queued to a peer above which Send refuses; 0 means 256 KiB
	Idle       time.Duration // without a byte from the peer after which a connection is closed; 0 means 10 min 30 s

	// MaxConnections is how many may exist at a time; 0 means 1,048,576. Keep it below the number of open files.
	MaxConnections int
	// Goroutines carries every connection by a goroutine of its own, as systems other than Linux always do.
	Goroutines bool

	Log     *slog.Logger          // without it nothing is logged
	Metrics prometheus.Registerer // without it nobody sees the metrics
}

// Defaults of a Config.
const (
	DefaultMaxMessage = 1 << 20
	DefaultMaxQueue   = 256 << 10
	DefaultIdle       = 10*time.Minute + 30*time.Second // phones beat every ten minutes at the most
)

// Server accepts connections until it is closed.
type Server struct {
	cfg      Config
	gate     *gate.Server
	acceptor ws.Acceptor
	start    time.Time // what Conn.seen counts from
}

// Listen binds every address of cfg and starts to accept. If one cannot be bound it binds none.
func Listen(cfg Config) (*Server, error) {
	if cfg.Message == nil {
		return nil, errors.New("server: Config.Message is missing")
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = DefaultMaxMessage
	}
	if cfg.MaxQueue == 0 {
		cfg.MaxQueue = DefaultMaxQueue
	}
	if cfg.Idle == 0 {
		cfg.Idle = DefaultIdle
	}
	if cfg.MaxMessage < 0 || cfg.MaxMessage > ws.MaxMessage || cfg.MaxQueue < 0 || cfg.Idle < 0 || cfg.MaxConnections < 0 {
		return nil, fmt.Errorf("server: MaxMessage has to be between 1 and %d, and MaxQueue, Idle and MaxConnections above zero",
			ws.MaxMessage)
	}
	s := &Server{cfg: cfg, start: time.Now(), acceptor: ws.Acceptor{Origins: cfg.Origins, Protocols: cfg.Protocols}}
	if cfg.Compress {
		s.acceptor.Deflate = &ws.Deflate{ServerNoContext: true, ClientNoContext: true}
	}
	limits := gate.DefaultLimits()
	limits.SoftQueue = cfg.MaxQueue
	// What Write queues is bounded by Pause: no more is read from a peer that does not read. Behind what was queued when
	// reading paused, the messages of one more piece of input can come, each answered with one of full size.
	limits.Pause = cfg.MaxQueue
	limits.HardQueue = max(limits.HardQueue, 4*(cfg.MaxQueue+cfg.MaxMessage))
	if cfg.MaxConnections > 0 {
		limits.Connections, limits.PerAddress = cfg.MaxConnections, 0
	}
	carrier := gate.DefaultCarrier
	if cfg.Goroutines {
		carrier = gate.CarrierGoroutine
	}
	var err error
	s.gate, err = gate.Listen(gate.Config{
		Listen: cfg.Listen, TLS: cfg.TLS, HTTP: cfg.HTTP, Limits: limits, Carrier: carrier, Log: cfg.Log, Metrics: cfg.Metrics,
		Open: s.openLink, Route: s.route,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Addrs returns the bound addresses, in the order of Config.Listen.
func (s *Server) Addrs() []net.Addr { return s.gate.Addrs() }

// Traffic returns how many bytes have come and gone so far, inside TLS where there is TLS.
func (s *Server) Traffic() (received, sent uint64) { return s.gate.Traffic() }

// Close ends everything at once and returns when Close has been called for every connection.
func (s *Server) Close() { s.gate.Close() }

// Drain ends the server in peace: it stops accepting, closes every connection behind what is queued, by "going away"
// (1001) where it is a WebSocket, waits until they have ended, and at the end of ctx cuts those that remain, which is the
// error it returns.
func (s *Server) Drain(ctx context.Context) error {
	return s.gate.Drain(ctx, func(of gate.Session) { of.(*session).link.Close(nil) })
}

// route answers an HTTP request if it is for a WebSocket.
func (s *Server) route(r *gate.Request) {
	if !r.HasToken("upgrade", "websocket") {
		if s.cfg.HTTP != nil {
			r.HandOver()
		}
		return
	}
	c := &Conn{server: s}
	c.alive(r.Now)
	refuse := func(agreed ws.Agreement) *ws.Refusal {
		return s.refusal(c, Request{http: r, peer: r.Peer(), protocol: agreed.Protocol})
	}
	_ = r.OpenWebSocket(&s.acceptor, s.cfg.MaxMessage, refuse, func(socket *websocket.Conn) websocket.Receiver {
		c.socket.Store(socket)
		return (*receiver)(c)
	})
}

// requests are reused: what every connection leaves behind lies between what stays.
var requests = sync.Pool{New: func() any { return new(Request) }}

// refusal asks Open.
func (s *Server) refusal(c *Conn, r Request) *ws.Refusal {
	if s.cfg.Open == nil {
		return nil
	}
	kept := requests.Get().(*Request)
	*kept = r
	err := s.cfg.Open(c, kept)
	*kept = Request{}
	requests.Put(kept)
	if err == nil {
		return nil
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return &ws.Refusal{Status: refusal.Status, Reason: refusal.Reason}
	}
	return &ws.Refusal{Status: http.StatusForbidden, Reason: err.Error()}
}

// openLink begins a connection that speaks frames.
func (s *Server) openLink(l gate.Link, p gate.Peer) gate.Session {
	c := &Conn{server: s, link: &frames{l}}
	c.alive(time.Now())
	if s.refusal(c, Request{peer: p}) != nil {
		c.refused = true
		l.Close(nil)
	}
	return (*session)(c)
}
