//go:build linux

package interop

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// webServer is a server whose front answers for the hosts that bots of the Web WeChat protocol know by heart.
type webServer struct {
	t    *testing.T
	dir  string
	addr string
	bot  string // the program of the bot
	cmd  *exec.Cmd
}

func serveWeb(t *testing.T, names ...string) *webServer {
	t.Helper()
	s := &webServer{t: t, dir: t.TempDir(), addr: "127.0.0.1:0"}
	s.start()
	t.Cleanup(s.stop)
	for _, name := range names {
		s.run("", "user", "add", name, "--no-password", "--data", s.dir)
	}
	s.bot = filepath.Join(s.dir, "openwechat")
	if out, err := exec.Command("go", "build", "-o", s.bot, "./openwechat").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return s
}

// start starts the process, at the same address as before.
func (s *webServer) start() {
	s.t.Helper()
	s.cmd = exec.Command(hongyan, "serve", "--data", s.dir, "--listen", s.addr, "--webwx.connect", "--storage.ballast", "0B", "--drain.spread", "0s")
	errs, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.addr = ""
	for lines := bufio.NewScanner(errs); s.addr == "" && lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), `listen="[`); ok {
			s.addr, _, _ = strings.Cut(rest, " ")
		}
	}
	if s.addr == "" {
		s.t.Fatal("the server does not say where it listens")
	}
	go func() { _, _ = io.Copy(os.Stderr, errs) }()
}

func (s *webServer) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// run runs a command of the program and returns what it prints.
func (s *webServer) run(input string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(hongyan, args...)
	cmd.Stdin = strings.NewReader(input)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%v: %v\n%s%s", args, err, out, &errs)
	}
	return strings.TrimSpace(string(out))
}

// token makes a device of an account and returns its token.
func (s *webServer) token(name string) string {
	s.t.Helper()
	return s.run("", "user", "token", name, "--data", s.dir)
}

// api performs an operation of the short link.
func (s *webServer) api(token, op string, body object) object {
	s.t.Helper()
	b, _ := json.Marshal(body)
	r, _ := http.NewRequest(http.MethodPost, "http://"+s.addr+"/v1/"+op, strings.NewReader(string(b)))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	var answer object
	if err := json.NewDecoder(a.Body).Decode(&answer); err != nil || a.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s %v %v", op, a.Status, answer, err)
	}
	return answer
}

// befriend makes two accounts contacts, by their tokens.
func (s *webServer) befriend(a, b string) {
	s.t.Helper()
	ua, ub := s.api(a, "auth", object{"token": a}), s.api(b, "auth", object{"token": b})
	s.api(a, "ask-contact", object{"user": ub["user"]})
	s.api(b, "answer-contact", object{"user": ua["user"], "accept": true})
}

// webBot is a bot as a process.
type webBot struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	events chan webEvent
	kept   []webEvent // that nobody has asked for yet
}

type webEvent struct{ Event, Name, ID, Kind, From, Sender, Text, Error string }

// clients are the bots' libraries.
var clients = []string{"openwechat", "wechat4u"}

// launch starts a bot with a file for its session. credential is what stands before the proxy's host; empty: nothing, and
// somebody has to confirm its login.
func (s *webServer) launch(client, file, credential string, args ...string) *webBot {
	s.t.Helper()
	args = append([]string{file}, args...)
	cmd := exec.Command(s.bot, args...)
	if client == "wechat4u" {
		cmd = exec.Command("node", append([]string{"wechat4u.mjs"}, args...)...)
	}
	if credential != "" {
		credential = "bot:" + credential + "@"
	}
	ca := filepath.Join(s.dir, "webwx-ca.pem")
	cmd.Env = append(os.Environ(), "HTTPS_PROXY=http://"+credential+s.addr, "SSL_CERT_FILE="+ca, "NODE_EXTRA_CA_CERTS="+ca)
	b := &webBot{t: s.t, name: client, cmd: cmd, events: make(chan webEvent, 1000)}
	var err error
	if b.in, err = cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(b.events)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e webEvent
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				e = webEvent{Event: "noise", Text: lines.Text()}
			}
			b.events <- e
		}
	}()
	s.t.Cleanup(b.kill)
	return b
}

func (b *webBot) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// await returns the next event that fits; others are kept for later.
func (b *webBot) await(what string, fits func(webEvent) bool) webEvent {
	b.t.Helper()
	for i, e := range b.kept {
		if fits(e) {
			b.kept = append(b.kept[:i:i], b.kept[i+1:]...)
			return e
		}
	}
	limit := time.After(hang)
	for {
		select {
		case e, ok := <-b.events:
			switch {
			case !ok:
				b.t.Fatalf("%s has ended without %s; it told %+v", b.name, what, b.kept)
			case fits(e):
				return e
			}
			b.kept = append(b.kept, e)
		case <-limit:
			b.t.Fatalf("%s does not tell %s; it told %+v", b.name, what, b.kept)
		}
	}
}

// told awaits an event by its kind.
func (b *webBot) told(event string) webEvent {
	b.t.Helper()
	return b.await(event, func(e webEvent) bool { return e.Event == event })
}

// hears awaits a message of a kind.
func (b *webBot) hears(kind string) webEvent {
	b.t.Helper()
	e := b.await(kind, func(e webEvent) bool { return e.Event == "message" && e.Kind == kind })
	if e.Error != "" {
		b.t.Fatalf("%s: %+v", b.name, e)
	}
	return e
}

// does gives an order and awaits that it was carried out.
func (b *webBot) does(order object) webEvent {
	b.t.Helper()
	line, _ := json.Marshal(order)
	if _, err := b.in.Write(append(line, '\n')); err != nil {
		b.t.Fatal(err)
	}
	e := b.told("done")
	if e.Error != "" {
		b.t.Fatalf("%s: %v: %s", b.name, order, e.Error)
	}
	return e
}

// TestWebTalk has a bot of each library, let in by its token, talk to a bot of the other one and to a client of the short link.
func TestWebTalk(t *testing.T) {
	t.Parallel()
	s := serveWeb(t, "alice", "bob")
	tokens := map[string]string{"alice": s.token("alice"), "bob": s.token("bob")}
	s.befriend(tokens["alice"], tokens["bob"])
	dir := t.TempDir()
	alice := s.launch("openwechat", filepath.Join(dir, "alice"), tokens["alice"])
	bob := s.launch("wechat4u", filepath.Join(dir, "bob"), tokens["bob"])
	if e := alice.told("login"); e.Name != "alice" {
		t.Errorf("%+v", e)
	}
	if e := bob.told("login"); e.Name != "bob" {
		t.Errorf("%+v", e)
	}
	for _, c := range []struct {
		from, to *webBot
		a, b     string
	}{{alice, bob, "alice", "bob"}, {bob, alice, "bob", "alice"}} {
		text := "鸿雁 <" + c.a + "> & \"co\"\nsecond line 🪿"
		sent := c.from.does(object{"do": "text", "to": c.b, "text": text})
		got := c.to.hears("text")
		want := text
		if c.to.name == "wechat4u" { // which leaves this one as it is
			want = strings.ReplaceAll(want, "&", "&amp;")
		}
		if got.Text != want || got.From != c.a || sent.ID == "" || got.ID != sent.ID {
			t.Errorf("sent %+v, got %+v, want %q", sent, got, want)
		}
		c.from.does(object{"do": "revoke"})
		if e := c.to.hears("recall"); e.Text != sent.ID {
			t.Errorf("%+v recalls %s", e, sent.ID)
		}
	}
}

// TestWebAndCommand has the code of a bot confirmed, texts and a picture exchanged, and the bot kept out, all with the command
// line.
func TestWebAndCommand(t *testing.T) {
	t.Parallel()
	s := serveWeb(t, "alice", "bob")
	dir := t.TempDir()
	profile := map[string]string{}
	tokens := map[string]string{}
	for _, name := range []string{"alice", "bob"} {
		profile[name], tokens[name] = filepath.Join(dir, "profile-"+name), s.token(name)
		s.run(tokens[name]+"\n", "login", "--server", s.addr, "--profile", profile[name], "--token-stdin")
	}
	s.befriend(tokens["alice"], tokens["bob"])
	bot := s.launch("wechat4u", filepath.Join(dir, "bot"), "")
	uuid := bot.told("uuid").ID
	s.run("", "devices", "admit", "https://login.weixin.qq.com/l/"+uuid, "--yes", "--profile", profile["alice"])
	if e := bot.told("login"); e.Name != "alice" {
		t.Errorf("%+v", e)
	}
	s.run("", "send", "--to", "alice", "hello from the command line", "--profile", profile["bob"])
	if e := bot.hears("text"); e.Text != "hello from the command line" || e.From != "bob" {
		t.Errorf("%+v", e)
	}
	path, sum := picture(t, 30, true)
	s.run("", "send", "--to", "alice", "--file", path, "--profile", profile["bob"])
	if e := bot.hears("picture"); e.Text != sum {
		t.Errorf("%+v", e)
	}
	bot.does(object{"do": "text", "to": "bob", "text": "hello from the bot"})
	if out := s.run("", "sync", "--json", "--profile", profile["bob"]); !strings.Contains(out, "hello from the bot") {
		t.Errorf("%s", out)
	}
	s.run("", "devices", "webwx", "off", "--profile", profile["alice"])
	bot.told("logout")
}
