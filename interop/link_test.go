//go:build linux

package interop

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// serve starts a server with two accounts and returns its address.
func serve(t *testing.T, carrier string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(hongyan, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--carrier", carrier)
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	addr := ""
	for lines := bufio.NewScanner(errs); addr == "" && lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), `listen="[`); ok {
			addr, _, _ = strings.Cut(rest, " ")
		}
	}
	if addr == "" {
		t.Fatal("the server does not say where it listens")
	}
	go func() { _, _ = io.Copy(io.Discard, errs) }()
	for _, name := range []string{"alice", "bob"} {
		add := exec.Command(hongyan, "user", "add", name, "--data", dir, "--password-stdin")
		add.Stdin = strings.NewReader(name + "-secret")
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return addr
}

// textClient speaks the long link in text messages, by what docs/PROTOCOL.md says.
type textClient struct {
	*websocket.Conn
	t   *testing.T
	seq int
}

type object = map[string]any

func dialText(t *testing.T, addr, name string) *textClient {
	t.Helper()
	d := websocket.Dialer{EnableCompression: true, Subprotocols: []string{"hongyan.v1.json"}}
	conn, _, err := d.Dial("ws://"+addr+"/v1/link", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(hang))
	c := &textClient{Conn: conn, t: t}
	c.ask(2, object{"name": name, "password": name + "-secret", "device": object{"name": "interop", "class": "BOT"}})
	return c
}

func (c *textClient) read() (frame struct {
	Op, Seq int
	Body    object
}) {
	c.t.Helper()
	kind, raw, err := c.ReadMessage()
	if err != nil || kind != websocket.TextMessage {
		c.t.Fatal(kind, err)
	}
	if err := json.Unmarshal(raw, &frame); err != nil {
		c.t.Fatalf("%s: %v", raw, err)
	}
	return frame
}

// ask makes a request and returns the body of its answer.
func (c *textClient) ask(op int, body object) object {
	c.t.Helper()
	c.seq++
	if err := c.WriteJSON(object{"op": op, "seq": c.seq, "body": body}); err != nil {
		c.t.Fatal(err)
	}
	for {
		f := c.read()
		switch {
		case f.Op < 1e9: // a push
		case f.Seq != c.seq || f.Op != op+1e9:
			c.t.Fatalf("%+v answers operation %d, sequence %d", f, op, c.seq)
		default:
			return f.Body
		}
	}
}

// TestTextLink has two people talk through the program by JSON in text messages, on each carrier.
func TestTextLink(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"goroutine", "reactor"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			addr := serve(t, carrier)
			alice, bob := dialText(t, addr, "alice"), dialText(t, addr, "bob")
			synced := bob.ask(20, object{})
			id := make([]byte, 16)
			_, _ = rand.Read(id)
			send := object{
				"name": "bob", "clientId": base64.StdEncoding.EncodeToString(id), "firstAttemptMs": time.Now().UnixMilli(),
				"content": object{"text": "鸿雁 says hello"},
			}
			first := alice.ask(40, send)
			if again := alice.ask(40, send); again["id"] != first["id"] || first["id"] == "" {
				t.Errorf("%v, and again %v", first, again)
			}
			for {
				if f := bob.read(); f.Op == 30 { // something is new
					break
				}
			}
			page := bob.ask(20, object{"key": synced["key"]})
			raw, _ := json.Marshal(page)
			if changes := page["changes"].([]any); len(changes) != 1 || !strings.Contains(string(raw), "鸿雁 says hello") {
				t.Errorf("%s", raw)
			}
		})
	}
}

// TestRefusedLinks opens what the server must not let in.
func TestRefusedLinks(t *testing.T) {
	t.Parallel()
	addr := serve(t, "reactor")
	for name, c := range map[string]struct {
		path   string
		header map[string][]string
		status int
	}{
		"no subprotocol": {"/v1/link", nil, 400},
		"foreign page":   {"/v1/link", map[string][]string{"Origin": {"https://wx.qq.com.evil.example"}, "Sec-WebSocket-Protocol": {"hongyan.v1"}}, 403},
		"own page":       {"/v1/link", map[string][]string{"Origin": {"http://" + addr}, "Sec-WebSocket-Protocol": {"hongyan.v1"}}, 101},
		"elsewhere":      {"/v1/other", map[string][]string{"Sec-WebSocket-Protocol": {"hongyan.v1"}}, 404},
	} {
		conn, response, err := websocket.DefaultDialer.Dial("ws://"+addr+c.path, c.header)
		if conn != nil {
			conn.Close()
		}
		if response == nil || response.StatusCode != c.status {
			t.Errorf("%s: %+v, %v", name, response, err)
		}
	}
}
