package webwx

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/api"
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

// world is an adapter over a desk with real services, behind a real HTTP server.
type world struct {
	tb     testing.TB
	server *Server
	desk   *operation.Desk
	config Config
	http   *httptest.Server
	part   *inbox.Shard
	peer   atomic.Pointer[api.Peer] // who sends the requests
	now    atomic.Int64             // nanoseconds that the adapter's clock is ahead
}

func newWorld(tb testing.TB) *world {
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
	w := &world{tb: tb}
	w.part = inbox.NewShard(engine, writer.Submit, func(_ hongyan.UserID, job func()) error { go job(); return nil })
	hasher, err := auth.NewHasher(auth.Params{Memory: 8, Time: 1, Threads: 1}, 2, 64)
	check(err)
	keys, err := auth.NewKeyRing(rand.Reader)
	check(err)
	w.desk = &operation.Desk{
		Chat: chat.New(w.part, chat.Config{RecallWindow: time.Minute}, rand.Reader),
		Accounts: account.New(w.part, account.Config{
			Registration: account.Open, MaxDevices: 4, Hasher: hasher, Keys: keys, Random: rand.Reader, Now: time.Now,
			Slow:  func(job func(context.Context)) error { go job(context.Background()); return nil },
			Ended: hub.Ended,
		}),
		Now: time.Now, Hints: &wire.Hints{MaxFrame: wire.MaxFrame}, Pin: func() string { return "" },
		Park: hub.Park, Signal: hub.Signal, Listen: hub.Listen,
		After: func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, f)
			return func() { t.Stop() }
		},
		DemandTLS: hub.DemandTLS, Status: func() *wire.StatusReply { return &wire.StatusReply{Version: "test"} },
	}
	hub.Use(w.desk)
	w.peer.Store(&api.Peer{Secure: true, Peer: account.Peer{Loopback: true}})
	files, err := media.Open(media.Config{
		Dir: filepath.Join(tb.TempDir(), "media"), MaxSize: 20 << 20, Quota: 64 << 20, Shard: w.part, Accepting: engine.Accepting, Now: time.Now,
	})
	check(err)
	reports, err := report.Open(tb.TempDir())
	check(err)
	short, err := api.New(api.Config{
		Desk: w.desk, Peer: func(*http.Request) api.Peer { return *w.peer.Load() }, Reports: reports, Media: files,
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	check(err)
	w.config = Config{
		Start: short.Start, Peer: func(*http.Request) api.Peer { return *w.peer.Load() }, Media: files, Setting: w.desk.Chat.Setting,
		Generation: engine.Generation(), Secret: [SecretSize]byte{1, 2, 3},
		Now:   func() time.Time { return time.Now().Add(time.Duration(w.now.Load())) },
		Clock: w.desk.Chat.Clock,
		Log:   slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	}
	w.server, err = New(w.config)
	check(err)
	w.http = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.server.ServeHTTP(rw, r) }))
	tb.Cleanup(func() {
		short.Drain(func() time.Duration { return 0 })
		w.http.CloseClientConnections()
		w.http.Close()
		w.server.Close()
		writer.Close()
		check(reports.Close())
		check(memory.Close())
	})
	return w
}

// restart is what a new start of the process is to the adapter: everything in memory is gone.
func (w *world) restart() {
	w.tb.Helper()
	w.config.Metrics = nil
	s, err := New(w.config)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.server.Close()
	w.server = s
}

// person is an account with a device of the server's own protocol.
type person struct {
	w      *world
	user   hongyan.UserID
	device hongyan.DeviceID
	token  string
}

// do performs an operation at the desk.
func do[R proto.Message](p *person, op wire.Op, q proto.Message, empty R) (R, error) {
	b, err := proto.Marshal(q)
	if err != nil {
		return empty, err
	}
	type result struct {
		r   operation.Reply
		err error
	}
	got := make(chan result, 1)
	c := operation.Caller{User: p.user, Device: p.device, Secure: true, Peer: account.Peer{Loopback: true}}
	p.w.desk.Do(c, op, b, func(r operation.Reply, err error) { got <- result{r, err} })
	r := <-got
	if reply, ok := r.r.Body.(R); ok {
		return reply, r.err
	}
	return empty, r.err
}

// must is do for what has to succeed.
func must[R proto.Message](p *person, op wire.Op, q proto.Message, empty R) R {
	p.w.tb.Helper()
	r, err := do(p, op, q, empty)
	if err != nil {
		p.w.tb.Fatalf("%s: %v", op, err)
	}
	return r
}

func (w *world) person(name string) *person {
	w.tb.Helper()
	p := &person{w: w}
	r := must(p, wire.OpRegister, &wire.RegisterRequest{
		Name: name, Password: name + "-secret", DisplayName: strings.ToUpper(name),
		Device: wire.FromDevice(hongyan.Device{Name: "phone", Class: hongyan.ClassPhone}),
	}, &wire.LoginReply{})
	p.user, p.device, p.token = hongyan.UserID(r.Session.User), hongyan.DeviceID(r.Session.Device), r.DeviceToken
	return p
}

// send sends a content to a conversation.
func (p *person) send(c hongyan.ConversationID, content hongyan.Content) *wire.SendReply {
	p.w.tb.Helper()
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return must(p, wire.OpSend, &wire.SendRequest{
		Target: &wire.SendToConversation{Conversation: c.String()}, ClientId: id, FirstAttemptMs: time.Now().UnixMilli(),
		Content: wire.FromContent(content),
	}, &wire.SendReply{})
}

// browser is a client of the protocol: nothing but cookies and what it was told.
type browser struct {
	w    *world
	http *http.Client
	sid  string
	skey string
	me   string // its user's name
	key  syncKey
	uuid string
}

func (w *world) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{w: w, http: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: w.http.Client().Transport,
	}}
}

// get makes a GET and returns status and body.
func (b *browser) get(path string, query ...string) (int, string) {
	b.w.tb.Helper()
	return b.request(http.MethodGet, path, "", query...)
}

// request makes a request whose query is given as name, value, name, value.
func (b *browser) request(method, path, body string, query ...string) (int, string) {
	b.w.tb.Helper()
	v := url.Values{}
	for i := 0; i < len(query); i += 2 {
		v.Set(query[i], query[i+1])
	}
	r, err := http.NewRequest(method, b.w.http.URL+path+"?"+v.Encode(), strings.NewReader(body))
	if err != nil {
		b.w.tb.Fatal(err)
	}
	return b.send(r)
}

func (b *browser) send(r *http.Request) (int, string) {
	b.w.tb.Helper()
	a, err := b.http.Do(r)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// post posts a body with a BaseRequest and reads the answer into one; its Ret has to be ret.
func (b *browser) post(endpoint string, ret int, body map[string]any, answer any, query ...string) {
	b.w.tb.Helper()
	if body == nil {
		body = map[string]any{}
	}
	body["BaseRequest"] = map[string]any{"Uin": 1, "Sid": b.sid, "Skey": b.skey, "DeviceID": "e1"}
	raw, err := json.Marshal(body)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	status, text := b.request(http.MethodPost, root+endpoint, string(raw), query...)
	var base done
	if err := json.Unmarshal([]byte(text), &base); err != nil || status != http.StatusOK || base.BaseResponse.Ret != ret {
		b.w.tb.Fatalf("%s: %d %s (%v), want Ret %d", endpoint, status, text, err, ret)
	}
	if answer != nil {
		if err := json.Unmarshal([]byte(text), answer); err != nil {
			b.w.tb.Fatalf("%s: %v", endpoint, err)
		}
	}
}

var (
	uuidPattern     = regexp.MustCompile(`^window\.QRLogin\.code = 200; window\.QRLogin\.uuid = "([A-Za-z0-9_-]+)";$`)
	redirectPattern = regexp.MustCompile(`^window\.code=200;window\.redirect_uri="([^"/]*//[^"?]*\?[^"/]*)";$`)
	pagePattern     = regexp.MustCompile(`^<error><ret>0</ret><message></message><skey>(@crypt_[0-9a-f]{8}_[0-9a-f]{32})</skey>` +
		`<wxsid>([A-Za-z0-9_-]+)</wxsid><wxuin>([0-9]+)</wxuin><pass_ticket>([A-Za-z0-9_-]+)</pass_ticket><isgrayscale>1</isgrayscale></error>$`)
)

// find returns what a pattern captures in a text that has to match it.
func find(tb testing.TB, pattern *regexp.Regexp, text string) []string {
	tb.Helper()
	found := pattern.FindStringSubmatch(text)
	if found == nil {
		tb.Fatalf("%q does not match %s", text, pattern)
	}
	return found
}

// ask begins a login, by the token of a bot if there is one.
func (b *browser) ask(token string) {
	b.w.tb.Helper()
	r, _ := http.NewRequest(http.MethodGet, b.w.http.URL+"/jslogin?appid=x&fun=new", nil)
	if token != "" {
		r.SetBasicAuth("bot", token)
	}
	_, text := b.send(r)
	b.uuid = find(b.w.tb, uuidPattern, text)[1]
}

// enter takes an accepted login up.
func (b *browser) enter() {
	b.w.tb.Helper()
	_, text := b.get(root+"login", "uuid", b.uuid, "tip", "0")
	r, _ := http.NewRequest(http.MethodGet, find(b.w.tb, redirectPattern, text)[1]+"&fun=new", nil)
	status, text := b.send(r)
	if status != http.StatusOK {
		b.w.tb.Fatalf("status %d of the page that was asked for with fun=new", status)
	}
	found := find(b.w.tb, pagePattern, text)
	b.skey, b.sid = found[1], found[2]
	b.init()
}

func (b *browser) init() {
	b.w.tb.Helper()
	var a initAnswer
	b.post("webwxinit", 0, nil, &a)
	b.me, b.key = a.User.UserName, a.SyncKey
}

// login makes a browser of a person, by its token.
func (p *person) login() *browser {
	p.w.tb.Helper()
	b := p.w.browser()
	b.ask(p.token)
	b.enter()
	return b
}

// sync fetches what is newer.
func (b *browser) sync() syncAnswer {
	b.w.tb.Helper()
	var a syncAnswer
	b.post("webwxsync", 0, map[string]any{"SyncKey": b.key}, &a)
	if fmt.Sprint(a.SyncKey) != fmt.Sprint(a.SyncCheckKey) || a.SyncKey.Count != len(a.SyncKey.List) || a.AddMsgCount != len(a.AddMsgList) ||
		a.ModContactCount != len(a.ModContactList) || a.DelContactCount != len(a.DelContactList) {
		b.w.tb.Errorf("the answer contradicts itself: %+v", a)
	}
	b.key = a.SyncKey
	return a
}

// keyText is the key as it stands in addresses.
func keyText(k syncKey) string {
	var items []string
	for _, i := range k.List {
		items = append(items, fmt.Sprintf("%d_%d", i.Key, i.Val))
	}
	return strings.Join(items, "|")
}

// check asks whether there is something new.
func (b *browser) check() string {
	b.w.tb.Helper()
	_, text := b.get(root+"synccheck", "sid", b.sid, "synckey", keyText(b.key))
	return text
}
