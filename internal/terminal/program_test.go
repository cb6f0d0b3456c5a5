package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/app"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang is how long anything may take before it counts as hanging.
const hang = time.Minute

// startServer runs a server until the end of the test, and returns its address and its operator's connection.
func startServer(t *testing.T) (address string, operator *client.Conn) {
	t.Helper()
	c := config.Default()
	c.Data = t.TempDir()
	c.Listen = []string{"127.0.0.1:0"}
	c.Storage.Ballast, c.Drain.Spread = 0, 0
	s, err := app.New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	operator, err = client.Dial(t.Context(), "unix:"+config.AdminSocket(c.Data), client.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(operator.Close)
	return s.Addrs()[0], operator
}

// device makes an account and a device of it.
func device(t *testing.T, operator *client.Conn, address, name string, o client.Options) *client.Client {
	t.Helper()
	request := &wire.CreateAccountRequest{Name: name}
	if err := operator.Do(t.Context(), wire.OpCreateAccount, request, new(wire.CreateAccountReply)); err != nil {
		t.Fatal(err)
	}
	token := new(wire.MintTokenReply)
	mint := &wire.MintTokenRequest{Name: name, Device: wire.FromDevice(hongyan.Device{Name: "test", Class: hongyan.ClassCLI})}
	if err := operator.Do(t.Context(), wire.OpMintToken, mint, token); err != nil {
		t.Fatal(err)
	}
	cl, err := client.LoginToken(t.Context(), filepath.Join(t.TempDir(), name), address, token.DeviceToken, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cl.Close(); err != nil {
			t.Error(err)
		}
	})
	return cl
}

// paper is a terminal that remembers all that was ever written on it.
type paper struct {
	mu   sync.Mutex
	text []byte
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = append(p.text, b...)
	return len(b), nil
}

// waitFor waits until some words were written.
func (p *paper) waitFor(t *testing.T, words string) {
	t.Helper()
	var text string
	for deadline := time.Now().Add(hang); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		text = ansi.Strip(string(p.text))
		p.mu.Unlock()
		if strings.Contains(text, words) {
			return
		}
	}
	t.Fatalf("%q is not shown:\n%s", words, text)
}

// TestRun has a person chat on a real server: to see a message, open it, answer it, and quit.
func TestRun(t *testing.T) {
	address, operator := startServer(t)
	feed := NewFeed()
	alice := device(t, operator, address, "alice", client.Options{OnEvent: feed.OnEvent})
	arrived := make(chan string, 100)
	bob := device(t, operator, address, "bob", client.Options{OnEvent: func(e client.Event) error {
		if m, ok := e.(client.MessageEvent); ok {
			arrived <- m.Message.Content.Text
		}
		return nil
	}})
	if _, err := bob.Send(t.Context(), client.ToName("alice"), hongyan.Text("wild geese")); err != nil {
		t.Fatal(err)
	}

	keys, typed := io.Pipe()
	screen := new(paper)
	ended := make(chan error, 1)
	go func() {
		ended <- run(t.Context(), alice, feed, tea.WithInput(keys), tea.WithOutput(screen), tea.WithWindowSize(80, 24),
			tea.WithColorProfile(colorprofile.NoTTY), tea.WithEnvironment([]string{"TERM=xterm-256color"}))
	}()
	press := func(text string) {
		if _, err := io.WriteString(typed, text); err != nil {
			t.Fatal(err)
		}
	}
	screen.waitFor(t, "connected")
	screen.waitFor(t, "wild geese")
	press("\r")
	screen.waitFor(t, "bob")
	// Lines that are typed faster than they can be stored keep their order.
	const lines = 20
	for i := range lines {
		press(fmt.Sprintf("honk %d\r", i))
	}
	var got []string
	for deadline := time.Now().Add(hang); len(got) < lines+1; {
		if time.Now().After(deadline) {
			t.Fatalf("bob has %q", got)
		}
		if err := bob.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for len(arrived) > 0 {
			got = append(got, <-arrived)
		}
	}
	for i, text := range got[1:] {
		if want := fmt.Sprintf("honk %d", i); text != want {
			t.Errorf("message %d is %q, want %q", i, text, want)
		}
	}
	press("\x03")
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(hang):
		t.Fatal("ctrl+c does not quit")
	}
	typed.Close()

	// Opening the conversation has marked it as read.
	reply := new(wire.ConversationsReply)
	talk := hongyan.Direct(alice.User(), bob.User()).String()
	if err := alice.Do(t.Context(), wire.OpConversations, &wire.ConversationsRequest{Ids: []string{talk}}, reply); err != nil {
		t.Fatal(err)
	}
	if len(reply.Conversations) != 1 || reply.Conversations[0].Read == 0 || reply.Conversations[0].Unread != 0 {
		t.Errorf("the conversation is %v", reply.Conversations)
	}
}

// TestRunEndsWithTheDevice checks that the chat ends, and says why, when its device is not wanted any more.
func TestRunEndsWithTheDevice(t *testing.T) {
	address, operator := startServer(t)
	feed := NewFeed()
	alice := device(t, operator, address, "alice", client.Options{OnEvent: feed.OnEvent})
	keys, typed := io.Pipe()
	defer typed.Close()
	screen := new(paper)
	ended := make(chan error, 1)
	go func() {
		ended <- run(t.Context(), alice, feed, tea.WithInput(keys), tea.WithOutput(screen), tea.WithWindowSize(80, 24))
	}()
	screen.waitFor(t, "connected")
	disable := &wire.SetAccountRequest{Name: "alice", Disabled: new(true)}
	if err := operator.Do(t.Context(), wire.OpSetAccount, disable, new(wire.SetAccountReply)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		var refused *hongyan.Error
		var closed *client.ClosedError
		if !errors.As(err, &refused) && !errors.As(err, &closed) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(hang):
		t.Fatal("the chat goes on without its device")
	}
}
