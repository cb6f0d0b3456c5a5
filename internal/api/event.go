package api

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// Limits of event streams.
const (
	MaxStreams          = 10_000
	MaxStreamsOfAccount = 16
	MaxSignals          = 16                     // that wait for a stream to be written; more are dropped
	streamBeat          = 20 * time.Second       // between two signs of life
	streamPause         = 500 * time.Millisecond // before it looks again, where it was woken for nothing
	streamRetry         = 2 * time.Second        // after which a browser is to come back, if nobody says otherwise
)

// streams are the open ones.
type streams struct {
	mu  sync.Mutex
	all int
	of  map[hongyan.UserID][]chan struct{} // oldest first; closing one ends its stream
}

// enter makes room for a stream, and returns what is closed when a newer one needs that room. A network that drops
// connections without a word leaves streams behind that nobody reads any more, so it is the oldest that has to go.
func (s *streams) enter(u hongyan.UserID) (replaced chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= MaxStreams {
		return nil, hongyan.Errorf(hongyan.Busy, "%d streams are open, which is the limit", MaxStreams).
			WithHint("come back later, or ask by Sync").WithRetryAfter(busyRetry)
	}
	list := s.of[u]
	if len(list) >= MaxStreamsOfAccount {
		close(list[0])
		list = slices.Delete(list, 0, 1)
	}
	replaced = make(chan struct{})
	s.of[u] = append(list, replaced)
	s.all++
	return replaced, nil
}

func (s *streams) leave(u hongyan.UserID, replaced chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	list := slices.DeleteFunc(s.of[u], func(c chan struct{}) bool { return c == replaced })
	if s.of[u] = list; len(list) == 0 {
		delete(s.of, u)
	}
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// errReplaced ends a stream that has been replaced. Whoever reads it all the same is not to come back at once: the streams
// of an account would replace each other in turns.
var errReplaced = hongyan.Errorf(hongyan.Busy, "the account has opened %d newer streams", MaxStreamsOfAccount).
	WithHint("keep fewer at a time").WithRetryAfter(time.Minute)

// events streams the account's changes: each event is a page of Sync, and its id the key after it. The next page is asked
// for when the connection has taken the one before, so a client that reads slowly is behind, and nothing waits for it
// here. To resume is not to acknowledge: that is a request of its own.
func (x *exchange) events() {
	key, err := resumeKey(x.r)
	if err == nil {
		err = x.authenticateStream()
	}
	if err == nil {
		if x.replaced, err = x.api.streams.enter(x.caller.User); err == nil {
			defer x.api.streams.leave(x.caller.User, x.replaced)
		}
	}
	var page *wire.SyncReply
	if err == nil {
		page, err = x.pull(key, 0) // what is wrong with the key is better said by a status than in a stream
	}
	if errors.Is(err, errGone) {
		return
	}
	if err != nil {
		x.refuse(err)
		return
	}
	h := x.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // for nginx, which would keep the events
	x.api.metrics.answered("OK")
	x.signals = make(chan *wire.Signal, MaxSignals)
	defer x.api.desk.Listen(x.caller.User, func(s *wire.Signal) {
		select {
		case x.signals <- s:
		default:
		}
	})()
	if x.event(append(appendRetry(nil, streamRetry.Milliseconds()), '\n')) == nil {
		x.stream(page)
	}
}

// stream writes pages, beginning with one that was pulled, until either side ends it.
func (x *exchange) stream(page *wire.SyncReply) {
	for {
		event, err := encodeEvent(page)
		if err == nil && x.event(event) != nil {
			return
		}
		began := time.Now()
		if err == nil {
			page, err = x.pull(page.Key, streamBeat)
		}
		if err == nil && emptyPage(page) && time.Since(began) < streamBeat/2 {
			err = x.pause()
		}
		if errors.Is(err, errGone) {
			return
		}
		if err != nil {
			x.farewell(err)
			return
		}
	}
}

// encodeEvent writes a page as an event (HTML Standard §9.2.6), or as a comment if it brings nothing.
func encodeEvent(page *wire.SyncReply) ([]byte, error) {
	if emptyPage(page) {
		return []byte(":\n\n"), nil
	}
	b := base64.StdEncoding.AppendEncode([]byte("id: "), page.Key)
	b = append(b, "\ndata: "...)
	b, err := protojson.MarshalOptions{}.MarshalAppend(b, page) // which has no line ends
	return append(b, "\n\n"...), err
}

// signal writes something of the moment. It has no id: what is to be resumed is the log alone.
func (x *exchange) signal(s *wire.Signal) error {
	b, err := protojson.MarshalOptions{}.MarshalAppend([]byte("event: signal\ndata: "), s)
	if err != nil {
		return err
	}
	return x.event(append(b, "\n\n"...))
}

// appendRetry writes when a browser is to come back.
func appendRetry(b []byte, ms int64) []byte {
	return append(strconv.AppendInt(append(b, "retry: "...), ms, 10), '\n')
}

// farewell tells a client why its stream ends.
func (x *exchange) farewell(err error) {
	p := newProblem(err, x.id)
	if p.Status == http.StatusInternalServerError {
		x.api.log.Error("stream failed", "request_id", x.id, "error", err)
	}
	b := append([]byte("event: problem\ndata: "), p.encode()...)
	b = append(b, '\n')
	if p.RetryAfterMS > 0 {
		b = appendRetry(b, p.RetryAfterMS)
	}
	_ = x.event(append(b, '\n'))
}

// event writes text and has it sent. It returns when the connection has taken it.
func (x *exchange) event(text []byte) error {
	if _, err := x.w.Write(text); err != nil {
		return err
	}
	return http.NewResponseController(x.w).Flush()
}

// pause keeps a stream that was woken for nothing from asking as fast as it can.
func (x *exchange) pause() error {
	t := time.NewTimer(streamPause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-x.replaced:
		return errReplaced
	case <-x.r.Context().Done():
		return errGone
	}
}

// pull asks for the page after key. Who the stream is for is looked up anew each time: a device may have ended.
func (x *exchange) pull(key []byte, wait time.Duration) (*wire.SyncReply, error) {
	if _, err := x.identify(x.token); err != nil {
		return nil, err
	}
	body, err := proto.Marshal(&wire.SyncRequest{Key: key, WaitMs: uint32(wait.Milliseconds())})
	if err != nil {
		return nil, err
	}
	// A Sync acknowledges the key it is asked with, for the device that asks. This one asks for none.
	c := x.caller
	c.Device = 0
	r, err := x.ask(Request{Op: wire.OpSync, Caller: c, Token: x.token, Body: body})
	if err != nil {
		return nil, err
	}
	return r.Body.(*wire.SyncReply), nil
}

// resumeKey is the key after which a stream begins: that of the last event that a browser has seen, or else the one of
// its address.
func resumeKey(r *http.Request) ([]byte, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("key")
	}
	return parseKey(text)
}
