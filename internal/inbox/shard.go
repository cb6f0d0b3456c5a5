package inbox

import (
	"errors"

	"github.com/hongyan-im/hongyan"
)

// Shard is how the rest of the server uses an Engine: Change for what writes, Look for what reads. Both answer through a
// callback, on whatever goroutine has the answer: the callback must not block.
type Shard struct {
	engine *Engine
	submit func(Command) error
	run    Run
}

// Run executes a read, where blocking on the disk is allowed, when it is the turn of the account that asks. It answers
// Busy when too many wait.
type Run func(who hongyan.UserID, job func()) error

// Nobody asks for what the server itself wants to know, and for those who have not proved who they are yet: to claim to
// be somebody must not cost that account its turn.
const Nobody hongyan.UserID = 0

// NewShard joins an engine with what carries its work: submit queues a command for its round (Writer.Submit) and answers
// Busy when it is full, run executes reads.
func NewShard(e *Engine, submit func(Command) error, run Run) *Shard {
	return &Shard{e, submit, run}
}

// Engine returns the engine behind s.
func (s *Shard) Engine() *Engine { return s.engine }

// Change runs do in its round and gives its result to done when everything that it saw and wrote is durable. do must
// check before it writes; see Command.
func Change[R any](s *Shard, do func(tx *Tx) (R, error), done func(R, error)) {
	c := &change[R]{do: do, done: done}
	if err := s.submit(c); err != nil {
		done(c.result, err)
	}
}

type change[R any] struct {
	do     func(tx *Tx) (R, error)
	done   func(R, error)
	result R
}

func (c *change[R]) Do(tx *Tx) (err error) {
	c.result, err = c.do(tx)
	return err
}

func (c *change[R]) Done(err error) { c.done(c.result, err) }

// Look runs do for an account over a consistent view, and gives its result to done when everything in the view is durable.
func Look[R any](s *Shard, who hongyan.UserID, do func(r *Read) (R, error), done func(R, error)) {
	var none R
	err := s.run(who, func() {
		r := s.engine.Read()
		result, err := do(r)
		r.Release(func(lost error) {
			switch {
			case errors.Is(lost, ErrFailed):
				done(none, hongyan.Errorf(hongyan.Unavailable, "the server cannot read its store").
					WithHint("try again when the server is back"))
			case lost != nil:
				done(none, lost)
			default:
				done(result, err)
			}
		})
	})
	if err != nil {
		done(none, err)
	}
}
