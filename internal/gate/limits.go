package gate

import (
	"fmt"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// Limits bounds what connections may take. Start from DefaultLimits; the zero Limits stands for them.
type Limits struct {
	// Connections is how many connections from TCP listeners may exist at a time, those that have not spoken yet
	// included; further ones are closed as they are accepted. Keep it well below the number of file descriptors the
	// process may open: a store without descriptors is worse than a refused connection.
	Connections int
	// PerAddress is how many of them may come from one IPv4 address or one IPv6 /64 network; zero is without limit.
	// Loopback addresses are exempt.
	PerAddress int
	// Operators is how many connections the operator's socket takes. They do not count as Connections, so that the
	// operator comes in when everything else is full.
	Operators int

	FirstByte time.Duration // from accept, or the end of the TLS handshake, to the first byte; also for HTTP headers
	Handshake time.Duration // a whole TLS handshake
	Write     time.Duration // for the operating system to accept one write of at most 64 KiB; also for HTTP
	Flush     time.Duration // for everything that is queued when a link closes
	Linger    time.Duration // for the peer to close its half after this side has closed its own
	IdleHTTP  time.Duration // between two requests on one HTTP connection

	SoftQueue int // bytes queued to one peer above which Link.Send refuses
	HardQueue int // bytes queued to one peer above which Link.Reply gives the peer up as slow
	Pause     int // bytes queued to one peer above which nothing is read from it; zero is never
}

// DefaultLimits are the limits of a server whose operator has set none.
func DefaultLimits() Limits {
	return Limits{
		Connections: 1 << 20,
		PerAddress:  1 << 14,
		Operators:   64,
		FirstByte:   10 * time.Second,
		Handshake:   10 * time.Second,
		Write:       30 * time.Second,
		Flush:       5 * time.Second,
		Linger:      2 * time.Second,
		IdleHTTP:    2 * time.Minute,
		SoftQueue:   256 << 10,
		HardQueue:   4 << 20,
	}
}

// check finds limits that nobody can have meant.
func (l *Limits) check() error {
	for name, d := range map[string]time.Duration{
		"FirstByte": l.FirstByte, "Handshake": l.Handshake, "Write": l.Write, "Flush": l.Flush, "Linger": l.Linger,
		"IdleHTTP": l.IdleHTTP,
	} {
		if d <= 0 {
			return fmt.Errorf("gate: Limits.%s is %v and has to be above zero", name, d)
		}
	}
	if l.Connections <= 0 || l.PerAddress < 0 || l.Operators < 0 || l.SoftQueue <= 0 || l.HardQueue < l.SoftQueue {
		return fmt.Errorf("gate: Limits: %+v: Connections and SoftQueue have to be above zero, HardQueue not below "+
			"SoftQueue", *l)
	}
	return nil
}

// carrier returns those that are a carrier's.
func (l *Limits) carrier() carrier.Limits {
	return carrier.Limits{
		Write: l.Write, Flush: l.Flush, Linger: l.Linger, SoftQueue: l.SoftQueue, HardQueue: l.HardQueue, Pause: l.Pause,
	}
}

// Sizes in bytes.
const (
	maxHTTPHead  = 32 << 10 // of an HTTP request's headers
	maxHTTPWrite = 64 << 10 // of one write of an HTTP answer, which has Limits.Write
)
