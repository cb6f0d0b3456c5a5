// Package app puts a server together and runs it: the one place that knows every implementation.
//
// The life of a message, as the parts are joined here: gate carries a frame to its session; session asks operation;
// operation asks chat; chat's command waits for its round in inbox, which asks chat's checks, gives versions and writes
// through store to kv; when the disk has it, the answer goes back the way it came, and a hint goes to the sessions of
// everybody concerned, which pull or are told inline.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/api"
	"github.com/hongyan-im/hongyan/internal/api/report"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/certs"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/forwarded"
	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/kv/pebblekv"
	"github.com/hongyan-im/hongyan/internal/media"
	"github.com/hongyan-im/hongyan/internal/memory"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/internal/session"
	"github.com/hongyan-im/hongyan/internal/static"
	"github.com/hongyan-im/hongyan/internal/store"
	"github.com/hongyan-im/hongyan/internal/webwx"
	"github.com/hongyan-im/hongyan/wire"
)

// Limits of what runs at a time.
const (
	waitingHashes = 64 // logins that wait for their password to be hashed
	shard         = 0  // the only shard of a single node
)

// What the server would like of its clients.
const (
	heartbeatMin = 210 * time.Second // 3.5 minutes
	heartbeatMax = 10 * time.Minute
	reconnectMin = time.Second
	reconnectMax = 15 * time.Second
)

// Server is a server, listening.
type Server struct {
	config  config.Config
	log     *slog.Logger
	started time.Time
	metrics *prometheus.Registry

	kv     records
	engine *inbox.Engine
	writer *inbox.Writer
	reads  *reads
	hashes *hashes
	disk   *disk
	certs  *certs.Source
	hub    *session.Hub
	report *report.Log
	media  *media.Store
	api    *api.API
	gate   *gate.Server
	site   *static.Site  // nil without a folder to serve
	webwx  *webwx.Server // nil if it is off

	proxies forwarded.Trusted

	sweep  *sweep
	failed chan error // what ended the server from within
	close  sync.Once
}

// records is where everything but files is kept.
type records interface {
	kv.Store
	Metrics() pebblekv.Metrics
}

// New opens the store and starts to listen. The server works until Run's context ends.
func New(c config.Config, log *slog.Logger) (*Server, error) { return newOver(openPebble, c, log) }

// newOver is New with another engine than Pebble, or with it.
func newOver(engine func(*Server) (records, error), c config.Config, log *slog.Logger) (*Server, error) {
	s := &Server{
		config: c, log: log, started: time.Now(), metrics: prometheus.NewRegistry(), failed: make(chan error, 1),
		disk: &disk{dir: c.Data, lowWater: uint64(c.Storage.LowWater), log: log},
	}
	if err := s.open(engine); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// openPebble opens the embedded engine in the data directory.
func openPebble(s *Server) (records, error) {
	opened, err := pebblekv.Open(filepath.Join(s.config.Data, "store"), pebblekv.Options{
		Logger: s.log, CacheSize: int64(s.config.Storage.Cache), OnFailure: s.fail,
	})
	if err != nil {
		return nil, err // and not a store that is nil
	}
	return opened, nil
}

func (s *Server) open(engine func(*Server) (records, error)) error {
	c := s.config
	proxies, err := c.HTTP.Proxies()
	if err != nil {
		return err
	}
	s.proxies = proxies
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := layBallast(c.Data, uint64(c.Storage.Ballast), uint64(c.Storage.LowWater), s.log); err != nil {
		return fmt.Errorf("ballast file: %w", err)
	}
	if s.kv, err = engine(s); err != nil {
		return err
	}
	kept, err := store.Open(s.kv, rand.Reader)
	if err != nil {
		return err
	}
	s.hub = session.NewHub(session.Config{Idle: c.Limits.Idle, AllowPlain: c.TLS.AllowPlain})
	if s.engine, err = inbox.Open(kept, shard, s.hub.Hint); err != nil {
		return err
	}
	s.engine.Refuse(s.disk.look())
	s.writer = inbox.NewWriter(s.engine, time.Now, s.fail)
	s.reads = newReads()
	part := inbox.NewShard(s.engine, s.writer.Submit, s.reads.run)
	s.media, err = media.Open(media.Config{
		Dir: filepath.Join(c.Data, "media"), MaxSize: int64(c.Media.MaxSize), Quota: int64(c.Media.Quota), Shard: part,
		Accepting: s.engine.Accepting, Now: time.Now, Metrics: s.metrics,
	})
	if err != nil {
		return err
	}
	desk, err := s.makeDesk(part)
	if err != nil {
		return err
	}
	s.hub.Use(desk)
	if s.report, err = report.Open(c.Data); err != nil {
		return err
	}
	if s.api, err = s.makeAPI(desk); err != nil {
		return err
	}
	if s.webwx, err = s.makeWebWX(part, desk); err != nil {
		return err
	}
	s.sweep = startSweep(inbox.NewSweeper(part, store.Retention{
		Days: uint32(c.Retention.Days), Messages: uint32(c.Retention.Messages),
	}), desk.Chat.Resume, s.log)
	s.export()
	return s.listen()
}

// makeDesk joins the services that answer operations.
func (s *Server) makeDesk(part *inbox.Shard) (*operation.Desk, error) {
	c := s.config
	keys, err := ticketKeys(part)
	if err != nil {
		return nil, err
	}
	hashing := max(1, runtime.GOMAXPROCS(0)/2)
	hasher, err := auth.NewHasher(auth.DefaultParams(), hashing, waitingHashes)
	if err != nil {
		return nil, err
	}
	s.hashes = newHashes(hashing, waitingHashes)
	return &operation.Desk{
		Chat: chat.New(part, chat.Config{
			ContactsOnly: c.Messages.ContactsOnly, RecallWindow: c.Messages.RecallWindow, Now: time.Now,
		}, rand.Reader),
		Accounts: account.New(part, account.Config{
			Registration: registrations[c.Registration], OnePerClass: c.Devices.Policy == config.DevicesOnePerClass,
			MaxDevices: c.Devices.Max, Hasher: hasher, Keys: keys, Random: rand.Reader, Now: time.Now,
			Slow: s.hashes.run, Ended: s.hub.Ended,
		}),
		Now: time.Now,
		Hints: &wire.Hints{
			HeartbeatMinMs: uint32(heartbeatMin.Milliseconds()), HeartbeatMaxMs: uint32(heartbeatMax.Milliseconds()),
			ReconnectMinMs: uint32(reconnectMin.Milliseconds()), ReconnectMaxMs: uint32(reconnectMax.Milliseconds()),
			MaxFrame: wire.MaxFrame,
		},
		Pin:  s.selfSignedPin,
		Park: s.hub.Park, Signal: s.hub.Signal, Listen: s.hub.Listen,
		After: func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, f)
			return func() { t.Stop() }
		},
		DemandTLS: s.hub.DemandTLS,
		Status:    s.status,
	}, nil
}

var registrations = map[config.Registration]account.Registration{
	config.RegistrationOpen: account.Open, config.RegistrationInvitation: account.ByInvitation,
	config.RegistrationClosed: account.ByOperator, config.RegistrationLoopback: account.OnLoopback,
}

// ticketKeys reads the keys that sign tickets, or makes them on the first start.
func ticketKeys(part *inbox.Shard) (*auth.KeyRing, error) {
	const name = "ticket-keys"
	type result struct {
		keys *auth.KeyRing
		err  error
	}
	got := make(chan result, 1)
	inbox.Change(part, func(tx *inbox.Tx) (*auth.KeyRing, error) {
		kept, err := store.Meta.Get(tx, name)
		if err != nil {
			return nil, err
		}
		if kept != nil {
			return auth.ParseKeyRing(*kept)
		}
		keys, err := auth.NewKeyRing(rand.Reader)
		if err != nil {
			return nil, err
		}
		raw := keys.Reveal()
		store.Meta.Put(tx.Tx, name, &raw)
		return keys, nil
	}, func(keys *auth.KeyRing, err error) { got <- result{keys, err} })
	r := <-got
	if r.err != nil {
		return nil, fmt.Errorf("ticket keys: %w", r.err)
	}
	return r.keys, nil
}

func (s *Server) listen() error {
	c := s.config
	var err error
	if c.TLS.Cert != "" {
		s.certs, err = certs.FromFiles(c.TLS.Cert, c.TLS.Key, s.log)
	} else {
		s.certs, err = certs.SelfSigned(c.Data, s.log)
	}
	if err != nil {
		return err
	}
	limits := gate.DefaultLimits()
	limits.Connections, limits.PerAddress = s.connections(), c.Limits.ConnectionsPerAddress
	route, err := s.router()
	if err != nil {
		return err
	}
	s.gate, err = gate.Listen(gate.Config{
		Listen: c.Listen, Operator: config.AdminSocket(c.Data), TLS: s.certs.Config(), HTTP: s.handler(), Route: route,
		Uncounted: s.proxies, Carrier: gate.Carrier(c.Carrier), Limits: limits, Log: s.log, Metrics: s.metrics,
		Open: func(l gate.Link, p gate.Peer) gate.Session {
			return s.hub.Open(l, session.Peer{
				Peer: accountPeer(p), TLS: p.TLS, Secure: p.Secure, Operator: p.Operator,
			}, time.Now())
		},
	})
	return err
}

// ownFiles is how many file descriptors the server keeps for its store and itself.
const ownFiles = 1024

// connections is how many connections are let in: as configured, but never so many that the store finds no descriptor.
func (s *Server) connections() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return s.config.Limits.Connections
	}
	room := max(int(min(r.Cur, 1<<30))-ownFiles, int(min(r.Cur, 1<<30))/2)
	if room < s.config.Limits.Connections {
		s.log.Info("fewer connections than configured: the system allows too few open files", "connections", room,
			"configured", s.config.Limits.Connections, "open_files", r.Cur, "hint", "raise the limit (LimitNOFILE= of systemd, ulimit -n)")
		return room
	}
	return s.config.Limits.Connections
}

// fail ends the server from within: nothing is acknowledged any more.
func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Addrs are the addresses that the server listens on, the operator's socket last.
func (s *Server) Addrs() []string {
	var addrs []string
	for _, a := range s.gate.Addrs() {
		addrs = append(addrs, a.String())
	}
	return addrs
}

// Pin is the fingerprint of the certificate's key, for clients that know the server by it.
func (s *Server) Pin() string { return certs.Pin(s.certs.Certificate().Leaf) }

// selfSignedPin is Pin if nobody but the server vouches for its certificate.
func (s *Server) selfSignedPin() string {
	if s.config.TLS.Cert != "" {
		return ""
	}
	return s.Pin()
}

// Run works until ctx ends, then drains: clients are asked to come back after a delay that spreads them, what was
// accepted is finished, and nil is returned. If the store fails Run returns why, at once.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	go memory.Tidy(ctx, func() uint64 {
		received, sent := s.gate.Traffic()
		return received + sent
	})
	every := time.NewTicker(diskEvery)
	defer every.Stop()
	for {
		select {
		case err := <-s.failed:
			s.log.Error("the store has failed: the server stops, nothing acknowledged is lost", "error", err)
			return fmt.Errorf("the store has failed: %w", err)
		case <-ctx.Done():
			s.log.Info("draining", "timeout", s.config.Drain.Timeout)
			return s.drain()
		case <-every.C:
			s.engine.Refuse(s.disk.look())
			s.media.Expire()
		}
	}
}

func (s *Server) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Drain.Timeout)
	defer cancel()
	s.api.Drain(func() time.Duration { return spread(s.config.Drain.Spread) })
	if s.webwx != nil {
		s.webwx.Drain(ctx)
	}
	err := s.gate.Drain(ctx, func(of gate.Session) { of.(*session.Session).Drain(spread(s.config.Drain.Spread)) })
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("some connections had to be cut", "error", err)
	}
	return nil
}

// Close ends what is still running and closes the store. Whoever called New and not Run calls it.
func (s *Server) Close() {
	s.close.Do(func() {
		if s.gate != nil {
			s.gate.Close()
		}
		if s.webwx != nil {
			s.webwx.Close()
		}
		if s.report != nil {
			if err := s.report.Close(); err != nil {
				s.log.Debug("closing the reports", "error", err)
			}
		}
		if s.site != nil {
			_ = s.site.Close()
		}
		if s.sweep != nil {
			s.sweep.close()
		}
		if s.hashes != nil {
			s.hashes.close()
		}
		if s.reads != nil {
			s.reads.close()
		}
		if s.writer != nil {
			s.writer.Close()
		}
		if s.kv != nil {
			if err := s.kv.Close(); err != nil {
				s.log.Debug("closing the store", "error", err)
			}
		}
	})
}

func (s *Server) status() *wire.StatusReply {
	open, authenticated := s.hub.Counts()
	r := &wire.StatusReply{
		Version: hongyan.Release, StartedMs: s.started.UnixMilli(), Connections: uint32(open), Sessions: uint32(authenticated),
		Generation: s.engine.Generation(), Term: s.engine.Term(), Sending: true,
		DiskFree: s.disk.free.Load(), DiskUsed: s.kv.Metrics().DiskBytes,
	}
	if err := s.engine.Accepting(); err != nil {
		r.Sending, r.RefusedBecause = false, err.Error()
	}
	return r
}
