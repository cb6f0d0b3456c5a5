package gate_test

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/wire"
)

// deaf is a session that answers every frame with an empty one.
type deaf struct{ link gate.Link }

func open(l gate.Link, _ gate.Peer) gate.Session { return deaf{l} }

func (d deaf) Frame(_ time.Time, f wire.Frame) {
	d.link.Reply(wire.AppendFrame(nil, wire.Frame{Op: f.Op.Reply(), Seq: f.Seq}))
}
func (d deaf) Alive(time.Time)         {}
func (d deaf) Limit() int              { return wire.MaxFrame }
func (d deaf) Rest() time.Time         { return time.Time{} }
func (d deaf) Broken(time.Time, error) {}
func (d deaf) Deadline() time.Time     { return time.Time{} }
func (d deaf) Expired(time.Time)       {}
func (d deaf) Closed()                 {}

// tempDir has a short name: that of a unix socket has some hundred bytes.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, cfg gate.Config) *gate.Server {
	t.Helper()
	if cfg.Open == nil {
		cfg.Open = open
	}
	s, err := gate.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// beat makes one exchange.
func beat(t *testing.T, addr net.Addr) {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpHeartbeat, Seq: 1})); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, wire.HeaderSize)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	if f, _, err := wire.ParseFrame(b, wire.MaxFrame); err != nil || f.Op != wire.OpHeartbeat.Reply() {
		t.Fatalf("%v, %v", f.Op, err)
	}
}

func TestOperatorSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(tempDir(t), "op")
	s := listen(t, gate.Config{Operator: path})
	beat(t, s.Addrs()[0])
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if second, err := gate.Listen(gate.Config{Open: open, Operator: path}); err == nil {
		second.Close()
		t.Fatal("took a socket that another server answers")
	} else if !strings.Contains(err.Error(), path) {
		t.Errorf("the error does not name the socket: %v", err)
	}
	beat(t, s.Addrs()[0])
	s.Close()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket was left behind: %v", err)
	}
}

func TestStaleOperatorSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(tempDir(t), "op")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false) // as a crash leaves it
	old.Close()
	s := listen(t, gate.Config{Operator: path})
	beat(t, s.Addrs()[0])
}

// A server that hangs does not answer either, but its socket is not stale.
func TestBusyOperatorSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(tempDir(t), "op")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 16 { // fills the backlog
		c, err := net.DialTimeout("unix", path, 100*time.Millisecond)
		if err != nil {
			break
		}
		defer c.Close()
	}
	if s, err := gate.Listen(gate.Config{Open: open, Operator: path}); err == nil {
		s.Close()
		t.Fatal("took the socket of a server that only hangs")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestOperatorSocketIsNotAnyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(tempDir(t), "op")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := gate.Listen(gate.Config{Open: open, Operator: path}); err == nil {
		s.Close()
		t.Fatal("took a file for a socket")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestAllAddressesOrNone(t *testing.T) {
	t.Parallel()
	first := listen(t, gate.Config{Listen: []string{"127.0.0.1:0", "127.0.0.1:0"}})
	for _, addr := range first.Addrs() {
		beat(t, addr)
	}
	path := filepath.Join(tempDir(t), "op")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	taken := first.Addrs()[0].String()
	if s, err := gate.Listen(gate.Config{Open: open, Listen: []string{addr, taken}, Operator: path}); err == nil {
		s.Close()
		t.Fatal("bound an address twice")
	} else if !strings.Contains(err.Error(), taken) {
		t.Errorf("the error does not name the address: %v", err)
	}
	again, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the first address stayed bound: %v", err)
	}
	again.Close()
}

func TestConfigWithoutSessions(t *testing.T) {
	t.Parallel()
	if s, err := gate.Listen(gate.Config{Listen: []string{"127.0.0.1:0"}}); err == nil {
		s.Close()
		t.Fatal("nobody would answer")
	}
}

func TestUnknownCarrier(t *testing.T) {
	t.Parallel()
	cfg := gate.Config{Open: open, Listen: []string{"127.0.0.1:0"}, Carrier: "pigeon"}
	if s, err := gate.Listen(cfg); err == nil {
		s.Close()
		t.Fatal("nobody knows what would carry")
	} else if !strings.Contains(err.Error(), "pigeon") {
		t.Errorf("the error does not name the carrier: %v", err)
	}
}
