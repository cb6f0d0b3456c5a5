package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

// pythonScript is the client that was written from docs/PROTOCOL.md alone. Its promise is to have no more lines.
const pythonScript, pythonLines = "../examples/python/hongyan.py", 200

// python is a device that runs the Python client.
type python struct {
	t     *testing.T
	state string
	env   []string
}

// pythonLine is what the client prints of a message, and of the answer to a send as far as that has it.
type pythonLine struct {
	ID           uint64 `json:"id,string"`
	From         string
	Conversation string
	Ordinal      hongyan.Ordinal
	Text         string
}

// pythonServer starts a server for alice and bob, on a machine that has Python.
func pythonServer(t *testing.T) *server {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("python3 is missing: install python3, 3.9 or newer, for example by: apt-get install python3")
	}
	s := newServer(t, t.TempDir())
	s.addUser("alice", "bob")
	return s
}

// interpreter runs Python code. It is isolated (-I) and without the packages of its site (-S), so that nothing but the
// standard library can be imported.
func interpreter(args ...string) *exec.Cmd {
	return exec.Command("python3", append([]string{"-I", "-S", "-B"}, args...)...)
}

// pythonLogin makes a Python device of an account, which finds the server at addr.
func pythonLogin(t *testing.T, addr, name string) *python {
	t.Helper()
	p := &python{t: t, state: filepath.Join(t.TempDir(), name)}
	p.login(addr, name)
	return p
}

func (p *python) login(addr, name string) {
	p.t.Helper()
	login := p.command("login", "--server", addr, "--user", name)
	login.Stdin = strings.NewReader(name + "-secret\n")
	if out, err := login.CombinedOutput(); err != nil {
		p.t.Fatalf("login of %s: %v\n%s", name, err, out)
	}
}

// command is a command of the client for the device's state.
func (p *python) command(name string, args ...string) *exec.Cmd {
	p.t.Helper()
	c := interpreter(append([]string{pythonScript, name, "--state", p.state}, args...)...)
	c.Env = append(os.Environ(), p.env...)
	return c
}

// do runs a command to its good end and returns the lines it printed.
func (p *python) do(name string, args ...string) []pythonLine {
	p.t.Helper()
	c := p.command(name, args...)
	var errs log
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", name, err, errs.String())
	}
	return p.parse(out)
}

// parse reads lines. One that a kill cut short is none.
func (p *python) parse(out []byte) (list []pythonLine) {
	p.t.Helper()
	for line := range bytes.Lines(out) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var l pythonLine
		if err := json.Unmarshal(line, &l); err != nil {
			p.t.Fatalf("%v in the line %q", err, line)
		}
		list = append(list, l)
	}
	return list
}

// process is a command that runs beside the test, until it ends by itself or the test does.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan []byte // whole ones, and what came last; closed at the end
	errs  log
}

func start(t *testing.T, c *exec.Cmd) *process {
	t.Helper()
	r := &process{t: t, cmd: c, lines: make(chan []byte, 10_000)}
	c.Stderr = &r.errs
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.lines)
		for in := bufio.NewReader(out); ; {
			line, err := in.ReadBytes('\n')
			if len(line) > 0 {
				r.lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { r.kill() })
	return r
}

// next waits for the next line, or the end: nil.
func (r *process) next() []byte {
	r.t.Helper()
	select {
	case line := <-r.lines:
		return line
	case <-time.After(hang):
		r.t.Fatalf("no line comes\n%s", r.errs.String())
		return nil
	}
}

// waitFor waits for the line of a message.
func (r *process) waitFor(text string) {
	r.t.Helper()
	for line := r.next(); !bytes.Contains(line, []byte(text)); line = r.next() {
		if line == nil {
			r.t.Fatalf("it ended before %q came\n%s", text, r.errs.String())
		}
	}
}

// kill ends the process as a crash does, and returns what it had printed and nobody has read.
func (r *process) kill() (rest []byte) {
	_ = r.cmd.Process.Kill()
	for line := range r.lines {
		rest = append(rest, line...)
	}
	_ = r.cmd.Wait()
	return rest
}

// unread runs a command whose output nobody reads.
func unread(t *testing.T, c *exec.Cmd) error {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	c.Stdout = w
	return c.Run()
}

// TestPythonScriptIsShort: what is meant to show how little a client needs has to stay little.
func TestPythonScriptIsShort(t *testing.T) {
	src, err := os.ReadFile(pythonScript)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(src, []byte("\n")); n > pythonLines {
		t.Errorf("%d lines, want at most %d", n, pythonLines)
	}
}

// TestPython sends between the Python client and the SDK in both directions. Everything comes, once and in order, to
// devices of both kinds, and what the Python client has received counts as delivered.
func TestPython(t *testing.T) {
	s := pythonServer(t)
	alice, bob := pythonLogin(t, s.addr, "alice"), pythonLogin(t, s.addr, "bob")
	sdk := s.login("alice", nil)
	run(t, sdk)

	const messages = 12
	text := func(n int) string {
		if n == 1 {
			return numbered("alice", n) + strings.Repeat(" 雁", 16_000) // comes in many pieces
		}
		return numbered("alice", n)
	}
	var acked outbound
	for n := 1; n <= messages; n++ {
		if n%2 == 0 {
			l := alice.do("send", "--to", "bob", text(n))
			acked.add(client.Sent{ID: hongyan.MessageID(l[0].ID), Ordinal: l[0].Ordinal})
			continue
		}
		sent, err := sdk.Send(t.Context(), client.ToName("bob"), hongyan.Text(text(n)))
		if err != nil {
			t.Fatal(err)
		}
		acked.add(sent)
	}
	for name, device := range map[string]*python{"bob": bob, "alice": alice} {
		if err := unread(t, device.command("sync")); err == nil {
			t.Errorf("%s: a sync went well whose lines nobody could read", name)
		}
		got := device.do("sync")
		if len(got) != messages {
			t.Fatalf("%s: %d messages came, want %d", name, len(got), messages)
		}
		for i, sent := range acked.sent() {
			want := pythonLine{uint64(sent.ID), "alice", got[0].Conversation, sent.Ordinal, text(i + 1)}
			if got[i] != want {
				t.Errorf("%s: got %+v, want %+v", name, got[i], want)
			}
		}
		if again := device.do("sync"); len(again) != 0 {
			t.Errorf("%s: a second sync brought %+v", name, again)
		}
	}
	conversation := acked.sent()[0].Conversation
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		state, _, err := sdk.Conversation(conversation)
		if err != nil {
			t.Fatal(err)
		}
		if state.Delivered == messages {
			break
		}
		if time.Since(begin) > hang {
			t.Fatalf("%d messages count as delivered to bob, want %d", state.Delivered, messages)
		}
	}

	var told inbound
	follow := start(t, bob.command("sync", "--follow"))
	later := s.login("bob", told.on)
	run(t, later)
	for n := messages + 1; n <= messages+4; n++ {
		if n%2 == 0 {
			alice.do("send", "--to", "bob", text(n))
		} else if _, err := sdk.Send(t.Context(), client.ToName("bob"), hongyan.Text(text(n))); err != nil {
			t.Fatal(err)
		}
		if l := bob.parse(follow.next()); len(l) != 1 || l[0].Text != text(n) {
			t.Fatalf("%+v was printed, want %q", l, text(n))
		}
	}
	told.waitFor(t, acked.sent())
	checkHistory(t, "the SDK", told.messages(), acked.sent())
}

// TestPythonReceiverKilled kills the client again and again in the middle of a sync, while messages come. Every message
// is printed, in order; only what was printed since the key was stored, a page at most, is printed again.
func TestPythonReceiverKilled(t *testing.T) {
	const before, during, kills, page = 250, 150, 12, 100
	s := pythonServer(t)
	bob := pythonLogin(t, s.addr, "bob")
	alice := s.login("alice", nil)
	run(t, alice)
	send := func(from, to int) {
		for n := from; n <= to; n++ {
			if _, err := alice.Send(t.Context(), client.ToName("bob"), hongyan.Text(numbered("alice", n))); err != nil {
				t.Error(err)
				return
			}
		}
	}
	send(1, before)
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		send(before+1, before+during)
	}()

	var newest, last hongyan.Ordinal // of all, and in this run: 0 before its first line
	again := 0
	take := func(lines ...pythonLine) {
		t.Helper()
		for _, l := range lines {
			switch {
			case last > 0 && l.Ordinal != last+1, l.Ordinal > newest+1, l.Ordinal+page <= newest:
				t.Fatalf("the newest was %d, in this run %d, and the client printed %d next", newest, last, l.Ordinal)
			case l.Text != numbered("alice", int(l.Ordinal)):
				t.Fatalf("message %d says %q", l.Ordinal, l.Text)
			case l.Ordinal <= newest:
				again++
			}
			last, newest = l.Ordinal, max(newest, l.Ordinal)
		}
	}
	for range kills {
		last = 0
		run := start(t, bob.command("sync", "--follow"))
		for n := rand.IntN(60); n >= 0 && newest < before+during; n-- {
			take(bob.parse(run.next())...)
		}
		take(bob.parse(run.kill())...)
	}
	<-sending
	last = 0
	take(bob.do("sync")...)
	if newest != before+during {
		t.Errorf("%d messages were printed, want %d", newest, before+during)
	}
	if rest := bob.do("sync"); len(rest) > 0 {
		t.Errorf("another sync brought %+v", rest)
	}
	t.Logf("%d messages, %d kills, %d lines printed again", before+during, kills, again)
}

// TestPythonRepeatsASend loses the answer to a send, together with the server. The client repeats the message as the
// same one, which then is there once.
func TestPythonRepeatsASend(t *testing.T) {
	s := pythonServer(t)
	p := newProxy(t, s.addr)
	alice := pythonLogin(t, p.addr, "alice")

	p.lose(wire.OpSend.Reply())
	sending := start(t, alice.command("send", "--to", "bob", "only once"))
	p.waitForLoss()
	s.kill()
	p.lose()
	s.start()
	answer := alice.parse(sending.next())
	if err := sending.cmd.Wait(); err != nil || len(answer) != 1 {
		t.Fatalf("the send printed %+v and ended: %v\n%s", answer, err, sending.errs.String())
	}

	var told inbound
	syncNow(t, s.login("bob", told.on))
	got := told.messages()
	if len(got) != 1 || got[0].Content.Text != "only once" || uint64(got[0].ID) != answer[0].ID {
		t.Errorf("bob got %+v, want one message of id %d", got, answer[0].ID)
	}
	var sends []*wire.SendRequest
	for _, f := range p.requests(wire.OpSend) {
		q := new(wire.SendRequest)
		if err := wire.Unmarshal(f.Body, q); err != nil {
			t.Fatal(err)
		}
		sends = append(sends, q)
	}
	if len(sends) != 2 || !bytes.Equal(sends[0].ClientId, sends[1].ClientId) || sends[0].FirstAttemptMs != sends[1].FirstAttemptMs {
		t.Errorf("the message was sent as %v, want twice the same", sends)
	}
	if rest := alice.do("sync"); len(rest) != 1 {
		t.Errorf("alice's other devices have %+v", rest)
	}
}

// TestPythonBeats loses every notification: the heartbeat finds the message. The client is made to beat at once, where
// a server asks for minutes.
func TestPythonBeats(t *testing.T) {
	const quick = `
import sys
sys.path.insert(0, sys.argv[1])
import hongyan
class Quick(hongyan.Client):
    beat_ms = property(lambda self: 200, lambda self, asked: None)
client = Quick(sys.argv[2])
for line in client.stay(client.follow):
    print(line["text"], flush=True)
`
	s := pythonServer(t)
	p := newProxy(t, s.addr)
	bob := pythonLogin(t, p.addr, "bob")
	alice := s.login("alice", nil)
	run(t, alice)

	p.lose(wire.OpNotify)
	follow := start(t, interpreter("-c", quick, filepath.Dir(pythonScript), bob.state))
	for begin := time.Now(); len(p.requests(wire.OpHeartbeat)) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > hang {
			t.Fatalf("no heartbeat came\n%s", follow.errs.String())
		}
	}
	if _, err := alice.Send(t.Context(), client.ToName("bob"), hongyan.Text("found by a heartbeat")); err != nil {
		t.Fatal(err)
	}
	p.waitForLoss()
	follow.waitFor("found by a heartbeat")
}

// TestPythonObeysCloseFrames: a client that is sent to TLS comes back encrypted; one whose device was ended stops, and
// goes on where it was when somebody logs in again.
func TestPythonObeysCloseFrames(t *testing.T) {
	s := pythonServer(t)
	bob := pythonLogin(t, s.addr, "bob")
	bob.env = []string{"SSL_CERT_FILE=" + filepath.Join(s.data, "tls-selfsigned.pem")}
	alice := s.login("alice", nil)
	run(t, alice)
	send := func(text string) {
		t.Helper()
		if _, err := alice.Send(t.Context(), client.ToName("bob"), hongyan.Text(text)); err != nil {
			t.Fatal(err)
		}
	}
	follow := start(t, bob.command("sync", "--follow"))
	send("plain")
	follow.waitFor("plain")
	for _, want := range []uint32{1, 0} {
		r := new(wire.DemandTLSReply)
		if err := s.operator().Do(t.Context(), wire.OpDemandTLS, &wire.DemandTLSRequest{Name: "bob"}, r); err != nil {
			t.Fatal(err)
		}
		if uint32(r.Closed) != want {
			t.Errorf("%d connections were sent to TLS, want %d", r.Closed, want)
		}
		text := fmt.Sprintf("encrypted, not %d", want)
		send(text)
		follow.waitFor(text)
	}

	other := s.login("bob", nil)
	run(t, other)
	devices, err := other.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if d.ID != other.Device() {
			if err := other.Kick(t.Context(), d.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if line := follow.next(); line != nil {
		t.Errorf("%q came to the ended device", line)
	}
	if err := follow.cmd.Wait(); err == nil || !strings.Contains(follow.errs.String(), "log in first") {
		t.Errorf("the client ended: %v\n%s", err, follow.errs.String())
	}
	send("after the end")
	bob.login(s.addr, "bob")
	if got := bob.do("sync"); len(got) != 1 || got[0].Text != "after the end" {
		t.Errorf("the next login brought %+v", got)
	}
}
