package client

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// The tests of this file start the test binary again as a client in a process of its own, which is told by the
// environment what to do, and kill it with SIGKILL.
const (
	childRole = "HONGYAN_TEST_ROLE"
	childDir  = "HONGYAN_TEST_DIR"
	childFrom = "HONGYAN_TEST_FROM" // the first message to send, or the number of events to die after
)

// child is the process that is killed.
func child(role string) int {
	c, err := Open(os.Getenv(childDir), Options{OnEvent: childEvent()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	switch role {
	case "send":
		if err = c.Sync(ctx); err != nil {
			break
		}
		from, _ := strconv.Atoi(os.Getenv(childFrom))
		for i := from; err == nil; i++ {
			fmt.Println("start", i)
			_, err = c.Send(ctx, ToName("bob"), hongyan.Text(fmt.Sprint("m", i)))
			if err == nil {
				fmt.Println("sent", i)
			}
		}
	case "sync":
		err = c.Sync(ctx)
	case "run":
		err = c.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// childEvent prints messages, and dies in the middle of the telling if it is asked to.
func childEvent() func(Event) error {
	left, _ := strconv.Atoi(os.Getenv(childFrom))
	return func(e Event) error {
		m, ok := e.(MessageEvent)
		if !ok || os.Getenv(childRole) == "send" {
			return nil
		}
		fmt.Println(m.Message.Content.Text)
		if left--; left == 0 {
			self, _ := os.FindProcess(os.Getpid())
			self.Kill()
			select {}
		}
		return nil
	}
}

// victim is a running child.
type victim struct {
	cmd   *exec.Cmd
	mu    sync.Mutex
	lines []string
	ended chan struct{}
	err   error
}

func spawn(t *testing.T, role, dir string, from int) *victim {
	t.Helper()
	v := &victim{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	v.cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir, fmt.Sprintf("%s=%d", childFrom, from))
	v.cmd.Stderr = os.Stderr
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(v.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			v.mu.Lock()
			v.lines = append(v.lines, lines.Text())
			v.mu.Unlock()
		}
		v.err = v.cmd.Wait()
	}()
	return v
}

// killAfter kills the child a moment later.
func (v *victim) killAfter(d time.Duration) { time.AfterFunc(d, func() { v.cmd.Process.Kill() }) }

// wait waits for the end of the child, and returns what it printed.
func (v *victim) wait(t *testing.T) []string {
	t.Helper()
	select {
	case <-v.ended:
	case <-time.After(2 * hang):
		v.cmd.Process.Kill()
		<-v.ended
		t.Fatal("the child was not killed")
	}
	return v.lines
}

// TestKilledWhileSending kills a sender before the server has its request, between request and answer, and at some
// moment after the answer, again and again: what it reported as sent is there, once, and in order.
func TestKilledWhileSending(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{})
	alice.Close()
	next := 0
	var reported []string
	for round := range 12 {
		v := spawn(t, "send", alice.dir, next)
		n, at := 0, 1+rand.IntN(4)
		s.on(wire.OpSend, func(ts *testSession, _ wire.Frame) verdict {
			if n++; n != at {
				return verdict{}
			}
			switch round % 3 {
			case 0:
				v.cmd.Process.Kill()
				return verdict{cutBefore: true}
			case 1:
				v.cmd.Process.Kill()
				return verdict{cutAfter: true}
			}
			return verdict{afterwards: func() { v.killAfter(time.Duration(rand.IntN(4000)) * time.Microsecond) }}
		})
		for _, line := range v.wait(t) {
			word, number, _ := strings.Cut(line, " ")
			i, _ := strconv.Atoi(number)
			next = i + 1
			if word == "sent" {
				reported = append(reported, "m"+number)
			}
		}
	}
	s.do(func() { s.intercept = nil })
	again, err := Open(alice.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	if items, err := again.Outbox(within(t)); err != nil || len(items) != 0 {
		t.Errorf("left in the outbox: %+v, %v", items, err)
	}
	got := s.texts(alice, bob)
	checkRising(t, got)
	for _, text := range reported {
		if !slices.Contains(got, text) {
			t.Errorf("%s was reported as sent, and is not there", text)
		}
	}
	if len(reported) == 0 || next < 12 {
		t.Errorf("%d messages were reported of %d: the test did not test much", len(reported), next)
	}
}

// checkRising checks that numbered texts come in order and once.
func checkRising(t *testing.T, texts []string) {
	t.Helper()
	last := -1
	for _, text := range texts {
		n, err := strconv.Atoi(strings.TrimPrefix(text, "m"))
		if err != nil || n <= last {
			t.Errorf("%q comes after m%d", text, last)
		}
		last = n
	}
}

// TestKilledWhileReceiving kills a receiver when it pulls, when it has the answer, when it acknowledges and while it
// tells its program: every message is told, in order, repeated at most when a new process begins, and stored once.
func TestKilledWhileReceiving(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice, bob := register(t, s, "alice", Options{}), register(t, s, "bob", Options{})
	bob.Close()
	const rounds = 15
	posted, last := 0, -1
	post := func(n int) {
		s.do(func() {
			for range n {
				s.post(hongyan.Direct(alice.User(), bob.User()), alice.User(), hongyan.ClientID{byte(posted + 1)},
					hongyan.Text(fmt.Sprint("m", posted)))
				posted++
			}
		})
	}
	for round := range rounds + 1 {
		role, dieAfter, ops := "run", 0, []wire.Op{wire.OpSync, wire.OpBackfill, wire.OpAck}
		if round == rounds {
			role = "sync"
		} else if round%3 == 2 {
			dieAfter = 1 + rand.IntN(4)
		}
		post(4)
		v := spawn(t, role, bob.dir, dieAfter)
		n, at := 0, 1+rand.IntN(4)
		s.do(func() {
			s.intercept = func(ts *testSession, f wire.Frame) verdict {
				if role == "sync" || dieAfter > 0 || !slices.Contains(ops, f.Op) {
					return verdict{}
				}
				if n++; n != at {
					return verdict{afterwards: func() {
						if f.Op == wire.OpAck { // nothing more would come: this brings changes inline
							s.post(hongyan.Direct(alice.User(), bob.User()), alice.User(), hongyan.ClientID{byte(posted + 1)},
								hongyan.Text(fmt.Sprint("m", posted)))
							posted++
						}
					}}
				}
				if round%3 == 0 {
					v.cmd.Process.Kill()
					return verdict{cutBefore: true}
				}
				return verdict{afterwards: func() { v.killAfter(time.Duration(rand.IntN(6000)) * time.Microsecond) }}
			}
		})
		for i, line := range v.wait(t) {
			n, _ := strconv.Atoi(strings.TrimPrefix(line, "m"))
			if n > last+1 || (i > 0 && n != last+1) || n < last+1-testPage {
				t.Errorf("round %d: line %d is %s after m%d", round, i, line, last)
			}
			last = n
		}
	}
	if last != posted-1 {
		t.Errorf("the last message that was told is m%d of %d", last, posted)
	}
	again, err := Open(bob.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	list, err := again.Messages(hongyan.Direct(alice.User(), bob.User()), 0, 1000)
	if err != nil || len(list) != posted {
		t.Errorf("%d messages are stored of %d, %v", len(list), posted, err)
	}
	c, _, err := again.Conversation(hongyan.Direct(alice.User(), bob.User()))
	if err != nil || c.Unread != posted || c.Last != hongyan.Ordinal(posted) {
		t.Errorf("the conversation is %+v, %v", c, err)
	}
}

// TestKilledWhileBeginning kills a process while it makes the files of a profile.
func TestKilledWhileBeginning(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	alice := register(t, s, "alice", Options{})
	alice.Close()
	credentials, err := os.ReadFile(filepath.Join(alice.dir, credentialsFile))
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, credentialsFile), credentials, 0o600); err != nil {
			t.Fatal(err)
		}
		v := spawn(t, "sync", dir, 0)
		for started := time.Now(); time.Since(started) < hang; time.Sleep(50 * time.Microsecond) {
			if files, _ := os.ReadDir(dir); len(files) > 1 {
				break
			}
		}
		v.killAfter(time.Duration(rand.IntN(8000)) * time.Microsecond)
		v.wait(t)
		c, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		send(t, c, "alice", "x")
		if err := c.Sync(within(t)); err != nil {
			t.Error(err)
		}
		c.Close()
	}
}
