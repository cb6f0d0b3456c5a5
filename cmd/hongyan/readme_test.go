//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/freeport"
)

// TestReadme pastes the session of README.md into a shell, as a reader would: the very lines, but for the port, which
// may be taken here.
func TestReadme(t *testing.T) {
	t.Parallel()
	session := readmeSession(t, "README.md")
	if other := readmeSession(t, "README.zh-CN.md"); other != session {
		t.Errorf("the session in the Chinese README differs:\n%s\nfrom\n%s", other, session)
	}
	paste(t, strings.ReplaceAll(session, "127.0.0.1:7878", freeAddress(t)))
}

func readmeSession(t *testing.T, name string) string {
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	session := regexp.MustCompile("(?s)```[a-z]*\n(bin/hongyan serve .*?)```").FindSubmatch(text)
	if session == nil {
		t.Fatalf("%s has no session that begins with bin/hongyan serve", name)
	}
	return string(session[1])
}

// paste runs a session whose last line follows what bob receives.
func paste(t *testing.T, session string) {
	dir := t.TempDir()
	program, err := exec.LookPath("hongyan")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "bin", "hongyan")); err != nil {
		t.Fatal(err)
	}
	sh := exec.Command("sh", "-e")
	sh.Dir = dir
	sh.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), quickEnd}
	sh.Stdin = strings.NewReader(session)
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := &watcher{found: make(chan string, 2), pattern: regexp.MustCompile(`"text":"(second)"`)}
	errs := &watcher{found: make(chan string, 1), pattern: regexp.MustCompile(`(hongyan: .*)`)}
	sh.Stdout, sh.Stderr = out, errs
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	// The shell, the server in its background and the last command are one process group.
	interrupt := func() { syscall.Kill(-sh.Process.Pid, syscall.SIGTERM) }
	late := time.AfterFunc(hang, func() { syscall.Kill(-sh.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	defer sh.Wait()
	defer interrupt()

	// When the session follows, a second message has to appear in it.
	for deadline := time.Now().Add(hang); !strings.Contains(out.String(), `"text":"hello"`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) || errs.String() != "" && strings.Contains(errs.String(), "hongyan: ") {
			t.Fatalf("bob receives nothing:\n%s\n%s", out.String(), errs.String())
		}
	}
	second := exec.Command(program, "send", "--profile", "A", "--to", "bob", "second")
	second.Dir = dir
	if text, err := second.CombinedOutput(); err != nil {
		t.Fatalf("second message: %v\n%s", err, text)
	}
	select {
	case <-out.found:
	case <-time.After(hang):
		t.Fatalf("the second message does not come:\n%s\n%s", out.String(), errs.String())
	}
	if n := strings.Count(out.String(), `"type":"message"`); n != 2 {
		t.Errorf("bob receives %d messages, want each once:\n%s", n, out.String())
	}
	interrupt()
	var exit *exec.ExitError
	if err := sh.Wait(); err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
}

// freeAddress is an address that nobody listens on during the test.
func freeAddress(t *testing.T) string {
	address, release, err := freeport.Reserve("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return address
}
