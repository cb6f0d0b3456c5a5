//go:build linux

package reactor_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan/internal/carrier"
	"github.com/hongyan-im/hongyan/internal/reactor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hang = 20 * time.Second

// echo answers what comes with itself.
type echo struct {
	carrier.Conn
	closed *atomic.Int64
}

func (e *echo) Data(_ time.Time, p []byte)                  { e.Write(carrier.Item{Bytes: p}) }
func (e *echo) Deadline() time.Time                         { return time.Time{} }
func (e *echo) Expired(time.Time)                           {}
func (e *echo) Encode(dst []byte, item carrier.Item) []byte { return append(dst, item.Bytes...) }
func (e *echo) Slow() carrier.Item                          { return carrier.Item{} }
func (e *echo) Closed()                                     { e.closed.Add(1) }

// server is a reactor that echoes.
type server struct {
	*reactor.Reactor
	listener       *reactor.Listener
	addr           *net.TCPAddr
	opened, closed atomic.Int64
}

func start(t testing.TB, loops int) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: ln.Addr().(*net.TCPAddr)}
	limits := carrier.Limits{Write: hang, Flush: hang, Linger: hang, SoftQueue: 1 << 20, HardQueue: 16 << 20}
	if s.Reactor, err = reactor.New(reactor.Config{Loops: loops, Limits: limits}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		ln.Close()
	})
	if s.listener, err = s.Listen(ln.(*net.TCPListener), s.open); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) open(c carrier.Conn, _ netip.AddrPort) carrier.Handler {
	s.opened.Add(1)
	return &echo{c, &s.closed}
}

// dial connects a socket that takes no memory of Go's.
func (s *server) dial(t testing.TB, flags int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	sa := &unix.SockaddrInet4{Port: s.addr.Port, Addr: s.addr.AddrPort().Addr().As4()}
	if err := unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	return fd
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(hang); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen that %s", what)
		}
	}
}

// TestIdleMemory holds the memory of connections that have said something once: no buffer stays with them.
func TestIdleMemory(t *testing.T) {
	const n = 1000
	s := start(t, 2)
	fds := make([]int, n)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // pools let go in the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range fds {
		fds[i] = s.dial(t, 0)
	}
	t.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
	message := make([]byte, 100)
	for _, fd := range fds {
		if _, err := unix.Write(fd, message); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(message); {
			m, err := unix.Read(fd, message[n:])
			if err != nil || m == 0 {
				t.Fatal(m, err)
			}
			n += m
		}
	}
	// 80 bytes of conn, 24 of echo, and twice 8 to 10 in the tables of the loops.
	if each := (int64(heap()) - int64(before)) / n; each > 160 {
		t.Errorf("%d bytes each", each)
	}
}

// TestForget sees that nobody comes in after Forget, and that who is inside stays.
func TestForget(t *testing.T) {
	t.Parallel()
	s := start(t, 2)
	inside := s.dial(t, 0)
	defer unix.Close(inside)
	eventually(t, "the first came in", func() bool { return s.opened.Load() == 1 })
	s.listener.Forget()
	late := s.dial(t, 0) // the listening socket is still the test's
	defer unix.Close(late)
	if _, err := unix.Write(inside, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Read(inside, make([]byte, 1)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.Close()
	if opened, closed := s.opened.Load(), s.closed.Load(); opened != 1 || closed != 1 {
		t.Errorf("%d were opened, %d closed, want one", opened, closed)
	}
}

// collect hands on what comes.
type collect struct {
	echo
	to io.Writer
}

func (c *collect) Data(_ time.Time, p []byte) { _, _ = c.to.Write(p) }

// TestAdopt talks as a client, on a socket that is still connecting when it is adopted.
func TestAdopt(t *testing.T) {
	t.Parallel()
	s := start(t, 1)
	r, w := io.Pipe()
	var closed atomic.Int64
	want := bytes.Repeat([]byte("hello"), 10_000)
	if err := s.Adopt(s.dial(t, unix.SOCK_NONBLOCK), func(c carrier.Conn, _ netip.AddrPort) carrier.Handler {
		h := &collect{echo{c, &closed}, w}
		go c.Reply(carrier.Item{Bytes: want})
		return h
	}); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
		t.Fatal("something else came back", err)
	}
	s.Close()
	if closed.Load() != 1 {
		t.Error("not closed")
	}
	fd := s.dial(t, unix.SOCK_NONBLOCK)
	var before, after unix.Stat_t
	if err := unix.Fstat(fd, &before); err != nil {
		t.Fatal(err)
	}
	if err := s.Adopt(fd, s.open); err == nil {
		t.Error("a closed reactor adopts")
	}
	// Its number may be another test's by now, so it is not to be closed to find out.
	if err := unix.Fstat(fd, &after); err == nil && after.Ino == before.Ino {
		t.Error("the socket that was not adopted was left open")
	}
}

// TestAdoptRefused adopts a socket that cannot connect.
func TestAdoptRefused(t *testing.T) {
	t.Parallel()
	s := start(t, 1)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Connect(fd, &unix.SockaddrInet4{Port: gone.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}})
	if err := s.Adopt(fd, s.open); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection ends", func() bool { return s.closed.Load() == 1 })
}

// TestFlood lets one connection echo as much as it can while another, on the same loop, wants a short answer now and then.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := start(t, 1)
	flood, err := net.DialTCP("tcp", nil, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	go io.Copy(io.Discard, flood)
	go func() {
		for b := make([]byte, 1<<20); ; {
			if _, err := flood.Write(b); err != nil {
				return
			}
		}
	}()
	quiet, err := net.DialTCP("tcp", nil, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	quiet.SetDeadline(time.Now().Add(hang))
	for range 100 {
		if _, err := quiet.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(quiet, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}
