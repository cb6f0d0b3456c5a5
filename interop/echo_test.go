//go:build linux

// Package interop drives the server with clients that other people wrote: its WebSockets, on every carrier, with Go libraries,
// npm's ws and undici, Python's websockets and Chromium; its endpoints for Web WeChat with bots that use openwechat and
// wechat4u. It is a module of its own, so that none of them is a dependency of the server. scripts/interop installs what is
// needed and runs it.
package interop

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hang is how long these tests wait for what must happen.
const hang = 60 * time.Second

// maxMessage is the largest message that the echo takes, in bytes.
const maxMessage = 17 << 20

// hongyan is the program under test.
var hongyan string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	hongyan = filepath.Join(dir, "hongyan")
	build := exec.Command("go", "build", "-race", "-o", hongyan, "./cmd/hongyan")
	build.Dir = ".."
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building hongyan:", err)
		return 1
	}
	return m.Run()
}

// everywhere runs test against an echo on each carrier.
func everywhere(t *testing.T, test func(t *testing.T, url string)) {
	t.Parallel()
	for _, carrier := range []string{"goroutine", "reactor"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			test(t, serveEcho(t, carrier)+"/echo")
		})
	}
}

// serveEcho starts the program's echo and returns its address.
func serveEcho(t *testing.T, carrier string) string {
	t.Helper()
	cmd := exec.Command(hongyan, "bench", "serve-echo", "--listen", "127.0.0.1:0", "--carrier", carrier)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the echo does not say where it listens: %v\n%s", err, &errs)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the echo ended badly: %v\n%s", err, &errs)
		}
	})
	return strings.TrimSpace(url)
}
