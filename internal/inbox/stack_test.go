package inbox_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/kv/pebblekv"
	"github.com/hongyan-im/hongyan/internal/store"
)

// people are the accounts of a stack, by id from 1. Each has device 1.
const people = 4

// crowd is the group that all of them are in.
const crowd hongyan.GroupID = 9

// stack is the server from the rules of conversations down to the disk.
type stack struct {
	kv     *pebblekv.Store
	writer *inbox.Writer // nil where every command is a round of its own, at once
	engine *inbox.Engine
	shard  *inbox.Shard
	chat   *chat.Service
	failed chan error
}

// openStack opens the store on a disk, or makes it, and starts a writer if there is to be one.
func openStack(fs vfs.FS, writer bool) (*stack, error) {
	s := &stack{failed: make(chan error, 2)}
	var err error
	if s.kv, err = pebblekv.Open("db", pebblekv.Options{FS: fs, CacheSize: 4 << 20}); err != nil {
		return nil, err
	}
	records, err := store.Open(s.kv, rand.Reader)
	if err == nil {
		s.engine, err = inbox.Open(records, 0, nil)
	}
	if err != nil {
		return nil, errors.Join(err, s.kv.Close())
	}
	submit := func(c inbox.Command) error {
		r, _, err := s.engine.Commit(time.Now().UnixMilli(), []inbox.Command{c})
		if err == nil {
			s.engine.Settle(r, r.Wait())
		}
		return nil
	}
	if writer {
		s.writer = inbox.NewWriter(s.engine, time.Now, func(err error) { s.failed <- err })
		submit = s.writer.Submit
	}
	s.shard = inbox.NewShard(s.engine, submit, inbox.RunHere)
	s.chat = chat.New(s.shard, chat.Config{RecallWindow: time.Hour}, rand.Reader)
	return s, nil
}

func mustOpen(t testing.TB, fs vfs.FS, writer bool) *stack {
	t.Helper()
	s, err := openStack(fs, writer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stack) close() error {
	if s.writer != nil {
		s.writer.Close()
	}
	return s.kv.Close()
}

// reads returns an engine over what the disk holds, copied to memory, where a look costs nothing.
func (s *stack) reads(t testing.TB) *inbox.Engine {
	t.Helper()
	var b kv.Batch
	it := s.kv.Scan(nil, nil, false)
	for it.Next() {
		b.Set(bytes.Clone(it.Key()), bytes.Clone(it.Value()))
	}
	memory := kv.NewMemory()
	_, err := memory.Apply(&b)
	if err = errors.Join(err, it.Close()); err != nil {
		t.Fatal(err)
	}
	records, err := store.Open(memory, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := inbox.Open(records, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// ask waits for the answer of a request.
func ask[R any](start func(done func(R, error))) (R, error) {
	type outcome struct {
		result R
		err    error
	}
	answered := make(chan outcome, 1)
	start(func(r R, err error) { answered <- outcome{r, err} })
	o := <-answered
	return o.result, o.err
}

// settle makes the accounts and the group.
func (s *stack) settle() error {
	_, err := ask(func(done func(struct{}, error)) {
		inbox.Change(s.shard, func(tx *inbox.Tx) (struct{}, error) {
			group := store.Group{Owner: 1, Policy: hongyan.JoinByInvitation}
			for u := hongyan.UserID(1); u <= people; u++ {
				store.Accounts.Put(tx.Tx, u, &store.Account{Name: fmt.Sprint("user", u), Groups: 1})
				store.DeviceLists.Put(tx.Tx, u, &store.Devices{List: []store.Device{{ID: 1}}})
				store.Views.Put(tx.Tx, store.Part{User: u, Conversation: hongyan.GroupConversation(crowd)}, &store.ConversationView{})
				group.Members = append(group.Members, store.Member{User: u, Role: hongyan.RoleMember})
			}
			store.Groups.Put(tx.Tx, crowd, &group)
			return struct{}{}, nil
		}, done)
	})
	return err
}

// send is a message on its way, with what came of it.
type send struct {
	from  hongyan.UserID
	draft chat.Draft
	sent  chat.Sent // when it was acknowledged
}

func (s *stack) send(m *send) (chat.Sent, error) {
	return ask(func(done func(chat.Sent, error)) {
		s.chat.Send(chat.Caller{User: m.from, Device: 1}, m.draft, done)
	})
}

// newSend makes up a message.
func newSend(r *mrand.Rand, from hongyan.UserID) *send {
	c := hongyan.GroupConversation(crowd)
	if r.IntN(4) > 0 {
		c = hongyan.Direct(from, 1+hongyan.UserID(r.IntN(people)))
	}
	m := &send{from: from, draft: chat.Draft{Conversation: c, FirstAttemptMS: time.Now().UnixMilli()}}
	binary.BigEndian.PutUint64(m.draft.ClientID[:], r.Uint64())
	binary.BigEndian.PutUint64(m.draft.ClientID[8:], r.Uint64())
	m.draft.Content = hongyan.Text(fmt.Sprintf("%x %0*d", m.draft.ClientID, 1+r.IntN(300), 0))
	return m
}

// ledger is what the clients know: what they have sent, what of it was acknowledged, and how far their devices have come.
type ledger struct {
	mu    sync.Mutex
	acked []*send
	tried []*send // all of them
	heads [people + 1]hongyan.SyncKey
}

// mark is a ledger as it was at one moment.
type mark struct {
	acked, tried []*send
	heads        [people + 1]hongyan.SyncKey
}

func (l *ledger) mark() mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return mark{l.acked[:len(l.acked):len(l.acked)], l.tried[:len(l.tried):len(l.tried)], l.heads}
}

func (l *ledger) try(m *send) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tried = append(l.tried, m)
}

func (l *ledger) ack(m *send) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, m)
}

// sender sends until stop is closed or a send fails, and returns why. Now and then it repeats what was acknowledged, or
// sends the same twice at a time, as impatient clients do: the outcome must be the same.
func (s *stack) sender(l *ledger, r *mrand.Rand, from hongyan.UserID, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		m := newSend(r, from)
		l.try(m)
		var twin chan chat.Sent
		if r.IntN(8) == 0 {
			twin = make(chan chat.Sent, 1)
			s.chat.Send(chat.Caller{User: from, Device: 1}, m.draft, func(sent chat.Sent, err error) {
				if err == nil {
					twin <- sent
				}
				close(twin)
			})
		}
		sent, err := s.send(m)
		if twin != nil {
			if other, ok := <-twin; ok && err == nil && other != sent {
				return fmt.Errorf("two attempts at once led to %+v and %+v", other, sent)
			}
		}
		if err != nil {
			return err
		}
		m.sent = sent
		l.ack(m)
		if r.IntN(8) == 0 {
			if again, err := s.send(m); err != nil || again != sent {
				if err == nil {
					err = fmt.Errorf("a retry led to %+v after %+v", again, sent)
				}
				return err
			}
		}
	}
}

// reader pulls the log of u until stop is closed or a pull fails, and returns why.
func (s *stack) reader(l *ledger, u hongyan.UserID, stop <-chan struct{}) error {
	key := hongyan.KeyAt(s.engine.Generation(), u, 0)
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		page, err := ask(func(done func(inbox.Page, error)) {
			inbox.Look(s.shard, u, func(r *inbox.Read) (inbox.Page, error) { return r.Pull(u, key, nil, 50) }, done)
		})
		if err != nil {
			return err
		}
		if page.Reset != inbox.NoReset {
			return fmt.Errorf("reset for the reason %d", page.Reset)
		}
		key = page.Key
		l.mu.Lock()
		l.heads[u] = key
		l.mu.Unlock()
		if len(page.Entries) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
}
