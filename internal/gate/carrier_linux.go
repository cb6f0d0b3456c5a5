package gate

import (
	"net"
	"net/netip"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/reactor"
)

// DefaultCarrier is what moves bytes when nobody has said what does.
const DefaultCarrier = CarrierReactor

// epoll is the reactor as the gate uses it.
type epoll struct{ r *reactor.Reactor }

func newReactor(s *Server) (loops, error) {
	r, err := reactor.New(reactor.Config{Limits: s.limits, Counters: &s.counters, Log: s.log, Paused: s.paused})
	if err != nil {
		return nil, err
	}
	return epoll{r}, nil
}

func (e epoll) listen(ln *net.TCPListener, admit func(carrier.Conn, netip.AddrPort) carrier.Handler) (func(), error) {
	l, err := e.r.Listen(ln, admit)
	if err != nil {
		return nil, err
	}
	return l.Forget, nil
}

func (e epoll) close() { e.r.Close() }
