package gate

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// Carrier names what moves the bytes of plain TCP connections.
type Carrier string

// The carriers. DefaultCarrier is the better one on this system.
const (
	CarrierGoroutine Carrier = "goroutine" // a goroutine for each connection, on every system
	CarrierReactor   Carrier = "reactor"   // a few epoll loops for all, on Linux
)

// loops is a carrier that accepts by itself. The gate accepts for the other one (listen.go).
type loops interface {
	// listen carries what ln accepts, with handlers made by admit, until forget has returned.
	listen(ln *net.TCPListener, admit func(carrier.Conn, netip.AddrPort) carrier.Handler) (forget func(), err error)
	// close ends everything at once and returns when the last loop has ended.
	close()
}

// newLoops makes what Config.Carrier says; nil where it is the goroutine carrier.
func newLoops(s *Server) (loops, error) {
	switch s.cfg.Carrier {
	case CarrierGoroutine:
		return nil, nil
	case CarrierReactor:
		return newReactor(s)
	default:
		return nil, fmt.Errorf("gate: there is no carrier %q", s.cfg.Carrier)
	}
}
