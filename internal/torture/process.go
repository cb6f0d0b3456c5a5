package torture

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/freeport"
	"github.com/hongyan-im/hongyan/wire"
)

const (
	// hang is far above what a process takes to come up, to end when it is told to, or to answer when nothing is broken.
	hang    = 2 * time.Minute
	logTail = 4 << 10 // bytes of the end of what a process prints
)

// process is one life after the other of a program.
type process struct {
	name string
	args []string
	log  tail

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil while it does not run
	ended  chan struct{} // closed when cmd has ended
	err    error         // how it did
	stdin  io.WriteCloser
	frozen bool
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > 2*logTail {
		t.text = append([]byte(nil), t.text[len(t.text)-logTail:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}

// start begins a life. What the program prints goes to out, nil for the log.
func (p *process) start(out io.Writer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command(binary, p.args...)
	c.SysProcAttr = childAttributes()
	c.Stderr = &p.log
	c.Stdout = &p.log
	if out != nil {
		c.Stdout = out
	}
	if p.stdin, err = c.StdinPipe(); err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.cmd, p.ended, p.err, p.frozen = c, ended, nil, false
	go func() {
		err := c.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.err = err
		close(ended)
	}()
	return nil
}

// end is closed when the present life is over.
func (p *process) end() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func (p *process) running() bool {
	select {
	case <-p.end():
		return false
	default:
		return true
	}
}

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Signal(s) // it may have ended
}

// kill ends the life at once.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.end()
}

// tell writes a line to the program.
func (p *process) tell(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.stdin, line+"\n") // a dead one is told again when it lives
}

// failure is how the last life ended, for people.
func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("%s ended with %v; its last words: %s", p.name, p.err, p.log.String())
}

// server is the server under torture.
type server struct {
	process
	data    string
	addr    string
	release func() // gives the address back, when the server does not come back to it any more
}

func newServer(data string) (*server, error) {
	addr, release, err := freeport.Reserve("127.0.0.1")
	if err != nil {
		return nil, err
	}
	s := &server{data: data, addr: addr, release: release}
	s.process = process{name: "the server", args: []string{
		"serve", "--data", data, "--listen", s.addr, "--storage.ballast", "0B", "--drain.spread", "1s", "--log.level", "warn",
	}}
	return s, nil
}

// run starts the server and waits until it answers.
func (s *server) run(ctx context.Context) error {
	if err := s.start(nil); err != nil {
		return err
	}
	return s.await(ctx)
}

func (s *server) await(ctx context.Context) error {
	for begin := time.Now(); ctx.Err() == nil; rest(ctx, 10*time.Millisecond) {
		if !s.running() {
			return s.failure()
		}
		if s.healthy(ctx) {
			return nil
		}
		if time.Since(begin) > hang {
			return fmt.Errorf("the server does not answer; its last words: %s", s.log.String())
		}
	}
	return context.Cause(ctx)
}

func (s *server) healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/healthz", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// operate makes a request as the operator.
func (s *server) operate(ctx context.Context, op wire.Op, request, reply proto.Message) error {
	ctx, cancel := context.WithTimeoutCause(ctx, hang, errNoReply)
	defer cancel()
	c, err := client.Dial(ctx, "unix:"+filepath.Join(s.data, "admin.sock"), client.DialOptions{})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Do(ctx, op, request, reply)
}

// resident is the server's memory in bytes, 0 where the system does not say.
func (s *server) resident() int64 {
	s.mu.Lock()
	pid := s.cmd.Process.Pid
	s.mu.Unlock()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
