package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan/wire"
)

// TestSilentConnections opens 10,000 connections that never say a word. They cost the server little, are closed when they
// have had their time, and people talk meanwhile as if nobody else was there.
func TestSilentConnections(t *testing.T) {
	const silent = 10_000
	s := newServer(t, t.TempDir())
	s.addUser("alice", "bob")
	alice := s.shortLogin("alice")
	before := s.residentKB()

	addr := netip.MustParseAddrPort(s.addr)
	fds := make([]int, 0, silent)
	t.Cleanup(func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	})
	for len(fds) < silent {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
			t.Fatalf("connection %d: %v", len(fds), err)
		}
		if len(fds)%500 == 0 {
			begin := time.Now()
			alice.must("send", message("bob", fmt.Sprint("behind ", len(fds))), new(wire.SendReply))
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("a send took %v with %d silent connections", took, len(fds))
			}
		}
	}
	if each := (s.residentKB() - before) << 10 / silent; each > 12<<10 { // the goroutine carrier's take 8 KiB
		t.Errorf("%d bytes for each silent connection", each)
	}
	s.waitForMetric(fmt.Sprintf(`hongyan_gate_refused_total{reason="silent"} %d`, silent))
	for _, fd := range fds {
		if n, err := unix.Read(fd, make([]byte, 1)); n > 0 {
			t.Fatalf("somebody spoke: %d, %v", n, err)
		}
	}
	alice.must("send", message("bob", "still here"), new(wire.SendReply))
}

// residentKB is the server's resident memory in KiB.
func (s *server) residentKB() int {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kb int
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		s.t.Fatal(err)
	}
	return kb
}
