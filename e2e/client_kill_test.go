package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
)

// profile logs a device in and returns the directory of its profile, for commands to use.
func (s *server) profile(name string) string {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), name)
	c, err := client.Login(s.t.Context(), dir, s.addr, name, name+"-secret", client.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		s.t.Fatal(err)
	}
	return dir
}

// killSoon kills a process at a random moment within d, if it has not ended by itself, and reports whether it did.
func killSoon(c *exec.Cmd, d time.Duration) (killed bool) {
	ended := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return false
	case <-time.After(rand.N(d)):
		_ = c.Process.Kill()
		<-ended
		return true
	}
}

// TestSenderKilled kills the send command at random moments. What it reported as sent is there once; what it did not
// report is there once or not at all; and all is in the order of sending.
func TestSenderKilled(t *testing.T) {
	s := newServer(t, t.TempDir())
	s.addUser("alice", "bob")
	profile := s.profile("alice")
	var acked outbound
	kills := 0
	send := func(n int, wait func(*exec.Cmd) bool) {
		var out bytes.Buffer
		c := exec.Command(binary, "send", "--profile", profile, "--to", "bob", "--json", numbered("alice", n))
		c.Stdout = &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if wait(c) {
			kills++
		}
		var line struct {
			ID uint64 `json:"id,string"`
		}
		if json.Unmarshal(out.Bytes(), &line) == nil && line.ID != 0 {
			acked.add(client.Sent{ID: hongyan.MessageID(line.ID)})
		}
	}
	n := 0
	for kills < 25 {
		n++
		send(n, func(c *exec.Cmd) bool { return killSoon(c, 150*time.Millisecond) })
	}
	send(n+1, func(c *exec.Cmd) bool { // drains what the killed ones have left
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		return false
	})
	var told inbound
	syncNow(t, s.login("bob", told.on))
	checkHistory(t, "bob", told.messages(), acked.sent())
	got := told.messages()
	if len(got) == 0 || got[len(got)-1].Content.Text != numbered("alice", n+1) {
		t.Error("the last message is not the last one sent")
	}
	t.Logf("%d sends, %d killed, %d reported as sent, %d arrived", n+1, kills, len(acked.sent()), len(got))
}

// TestReceiverKilled kills the sync command at random moments while messages come. Its lines name every message, in
// order, and repeat one only at the seam of a kill; its store ends up with each once.
func TestReceiverKilled(t *testing.T) {
	s := newServer(t, t.TempDir())
	s.addUser("alice", "bob")
	profile := s.profile("bob")
	alice := s.login("alice", nil)
	run(t, alice)

	const messages = 400
	var acked outbound
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for n := range messages {
			m, err := alice.Send(t.Context(), client.ToName("bob"), hongyan.Text(numbered("alice", n+1)))
			if err != nil {
				t.Error(err)
				return
			}
			acked.add(m)
		}
	}()
	var lines []uint64 // ids in the order printed
	follow := func(args ...string) *bytes.Buffer {
		out := new(bytes.Buffer)
		c := exec.Command(binary, append([]string{"sync", "--profile", profile, "--json"}, args...)...)
		c.Stdout = out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if len(args) > 0 {
			killSoon(c, 300*time.Millisecond)
		} else if err := c.Wait(); err != nil {
			t.Error(err)
		}
		return out
	}
	collect := func(out *bytes.Buffer) {
		for scan := bufio.NewScanner(out); scan.Scan(); {
			var line struct {
				Type string `json:"type"`
				ID   uint64 `json:"id,string"`
			}
			if json.Unmarshal(scan.Bytes(), &line) == nil && line.Type == "message" {
				lines = append(lines, line.ID)
			}
		}
	}
	for running := true; running; {
		collect(follow("--follow"))
		select {
		case <-sent:
			running = false
		default:
		}
	}
	collect(follow())

	first := map[uint64]int{}
	for i, id := range lines {
		if _, again := first[id]; !again {
			first[id] = i
		}
	}
	last := -1
	for i, m := range acked.sent() {
		at, ok := first[uint64(m.ID)]
		if !ok {
			t.Fatalf("message %d was never printed", i+1)
		}
		if at < last {
			t.Fatalf("message %d was printed before the one sent before it", i+1)
		}
		last = at
	}
	c, err := client.Open(profile, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	kept, err := c.Messages(acked.sent()[0].Conversation, 0, 10*messages)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != messages {
		t.Errorf("the store has %d messages, want %d", len(kept), messages)
	}
	checkHistory(t, "bob's store", kept, acked.sent())
	t.Logf("%d messages, %d lines", messages, len(lines))
}
