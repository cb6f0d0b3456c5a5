package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

// short is a device that knows the server by HTTP alone: it has no more than a token and the path of each operation.
type short struct {
	t      *testing.T
	client *http.Client
	base   string // scheme, host and /v1/
	token  string
	user   uint64
}

// problem is a refusal as the short link gives it.
type problem struct {
	Type, Title, Detail, Code, Hint, RequestID string
	Status                                     int
	RetryAfterMs                               int
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail + ": " + p.Hint }

// shortLogin logs a new device of an account in by HTTP.
func (s *server) shortLogin(name string) *short {
	s.t.Helper()
	h := &short{t: s.t, client: &http.Client{Timeout: hang, Transport: &http.Transport{}}, base: "http://" + s.addr + "/v1/"}
	s.t.Cleanup(h.client.CloseIdleConnections)
	r := new(wire.LoginReply)
	h.must("login", &wire.LoginRequest{
		Name: name, Password: name + "-secret", Device: wire.FromDevice(hongyan.Device{Name: "curl", Class: hongyan.ClassBot}),
	}, r)
	h.token, h.user = r.Session.Ticket, r.Session.User
	return h
}

// ask makes a request with a JSON body and reads its answer. The error is a *problem if the server refused.
func (h *short) ask(path string, req, reply proto.Message) error {
	body, err := protojson.Marshal(req)
	if err != nil {
		return err
	}
	return h.do(http.MethodPost, path, body, reply)
}

// do makes a request and reads its answer, like ask. Without a body it declares no type.
func (h *short) do(method, path string, body []byte, reply proto.Message) error {
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if h.token != "" {
		r.Header.Set("Authorization", "Bearer "+h.token)
	}
	answer, err := h.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		p := new(problem)
		if err := json.Unmarshal(text, p); err != nil {
			h.t.Errorf("%s: status %d with the body %q", path, answer.StatusCode, text)
		}
		return p
	}
	return protojson.Unmarshal(text, reply)
}

func (h *short) must(path string, req, reply proto.Message) {
	h.t.Helper()
	if err := h.ask(path, req, reply); err != nil {
		h.t.Fatalf("%s: %v", path, err)
	}
}

// message makes a request to send a text to an account.
func message(to, text string) *wire.SendRequest {
	id := make([]byte, 16)
	rand.Read(id)
	return &wire.SendRequest{
		Target: &wire.SendToName{Name: to}, ClientId: id, FirstAttemptMs: time.Now().UnixMilli(),
		Content: wire.FromContent(hongyan.Text(text)),
	}
}

// TestShortLink sends by HTTP what the SDK reads on the long link, and the other way round.
func TestShortLink(t *testing.T) {
	s := newServer(t, t.TempDir())
	s.addUser("alice", "bob")
	alice, bob := s.shortLogin("alice"), s.login("bob", nil)
	run(t, bob)

	page := new(wire.SyncReply)
	alice.must("sync", &wire.SyncRequest{}, page)
	sent := new(wire.SendReply)
	req := message("bob", "by post 雁")
	alice.must("send", req, sent)
	again := new(wire.SendReply)
	alice.must("send", req, again)
	if !proto.Equal(sent, again) {
		t.Errorf("a repeated request was answered with %v, the first with %v", again, sent)
	}
	var other *problem
	req.Content = wire.FromContent(hongyan.Text("something else"))
	if err := alice.ask("send", req, again); !asProblem(err, &other) || other.Code != "CONFLICT" || other.Status != http.StatusConflict {
		t.Errorf("another content under the same id: %v", err)
	}
	conversation := hongyan.Direct(bob.User(), hongyan.UserID(alice.user))
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		list, err := bob.Messages(conversation, 0, 10)
		if err == nil && len(list) == 1 && list[0].Content.Text == "by post 雁" {
			break
		}
		if time.Since(begin) > hang {
			t.Fatalf("bob has %v, %v", list, err)
		}
	}

	if _, err := bob.Send(t.Context(), client.ToName("alice"), hongyan.Text("by link")); err != nil {
		t.Fatal(err)
	}
	for got := ""; got != "by link"; {
		key := page.Key
		page = new(wire.SyncReply)
		alice.must("sync", &wire.SyncRequest{Key: key, WaitMs: 10_000}, page)
		for _, c := range page.Changes {
			if m := c.GetMessage(); m != nil {
				got = m.GetContent().GetText()
			}
		}
	}
}

// TestRegisterByHTTP makes accounts where only this machine may: directly, and not by a proxy that runs on it.
func TestRegisterByHTTP(t *testing.T) {
	s := newServer(t, t.TempDir())
	proxied := false
	transport := &http.Transport{}
	by := &short{t: t, base: "http://" + s.addr + "/v1/", client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if proxied {
			r.Header.Set("X-Forwarded-For", "203.0.113.7")
		}
		return transport.RoundTrip(r)
	})}}
	t.Cleanup(transport.CloseIdleConnections)
	register := func(name string) error {
		return by.ask("register", &wire.RegisterRequest{
			Name: name, Password: name + "-secret", Device: wire.FromDevice(hongyan.Device{Class: hongyan.ClassWeb}),
		}, new(wire.LoginReply))
	}
	if err := register("alice"); err != nil {
		t.Error(err)
	}
	proxied = true
	var p *problem
	if err := register("bob"); !asProblem(err, &p) || p.Code != "REGISTRATION_CLOSED" || p.Status != http.StatusForbidden {
		t.Errorf("by a proxy: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// byHTTP is the operator, who comes by the admin socket and needs no token.
func (s *server) byHTTP() *short {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.data, "admin.sock"))
	}
	by := &short{t: s.t, client: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://operator/v1/"}
	s.t.Cleanup(by.client.CloseIdleConnections)
	return by
}

// TestOperatorByHTTP asks as an operator would with curl.
func TestOperatorByHTTP(t *testing.T) {
	s := newServer(t, t.TempDir())
	by := s.byHTTP()
	by.must("create-account", &wire.CreateAccountRequest{Name: "carol", Password: "carol-secret"}, new(wire.CreateAccountReply))
	key := new(wire.CreateKeyReply)
	by.must("create-key", &wire.CreateKeyRequest{Name: "bridge"}, key)
	status := new(wire.StatusReply)
	by.must("status", &wire.StatusRequest{}, status)
	if !status.Sending || status.Version == "" {
		t.Errorf("the status is %v", status)
	}

	carol := s.shortLogin("carol")
	var p *problem
	if err := carol.ask("status", &wire.StatusRequest{}, status); !asProblem(err, &p) || p.Code != "FORBIDDEN" {
		t.Errorf("an account asks for the status: %v", err)
	}
	carol.token = key.Key
	carol.must("status", &wire.StatusRequest{}, status)
}

// TestShortLinkOverTLS uses the same port with TLS, and a browser's cookie, which is to be sent over TLS alone.
func TestShortLinkOverTLS(t *testing.T) {
	s := newServer(t, t.TempDir())
	s.addUser("alice")
	alice := s.shortLogin("alice")
	pem, err := os.ReadFile(filepath.Join(s.data, "tls-selfsigned.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	alice.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	alice.base = "https://" + s.addr + "/v1/"
	alice.must("devices", &wire.DevicesRequest{}, new(wire.DevicesReply))
	_, cookies, err := alice.grant("cookie")
	if err != nil || len(cookies) != 1 || !cookies[0].Secure {
		t.Errorf("the cookie: %v, %v", cookies, err)
	}
}

func asProblem(err error, p **problem) (ok bool) {
	*p, ok = err.(*problem)
	return ok
}
