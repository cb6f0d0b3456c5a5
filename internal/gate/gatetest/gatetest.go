//go:build unix

// Package gatetest is the suite for everything in package gate that carries the long link: each carrier with each
// transport passes Run, each carrier's listeners pass RunListeners.
//
// It starts real servers on loopback, with sessions that watch how they are driven: that no two calls overlap, that
// Closed comes once and last, that nothing is called before its time.
package gatetest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hongyan-im/hongyan/internal/carrier/carriertest"
	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/wire"
)

// hang is how long the suite waits for what must happen before it calls it hung.
const hang = 20 * time.Second

// Rig is what is under test: a carrier with a transport.
type Rig struct {
	// Configure sets the carrier and one listener, by Config.Listen or Config.Operator, and TLS if there has to be.
	// The rest of cfg is the suite's.
	Configure func(t testing.TB, cfg *gate.Config)
	// Dial opens a connection to that listener, over which the suite speaks the long link as a stream of bytes,
	// whatever the transport makes of it underneath. It is called from any goroutine.
	Dial func(addr net.Addr) (Conn, error)
	// Connect is Dial without a word said; nil where that is Dial.
	Connect func(addr net.Addr) (Conn, error)
}

// Conn is the client's end of a connection.
type Conn = carriertest.Conn

// Run runs the suite.
func Run(t *testing.T, rig Rig) {
	// These count allocations, connections and descriptors of the process: alone, before the parallel ones.
	t.Run("huge length allocates nothing", rig.testHugeLength)
	t.Run("a thousand connections", rig.testThousand)
	t.Run("descriptors run out", rig.testDescriptors)

	for name, test := range map[string]func(*testing.T){
		"frames cut anywhere":            rig.testCuts,
		"one byte at a time":             rig.testBytes,
		"many frames in one segment":     rig.testManyInOne,
		"large frames":                   rig.testLarge,
		"limit follows the session":      rig.testLimit,
		"broken streams":                 rig.testBroken,
		"half-close":                     rig.testHalfClose,
		"reset in the middle of a frame": rig.testReset,
		"silent peer":                    rig.testSilent,
		"deadlines":                      rig.testDeadlines,
		"deadline that is ignored":       rig.testDeadlineIgnored,
		"close":                          rig.testClose,
		"close against the stream":       rig.testCloseFlood,
		"close of a slow reader":         rig.testCloseSlow,
		"close while opening":            rig.testCloseInOpen,
		"slow reader, soft bound":        rig.testSoftBound,
		"slow reader, hard bound":        rig.testHardBound,
		"slow reader, stuck write":       rig.testStuckWrite,
		"concurrent sends":               rig.testConcurrentSends,
		"drained":                        rig.testDrained,
		"rest":                           rig.testRest,
		"drain":                          rig.testDrain,
		"drain while opening":            rig.testDrainOpening,
		"drain that has to cut":          rig.testDrainCuts,
		"server close":                   rig.testServerClose,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// server is a server under test.
type server struct {
	*gate.Server
	t   *testing.T
	rig Rig
	reg *prometheus.Registry

	opened chan *probe // every session, when it is opened
}

// start starts a server whose sessions behave as set by behave, which may be nil for echo. It is closed with the test.
func (r Rig) start(t *testing.T, behave func(*probe), tune func(*gate.Config)) *server {
	t.Helper()
	s := &server{t: t, rig: r, reg: prometheus.NewRegistry(), opened: make(chan *probe, 4096)}
	cfg := gate.Config{Limits: gate.DefaultLimits(), Metrics: s.reg}
	cfg.Limits.Operators = cfg.Limits.Connections
	r.Configure(t, &cfg)
	cfg.Open = func(l gate.Link, p gate.Peer) gate.Session {
		session := newProbe(t, l, p)
		if behave != nil {
			behave(session)
		}
		s.opened <- session
		return session
	}
	if tune != nil {
		tune(&cfg)
	}
	var err error
	if s.Server, err = gate.Listen(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// dial opens a client.
func (s *server) dial() *client {
	s.t.Helper()
	c, err := dial(s.t, s.rig, s.Addrs()[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// session waits for the next session to be opened.
func (s *server) session() *probe {
	s.t.Helper()
	select {
	case session := <-s.opened:
		return session
	case <-time.After(hang):
		s.t.Fatal("no session was opened")
		return nil
	}
}

// meet dials and returns both ends of the connection, after a first exchange.
func (s *server) meet() (*client, *probe) {
	s.t.Helper()
	c := s.dial()
	c.echo(1, "hello")
	return c, s.session()
}

// metric sums the values of the metric name, which may be followed by label values that have to be among its own.
func (s *server) metric(name string, labels ...string) (sum float64) {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "hongyan_gate_"+name {
			continue
		}
		for _, m := range family.GetMetric() {
			matched := 0
			for _, pair := range m.GetLabel() {
				for _, label := range labels {
					if pair.GetValue() == label {
						matched++
					}
				}
			}
			if matched == len(labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// probe is a session that echoes, unless a test sets something else before the first call, and watches its carrier.
type probe struct {
	t    *testing.T
	link gate.Link
	peer gate.Peer

	onFrame   func(now time.Time, f wire.Frame)
	onBroken  func(err error)
	onExpired func(now time.Time)
	rest      time.Time // the carrier's, within onFrame

	limit    atomic.Int64
	deadline atomic.Pointer[time.Time] // nil: never
	broken   atomic.Pointer[error]
	frames   atomic.Int64
	closed   chan struct{} // closed by Closed

	call sync.Mutex // held during every call; nobody ever waits for it
}

func newProbe(t *testing.T, l gate.Link, p gate.Peer) *probe {
	s := &probe{t: t, link: l, peer: p, closed: make(chan struct{})}
	s.limit.Store(wire.MaxFrame)
	s.onFrame = func(_ time.Time, f wire.Frame) {
		l.Reply(wire.AppendFrame(nil, wire.Frame{Op: f.Op.Reply(), Seq: f.Seq, Body: f.Body}))
	}
	s.onBroken = func(err error) { l.Close(closeFrame(wire.CloseProtocolError)) }
	s.onExpired = func(time.Time) { l.Close(closeFrame(wire.CloseIdle)) }
	return s
}

// enter is the beginning of every call of the carrier and returns its end.
func (s *probe) enter(method string) (leave func()) {
	if !s.call.TryLock() {
		s.t.Errorf("%s was called during another call", method)
		return func() {}
	}
	select {
	case <-s.closed:
		s.t.Errorf("%s was called after Closed", method)
	default:
	}
	return s.call.Unlock
}

func (s *probe) Alive(time.Time) { s.enter("Alive")() }

func (s *probe) Limit() int {
	defer s.enter("Limit")()
	return int(s.limit.Load())
}

func (s *probe) Frame(now time.Time, f wire.Frame) {
	defer s.enter("Frame")()
	if s.broken.Load() != nil {
		s.t.Error("Frame was called after Broken")
	}
	s.frames.Add(1)
	s.onFrame(now, f)
}

func (s *probe) Rest() time.Time {
	defer s.enter("Rest")()
	return s.rest
}

func (s *probe) Broken(_ time.Time, err error) {
	defer s.enter("Broken")()
	s.broken.Store(&err)
	s.onBroken(err)
}

func (s *probe) Deadline() time.Time {
	defer s.enter("Deadline")()
	if d := s.deadline.Load(); d != nil {
		return *d
	}
	return time.Time{}
}

func (s *probe) Expired(now time.Time) {
	defer s.enter("Expired")()
	d := s.deadline.Load()
	switch {
	case d == nil:
		s.t.Error("Expired was called without a deadline")
	case now.Before(*d):
		s.t.Errorf("Expired was called %v before the deadline", d.Sub(now))
	case time.Now().Before(now):
		s.t.Error("Expired was told a time to come")
	}
	s.onExpired(now)
}

func (s *probe) Closed() {
	defer s.enter("Closed")()
	close(s.closed)
}

// expireIn sets the deadline.
func (s *probe) expireIn(d time.Duration) {
	at := time.Now().Add(d)
	s.deadline.Store(&at)
}

// waitClosed waits for Closed.
func (s *probe) waitClosed() {
	s.t.Helper()
	select {
	case <-s.closed:
	case <-time.After(hang):
		s.t.Fatal("Closed was not called")
	}
}

// closeFrame is a Close frame.
func closeFrame(reason wire.CloseReason) []byte {
	b, err := wire.Append(nil, wire.OpClose, 0, &wire.Close{Reason: reason})
	if err != nil {
		panic(err)
	}
	return b
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(hang); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen that %s", what)
		}
	}
}
