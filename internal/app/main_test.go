package app

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/wire"
)

// hang bounds everything that a test waits for: far above what it takes, so that only a hang is a failure.
const hang = 2 * time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings are those of a server on a free port and a data directory.
func settings(data string) config.Config {
	c := config.Default()
	c.Data, c.Listen = data, []string{"127.0.0.1:0"}
	c.Storage.Ballast, c.Drain.Spread = 0, 0
	return c
}

// start runs a server on a free port and a data directory until the test ends, or until stop is called.
func start(t *testing.T, data string, change func(*config.Config)) (s *Server, stop func()) {
	t.Helper()
	c := settings(data)
	if change != nil {
		change(&c)
	}
	return startOver(t, openPebble, c)
}

// startOver is start with an engine.
func startOver(t *testing.T, engine func(*Server) (records, error), c config.Config) (s *Server, stop func()) {
	t.Helper()
	s, err := newOver(engine, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// peer is a client as small as one can be: it knows frames and bodies and nothing else.
type peer struct {
	t        *testing.T
	conn     net.Conn
	d        wire.Decoder
	seq      uint32
	notified []*wire.Notify
	closed   *wire.Close
	token    string
	user     hongyan.UserID
}

func dial(t *testing.T, s *Server) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newPeer(t, conn)
}

func newPeer(t *testing.T, conn net.Conn) *peer {
	p := &peer{t: t, conn: conn}
	p.d.SetLimit(wire.MaxFrame)
	return p
}

// read returns the next frame that is not a notification, or an error when the connection ends or is silent too long.
func (p *peer) read() (wire.Frame, error) {
	buf := make([]byte, 64<<10)
	for {
		f, ok, err := p.d.Next()
		if err != nil {
			return f, err
		}
		if !ok {
			p.conn.SetReadDeadline(time.Now().Add(hang))
			n, err := p.conn.Read(buf)
			if err != nil {
				return f, err
			}
			p.d.Feed(buf[:n])
			continue
		}
		switch f.Op {
		case wire.OpNotify:
			n := new(wire.Notify)
			if err := wire.Unmarshal(f.Body, n); err != nil {
				return f, err
			}
			p.notified = append(p.notified, n)
		case wire.OpClose:
			p.closed = new(wire.Close)
			return f, wire.Unmarshal(f.Body, p.closed)
		default:
			return f, nil
		}
	}
}

// ask sends a request and reads its answer.
func (p *peer) ask(op wire.Op, req, reply proto.Message) error {
	p.seq++
	frame, err := wire.Append(nil, op, p.seq, req)
	if err != nil {
		return err
	}
	if _, err := p.conn.Write(frame); err != nil {
		return err
	}
	f, err := p.read()
	switch {
	case err != nil:
		return err
	case f.Seq != p.seq:
		return errors.New("answer to another request")
	case f.Op == wire.OpError:
		body := new(wire.ErrorBody)
		if err := wire.Unmarshal(f.Body, body); err != nil {
			return err
		}
		return wire.ToError(body)
	}
	return wire.Unmarshal(f.Body, reply)
}

func (p *peer) must(op wire.Op, req, reply proto.Message) {
	p.t.Helper()
	if err := p.ask(op, req, reply); err != nil {
		p.t.Fatalf("%s: %v", op, err)
	}
}

// register makes an account and logs the peer in.
func (p *peer) register(name string) *peer {
	p.t.Helper()
	r := new(wire.LoginReply)
	p.must(wire.OpRegister, &wire.RegisterRequest{Name: name, Password: name + "-secret", Device: wire.FromDevice(hongyan.Device{Class: hongyan.ClassCLI})}, r)
	p.token, p.user = r.DeviceToken, hongyan.UserID(r.Session.User)
	return p
}

func (p *peer) auth(token string) *peer {
	p.t.Helper()
	r := new(wire.AuthReply)
	p.must(wire.OpAuth, &wire.AuthRequest{Token: token}, r)
	p.token, p.user = token, hongyan.UserID(r.User)
	return p
}

func clientID() []byte {
	id := make([]byte, 16)
	rand.Read(id)
	return id
}

func text(to, s string) *wire.SendRequest {
	return &wire.SendRequest{
		Target: &wire.SendToName{Name: to}, ClientId: clientID(), FirstAttemptMs: time.Now().UnixMilli(),
		Content: wire.FromContent(hongyan.Text(s)),
	}
}

// messages syncs from nothing and returns the texts of all messages, in order.
func (p *peer) messages() []string {
	p.t.Helper()
	var all []string
	take := func(changes []*wire.Change) {
		for _, c := range changes {
			if m := c.GetMessage(); m != nil {
				all = append(all, m.GetContent().GetText())
			}
		}
	}
	page := new(wire.SyncReply)
	p.must(wire.OpSync, &wire.SyncRequest{}, page)
	if page.GetReset_() == nil {
		p.t.Fatal("the first sync was no reset")
	}
	for token := page.GetReset_().Backfill; len(token) > 0; {
		more := new(wire.BackfillReply)
		p.must(wire.OpBackfill, &wire.BackfillRequest{Token: token}, more)
		take(more.Changes)
		token = more.Token
	}
	for again := true; again; again = page.More {
		key := page.Key
		page = new(wire.SyncReply)
		p.must(wire.OpSync, &wire.SyncRequest{Key: key}, page)
		take(page.Changes)
	}
	return all
}
