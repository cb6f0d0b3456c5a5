package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/http1"
)

// Config is what a Server is made of.
type Config struct {
	Listen   []string // TCP addresses, each "host:port"; an empty host means every address of the machine
	Operator string   // path of the operator's unix socket; empty for none

	Open Opener       // makes the session of each long link; required
	TLS  *tls.Config  // offers TLS on every listener; without it TLS is refused
	HTTP http.Handler // answers HTTP that Route leaves alone; without it 404 is the answer

	// Route settles the requests of HTTP that have to be cheap by the million, where they have come, without a goroutine
	// or net/http: upgrades to WebSocket above all. It must not wait. nil settles none.
	Route func(*Request)

	// Uncounted are the networks to which Limits.PerAddress does not apply: proxies, behind which are many.
	Uncounted []netip.Prefix

	Carrier Carrier               // of plain TCP connections; empty stands for DefaultCarrier
	Limits  Limits                // the zero value stands for DefaultLimits
	Log     *slog.Logger          // without it nothing is logged
	Metrics prometheus.Registerer // without it nobody sees the metrics
}

// Server accepts connections until it is drained or closed.
type Server struct {
	cfg       Config
	limits    carrier.Limits // of cfg.Limits, those of a carrier
	lean      http1.Limits   // of cfg.Limits, those of HTTP
	counters  carrier.Counters
	log       *slog.Logger
	m         *metrics
	http      *httpSide // nil without a handler
	listeners []net.Listener
	loops     loops    // nil with the goroutine carrier
	forget    []func() // each ends accepting from one listener of loops
	pausedAt  atomic.Int64

	stop        chan struct{}  // closed when accepting ends
	accepting   sync.WaitGroup // accept loops
	connections sync.WaitGroup // everything that was accepted, each with its goroutines

	mu        sync.Mutex
	conns     *conn // the first of all connections
	counted   int   // of those, the ones that count as Limits.Connections
	operators int   // and the others
	addresses map[netip.Addr]int
	tell      func(Session) // once draining
	stopped   bool          // stop is closed
	closed    bool          // nothing is carried any more
}

// Listen binds every address of cfg and starts to accept. If one cannot be bound it binds none.
func Listen(cfg Config) (*Server, error) {
	if cfg.Open == nil {
		return nil, errors.New("gate: Config.Open is missing")
	}
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	if err := cfg.Limits.check(); err != nil {
		return nil, err
	}
	if cfg.Carrier == "" {
		cfg.Carrier = DefaultCarrier
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg:       cfg,
		limits:    cfg.Limits.carrier(),
		lean:      http1.Limits{Head: cfg.Limits.FirstByte, Idle: cfg.Limits.IdleHTTP},
		log:       cfg.Log,
		stop:      make(chan struct{}),
		addresses: make(map[netip.Addr]int),
	}
	var err error
	if s.m, err = newMetrics(cfg.Metrics, &s.counters); err != nil {
		return nil, fmt.Errorf("gate: metrics: %w", err)
	}
	if err := s.bind(); err != nil {
		s.closeListeners()
		return nil, err
	}
	if s.loops, err = newLoops(s); err != nil {
		s.closeListeners()
		return nil, err
	}
	if cfg.HTTP != nil {
		s.http = newHTTPSide(s)
	}
	for _, ln := range s.listeners {
		if err := s.listen(ln); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// listen begins to accept from ln.
func (s *Server) listen(ln net.Listener) error {
	tcp, ok := ln.(*net.TCPListener)
	if s.loops == nil || !ok {
		s.accepting.Go(func() { s.accept(ln) })
		return nil
	}
	forget, err := s.loops.listen(tcp, s.admit)
	if err == nil {
		s.forget = append(s.forget, forget)
	}
	return err
}

// Addrs returns the bound addresses, in the order of Config.Listen with the operator's socket last.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, ln := range s.listeners {
		addrs[i] = ln.Addr()
	}
	return addrs
}

// Traffic returns how many bytes have come and gone so far, inside TLS where there is TLS.
func (s *Server) Traffic() (received, sent uint64) {
	return s.counters.Received.Load(), s.counters.Sent.Load()
}

// Drain ends the server in peace. It stops accepting, closes what has not said anything yet and what waits for a request
// of HTTP, closes WebSockets that are no long links as "going away" (1001), and calls tell for every session that is open,
// so that the application can ask its peer to come back elsewhere or later; tell runs beside the carriers, possibly at the
// same time as a method of the session and even after its Closed. Then Drain lets requests that net/http has finish and waits until the last connection has ended, and at the end of ctx cuts those that remain, which is the error
// it returns.
func (s *Server) Drain(ctx context.Context, tell func(Session)) error {
	s.mu.Lock()
	s.leave()
	s.tell = tell // for sessions that still open
	open := make([]leaver, 0, s.counted+s.operators)
	for c := s.conns; c != nil; c = c.next {
		switch {
		case c.open != nil:
			open = append(open, c.open)
		case c.speaks == speaksNew && c.held != nil: // nobody will take those that are not held yet
			c.held.Abort()
		}
	}
	s.mu.Unlock()
	s.stopAccepting()
	for _, o := range open {
		o.leave(tell)
	}

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if s.http != nil {
			_ = s.http.server.Shutdown(ctx) // its error is that of ctx
		}
		s.connections.Wait()
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		s.mu.Lock()
		left := s.counted + s.operators
		s.mu.Unlock()
		if left > 0 {
			err = fmt.Errorf("gate: %d connections had to be cut: %w", left, context.Cause(ctx))
		}
	}
	s.Close()
	<-ended
	return err
}

// Close ends everything at once and returns when the last goroutine has: HTTP handlers have to obey the context of
// their request.
func (s *Server) Close() {
	s.mu.Lock()
	s.leave()
	s.closed = true
	for c := s.conns; c != nil; c = c.next {
		if c.held != nil {
			c.held.Abort() // its carrier does the rest
		}
	}
	s.mu.Unlock()
	s.stopAccepting()
	if s.http != nil {
		s.http.close()
	}
	s.connections.Wait()
	if s.loops != nil {
		s.loops.close()
	}
}

// leave lets nobody in any more: nothing joins s.connections after. Under mu.
func (s *Server) leave() {
	if !s.stopped {
		s.stopped = true
		close(s.stop)
	}
}

// stopAccepting closes the listeners and returns when every accept loop has ended.
func (s *Server) stopAccepting() {
	for _, forget := range s.forget {
		forget()
	}
	s.closeListeners()
	s.accepting.Wait()
}

func (s *Server) closeListeners() {
	for _, ln := range s.listeners {
		_ = ln.Close()
	}
}
