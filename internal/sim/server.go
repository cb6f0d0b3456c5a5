package sim

import (
	"context"
	"io"
	"math/rand/v2"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/auth"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/operation"
	"github.com/hongyan-im/hongyan/internal/session"
	"github.com/hongyan-im/hongyan/internal/store"
	"github.com/hongyan-im/hongyan/wire"
)

// How the simulated server is set up: as app does it, with shorter times.
const (
	idle         = 45 * time.Second
	recallWindow = 2 * time.Minute
	sweepEvery   = 2 * time.Second
	roundsAhead  = 2 // rounds between Commit and Settle, as a Writer has them
)

var hints = &wire.Hints{
	HeartbeatMinMs: 15_000, HeartbeatMaxMs: 30_000, ReconnectMinMs: 200, ReconnectMaxMs: 5_000, MaxFrame: wire.MaxFrame,
}

// server is the machine: what outlives the process on it.
type server struct {
	w       *world
	net     *net
	disk    disk
	random  io.Reader
	hasher  *auth.Hasher
	skew    time.Duration // of the machine's clock
	conns   map[*conn]bool
	order   []*conn // of conns and former ones, so that they are visited in the same order every time
	process *process
	down    bool
	doomed  bool // the power fails while the next round is on its way to the disk
	spoilt  bool // the disk fails with the next write
	trap    trap // see trap
	kept    int  // messages that an account keeps, 0: all
	planted *planted
	crashes int

	slowSyncs int // one in so many syncs of the disk takes long, 0: none
}

// trap is where the next round meets a loss of power that a script has planned.
type trap uint8

const (
	beforeDurable trap = iota + 1 // it is applied, and not on the disk
	beforeAnswers                 // it is on the disk, and nobody was told
)

// process is one life of the server.
type process struct {
	s       *server
	dead    bool
	engine  *inbox.Engine
	hub     *session.Hub
	desk    *operation.Desk
	records *store.Store
	shard   *inbox.Shard

	queue      []inbox.Command
	committing bool
	pending    []pending // committed, not settled
	readings   []*reading
	early      *earlyCheck // of the request that is being handed in; see planted
}

// pending is a round between Commit and Settle.
type pending struct {
	round *inbox.Round
	late  []*lateAnswer // see planted.readEarly
}

func newServer(w *world, n *net, d disk, p *planted) (*server, error) {
	var key [32]byte
	for i := range key {
		key[i] = byte(w.rng.Uint32())
	}
	hasher, err := auth.NewHasher(auth.Params{Memory: 8, Time: 1, Threads: 1}, 1, 8)
	if err != nil {
		return nil, err
	}
	s := &server{
		w: w, net: n, disk: d, random: rand.NewChaCha8(key), hasher: hasher, conns: map[*conn]bool{}, down: true, planted: p,
		slowSyncs: 10,
	}
	return s, s.start()
}

func (s *server) now() time.Time { return s.w.now.Add(s.skew) }

// start begins a life of the server on what the disk holds.
func (s *server) start() error {
	opened, err := s.disk.start()
	if err != nil {
		return err
	}
	p := &process{s: s, hub: session.NewHub(session.Config{Idle: idle, AllowPlain: true})}
	if p.records, err = store.Open(pausingStore{opened, s.w}, s.random); err != nil {
		return err
	}
	if p.engine, err = inbox.Open(p.records, 0, p.hub.Hint); err != nil {
		return err
	}
	if err := p.loadFilters(); err != nil {
		return err
	}
	keys, err := auth.NewKeyRing(s.random)
	if err != nil {
		return err
	}
	shard := inbox.NewShard(p.engine, p.submit, p.read)
	p.desk = &operation.Desk{
		Chat: chat.New(shard, chat.Config{RecallWindow: recallWindow, Now: s.now}, s.random),
		Accounts: account.New(shard, account.Config{
			Registration: account.Open, MaxDevices: 8, Hasher: s.hasher, Keys: keys, Random: s.random, Now: s.now,
			Slow: func(job func(context.Context)) error {
				p.later(0, 20*time.Millisecond, func() { job(context.Background()) })
				return nil
			},
			Ended: p.hub.Ended,
		}),
		Now: s.now, Hints: hints, Pin: func() string { return "" }, Park: p.hub.Park, Signal: p.hub.Signal, Listen: p.hub.Listen,
		After: func(d time.Duration, f func()) func() {
			return s.w.after(d, func() {
				if !p.dead {
					f()
				}
			})
		},
		DemandTLS: p.hub.DemandTLS,
		Status:    func() *wire.StatusReply { return &wire.StatusReply{} },
	}
	p.hub.Use(p.desk)
	p.shard = shard
	p.sweep()
	p.desk.Chat.Resume()
	s.process, s.down = p, false
	s.w.note("server   starts, term %d", p.engine.Term())
	return nil
}

// loadFilters brings in what earlier terms know of client ids, as a Writer does: while the engine already works.
func (p *process) loadFilters() error {
	view := p.records.View()
	defer view.Close()
	var filters []inbox.Command
	for _, hour := range p.engine.Filters(p.s.now().UnixMilli()) {
		f, err := inbox.LoadFilter(view, hour, func() bool { return true })
		if err != nil {
			return err
		}
		filters = append(filters, f)
	}
	p.later(0, time.Second, func() {
		for _, f := range filters {
			_ = p.submit(f) // refused by a dead process alone
		}
	})
	return nil
}

// keep makes the server trim the log of each account to so many messages.
func (s *server) keep(messages int) {
	s.kept = messages
	s.process.sweep()
}

// sweep trims, again and again, as app does.
func (p *process) sweep() {
	if p.s.kept == 0 {
		return
	}
	sweeper := inbox.NewSweeper(p.shard, store.Retention{Messages: uint32(p.s.kept)})
	var step func()
	step = func() {
		sweeper.Step(p.s.now().UnixMilli(), func(finished bool, err error) {
			pause := 20 * time.Millisecond
			if finished || err != nil {
				pause = sweepEvery
			}
			p.later(pause, pause, step)
		})
	}
	p.later(0, sweepEvery, step)
}

// later plans f, unless the process is gone by then.
func (p *process) later(low, high time.Duration, f func()) {
	p.s.w.after(p.s.w.between(low, high), func() {
		if !p.dead {
			f()
		}
	})
}

// submit queues a command for the next round.
func (p *process) submit(c inbox.Command) error {
	if p.dead {
		return hongyan.Errorf(hongyan.Unavailable, "the server is gone")
	}
	if p.early != nil {
		c = &earlyCommand{Command: c, earlyCheck: p.early}
		p.early = nil
	}
	if p.s.planted.retryEarly {
		c = &hastyCommand{Command: c}
	}
	p.queue = append(p.queue, c)
	p.commitSoon()
	return nil
}

func (p *process) commitSoon() {
	if p.committing || len(p.queue) == 0 || len(p.pending) >= roundsAhead {
		return
	}
	p.committing = true
	p.later(0, 4*time.Millisecond, p.commit)
}

// commit makes a round of what waits.
func (p *process) commit() {
	p.committing = false
	commands := p.queue
	p.queue = nil
	var late []*lateAnswer
	if p.s.planted.readEarly {
		for i, c := range commands {
			late = append(late, &lateAnswer{Command: c})
			commands[i] = late[i]
		}
	}
	round, taken, err := p.engine.Commit(p.s.now().UnixMilli(), commands)
	p.queue = append(commands[taken:len(commands):len(commands)], p.queue...)
	if err != nil {
		p.fail(err)
		return
	}
	if p.s.planted.settleEarly || p.s.planted.readEarly {
		p.engine.Settle(round, nil)
	}
	p.pending = append(p.pending, pending{round, late})
	if len(p.pending) == 1 {
		p.settleSoon()
	}
	if p.s.doomed {
		p.s.doomed = false
		p.later(0, 15*time.Millisecond, func() { p.s.crash(p.s.w.between(0, 6*time.Second)) })
	}
	p.commitSoon()
}

func (p *process) settleSoon() {
	slow := 12 * time.Millisecond
	if p.s.w.chance(p.s.slowSyncs) {
		slow = 800 * time.Millisecond
	}
	p.later(0, slow, p.settle)
}

// settle waits for the disk and ends the oldest round.
func (p *process) settle() {
	if p.s.trap == beforeDurable {
		p.s.fall()
		return
	}
	oldest := p.pending[0]
	p.pending = p.pending[1:]
	err := oldest.round.Wait()
	if p.s.trap == beforeAnswers {
		p.s.fall()
		return
	}
	switch {
	case p.s.planted.readEarly:
		answerLate(oldest.late, err)
	case !p.s.planted.settleEarly:
		p.engine.Settle(oldest.round, err)
	}
	if err != nil {
		p.fail(err) // and settles what comes behind it all the same, as a Writer does
	}
	if len(p.pending) > 0 {
		p.settleSoon()
	}
	p.commitSoon()
}

// fail ends the process as app does when the store has failed: what is answered already goes out first.
func (p *process) fail(err error) {
	p.s.w.note("server   fails: %v", err)
	p.later(0, 40*time.Millisecond, func() { p.s.crash(time.Second) })
}

// drain sends everybody away, as for an upgrade, and ends the process a moment later.
func (s *server) drain() {
	if s.down {
		return
	}
	s.w.note("server   drains")
	for _, c := range s.live() {
		c.session.Drain(s.w.between(0, 2*time.Second))
	}
	s.process.later(time.Second, time.Second, func() { s.crash(time.Second) })
}

// crash is fall, and rise after a while.
func (s *server) crash(wait time.Duration) {
	if s.down {
		return
	}
	s.fall()
	s.w.after(wait, s.rise)
}

// fall ends the process at once and with the power of its machine.
func (s *server) fall() {
	s.crashes++
	s.spoilt, s.trap = false, 0
	s.w.note("server   crashes")
	s.down, s.process.dead = true, true
	for _, c := range s.order {
		if s.conns[c] {
			if c.closed = true; s.w.chance(4) {
				c.cut()
			} else {
				c.leave()
			}
		}
	}
	clear(s.conns)
	s.order = nil
	s.process.endReadings()
	s.disk.cut()
}

// rise starts another process.
func (s *server) rise() {
	if err := s.start(); err != nil {
		panic(err) // a disk of the simulation opens always
	}
}

// accept opens the server's side of a connection, nil if nobody listens.
func (s *server) accept(d *device) *conn {
	if s.down {
		return nil
	}
	c := &conn{w: s.w, d: d, server: s}
	c.session = s.process.hub.Open(c, session.Peer{Secure: true}, s.w.now)
	s.conns[c] = true
	s.order = append(s.order, c)
	s.w.at(c.session.Deadline(), c.watch)
	return c
}

// live returns the open connections, in a stable order.
func (s *server) live() []*conn {
	list := make([]*conn, 0, len(s.conns))
	for _, c := range s.order {
		if s.conns[c] {
			list = append(list, c)
		}
	}
	s.order = append([]*conn(nil), list...)
	return list
}
