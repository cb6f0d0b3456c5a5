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

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a Server is made of.
type Config struct {
	Listen   []string // TCP addresses, each "host:port"; an empty host means every address of the machine
	Operator string   // path of the operator's unix socket; empty for none

	Open Opener       // makes the session of each long link; required
	HTTP http.Handler // answers HTTP; without it HTTP is refused
	TLS  *tls.Config  // offers TLS on every listener; without it TLS is refused

	Limits  Limits                // the zero value stands for DefaultLimits
	Log     *slog.Logger          // without it nothing is logged
	Metrics prometheus.Registerer // without it nobody sees the metrics
}

// Server accepts connections until it is drained or closed.
type Server struct {
	cfg       Config
	log       *slog.Logger
	m         *metrics
	http      *httpSide // nil without a handler
	listeners []net.Listener

	stop        chan struct{}  // closed when accepting ends
	accepting   sync.WaitGroup // accept loops
	connections sync.WaitGroup // everything that was accepted, each with its goroutines

	mu        sync.Mutex
	conns     map[*conn]struct{}
	counted   int // of conns, those that count as Limits.Connections
	operators int // and the others
	addresses map[netip.Addr]int
	tell      func(Session) // once draining
	stopped   bool          // stop is closed
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
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("gate: metrics: %w", err)
	}
	s := &Server{
		cfg:       cfg,
		log:       cfg.Log,
		m:         m,
		stop:      make(chan struct{}),
		conns:     make(map[*conn]struct{}),
		addresses: make(map[netip.Addr]int),
	}
	if err := s.bind(); err != nil {
		s.closeListeners()
		return nil, err
	}
	if cfg.HTTP != nil {
		s.http = newHTTPSide(s)
	}
	for _, ln := range s.listeners {
		s.accepting.Go(func() { s.accept(ln) })
	}
	return s, nil
}

// Addrs returns the bound addresses, in the order of Config.Listen with the operator's socket last.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, ln := range s.listeners {
		addrs[i] = ln.Addr()
	}
	return addrs
}

// Drain ends the server in peace. It stops accepting, closes what has not said anything yet, and calls tell for every
// session that is open, so that the application can ask its peer to come back elsewhere or later; tell runs beside the
// carriers, possibly at the same time as a method of the session and even after its Closed. Then Drain lets HTTP requests
// finish and waits until the last connection has ended, and at the end of ctx cuts those that remain, which is the error
// it returns.
func (s *Server) Drain(ctx context.Context, tell func(Session)) error {
	s.stopAccepting()
	s.mu.Lock()
	s.tell = tell // for sessions that still open
	open := make([]Session, 0, len(s.conns))
	for c := range s.conns {
		switch {
		case c.session != nil:
			open = append(open, c.session)
		case c.peer.Transport == TransportNew:
			_ = c.raw.Close()
		}
	}
	s.mu.Unlock()
	for _, session := range open {
		tell(session)
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
		left := len(s.conns)
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
	s.stopAccepting()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.raw.Close() // its goroutine sees that and does the rest
	}
	s.mu.Unlock()
	if s.http != nil {
		s.http.close()
	}
	s.connections.Wait()
}

// stopAccepting closes the listeners and returns when every accept loop has ended: nothing joins s.connections after.
func (s *Server) stopAccepting() {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.stop)
	}
	s.mu.Unlock()
	s.closeListeners()
	s.accepting.Wait()
}

func (s *Server) closeListeners() {
	for _, ln := range s.listeners {
		_ = ln.Close()
	}
}
