package chat

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	accounts "github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/chat/shardtest"
)

// world is a shard with the services on it, and the devices of some people.
type world struct {
	*shardtest.Shard
	t        testing.TB
	chat     *Service
	accounts *accounts.Service
	clientID uint64
}

// newWorld makes a world without people. The zero Config stands for a recall window of two minutes.
func newWorld(t testing.TB, c Config) *world {
	t.Helper()
	if c.RecallWindow == 0 {
		c.RecallWindow = 2 * time.Minute
	}
	s := shardtest.New(t)
	keys, err := auth.NewKeyRing(s.Random)
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		Shard: s, t: t, chat: New(s.Shard, c, s.Random),
		accounts: accounts.New(s.Shard, accounts.Config{
			MaxDevices: 8, Keys: keys, Random: s.Random, Now: s.Now,
			Ended: func(hongyan.UserID, hongyan.DeviceID, uint32, accounts.EndReason) {},
		}),
	}
}

// people makes accounts with one device each.
func (w *world) people(names ...string) []*device {
	w.t.Helper()
	for _, name := range names {
		w.accounts.Create(name, "", "", func(_ accounts.Record, err error) { must(w.t, err) })
	}
	w.Rest()
	return w.devices(names...)
}

func (w *world) pair(a, b string) (*device, *device) {
	w.t.Helper()
	p := w.people(a, b)
	return p[0], p[1]
}

// device makes a further device of an account.
func (w *world) device(name string) *device { w.t.Helper(); return w.devices(name)[0] }

func (w *world) devices(names ...string) []*device {
	w.t.Helper()
	var list []*device
	for _, name := range names {
		w.accounts.Mint(name, accounts.NewDevice{Class: hongyan.ClassBot}, func(id accounts.Identity, err error) {
			must(w.t, err)
			list = append(list, newDevice(w, name, Caller{id.User, id.Device}))
		})
	}
	w.Rest()
	return list
}

// disable is what an operator does to an account.
func (w *world) disable(name string, disabled bool) {
	w.t.Helper()
	_, err := shardtest.Ask(w.Shard, func(done func(accounts.Record, error)) {
		w.accounts.Set(name, accounts.Settings{Disabled: &disabled}, done)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newClientID() hongyan.ClientID {
	w.clientID++
	var id hongyan.ClientID
	binary.BigEndian.PutUint64(id[8:], w.clientID)
	return id
}

// text is a new message to be sent.
func (w *world) text(c hongyan.ConversationID, text string) Draft {
	return Draft{
		Conversation: c, ClientID: w.newClientID(), FirstAttemptMS: w.Now().UnixMilli(), Content: hongyan.Text(text),
	}
}

// befriend makes two people contacts.
func (w *world) befriend(a, b *device) {
	w.t.Helper()
	must(w.t, a.ask(b))
	must(w.t, b.answer(a, true))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode checks how something was refused; 0 is not at all.
func wantCode(t testing.TB, err error, want hongyan.Code) {
	t.Helper()
	if got := hongyan.CodeOf(err); got != want {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}
