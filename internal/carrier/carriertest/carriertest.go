//go:build unix

// Package carriertest is the suite for everything that carries connections: each carrier with each transport passes Run.
//
// It starts carriers on loopback, with handlers that watch how they are driven: that no two calls overlap, that Closed
// comes once and last, that every item is encoded once and in order, that nothing is called before its time.
package carriertest

import (
	"net"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// hang is how long the suite waits for what must happen before it calls it hung.
const hang = 20 * time.Second

// Rig is what is under test: a carrier with a transport.
type Rig struct {
	// Listen binds an address of loopback and carries every connection to it: open makes its handler. The carrier counts
	// with counters. stop ends everything at once and returns when the last Closed has been called.
	Listen func(t testing.TB, limits *carrier.Limits, counters *carrier.Counters, open func(carrier.Conn) carrier.Handler) (
		addr net.Addr, stop func())
	// Dial opens a connection to it, over which the suite speaks as over a stream of bytes, whatever the transport makes
	// of it underneath. It is called from any goroutine.
	Dial func(addr net.Addr) (Conn, error)
}

// Conn is the client's end of a connection.
type Conn interface {
	net.Conn
	CloseWrite() error // ends the client's half in the transport's good order
	Reset() error      // ends the connection without any order: a TCP reset where there is TCP
}

// Run runs the suite.
func Run(t *testing.T, rig Rig) {
	for name, test := range map[string]func(*testing.T){
		"input cut anywhere":          rig.testCuts,
		"one byte at a time":          rig.testBytes,
		"large input":                 rig.testLarge,
		"input may be changed":        rig.testScribble,
		"items of all sizes":          rig.testSizes,
		"items in order":              rig.testOrder,
		"answers leave together":      rig.testTogether,
		"concurrent sends":            rig.testConcurrentSends,
		"refused":                     rig.testRefused,
		"become":                      rig.testBecome,
		"become with output waiting":  rig.testBecomeBusy,
		"detach":                      rig.testDetach,
		"detach of a closing one":     rig.testDetachClosing,
		"files":                       rig.testFiles,
		"file that is too short":      rig.testShortFile,
		"file to a peer that is gone": rig.testFileGone,
		"file to a slow reader":       rig.testFileSlow,
		"half-close":                  rig.testHalfClose,
		"half-close of a busy one":    rig.testHalfCloseBusy,
		"reset in the middle":         rig.testReset,
		"abort":                       rig.testAbort,
		"abort of a slow reader":      rig.testAbortSlow,
		"abort while closing":         rig.testAbortClosing,
		"deadlines":                   rig.testDeadlines,
		"deadline that comes nearer":  rig.testDeadlineNearer,
		"deadline that is ignored":    rig.testDeadlineIgnored,
		"silent peer":                 rig.testSilent,
		"close":                       rig.testClose,
		"close within a call":         rig.testCloseInside,
		"close flushes":               rig.testCloseFlushes,
		"close against the stream":    rig.testCloseFlood,
		"close of a slow reader":      rig.testCloseSlow,
		"soft bound":                  rig.testSoftBound,
		"hard bound":                  rig.testHardBound,
		"empty items are bounded":     rig.testEmptyItems,
		"hard bound within a call":    rig.testHardBoundInside,
		"stuck write":                 rig.testStuckWrite,
		"drained":                     rig.testDrained,
		"pause":                       rig.testPause,
		"deadline during a pause":     rig.testPauseDeadline,
		"rest":                        rig.testRest,
		"close during a rest":         rig.testRestClose,
		"deadline during a rest":      rig.testRestDeadline,
		"stop":                        rig.testStop,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// server is a carrier under test.
type server struct {
	t        *testing.T
	rig      Rig
	addr     net.Addr
	stop     func()
	counters carrier.Counters
	opened   chan *probe // every handler, when it is made
}

// limits are generous: what a test is about it sets itself.
func limits() carrier.Limits {
	return carrier.Limits{
		Write: hang, Flush: hang, Linger: hang, SoftQueue: 256 << 10, HardQueue: 1 << 30,
	}
}

// start starts a server whose handlers behave as set by behave, which may be nil for echo. It is stopped with the test.
func (r Rig) start(t *testing.T, behave func(*probe), tune func(*carrier.Limits)) *server {
	t.Helper()
	s := &server{t: t, rig: r, opened: make(chan *probe, 1024)}
	lim := limits()
	if tune != nil {
		tune(&lim)
	}
	if err := lim.Check(); err != nil {
		t.Fatal(err)
	}
	s.addr, s.stop = r.Listen(t, &lim, &s.counters, func(c carrier.Conn) carrier.Handler {
		h := newProbe(t, c)
		if behave != nil {
			behave(h)
		}
		s.opened <- h
		return h
	})
	t.Cleanup(s.stop)
	return s
}

// dial opens a client.
func (s *server) dial() *client {
	s.t.Helper()
	conn, err := s.rig.Dial(s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * hang)); err != nil {
		s.t.Fatal(err)
	}
	return &client{Conn: conn, t: s.t}
}

// handler waits for the next handler to be made.
func (s *server) handler() *probe {
	s.t.Helper()
	select {
	case h := <-s.opened:
		return h
	case <-time.After(hang):
		s.t.Fatal("no handler was made")
		return nil
	}
}

// meet dials and returns both ends of the connection, after a first exchange.
func (s *server) meet() (*client, *probe) {
	s.t.Helper()
	c := s.dial()
	c.send([]byte("hello"))
	c.wantEcho([]byte("hello"))
	return c, s.handler()
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

// await waits for something to be closed.
func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(hang):
		t.Fatalf("it did not happen that %s", what)
	}
}
