package gate_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/gate/gatetest"
	"github.com/hongyan-im/hongyan/wire"
)

// idleEnv marks the process that TestIdleMemory starts.
const idleEnv = "HONGYAN_GATE_IDLE"

// TestIdleMemory measures what an idle connection costs, in a process that has nothing but the server, after each has
// made an exchange of 600 bytes, which is more than the buffer that it keeps.
func TestIdleMemory(t *testing.T) {
	if os.Getenv(idleEnv) != "" {
		serveIdle(t)
		return
	}
	for _, tt := range []struct {
		name string // of the rig
		n    int
		most int // half as much again as under the race detector, whose larger frames make deeper stacks
	}{
		{"reactor", 1000, 600},
		{"goroutine", 1000, 9 << 10},
		{"tls", 250, 22 << 10},
	} {
		if tt.name == string(gate.CarrierReactor) && gate.DefaultCarrier != gate.CarrierReactor {
			continue // not on this system
		}
		t.Run(tt.name, func(t *testing.T) {
			if got := measureIdle(t, tt.name, tt.n, tt.most); got > tt.most {
				t.Errorf("%d bytes for each idle connection, more than %d", got, tt.most)
			}
		})
	}
}

func rig(name string) gatetest.Rig {
	if name == "tls" {
		return gatetest.TLS(goroutine)
	}
	return gatetest.TCP(func(cfg *gate.Config) { cfg.Carrier = gate.Carrier(name) })
}

func measureIdle(t *testing.T, name string, n, most int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleMemory$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), idleEnv+"="+name)
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
	defer cmd.Wait()
	defer stdin.Close()
	answers := bufio.NewReader(stdout)
	var addr string
	if _, err := fmt.Fscanf(answers, "at %s\n", &addr); err != nil {
		t.Fatal(err)
	}
	memory := func() (heap, stack int) {
		fmt.Fprintln(stdin)
		if _, err := fmt.Fscanf(answers, "heap %d stack %d\n", &heap, &stack); err != nil {
			t.Fatal(err)
		}
		return heap, stack
	}
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	frame := wire.AppendFrame(nil, wire.Frame{Op: wire.OpHeartbeat, Body: make([]byte, 600)})
	exchange := func() {
		c, err := rig(name).Dial(tcp)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := c.Write(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, wire.HeaderSize)); err != nil {
			t.Fatal(err)
		}
	}
	exchange() // what exists once is not counted
	heap, stack := memory()
	for range n {
		exchange()
	}
	// What was taken for the exchange is given back a moment later.
	var heapN, stackN int
	for range 20 {
		time.Sleep(200 * time.Millisecond)
		heapN, stackN = memory()
		if heapN+stackN-heap-stack <= n*most {
			break
		}
	}
	t.Logf("%s: heap %d, stack %d bytes each", name, (heapN-heap)/n, (stackN-stack)/n)
	return (heapN + stackN - heap - stack) / n
}

// serveIdle is the other process: it answers every line with its memory.
func serveIdle(t *testing.T) {
	cfg := gate.Config{Open: open}
	rig(os.Getenv(idleEnv)).Configure(t, &cfg)
	s := listen(t, cfg)
	fmt.Println("at", s.Addrs()[0])
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var m runtime.MemStats
		for range 6 { // each collection lets stacks shrink by half
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		fmt.Println("heap", m.HeapAlloc, "stack", m.StackInuse)
	}
}
