// Package inbox is the sync engine: it gives every change of an account its place in the account's log, makes rounds of
// changes durable, and answers what is newer than a SyncKey.
//
// All changes of a shard pass one Engine. It takes commands in rounds: Run runs a round's commands in order against one
// transaction, Apply writes it, and when the caller has waited for the disk, Settle moves the durable watermark, answers
// the commands and hands out hints. Each takes the rounds in order, and the three may work on rounds that follow each
// other at the same time. The Engine has no goroutine and no clock: Writer drives it with both, a simulator by hand.
//
// Nothing that is read is shown before it is durable: a Read holds its answer back until the watermark has passed the
// rounds that it may have seen.
package inbox

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/recent"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Limits of the engine.
const (
	MaxRoundCommands = 1024    // commands in one round
	MaxRoundWrites   = 8192    // writes after which a round takes no further command
	MaxRoundBytes    = 8 << 20 // bytes after which a round takes no further command
	MaxInline        = 8       // changes of one account and round that a hint carries
	CachedHeads      = 1 << 16 // accounts whose head is remembered
	CachedOrdinals   = 1 << 16 // conversations whose last ordinal is remembered
)

// Command is one request for a change. Do runs when its turn comes, in commit order: it checks, and only then writes. An
// error that it returns is its answer, and it must not have written anything: half a change ends the engine. Done is
// called exactly once, when everything that Do saw and wrote is durable, or with an Unavailable Error when that cannot
// be known.
type Command interface {
	Do(tx *Tx) error
	Done(err error)
}

// Hint says that an account's log has grown. Hints come after the change is durable. They are no truth: the log is.
type Hint struct {
	User     hongyan.UserID
	Previous hongyan.Version  // the head before, 0 if not known
	Version  hongyan.Version  // the head now
	Changes  []hongyan.Change // everything in between, if it is all at hand and little
}

// ErrFailed is wrapped by everything that the engine answers after the store has failed.
var ErrFailed = errors.New("inbox: the store has failed")

// Engine is the sync engine of one shard.
type Engine struct {
	store  *store.Store
	writer *store.Writer
	shard  uint32
	term   uint64 // changed under mu, by Run alone
	count  uint32 // versions given in this term
	ids    uint32 // message ids given in this term
	clock  clock
	dedupe *dedupe
	hint   func(Hint)
	failed chan struct{} // closed when failure is set
	// ordinals remembers the last ordinal of conversations. Half of it is more than what one round can touch, so that a
	// number given in a round is never forgotten within it.
	ordinals *recent.Cache[hongyan.ConversationID, hongyan.Ordinal]
	touched  map[hongyan.UserID]int // where in the running round's touched an account stands

	mu      sync.Mutex
	started uint64   // number of the last round that was applied, or is about to be
	durable uint64   // number of the last round that is durable
	waiting []waiter // answers to reads, at most MaxHeldReads
	heads   *recent.Cache[hongyan.UserID, head]
	failure error
	refusal *hongyan.Error // why sends are refused, nil if they are not
	counts  Counts
}

// Counts tell what an engine has done since it was opened.
type Counts struct{ Rounds, Commands, Entries uint64 }

// Counts returns them.
func (e *Engine) Counts() Counts {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counts
}

// head is the version of an account's newest change in the rounds up to one.
type head struct {
	version hongyan.Version
	round   uint64
}

// Open claims the shard, at most MaxShard, and makes its engine. hint is called in order of versions, from Settle.
func Open(s *store.Store, shard uint32, hint func(Hint)) (*Engine, error) {
	if shard > MaxShard {
		return nil, fmt.Errorf("inbox: shard %d is beyond the last, %d", shard, MaxShard)
	}
	term, err := s.Claim(shard)
	if err != nil {
		return nil, fmt.Errorf("inbox: claim of shard %d: %w", shard, err)
	}
	if term > hongyan.MaxTerm {
		return nil, fmt.Errorf("inbox: term %d of shard %d is beyond the last", term, shard)
	}
	e := &Engine{
		store: s, writer: s.NewWriter(shard, term), shard: shard, term: term, hint: hint,
		heads:    recent.New[hongyan.UserID, head](CachedHeads),
		ordinals: recent.New[hongyan.ConversationID, hongyan.Ordinal](CachedOrdinals),
		touched:  map[hongyan.UserID]int{}, dedupe: newDedupe(), failed: make(chan struct{}),
	}
	view := s.View()
	defer view.Close()
	if err := e.clock.load(view); err != nil {
		return nil, err
	}
	return e, nil
}

// Term is the term of this ownership of the shard.
func (e *Engine) Term() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.term
}

// Generation is the store's.
func (e *Engine) Generation() uint64 { return e.store.Generation() }

// Round is a round of commands between Run and Settle.
type Round struct {
	number   uint64       // the last round that wrote, up to this one
	after    uint64       // the last round that wrote before this one: what this one saw
	tx       *store.Tx    // nil when nothing was written
	commit   store.Commit // nil when nothing was written
	commands []Command
	answers  []error
	touched  []touched
	then     []func()
}

// touched is what a round did to one account.
type touched struct {
	user    hongyan.UserID
	version hongyan.Version
	changes []hongyan.Change
	entries int
}

// Wait returns when the round is durable.
func (r *Round) Wait() error {
	if r.commit == nil {
		return nil
	}
	return r.commit.Wait()
}

// Commit is Run and Apply.
func (e *Engine) Commit(nowMS int64, commands []Command) (*Round, int, error) {
	r, taken, err := e.Run(nowMS, commands)
	if err == nil {
		err = e.Apply(r)
	}
	return r, taken, err
}

// Run runs the first of the commands as one round. It returns how many it took: all, or fewer when the round was full.
// nowMS is Unix milliseconds; the engine's clock never goes back. When a command reads what is not remembered, Run waits
// until the rounds before are applied.
//
// Every round must be applied, in order, and after its Wait settled, in order. After an error the store has failed, no
// round can follow, and the commands taken were answered.
func (e *Engine) Run(nowMS int64, commands []Command) (*Round, int, error) {
	if err := e.Failure(); err != nil {
		return nil, len(commands), e.reject(commands, err)
	}
	if err := e.renew(); err != nil {
		return nil, len(commands), e.reject(commands, e.fail(err))
	}
	most := min(len(commands), MaxRoundCommands)
	clear(e.touched)
	tx := &Tx{Tx: e.writer.Begin(), e: e, touched: make([]touched, 0, 2*most)} // a direct message has two sides
	tx.nowMS = e.clock.tick(tx.Tx, nowMS)
	e.dedupe.tick(tx)
	r := &Round{commands: make([]Command, 0, most), answers: make([]error, 0, most)}
	for len(r.commands) < len(commands) && len(r.commands) < MaxRoundCommands &&
		tx.Len() < MaxRoundWrites && tx.Size() < MaxRoundBytes {
		c := commands[len(r.commands)]
		before, hooks := tx.Len(), len(tx.after)
		err := c.Do(tx)
		if err != nil && tx.Len() != before {
			// Half of a change is in the transaction: it must not be applied.
			taken := len(r.commands) + 1
			return nil, taken, e.reject(commands[:taken], e.fail(fmt.Errorf("command %T: %w", c, err)))
		}
		if err != nil {
			tx.after = tx.after[:hooks]
		}
		r.commands, r.answers = append(r.commands, c), append(r.answers, err)
	}
	r.touched, r.then = tx.touched, tx.after

	e.mu.Lock()
	r.after = e.started
	if tx.Len() > 0 {
		// Before the round becomes visible, so that no read can see it and believe it durable.
		e.started++
		r.tx = tx.Tx
		tx.Seal()
	} else {
		tx.Release()
	}
	r.number = e.started
	e.mu.Unlock()
	return r, len(r.commands), nil
}

// Apply makes visible what the round wrote. After an error the store has failed, and the round's commands were answered.
func (e *Engine) Apply(r *Round) (err error) {
	if err := e.Failure(); err != nil {
		if r.tx != nil {
			r.tx.GiveUp()
		}
		return e.reject(r.commands, err)
	}
	if r.tx == nil {
		return nil
	}
	if r.commit, err = r.tx.Apply(); err != nil {
		return e.reject(r.commands, e.fail(err))
	}
	return nil
}

// Settle ends a round whose Wait returned err. Without an error the watermark moves, the commands are answered, then
// the reads that waited, then the hints are given. After a round that was lost every later one is lost as well, whatever
// its own Wait said: it has seen the lost one, and one that wrote nothing had nothing of its own to wait for.
func (e *Engine) Settle(r *Round, err error) {
	e.mu.Lock()
	if err == nil && e.durable < r.after {
		err = errors.New("a round before this one was lost")
	}
	if err != nil {
		e.mu.Unlock()
		e.reject(r.commands, e.fail(err))
		return
	}
	hints := make([]Hint, 0, len(r.touched))
	e.durable = max(e.durable, r.number)
	var released []waiter
	e.waiting = slices.DeleteFunc(e.waiting, func(w waiter) bool {
		ready := w.round <= e.durable
		if ready {
			released = append(released, w)
		}
		return ready
	})
	if r.tx != nil {
		e.counts.Rounds++
	}
	e.counts.Commands += uint64(len(r.commands))
	for _, t := range r.touched {
		e.counts.Entries += uint64(t.entries)
		h := Hint{User: t.user, Version: t.version}
		if known, ok := e.heads.Get(t.user); ok {
			h.Previous = known.version
		}
		if len(t.changes) == t.entries && h.Previous != 0 {
			h.Changes = t.changes
		}
		e.heads.Add(t.user, head{t.version, r.number})
		hints = append(hints, h)
	}
	e.mu.Unlock()
	if r.tx != nil {
		r.tx.Release()
	}
	for i, c := range r.commands {
		c.Done(r.answers[i])
	}
	for _, f := range r.then {
		f()
	}
	for _, w := range released {
		w.release(nil)
	}
	if e.hint != nil {
		for _, h := range hints {
			e.hint(h)
		}
	}
}

// fail marks the engine as failed and releases who waits. It returns the error that everybody gets from now on.
func (e *Engine) fail(cause error) error {
	e.mu.Lock()
	if e.failure == nil {
		e.failure = fmt.Errorf("%w: %w", ErrFailed, cause)
		close(e.failed)
	}
	err, waiting := e.failure, e.waiting
	e.waiting = nil
	e.mu.Unlock()
	for _, w := range waiting {
		w.release(err)
	}
	return err
}

// reject answers commands whose fate is unknown.
func (e *Engine) reject(commands []Command, cause error) error {
	for _, c := range commands {
		c.Done(unknownOutcome)
	}
	return cause
}

var unknownOutcome = hongyan.Errorf(hongyan.Unavailable, "the server cannot write, and it is not known whether this was done").
	WithHint("send it again with the same ids when the server is back")

// Failure is why the engine has stopped, nil while it works.
func (e *Engine) Failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failure
}

// Refuse makes Accepting return why from now on; nil lifts it.
func (e *Engine) Refuse(why *hongyan.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refusal = why
}

// Accepting returns nil, or why the server takes no new content at present.
func (e *Engine) Accepting() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refusal != nil {
		return e.refusal
	}
	return nil
}

// nextVersion gives the next version of the term. Versions of all accounts come from one counter: each account sees
// them grow, with gaps.
func (e *Engine) nextVersion() hongyan.Version {
	if e.count == math.MaxUint32 {
		panic("inbox: versions of the term used up") // renew claims a new term long before
	}
	e.count++
	return hongyan.VersionAt(e.term, e.count)
}

// termReserve is how close to its end a term is given up for the next: more than a round can use.
const termReserve = 1 << 24

// renew claims the next term when this one runs out of numbers.
func (e *Engine) renew() error {
	if max(e.count, e.ids) < math.MaxUint32-termReserve {
		return nil
	}
	e.writer.Quiesce() // what is under way has the old term
	term, err := e.store.Claim(e.shard)
	if err != nil {
		return err
	}
	if term > hongyan.MaxTerm {
		return fmt.Errorf("term %d is beyond the last", term)
	}
	e.writer.SetTerm(term)
	e.mu.Lock()
	e.term = term
	e.mu.Unlock()
	e.count, e.ids = 0, 0
	return nil
}
