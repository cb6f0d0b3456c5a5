package client

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

func notifyBody(previous, version uint64) *wire.Notify {
	return &wire.Notify{
		Previous: previous, Version: version, Key: fmt.Append(nil, version),
		Changes: []*wire.Change{wire.FromChange(hongyan.Change{
			Version: hongyan.Version(version), Setting: &hongyan.Setting{Name: "n"},
		})},
	}
}

func TestFeedNotices(t *testing.T) {
	t.Parallel()
	var f feed
	f.init()
	s, old := new(session), new(session)
	f.notify(s, notifyBody(0, 1))
	if in := f.take(); len(in.notices) != 0 {
		t.Error("nobody takes, and it collects")
	}
	f.setOpen(true)
	f.connect(s)
	f.notify(old, notifyBody(0, 1))
	f.newer(old)
	for v := range uint64(5) { // 0-1, 1-2, … continue each other
		f.notify(s, notifyBody(v, v+1))
	}
	f.notify(s, notifyBody(7, 8)) // a gap
	f.notify(s, &wire.Notify{Version: 9})
	f.notify(s, &wire.Notify{Version: 10, Changes: []*wire.Change{{}}, Key: []byte("k")}) // not understood
	in := f.take()
	if !in.connected || in.session != s || in.newer || len(in.notices) != 4 {
		t.Fatalf("collected %+v", in)
	}
	if n := in.notices[0]; n.Previous != 0 || n.Version != 5 || string(n.Key) != "5" || len(n.Changes) != 5 || n.Changes[4].Version != 5 {
		t.Errorf("five in one are %+v", n)
	}
	if n := in.notices[3]; n.Version != 10 || n.Changes != nil || n.Key != nil {
		t.Errorf("what is not understood is %+v", n)
	}

	for v := range uint64(3 * maxNotices) {
		f.notify(s, notifyBody(2*v, 2*v+1)) // with gaps
	}
	if in := f.take(); !in.newer || len(in.notices) > maxNotices {
		t.Errorf("%d notifications wait, newer %v", len(in.notices), in.newer)
	}
	for v := range uint64(maxNotices + 10) {
		f.notify(s, notifyBody(v, v+1))
	}
	if in := f.take(); in.newer || len(in.notices) != 2 || len(in.notices[0].Changes) != maxNotices {
		t.Errorf("%d notifications wait, newer %v", len(in.notices), in.newer)
	}
	f.notify(s, notifyBody(0, 1))
	f.connect(nil)
	if in := f.take(); len(in.notices) != 0 || !in.connected || in.session != nil {
		t.Errorf("what came by the last connection is not void: %+v", in)
	}
}

func TestFeedEvents(t *testing.T) {
	t.Parallel()
	var f feed
	f.init()
	f.setOpen(true)
	f.tell(LinkEvent{})
	for i := range maxSoftEvents + 5 {
		f.tell(OutboxEvent{OutboxItem{QueuedMS: int64(i)}})
	}
	f.tell(LinkEvent{Link{Online: true}})
	in := f.take()
	if len(in.soft) != maxSoftEvents || in.soft[0].(OutboxEvent).Item.QueuedMS != 6 {
		t.Errorf("%d events wait, the first is %+v", len(in.soft), in.soft[0])
	}
	if e, ok := in.soft[len(in.soft)-1].(LinkEvent); !ok || !e.Link.Online {
		t.Errorf("the last event is %+v", in.soft[len(in.soft)-1])
	}
}

// TestReplyTimeout: a connection on which a request is not answered in time is given up.
func TestReplyTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := script(t, nil)
		go io.Copy(io.Discard, s.peer)
		began := time.Now()
		err := (&session{conn: s.conn}).do(t.Context(), wire.OpAck, nil, new(wire.AckReply))
		if err != errNoReply || !errors.Is(s.conn.Err(), errNoReply) || time.Since(began) != ReplyTimeout {
			t.Errorf("got %v after %v, the connection: %v", err, time.Since(began), s.conn.Err())
		}
	})
}
