package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/config"
)

// hang is how long anything may take before it counts as hanging.
const hang = time.Minute

// quickEnd keeps a program with the race detector, which this one is too when it runs as hongyan, from sleeping for a
// second at its end.
const quickEnd = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hongyan": main})
}

// TestScripts runs the files of testdata/script: command lines as people type them. Besides the commands of package
// testscript they have
//
//	serve DIR [FLAG...]   starts a server on a free port and sets $SERVER to its address
//	end DIR               tells that server to end, and waits until it did so in order
//	device NAME DIR       makes an account without a password on the server of D, and a profile in DIR, by a token:
//	                      hashing passwords is what takes longest here
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, quickEnd)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Values[serversKey{}] = make(map[string]*exec.Cmd)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serve": startServer, "end": endServer, "device": makeDevice},
	})
}

type serversKey struct{}

func startServer(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	c := exec.Command("hongyan", append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--drain.spread", "0s"}, args[1:]...)...)
	c.Env = []string{"HOME=" + ts.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), quickEnd}
	log := &watcher{found: make(chan string, 1), pattern: regexp.MustCompile(`listen="\[(127\.0\.0\.1:\d+) `)}
	c.Stderr = log
	ts.Check(c.Start())
	servers := ts.Value(serversKey{}).(map[string]*exec.Cmd)
	servers[args[0]] = c
	ts.Defer(func() {
		if servers[args[0]] == c {
			ts.Check(endProcess(c))
		}
	})
	select {
	case address := <-log.found:
		ts.Setenv("SERVER", address)
	case <-time.After(hang):
		ts.Fatalf("the server does not listen:\n%s", log.String())
	}
}

func endServer(ts *testscript.TestScript, _ bool, args []string) {
	servers := ts.Value(serversKey{}).(map[string]*exec.Cmd)
	c := servers[args[0]]
	delete(servers, args[0])
	ts.Check(endProcess(c))
}

func makeDevice(ts *testscript.TestScript, _ bool, args []string) {
	hongyan := func(input string, args ...string) string {
		c := exec.Command("hongyan", args...)
		c.Dir, c.Stdin, c.Env = ts.MkAbs("."), strings.NewReader(input), append(os.Environ(), quickEnd)
		out, err := c.CombinedOutput()
		if err != nil {
			ts.Fatalf("%s: %v\n%s", c, err, out)
		}
		return string(out)
	}
	hongyan("", "user", "add", args[0], "--data", "D", "--no-password")
	token := hongyan("", "user", "token", args[0], "--data", "D", "--class", "cli")
	hongyan(token, "login", "--server", ts.Getenv("SERVER"), "--profile", args[1], "--token-stdin")
}

// endProcess tells a process to end and waits for it.
func endProcess(c *exec.Cmd) error {
	if err := c.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	late := time.AfterFunc(hang, func() { c.Process.Kill() })
	defer late.Stop()
	if err := c.Wait(); err != nil {
		return fmt.Errorf("%s: %w", c.Args[0], err)
	}
	return nil
}

// watcher keeps what a process writes, and reports the first match of a pattern.
type watcher struct {
	pattern *regexp.Regexp
	found   chan string

	mu      sync.Mutex
	written []byte
	done    bool
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written = append(w.written, p...)
	if m := w.pattern.FindSubmatch(w.written); m != nil && !w.done {
		w.done = true
		w.found <- string(m[len(m)-1])
	}
	return len(p), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.written)
}

// exitOf runs a command line in this process.
func exitOf(args ...string) (status int, out, errs string) {
	var o, e bytes.Buffer
	status = run(args, strings.NewReader(""), &o, &e)
	return status, o.String(), e.String()
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	tests := []struct {
		args   []string
		status int
		errs   string
	}{
		{[]string{"version"}, 0, ""},
		{[]string{"nonsense"}, 2, `hongyan: there is no command "nonsense"` + "\n  hongyan --help shows how\n"},
		{[]string{"sned"}, 2, `did you mean "send"?`},
		{[]string{"user", "nonsense"}, 2, `there is no command "user nonsense"`},
		{[]string{"group", "count", "--profile", empty}, 2, `there is no command "group count"`},
		{[]string{"group", "--nonsense"}, 2, "unknown flag: --nonsense"},
		{[]string{"user", "add"}, 2, "this is written: hongyan user add NAME"},
		{[]string{"version", "too", "much"}, 2, "this is written: hongyan version"},
		{[]string{"version", "--nonsense"}, 2, "unknown flag: --nonsense"},
		{[]string{"send", "text"}, 2, `required flag(s) "to" not set`},
		{[]string{"login", "--server", "x"}, 2, "user"},
		{[]string{"config", "--config", "/nonexistent/hongyan.toml"}, 1, "there is no file /nonexistent/hongyan.toml\n  write one with: "},
		{[]string{"config", "--log.level", "loud", "--devices.max", "x"}, 1, "hongyan: --devices.max: devices.max: \"x\" is no whole number\n"},
		{[]string{"user", "add", "alice", "--data", empty}, 1, "there is no terminal to ask for a password\n  give it on standard input: printf '%s\\n' \"$PASSWORD\" | hongyan user add … --password-stdin\n"},
		{[]string{"user", "add", "alice", "--data", empty, "--password-stdin"}, 1, "the password is empty"},
		{[]string{"status", "--data", empty}, 1, "hongyan: no server runs on " + empty + "\n  start it with: hongyan serve --data " + empty},
		{[]string{"send", "--profile", empty, "--to", "bob", "x"}, 1, "log in first: hongyan login"},
		{[]string{"read", "--profile", empty, "bob", "0"}, 1, "nobody has logged in"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			status, _, errs := exitOf(tt.args...)
			if status != tt.status {
				t.Errorf("exit status %d, want %d", status, tt.status)
			}
			if !strings.Contains(errs, tt.errs) || tt.errs == "" && errs != "" {
				t.Errorf("standard error is\n%s\nwant %q", errs, tt.errs)
			}
		})
	}
}

// TestHelp walks over all commands: each says what it is for and gives an example that begins with itself.
func TestHelp(t *testing.T) {
	t.Parallel()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short help is %q", path, c.Short)
		}
		if c.HasParent() && !strings.Contains(c.Example, path) {
			t.Errorf("%s has no example", path)
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len(line) > 121 {
				t.Errorf("%s: help line of %d columns", path, len(line)-1)
			}
		}
	}
	walk(newRoot())
}

// failing is a writer that fails.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"version", "--json"}, {"config"}} {
		var errs bytes.Buffer
		if status := run(args, strings.NewReader(""), failing{}, &errs); status != 1 || errs.Len() == 0 {
			t.Errorf("%v: exit status %d, %q", args, status, errs.String())
		}
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/var/lib/hongyan": "/var/lib/hongyan", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "鸿": "'鸿'",
	} {
		if got := shellQuote(text); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:7878": "127.0.0.1:7878", ":443": "127.0.0.1:443", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80",
		"[::1]:80": "[::1]:80", "chat.example:80": "chat.example:80",
	} {
		if got := reachable(listen); got != want {
			t.Errorf("reachable(%q) = %s, want %s", listen, got, want)
		}
	}
}

// TestDefaultPort: who names no port reaches a server that was told no address.
func TestDefaultPort(t *testing.T) {
	t.Parallel()
	listens := config.Default().Listen
	if want := []string{net.JoinHostPort("127.0.0.1", client.DefaultPort)}; !slices.Equal(listens, want) {
		t.Errorf("a server listens on %v, clients look for it on %v", listens, want)
	}
}

// TestInterrupted: who presses Ctrl-C knows it, but not what has become of a message.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"": fmt.Errorf("asking: %w", context.Canceled),
		"hongyan: the message waits in the outbox: context canceled\n  it goes out later\n": withHint(
			&client.QueuedError{Err: context.Canceled}, "it goes out later"),
	} {
		var errs strings.Builder
		if status := report(&errs, err); status != exitInterrupted || errs.String() != want {
			t.Errorf("%v: status %d and\n%s", err, status, errs.String())
		}
	}
}
