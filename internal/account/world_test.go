package account

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// world is a shard with the service of accounts on it.
type world struct {
	*shardtest.Shard
	t        *testing.T
	accounts *Service
	ended    []string // "name device epoch reason" of what Ended was told, in order
	busy     bool     // jobs that take their time are refused
	held     bool     // and these are kept until release
	jobs     []func(context.Context)
}

// at is where somebody logs in from.
func at(addr string) Peer {
	ip := netip.MustParseAddr(addr)
	return Peer{Addr: ip, Loopback: ip.IsLoopback()}
}

var home, office, loopback = at("192.0.2.1"), at("198.51.100.7"), at("127.0.0.1")

func phone(name string) NewDevice { return NewDevice{Name: name, Class: hongyan.ClassPhone} }

// newWorld makes a world in which anybody may register, but for what change says.
func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{Shard: shardtest.New(t), t: t}
	hasher, err := auth.NewHasher(auth.Params{Memory: 8, Time: 1, Threads: 1}, 1, 8)
	must(t, err)
	keys, err := auth.NewKeyRing(w.Random)
	must(t, err)
	c := Config{
		Registration: Open, MaxDevices: 4, Hasher: hasher, Keys: keys, Random: w.Random, Now: w.Now, Slow: w.slow,
		Ended: func(u hongyan.UserID, d hongyan.DeviceID, epoch uint32, why EndReason) {
			name := []string{"logged out", "kicked", "replaced", "revoked"}[why]
			w.ended = append(w.ended, fmt.Sprintf("%d/%d/%d %s", u, d, epoch, name))
		},
	}
	if change != nil {
		change(&c)
	}
	w.accounts = New(w.Shard.Shard, c)
	return w
}

func (w *world) slow(job func(context.Context)) error {
	switch {
	case w.busy:
		return hongyan.Errorf(hongyan.Busy, "too many")
	case w.held:
		w.jobs = append(w.jobs, job)
	default:
		job(context.Background())
	}
	return nil
}

// release runs what was held.
func (w *world) release() {
	for len(w.jobs) > 0 {
		job := w.jobs[0]
		w.jobs = w.jobs[1:]
		job(context.Background())
		w.Rest()
	}
}

func end(id Identity, why string) string {
	return fmt.Sprintf("%d/%d/%d %s", id.User, id.Device, id.Epoch, why)
}

func ask[R any](w *world, start func(done func(R, error))) (R, error) {
	w.t.Helper()
	return shardtest.Ask(w.Shard, start)
}

func (w *world) register(p Peer, n NewAccount) (Identity, error) {
	w.t.Helper()
	return ask(w, func(done func(Identity, error)) { w.accounts.Register(p, n, done) })
}

// account registers somebody whose password is the name and "-secret".
func (w *world) account(name string) Identity {
	w.t.Helper()
	id, err := w.register(home, NewAccount{Name: name, Password: name + "-secret", Device: phone("first")})
	must(w.t, err)
	return id
}

func (w *world) login(p Peer, c Credentials) (Identity, error) {
	w.t.Helper()
	return ask(w, func(done func(Identity, error)) { w.accounts.Login(p, c, done) })
}

// logsIn logs a further device of an account in, by the right password.
func (w *world) logsIn(name string, d NewDevice, token string) Identity {
	w.t.Helper()
	id, err := w.login(home, Credentials{Name: name, Password: name + "-secret", Device: d, DeviceToken: token})
	must(w.t, err)
	return id
}

func (w *world) auth(token string) (Identity, error) {
	w.t.Helper()
	return ask(w, func(done func(Identity, error)) { w.accounts.Authenticate(home, token, done) })
}

func (w *world) devices(u hongyan.UserID) []hongyan.Device {
	w.t.Helper()
	d, err := ask(w, func(done func(hongyan.Devices, error)) { w.accounts.Devices(u, done) })
	must(w.t, err)
	return d.List
}

func (w *world) setPassword(id Identity, old, new string) error {
	w.t.Helper()
	return shardtest.Try(w.Shard, func(done func(error)) { w.accounts.SetPassword(home, id.User, id.Device, old, new, done) })
}

func (w *world) create(name, password, display string) (Record, error) {
	w.t.Helper()
	return ask(w, func(done func(Record, error)) { w.accounts.Create(name, password, display, done) })
}

func (w *world) set(name string, s Settings) (Record, error) {
	w.t.Helper()
	return ask(w, func(done func(Record, error)) { w.accounts.Set(name, s, done) })
}

func (w *world) mint(name string, d NewDevice) (Identity, error) {
	w.t.Helper()
	return ask(w, func(done func(Identity, error)) { w.accounts.Mint(name, d, done) })
}

func (w *world) invite(uses, days uint32) (string, error) {
	w.t.Helper()
	return ask(w, func(done func(string, error)) { w.accounts.Invite(uses, days, done) })
}

// look reads records.
func look[R any](w *world, f func(r store.Reader) (R, error)) R {
	w.t.Helper()
	got, err := ask(w, func(done func(R, error)) {
		inbox.Look(w.Shard.Shard, inbox.Nobody, func(r *inbox.Read) (R, error) { return f(r) }, done)
	})
	must(w.t, err)
	return got
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode checks how something was refused; 0 is not at all.
func wantCode(t testing.TB, what string, err error, want hongyan.Code) {
	t.Helper()
	if got := hongyan.CodeOf(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, got, err, want)
	}
}

const day = 24 * time.Hour
