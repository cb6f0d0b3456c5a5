//go:build unix

package gatetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/wire"
)

func (r Rig) testThousand(t *testing.T) {
	const n = 1000
	s := r.start(t, nil, func(cfg *gate.Config) { cfg.Limits.FirstByte = 2 * hang })
	clients := make([]*client, n)
	var wg sync.WaitGroup
	for part := range 10 { // handshakes take their time
		wg.Go(func() {
			for i := part; i < n; i += 10 {
				c, err := dial(t, r, s.Addrs()[0])
				if err != nil {
					t.Error(err)
					return
				}
				clients[i] = c
			}
		})
	}
	if wg.Wait(); t.Failed() {
		return
	}
	for round := range uint32(3) {
		for i, c := range clients {
			c.send(wire.AppendFrame(nil, wire.Frame{Op: wire.OpSend, Seq: round, Body: fmt.Append(nil, i)}))
		}
		for i, c := range clients {
			c.wantEcho(wire.Frame{Op: wire.OpSend, Seq: round, Body: fmt.Append(nil, i)})
		}
	}
	if got := s.metric("connections"); got != n {
		t.Errorf("%v connections are counted", got)
	}
	for _, c := range clients {
		c.Close()
	}
	for range n {
		s.session().waitClosed()
	}
	eventually(t, "no connection is counted", func() bool { return s.metric("connections") == 0 })
}

// descriptorsEnv marks the process that testDescriptors starts.
const descriptorsEnv = "HONGYAN_GATETEST_DESCRIPTORS"

// testDescriptors runs the server in a process of its own that has few descriptors, and brings more peers than that.
func (r Rig) testDescriptors(t *testing.T) {
	if os.Getenv(descriptorsEnv) != "" {
		r.serveWithFewDescriptors(t)
		return
	}
	addr := r.startProcess(t)
	const inside, outside = 10, 80
	var clients []*client
	for range inside {
		c, err := dial(t, r, addr)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		c.echo(1, "in")
	}

	var in atomic.Int32
	var wg sync.WaitGroup
	leave := make(chan struct{})
	for range outside {
		wg.Go(func() {
			conn, err := r.Dial(addr)
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(2 * hang))
			frame := wire.AppendFrame(nil, wire.Frame{Op: wire.OpSend, Seq: 1})
			if _, err := conn.Write(frame); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			if _, err := io.ReadFull(conn, make([]byte, len(frame))); err != nil {
				t.Errorf("read: %v", err)
				return
			}
			in.Add(1)
			<-leave
		})
	}
	// Wait until nobody comes in any more.
	last := int32(-1)
	for now := in.Load(); now != last || now == 0; now = in.Load() {
		last = now
		time.Sleep(200 * time.Millisecond)
	}
	if last == outside {
		t.Fatal("everybody came in: the descriptors did not run out")
	}
	for seq := range uint32(20) {
		for _, c := range clients {
			c.echo(seq, "unharmed")
		}
	}
	close(leave) // makes room, again and again
	wg.Wait()
	if n := in.Load(); n != outside {
		t.Errorf("%d of %d came in after room was made", n, outside)
	}
	for _, c := range clients {
		c.echo(99, "still unharmed")
	}
}

// startProcess runs this very test in another process and returns the address of its server.
func (r Rig) startProcess(t *testing.T) net.Addr {
	t.Helper()
	var only []string
	for part := range strings.SplitSeq(t.Name(), "/") {
		only = append(only, "^"+regexp.QuoteMeta(part)+"$")
	}
	cmd := exec.Command(os.Args[0], "-test.run="+strings.Join(only, "/"), "-test.timeout=60s")
	cmd.Env = append(os.Environ(), descriptorsEnv+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	t.Cleanup(func() {
		stdin.Close() // which ends it
		for lines.Scan() {
			t.Log("server: " + lines.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server's process: %v", err)
		}
	})
	for lines.Scan() {
		if network, addr, ok := strings.Cut(lines.Text(), " at "); ok {
			if network == "unix" {
				return &net.UnixAddr{Net: network, Name: addr}
			}
			tcp, err := net.ResolveTCPAddr(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			return tcp
		}
	}
	t.Fatal("the server's process did not start")
	return nil
}

// serveWithFewDescriptors is the other process: it serves until its standard input ends.
func (r Rig) serveWithFewDescriptors(t *testing.T) {
	few := syscall.Rlimit{Cur: 48, Max: 48}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	s := r.start(t, nil, nil)
	addr := s.Addrs()[0]
	fmt.Printf("%s at %s\n", addr.Network(), addr)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
	if s.metric("accept_pauses_total") == 0 {
		t.Error("accepting never paused")
	}
}
