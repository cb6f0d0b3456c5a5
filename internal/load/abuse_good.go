package load

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/wire"
)

// talker is a good client: it sends to its pal every now and then, and reads what comes.
type talker struct {
	a     *abuse
	n     int
	to    string // the conversation
	conn  *client.Conn
	pulls chan struct{} // holds a token when there is something to pull

	mu      sync.Mutex
	key     []byte
	at      uint64 // the key's version
	last    time.Time
	longest time.Duration
}

func (a *abuse) newTalker(ctx context.Context, n int) (*talker, error) {
	t := &talker{a: a, n: n, to: hongyan.Direct(a.users[n].user, a.users[n^1].user).String(), pulls: make(chan struct{}, 1)}
	var err error
	if t.conn, err = a.dial(ctx, a.users[n].token, t.notified); err != nil {
		return nil, err
	}
	if err := t.pull(ctx); err != nil {
		t.conn.Close()
		return nil, err
	}
	return t, nil
}

// restart begins to look for the longest gap anew.
func (t *talker) restart() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.longest = time.Now(), 0
}

// gap is the longest time since restart in which nothing that the client sent was acknowledged.
func (t *talker) gap() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.longest, time.Since(t.last))
}

// talk sends and pulls until the context ends.
func (t *talker) talk(ctx context.Context) error {
	var pulling sync.WaitGroup
	defer pulling.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	pulling.Go(func() {
		for {
			select {
			case <-t.pulls:
			case <-ctx.Done():
				return
			}
			if err := t.pull(ctx); err != nil {
				failed <- err
				return
			}
		}
	})
	pace := time.NewTimer(rand.N(t.a.Every)) // not all at once
	defer pace.Stop()
	for {
		select {
		case <-pace.C:
			pace.Reset(t.a.Every)
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
		if err := t.send(ctx); err != nil {
			return err
		}
	}
}

// send sends one message, whose text is the time.
func (t *talker) send(ctx context.Context) error {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], uint64(t.n))
	now := time.Now()
	err := t.conn.Do(ctx, wire.OpSend, &wire.SendRequest{
		Target: &wire.SendToConversation{Conversation: t.to}, ClientId: id[:], FirstAttemptMs: now.UnixMilli(),
		Content: wire.FromContent(hongyan.Text(strconv.FormatInt(now.UnixNano(), 10))),
	}, new(wire.SendReply))
	if err != nil {
		return err
	}
	t.a.sent()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.longest = max(t.longest, time.Since(t.last))
	t.last = time.Now()
	return nil
}

func (t *talker) notified(n *wire.Notify) {
	t.mu.Lock()
	next := len(n.Changes) > 0 && n.Previous == t.at
	if next {
		t.key, t.at = n.Key, n.Version
	}
	t.mu.Unlock()
	if next {
		t.read(n.Changes)
		return
	}
	select {
	case t.pulls <- struct{}{}:
	default:
	}
}

// pull brings what is newer.
func (t *talker) pull(ctx context.Context) error {
	for {
		t.mu.Lock()
		key := t.key
		t.mu.Unlock()
		reply := new(wire.SyncReply)
		if err := t.conn.Do(ctx, wire.OpSync, &wire.SyncRequest{Key: key}, reply); err != nil {
			return err
		}
		t.mu.Lock()
		news := reply.Version > t.at
		if news || t.at == 0 {
			t.key, t.at = reply.Key, reply.Version
		}
		t.mu.Unlock()
		if news {
			t.read(reply.Changes)
		}
		if !reply.More {
			return nil
		}
	}
}

// read counts the other's messages among changes.
func (t *talker) read(changes []*wire.Change) {
	for _, c := range changes {
		m := c.GetMessage()
		if m == nil || hongyan.UserID(m.From) != t.a.users[t.n^1].user {
			continue
		}
		if sent, err := strconv.ParseInt(m.GetContent().GetText(), 10, 64); err == nil {
			t.a.delivered(time.Since(time.Unix(0, sent)))
		}
	}
}
