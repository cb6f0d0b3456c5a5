package torture

import (
	"bufio"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

const (
	pullLimit = 500
	maxWait   = 5 * time.Second  // of a held Sync
	idlePull  = 2 * time.Second  // a link asks so often whether there is something new that nobody told it of
	silence   = 25 * time.Second // after which a stream is dead: the server lets itself be heard every 20 s
	maxEvent  = 8 << 20          // bytes of one server-sent event
)

// lean is a device without the SDK. Its record is its store: what an entry of it says was received is stored, and when
// the process comes back after a kill it goes on from there.
type lean struct {
	*actor
	net  asker
	news chan struct{} // holds a token when there may be something new

	state sync.Mutex // held while a page is asked for and stored
	key   []byte
	at    hongyan.Version // what the key stands for
	token []byte          // of the backfill
}

func newLean(p *plan, d *device) (*lean, error) {
	l := &lean{news: make(chan struct{}, 1)}
	var entries []entry
	var err error
	if l.actor, entries, err = newActor(p, d); err != nil {
		return nil, err
	}
	if d.Way == poll || d.Way == stream {
		l.net = newShort(p.Server, d)
	} else {
		l.net = newLink(p.Server, d, l.notified, l.hint)
	}
	l.actor.ask = l.net.ask
	l.actor.deliver = l.transmit
	for i := range entries {
		if err := l.replay(&entries[i]); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// replay takes over what an earlier life of the process has stored.
func (l *lean) replay(e *entry) error {
	switch {
	case e.What == page:
		b := new(wire.SyncReply)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		l.take(b)
	case e.What == older:
		b := new(wire.BackfillReply)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		l.takeOlder(b)
	case e.What == pushed && e.Stored:
		b := new(wire.Notify)
		if err := wire.Unmarshal(e.Body, b); err != nil {
			return err
		}
		l.key, l.at = b.Key, hongyan.Version(b.Version)
		l.see(b.Changes)
	default:
		l.actor.replay(e)
	}
	return nil
}

func (l *lean) take(b *wire.SyncReply) {
	l.key, l.at = b.Key, hongyan.Version(b.Version)
	if b.Reset_ != nil {
		l.token = b.Reset_.Backfill
	}
	l.see(b.Changes)
}

func (l *lean) takeOlder(b *wire.BackfillReply) {
	l.token = b.Token
	l.see(b.Changes)
}

func (l *lean) hint() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// notified takes a notification: its changes, if they are the next ones, or else as a hint.
func (l *lean) notified(n *wire.Notify) {
	if !l.state.TryLock() {
		l.hint() // a pull is under way, and may have been asked before
		return
	}
	defer l.state.Unlock()
	next := len(n.Changes) > 0 && hongyan.Version(n.Previous) == l.at && len(l.key) > 0 && hongyan.Version(n.Version) > l.at
	if len(n.Changes) > 0 {
		l.rec.add(entry{What: pushed, Stored: next}, n)
	}
	if next {
		l.key, l.at = n.Key, hongyan.Version(n.Version)
		l.see(n.Changes)
		return
	}
	l.hint()
}

// pull asks once for what is newer, and stores it. It reports whether there is more. One asks at a time.
func (l *lean) pull(ctx context.Context, wait time.Duration) (more bool, err error) {
	l.state.Lock()
	defer l.state.Unlock()
	if len(l.token) > 0 {
		asked, b := monotonic(), new(wire.BackfillReply)
		if err := l.net.ask(ctx, wire.OpBackfill, &wire.BackfillRequest{Token: l.token, Limit: 200}, b); err != nil {
			return false, err
		}
		l.rec.add(entry{What: older, Asked: asked}, b)
		l.takeOlder(b)
		return true, nil
	}
	asked, b := monotonic(), new(wire.SyncReply)
	request := &wire.SyncRequest{Key: l.key, Limit: pullLimit, WaitMs: uint32(wait / time.Millisecond)}
	if err := l.net.ask(ctx, wire.OpSync, request, b); err != nil {
		return false, err
	}
	l.store(asked, b)
	return b.More || len(l.token) > 0, nil
}

// store records a page, unless it brings nothing.
func (l *lean) store(asked int64, b *wire.SyncReply) {
	l.rec.add(entry{What: page, Asked: asked}, b)
	l.take(b)
}

// catchUp pulls until there is nothing more.
func (l *lean) catchUp(ctx context.Context) error {
	for {
		if more, err := l.pull(ctx, 0); !more || err != nil {
			return err
		}
	}
}

// follow keeps the device up to date until the context ends.
func (l *lean) follow(ctx context.Context) {
	for ctx.Err() == nil {
		var err error
		switch l.Way {
		case poll:
			_, err = l.pull(ctx, maxWait)
		case stream:
			if err = l.catchUp(ctx); err == nil {
				err = l.listen(ctx)
			}
		default:
			if err = l.catchUp(ctx); err == nil {
				l.await(ctx)
			}
		}
		l.trouble(err)
		if err != nil {
			rest(ctx, redialRest)
		}
	}
}

// await waits for a hint, or for as long as one may be lost.
func (l *lean) await(ctx context.Context) {
	timer := time.NewTimer(idlePull)
	defer timer.Stop()
	select {
	case <-l.news:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// listen reads a stream of events until it ends, and acknowledges what it has stored.
func (l *lean) listen(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(silence, func() { cancel(errNoReply) })
	defer watch.Stop()
	asked := monotonic()
	l.state.Lock()
	key := l.key
	l.state.Unlock()
	answer, err := l.net.(*short).request(ctx, http.MethodGet, "events?key="+url.QueryEscape(base64.StdEncoding.EncodeToString(key)), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, maxEvent)
	name := ""
	for lines.Scan() {
		watch.Reset(silence)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "event":
			name = value
		case field == "data" && name == "":
			b := new(wire.SyncReply)
			if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(value), b); err != nil {
				return err
			}
			// What a stream shows was asked for when it was opened, and says nothing of what has come since: it may be slow.
			l.state.Lock()
			l.rec.add(entry{What: page, Asked: asked, Backfilled: false}, b)
			l.take(b)
			l.state.Unlock()
			if err := l.net.ask(ctx, wire.OpAck, &wire.AckRequest{Key: b.Key}, new(wire.AckReply)); err != nil {
				return err
			}
			if len(l.token) > 0 {
				return nil // to fetch what a reset has left out
			}
		case field == "data":
			return hongyan.Errorf(hongyan.Unavailable, "the stream was ended: %s", value)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return lines.Err()
}
