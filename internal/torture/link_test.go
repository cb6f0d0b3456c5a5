package torture

import (
	"net"
	"path/filepath"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// chatterbox is a server that lets everybody in, answers a Sync with nothing, answers nothing else, and pushes without a
// pause.
func chatterbox(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { chatter(c) })
		}
	})
	return l.Addr().String()
}

func chatter(c net.Conn) {
	defer c.Close()
	write := func(op wire.Op, seq uint32, body proto.Message) bool {
		b, err := wire.Append(nil, op, seq, body)
		if err == nil {
			_, err = c.Write(b)
		}
		return err == nil
	}
	var frames wire.Decoder
	frames.SetLimit(wire.MaxFrame)
	for buf := make([]byte, 4096); ; {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		frames.Feed(buf[:n])
		for {
			f, ok, err := frames.Next()
			if err != nil {
				return
			}
			if !ok {
				break
			}
			switch f.Op {
			case wire.OpAuth:
				write(f.Op.Reply(), f.Seq, new(wire.AuthReply))
				go func() {
					for write(wire.OpNotify, 0, &wire.Notify{Version: 1, Changes: []*wire.Change{{Version: 1}}}) {
					}
				}()
			case wire.OpSync:
				write(f.Op.Reply(), f.Seq, new(wire.SyncReply))
			}
		}
	}
}

// TestEndAmongPushes ends a device while the server goes on to tell it things: nothing of that may reach its record any
// more, which is closed by then.
func TestEndAmongPushes(t *testing.T) {
	t.Parallel()
	p := &plan{Server: chatterbox(t), Rate: 1}
	for i := range 5 {
		d := &device{User: ann, Device: hongyan.DeviceID(i + 1), Way: linkTCP, Record: filepath.Join(t.TempDir(), "record.jsonl")}
		l, err := newLean(p, d)
		if err != nil {
			t.Fatal(err)
		}
		w := &worker{plan: p, calm: make(chan struct{}), hold: make(chan struct{})}
		shut(w.calm)
		shut(w.hold)
		if err := w.liveLean(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
}
