package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/freeport"
	"github.com/hongyan-im/hongyan/wire"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	if runInNamespace() {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "hongyan-e2e")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "hongyan")
	build := exec.Command("go", "build", "-o", binary, "github.com/hongyan-im/hongyan/cmd/hongyan")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// hang bounds everything that a test waits for: far above what it takes, so that only a hang is a failure.
const hang = 2 * time.Minute

// server is the program's serve command as a process, which can be killed and started again at the same address.
type server struct {
	t      *testing.T
	data   string
	addr   string
	listen string // as the command line says it
	args   []string
	cmd    *exec.Cmd
	log    log
	// exited gives the process's end once.
	exited chan error
}

// log is what a process prints, which may be read while it prints.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newServer starts a server on a free port of loopback with its data in data.
func newServer(t *testing.T, data string, args ...string) *server {
	t.Helper()
	return newServerAt(t, "127.0.0.1", data, args...)
}

// newServerAt starts a server on a free port of an address.
func newServerAt(t *testing.T, host, data string, args ...string) *server {
	t.Helper()
	addr, release, err := freeport.Reserve(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return newServerListening(t, addr, addr, data, args...)
}

// newServerListening starts a server that is told to listen so and is found at addr.
func newServerListening(t *testing.T, addr, listen, data string, args ...string) *server {
	t.Helper()
	s := &server{t: t, data: data, addr: addr, listen: listen, args: args}
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("server log:\n%s", tail(s.log.String(), 4000))
		}
	})
	return s
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// start starts the process and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	args := append([]string{"serve", "--data", s.data, "--listen", s.listen, "--storage.ballast", "0B"}, s.args...)
	s.cmd = exec.Command(binary, args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, exited := s.cmd, make(chan error, 1)
	s.exited = exited
	go func() { exited <- cmd.Wait() }()
	for begin := time.Now(); !s.healthy(); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-s.exited:
			s.exited <- err
			s.t.Fatalf("the server ended at its start: %v\n%s", err, s.log.String())
		default:
		}
		if time.Since(begin) > hang {
			s.t.Fatalf("the server does not answer:\n%s", s.log.String())
		}
	}
}

func (s *server) healthy() bool {
	r, err := http.Get("http://" + s.addr + "/healthz")
	if err != nil {
		return false
	}
	r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// kill ends the process as a crash does.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	err := <-s.exited
	s.exited <- err
}

// addUser makes an account with the password NAME-secret.
func (s *server) addUser(names ...string) {
	s.t.Helper()
	for _, name := range names {
		add := exec.Command(binary, "user", "add", name, "--data", s.data, "--password-stdin")
		add.Stdin = strings.NewReader(name + "-secret\n")
		if out, err := add.CombinedOutput(); err != nil {
			s.t.Fatalf("user add %s: %v\n%s", name, err, out)
		}
	}
}

// login makes a new device of an account, with a profile of its own.
func (s *server) login(name string, on func(client.Event)) *client.Client {
	s.t.Helper()
	return s.loginWith(name, client.Options{OnEvent: func(e client.Event) error {
		if on != nil {
			on(e)
		}
		return nil
	}})
}

func (s *server) loginWith(name string, o client.Options) *client.Client {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	c, err := client.Login(ctx, filepath.Join(s.t.TempDir(), "profile"), s.addr, name, name+"-secret", o)
	if err != nil {
		s.t.Fatalf("login of %s: %v", name, err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// operator asks the server over its admin socket.
func (s *server) operator() *client.Conn {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	c, err := client.Dial(ctx, "unix:"+filepath.Join(s.data, "admin.sock"), client.DialOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// status asks the operator's question.
func (s *server) status() *wire.StatusReply {
	s.t.Helper()
	r := new(wire.StatusReply)
	if err := s.operator().Do(context.Background(), wire.OpStatus, &wire.StatusRequest{}, r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// run runs Run of a client until the test ends.
func run(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run of %s: %v", c.Name(), err)
		}
	})
}
