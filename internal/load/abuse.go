package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/wire"
)

// Limits of an abuse run.
const (
	MaxGood = 20_000
	MaxBad  = 5_000

	stocked     = 200 // messages of the account that the bad clients use
	stockedSize = 1000
)

// AbuseOptions describe an abuse run: how a Hongyan server serves good clients while bad ones do what they like.
type AbuseOptions struct {
	Server string // host:port, on this machine
	Data   string // the server's data directory, for its operator's socket
	Good   int    // clients that talk in pairs, an even number
	Bad    int    // clients that misbehave, in turn in each of the ways
	// Every is the time between two messages of a good client.
	Every time.Duration
	// Phase is how long each part takes: good clients alone, then with the bad ones, then alone again.
	Phase time.Duration
	// Mob is the command of a process that calls Mob and nothing else.
	Mob []string
}

// AbuseReport says what the good clients had to bear.
type AbuseReport struct {
	Good    int         `json:"good"`
	Bad     int         `json:"bad"`
	Alone   AbusePhase  `json:"alone"`
	Abused  AbusePhase  `json:"abused"`
	After   AbusePhase  `json:"after"`
	Ratio50 float64     `json:"p50_ratio"` // abused to alone
	Ratio99 float64     `json:"p99_ratio"`
	Deeds   []AbuseDeed `json:"deeds"` // of the bad ones
}

// AbusePhase is a part of a run.
type AbusePhase struct {
	Sent      int64   `json:"sent"`
	Delivered int64   `json:"delivered"`
	Latency   Latency `json:"delivery_us"` // from the send to the other's notification
	// LongestGap is the longest time between two acknowledged sends of one client: who is starved has a long one.
	LongestGap float64 `json:"longest_gap_seconds"`
	RSS        int64   `json:"rss_bytes"` // of the server, at most while this went on; 0 if not known
}

// AbuseDeed counts what bad clients of one kind did, and what came of it.
type AbuseDeed struct {
	Kind     string `json:"kind"`
	Attempts int64  `json:"attempts"` // connections, or requests of those that stay
	Ended    int64  `json:"ended"`    // connections that the server ended, or refused
}

func (o *AbuseOptions) check() error {
	switch {
	case o.Good < 2 || o.Good > MaxGood || o.Good%2 != 0:
		return fmt.Errorf("%d good clients are no even number from 2 to %d", o.Good, MaxGood)
	case o.Bad < 0 || o.Bad > MaxBad:
		return fmt.Errorf("%d bad clients are not between 0 and %d", o.Bad, MaxBad)
	case o.Every <= 0 || o.Phase <= 0:
		return errors.New("a duration is not positive")
	}
	return nil
}

// abuse is a run under way.
type abuse struct {
	AbuseOptions
	pids  []int
	users []pal
	good  []*talker

	mu      sync.Mutex
	phase   *AbusePhase
	latency Histogram
}

// pal is an account with a device.
type pal struct {
	user  hongyan.UserID
	token string
}

// Abuse runs good clients beside bad ones. The error is that of a server that cannot be reached, or of a good client that
// lost its connection, or of ctx.
func Abuse(ctx context.Context, o AbuseOptions) (*AbuseReport, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	r, err := (&abuse{AbuseOptions: o}).run(ctx)
	if err != nil {
		return nil, fmt.Errorf("load: abuse: %w", err)
	}
	return r, nil
}

func (a *abuse) run(ctx context.Context) (*AbuseReport, error) {
	if addr, err := netip.ParseAddrPort(a.Server); err == nil {
		a.pids = listeners(addr)
	}
	if err := a.enroll(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var talking sync.WaitGroup
	defer talking.Wait()
	defer cancel(nil)
	r := &AbuseReport{Good: a.Good, Bad: a.Bad}
	for i := range a.Good {
		t, err := a.newTalker(ctx, i)
		if err != nil {
			return nil, err
		}
		defer t.conn.Close()
		a.good = append(a.good, t)
	}
	for _, t := range a.good {
		talking.Go(func() {
			if err := t.talk(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("a good client was sent away: %w", err))
			}
		})
	}
	if err := a.measure(ctx, &r.Alone); err != nil {
		return nil, err
	}
	end, err := a.unleash(ctx)
	if err != nil {
		return nil, err
	}
	err = a.measure(ctx, &r.Abused)
	deeds, lost := end()
	if err = errors.Join(err, lost); err != nil {
		return nil, err
	}
	r.Deeds = deeds
	if err := a.measure(ctx, &r.After); err != nil {
		return nil, err
	}
	r.Ratio50 = ratio(r.Abused.Latency.P50, r.Alone.Latency.P50)
	r.Ratio99 = ratio(r.Abused.Latency.P99, r.Alone.Latency.P99)
	return r, nil
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// enroll makes the accounts: one for each good client, and one that all bad ones use.
func (a *abuse) enroll(ctx context.Context) error {
	c, err := client.Dial(ctx, "unix:"+config.AdminSocket(a.Data), client.DialOptions{})
	if err != nil {
		return err
	}
	defer c.Close()
	run := time.Now().UnixMilli()
	for i := range a.Good + 1 {
		name := fmt.Sprintf("abuse-%d-%d", run, i)
		reply, token := new(wire.CreateAccountReply), new(wire.MintTokenReply)
		if err := c.Do(ctx, wire.OpCreateAccount, &wire.CreateAccountRequest{Name: name}, reply); err != nil {
			return err
		}
		device := wire.FromDevice(hongyan.Device{Name: "abuse", Class: hongyan.ClassBot})
		if err := c.Do(ctx, wire.OpMintToken, &wire.MintTokenRequest{Name: name, Device: device}, token); err != nil {
			return err
		}
		a.users = append(a.users, pal{hongyan.UserID(reply.Account.User), token.DeviceToken})
	}
	return a.stock(ctx)
}

// stock gives the account of the bad clients something to fetch.
func (a *abuse) stock(ctx context.Context) error {
	bad := a.users[a.Good]
	c, err := a.dial(ctx, bad.token, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range stocked {
		id := make([]byte, 16)
		binary.BigEndian.PutUint64(id, uint64(i+1)) // not all zero
		err := c.Do(ctx, wire.OpSend, &wire.SendRequest{
			Target: &wire.SendToConversation{Conversation: hongyan.Direct(bad.user, bad.user).String()}, ClientId: id,
			FirstAttemptMs: time.Now().UnixMilli(), Content: wire.FromContent(hongyan.Text(strings.Repeat("stock ", stockedSize/6))),
		}, new(wire.SendReply))
		if err != nil {
			return err
		}
	}
	return nil
}

// measure lets a phase go by.
func (a *abuse) measure(ctx context.Context, p *AbusePhase) error {
	a.mu.Lock()
	a.phase = p
	a.latency.Reset()
	a.mu.Unlock()
	for _, t := range a.good {
		t.restart()
	}
	end := time.After(a.Phase)
	for over := false; !over; {
		select {
		case <-end:
			over = true
		case <-time.After(min(a.Phase/10+1, 200*time.Millisecond)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		p.RSS = max(p.RSS, resident(a.pids))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.good {
		p.LongestGap = max(p.LongestGap, t.gap().Seconds())
	}
	p.Latency = *latency(&a.latency)
	a.phase = nil
	return nil
}

// delivered counts a message that has come.
func (a *abuse) delivered(took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase != nil {
		a.phase.Delivered++
		a.latency.Add(took)
	}
}

func (a *abuse) sent() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase != nil {
		a.phase.Sent++
	}
}

// dial connects as one of the accounts.
func (a *abuse) dial(ctx context.Context, token string, notify func(*wire.Notify)) (*client.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", a.Server)
	if err != nil {
		return nil, err
	}
	c := client.NewConn(nc, notify)
	if _, err := c.Auth(ctx, token); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// frame encodes a request, for clients that do not wait for answers.
func frame(op wire.Op, seq uint32, body proto.Message) []byte {
	b, err := wire.Append(nil, op, seq, body)
	if err != nil {
		panic(err) // the bodies are made here
	}
	return b
}

// WriteText writes the report for people.
func (r *AbuseReport) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d good clients, %d bad ones\n\n%-10s %10s %10s %12s %12s %12s %10s\n", r.Good, r.Bad,
		"", "sent", "delivered", "p50 ms", "p99 ms", "longest gap", "RSS MiB")
	for _, row := range []struct {
		name string
		p    *AbusePhase
	}{{"alone", &r.Alone}, {"abused", &r.Abused}, {"after", &r.After}} {
		if err == nil {
			_, err = fmt.Fprintf(w, "%-10s %10d %10d %12.2f %12.2f %10.2f s %10d\n", row.name, row.p.Sent, row.p.Delivered,
				row.p.Latency.P50/1000, row.p.Latency.P99/1000, row.p.LongestGap, row.p.RSS>>20)
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "%-10s %10s %10s %12.2f %12.2f\n\n", "ratio", "", "", r.Ratio50, r.Ratio99)
	}
	for _, d := range r.Deeds {
		if err == nil {
			_, err = fmt.Fprintf(w, "%-16s %10d attempts, %d ended by the server\n", d.Kind, d.Attempts, d.Ended)
		}
	}
	return err
}
