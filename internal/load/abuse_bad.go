package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/wire"
)

const (
	deedsEach   = 50              // things that one bad client does in a second, if it is let
	badPatience = 2 * time.Second // for the server to end a connection that it should
	hugeFrame   = 64 << 20
	syncBurst   = 64 // requests at once
)

// deed is one way to misbehave. do does it once over a connection of its own and reports how often it did something, and
// whether the server ended that.
type deed struct {
	kind string
	do   func(ctx context.Context, m *mob) (attempts int, ended bool)
}

// deeds are the ways to misbehave.
var deeds = []deed{
	{"garbage", func(ctx context.Context, m *mob) (int, bool) {
		b := make([]byte, 4096)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		return m.throw(ctx, b)
	}},
	{"huge frames", func(ctx context.Context, m *mob) (int, bool) {
		b := frame(wire.OpHeartbeat, 1, nil)
		binary.BigEndian.PutUint32(b, hugeFrame)
		return m.throw(ctx, b)
	}},
	{"slow heads", func(ctx context.Context, m *mob) (int, bool) {
		return m.drip(ctx, []byte("POST /v1/send HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n"))
	}},
	{"slow frames", func(ctx context.Context, m *mob) (int, bool) {
		return m.drip(ctx, frame(wire.OpAuth, 1, &wire.AuthRequest{Token: "hyd_nothing at all"}))
	}},
	{"wrong tokens", func(ctx context.Context, m *mob) (int, bool) {
		return m.flood(ctx, "", frame(wire.OpAuth, 1, &wire.AuthRequest{Token: "hyd_nothing at all"}), 4, true)
	}},
	{"guessed passwords", func(ctx context.Context, m *mob) (int, bool) {
		guess := &wire.LoginRequest{Name: "alice", Password: "guess-" + string(rune('a'+rand.IntN(26))), Device: &wire.Device{Name: "x"}}
		return m.flood(ctx, "", frame(wire.OpLogin, 1, guess), 4, true)
	}},
	{"syncs from nothing", func(ctx context.Context, m *mob) (int, bool) {
		return m.flood(ctx, m.token, frame(wire.OpSync, 1, &wire.SyncRequest{Limit: 500}), syncBurst, true)
	}},
	{"never reads", func(ctx context.Context, m *mob) (int, bool) {
		return m.flood(ctx, m.token, frame(wire.OpSync, 1, &wire.SyncRequest{Limit: 500}), syncBurst, false)
	}},
	{"comes and goes", func(ctx context.Context, m *mob) (int, bool) {
		c, err := m.dial(ctx)
		if err != nil {
			return 1, true
		}
		c.Close()
		return 1, false
	}},
}

// mob are the bad clients.
type mob struct {
	server string
	token  string // of the account that they share
	work   sync.WaitGroup
	tally  []struct{ attempts, ended atomic.Int64 }
}

// mobOrder is what a process of bad clients is told. Its standard input ends when they have to.
type mobOrder struct {
	Server, Token string
	Bad           int
}

// Mob is the process of the bad clients of an abuse run: it reads its order, lets them do what they like until the input
// ends, and writes what they did. They are elsewhere in life, so they get only the processor time that nobody else wants.
func Mob(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := yieldProcessor(); err != nil {
		return fmt.Errorf("load: mob: %w", err)
	}
	var o mobOrder
	order := json.NewDecoder(in)
	if err := order.Decode(&o); err != nil {
		return fmt.Errorf("load: mob: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &mob{server: o.Server, token: o.Token}
	m.run(ctx, o.Bad)
	_, _ = io.Copy(io.Discard, in)
	cancel()
	m.work.Wait()
	return json.NewEncoder(out).Encode(m.report())
}

// unleash starts the process of the bad clients. What it returns ends them and says what they did.
func (a *abuse) unleash(ctx context.Context) (end func() ([]AbuseDeed, error), err error) {
	c := exec.CommandContext(ctx, a.Mob[0], a.Mob[1:]...)
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out := new(bytes.Buffer)
	c.Stdout, c.Stderr = out, os.Stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	err = json.NewEncoder(in).Encode(mobOrder{a.Server, a.users[a.Good].token, a.Bad})
	return func() (deeds []AbuseDeed, lost error) {
		lost = errors.Join(err, in.Close(), c.Wait())
		if lost == nil {
			lost = json.Unmarshal(out.Bytes(), &deeds)
		}
		return deeds, lost
	}, nil
}

// run starts the bad clients, which go on until ctx ends.
func (m *mob) run(ctx context.Context, bad int) {
	m.tally = make([]struct{ attempts, ended atomic.Int64 }, len(deeds))
	for i := range bad {
		d, tally := deeds[i%len(deeds)], &m.tally[i%len(deeds)]
		m.work.Go(func() {
			pace := time.NewTicker(time.Second / deedsEach)
			defer pace.Stop()
			for ctx.Err() == nil {
				attempts, ended := d.do(ctx, m)
				tally.attempts.Add(int64(attempts))
				if ended && ctx.Err() == nil {
					tally.ended.Add(1)
				}
				select {
				case <-pace.C:
				case <-ctx.Done():
				}
			}
		})
	}
}

// report says what they did.
func (m *mob) report() []AbuseDeed {
	list := make([]AbuseDeed, len(deeds))
	for i, d := range deeds {
		list[i] = AbuseDeed{d.kind, m.tally[i].attempts.Load(), m.tally[i].ended.Load()}
	}
	return list
}

// badConn is a connection that ends with its mob.
type badConn struct {
	net.Conn
	stop func() bool
}

func (c badConn) Close() error {
	c.stop()
	return c.Conn.Close()
}

func (m *mob) dial(ctx context.Context) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", m.server)
	if err != nil {
		return nil, err
	}
	return badConn{c, context.AfterFunc(ctx, func() { c.Close() })}, nil
}

// throw sends some bytes and waits for the server to end the connection.
func (m *mob) throw(ctx context.Context, b []byte) (int, bool) {
	c, err := m.dial(ctx)
	if err != nil {
		return 1, true
	}
	defer c.Close()
	if _, err := c.Write(b); err != nil {
		return 1, true
	}
	return 1, drained(c, badPatience)
}

// drained reads until the connection ends, and reports whether it did in time.
func drained(c net.Conn, patience time.Duration) bool {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return true
	}
	_, err := io.Copy(io.Discard, c)
	timeout, ok := err.(net.Error)
	return !ok || !timeout.Timeout()
}

// drip sends some bytes one after the other, and stays as long as it may.
func (m *mob) drip(ctx context.Context, b []byte) (int, bool) {
	c, err := m.dial(ctx)
	if err != nil {
		return 1, true
	}
	defer c.Close()
	pace := time.NewTicker(time.Second / 4)
	defer pace.Stop()
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return 1, true
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return 1, false
		}
	}
	return 1, false
}

// flood sends the same request again and again, burst at a time, as an account if there is a token. Who does not read
// leaves the answers to the server.
func (m *mob) flood(ctx context.Context, token string, request []byte, burst int, reads bool) (int, bool) {
	c, err := m.dial(ctx)
	if err != nil {
		return 1, true
	}
	defer c.Close()
	over := make(chan struct{})
	if reads {
		go func() {
			defer close(over)
			_, _ = io.Copy(io.Discard, c)
		}()
	}
	var all []byte
	if token != "" {
		all = frame(wire.OpAuth, 1, &wire.AuthRequest{Token: token})
	}
	for range burst {
		all = append(all, request...)
	}
	pace := time.NewTicker(time.Second * time.Duration(burst) / (deedsEach * syncBurst))
	defer pace.Stop()
	attempts := 0
	for {
		if err := c.SetWriteDeadline(time.Now().Add(badPatience)); err != nil {
			return attempts, true
		}
		if _, err := c.Write(all); err != nil {
			timeout, ok := err.(net.Error)
			return attempts, !ok || !timeout.Timeout()
		}
		attempts += burst
		all = all[len(all)-burst*len(request):]
		select {
		case <-pace.C:
		case <-over:
			return attempts, true
		case <-ctx.Done():
			return attempts, false
		}
	}
}
