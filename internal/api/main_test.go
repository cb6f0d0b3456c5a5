package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/api/report"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/media"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/internal/session"
	"github.com/hongyan-im/hongyan/internal/store"
	"github.com/hongyan-im/hongyan/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an API over a desk with real services, behind a real HTTP server.
type world struct {
	tb   testing.TB
	api  *API
	http *httptest.Server
	peer atomic.Pointer[Peer] // who sends the requests
	log  *bytes.Buffer        // of the API; to be read when nothing is under way
}

func newWorld(tb testing.TB, origins ...string) *world {
	tb.Helper()
	return newWorldWith(tb, Config{Origins: origins})
}

// newWorldWith makes a world with what c decides.
func newWorldWith(tb testing.TB, c Config) *world {
	tb.Helper()
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	memory := kv.NewMemory()
	records, err := store.Open(memory, rand.Reader)
	check(err)
	hub := session.NewHub(session.Config{Idle: time.Minute})
	engine, err := inbox.Open(records, 0, hub.Hint)
	check(err)
	writer := inbox.NewWriter(engine, time.Now, func(err error) { tb.Error(err) })
	part := inbox.NewShard(engine, writer.Submit, func(_ hongyan.UserID, job func()) error { go job(); return nil })
	hasher, err := auth.NewHasher(auth.Params{Memory: 8, Time: 1, Threads: 1}, 2, 64)
	check(err)
	keys, err := auth.NewKeyRing(rand.Reader)
	check(err)
	desk := &operation.Desk{
		Chat: chat.New(part, chat.Config{RecallWindow: time.Minute}, rand.Reader),
		Accounts: account.New(part, account.Config{
			Registration: account.Open, MaxDevices: 8, Hasher: hasher, Keys: keys, Random: rand.Reader, Now: time.Now,
			Slow:  func(job func(context.Context)) error { go job(context.Background()); return nil },
			Ended: hub.Ended,
		}),
		Now: time.Now, Hints: &wire.Hints{MaxFrame: wire.MaxFrame}, Pin: func() string { return "" }, Park: hub.Park, Signal: hub.Signal, Listen: hub.Listen,
		After: func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, f)
			return func() { t.Stop() }
		},
		DemandTLS: hub.DemandTLS, Status: func() *wire.StatusReply { return &wire.StatusReply{Version: "test"} },
	}
	hub.Use(desk)
	w := &world{tb: tb, log: new(bytes.Buffer)}
	w.peer.Store(&Peer{Secure: true})
	c.Desk, c.Peer = desk, func(*http.Request) Peer { return *w.peer.Load() }
	c.Reports, err = report.Open(tb.TempDir())
	check(err)
	c.Media, err = media.Open(media.Config{
		Dir: filepath.Join(tb.TempDir(), "media"), MaxSize: 20 << 20, Quota: 64 << 20, Shard: part, Accepting: engine.Accepting, Now: time.Now,
	})
	check(err)
	c.Log, c.Metrics = slog.New(slog.NewTextHandler(w.log, nil)), prometheus.NewRegistry()
	w.api, err = New(c)
	check(err)
	w.http = httptest.NewUnstartedServer(w.api)
	w.http.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew { // so that tests can fill them
			_ = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
		}
	}
	w.http.Start()
	client := w.http.Client().Transport.(*http.Transport)
	client.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return c, err
	}
	tb.Cleanup(func() {
		w.api.Drain(func() time.Duration { return 0 })
		w.http.CloseClientConnections()
		w.http.Close()
		writer.Close()
		check(c.Reports.Close())
		check(memory.Close())
	})
	return w
}

// answer is what came back, its body read.
type answer struct {
	*http.Response
	body []byte
}

// problem is the answer as one, which it has to be.
func (a answer) problem(tb testing.TB) (p problem) {
	tb.Helper()
	if err := json.Unmarshal(a.body, &p); err != nil || a.Header.Get("Content-Type") != problemType {
		tb.Fatalf("%v: no problem: %s %q", err, a.Status, a.body)
	}
	if p.Status != a.StatusCode || p.Code == "" || p.Title == "" || p.Detail == "" || p.Type != "/v1/#"+p.Code ||
		p.RequestID == "" || p.RequestID != a.Header.Get("X-Request-Id") {
		tb.Errorf("%s with the problem %+v", a.Status, p)
	}
	return p
}

// do sends a request whose headers are given as name, value, name, value.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.tb.Helper()
	r, err := http.NewRequest(method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.tb.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	a, err := w.http.Client().Do(r)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		w.tb.Fatal(err)
	}
	return answer{a, text}
}

// device is a device that knows nothing but HTTP.
type device struct {
	*world
	name        string
	token       string // the ticket
	deviceToken string
	user        uint64
}

func (w *world) register(name string) *device {
	w.tb.Helper()
	d := &device{world: w, name: name}
	r := ask(d, wire.OpRegister, &wire.RegisterRequest{
		Name: name, Password: name + "-secret", Device: wire.FromDevice(hongyan.Device{Class: hongyan.ClassWeb}),
	}, new(wire.LoginReply))
	d.token, d.deviceToken, d.user = r.Session.Ticket, r.DeviceToken, r.Session.User
	return d
}

// ask performs an operation that is to succeed, in JSON.
func ask[R proto.Message](d *device, op wire.Op, req proto.Message, reply R) R {
	d.tb.Helper()
	row, _ := wire.Lookup(op)
	body, err := protojson.Marshal(req)
	if err != nil {
		d.tb.Fatal(err)
	}
	a := d.post(wire.Path(row.Name), string(body))
	if a.StatusCode != http.StatusOK {
		d.tb.Fatalf("%s: %s: %s", op, a.Status, a.body)
	}
	if err := protojson.Unmarshal(a.body, reply); err != nil {
		d.tb.Fatal(err)
	}
	return reply
}

// post sends a JSON body in the device's name.
func (d *device) post(path, body string) answer {
	d.tb.Helper()
	headers := []string{"Content-Type", typeJSON}
	if d.token != "" {
		headers = append(headers, "Authorization", "Bearer "+d.token)
	}
	return d.do(http.MethodPost, Prefix+path, body, headers...)
}

// send sends a text to another account.
func (d *device) send(to, text string) *wire.SendReply {
	d.tb.Helper()
	id := make([]byte, 16)
	rand.Read(id)
	return ask(d, wire.OpSend, &wire.SendRequest{
		Target: &wire.SendToName{Name: to}, ClientId: id, FirstAttemptMs: time.Now().UnixMilli(),
		Content: wire.FromContent(hongyan.Text(text)),
	}, new(wire.SendReply))
}

// synced is the key after everything there is.
func (d *device) synced() []byte {
	d.tb.Helper()
	return ask(d, wire.OpSync, &wire.SyncRequest{}, new(wire.SyncReply)).Key
}

// eventually waits for what has to come.
func eventually(tb testing.TB, what string, come func() bool) {
	tb.Helper()
	for begin := time.Now(); !come(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			tb.Fatal(what + " does not come")
		}
	}
}
