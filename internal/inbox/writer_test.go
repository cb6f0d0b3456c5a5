package inbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/store"
)

// hang is how long a test waits for what should come at once.
const hang = 30 * time.Second

// newEngine opens an engine over a store.
func newEngine(t testing.TB, s kv.Store) *Engine {
	t.Helper()
	records, err := store.Open(s, rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(records, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// newWriter starts a writer over s that ends with the test.
func newWriter(t testing.TB, s kv.Store, failed func(error)) (*Engine, *Writer) {
	t.Helper()
	e := newEngine(t, s)
	w := NewWriter(e, time.Now, failed)
	t.Cleanup(w.Close)
	return e, w
}

// TestFailureIsToldAtOnce has the store fail while nobody thinks of closing the writer.
func TestFailureIsToldAtOnce(t *testing.T) {
	t.Parallel()
	d := newDisk(nil)
	told := make(chan error, 2)
	_, w := newWriter(t, d, func(err error) { told <- err })
	d.set(func(int) error { return errDisk })
	if err := w.Submit(&answer{do: message("lost", 1, 2)}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-told:
		if !errors.Is(err, errDisk) || !errors.Is(err, ErrFailed) {
			t.Errorf("told %v", err)
		}
	case <-time.After(hang):
		t.Fatal("nobody was told that the store has failed")
	}
	w.Close()
	select {
	case err := <-told:
		t.Errorf("told again: %v", err)
	default:
	}
}

// TestSubmitWhileClosing makes sure that whatever Submit took is answered, once, however Close falls between.
func TestSubmitWhileClosing(t *testing.T) {
	t.Parallel()
	for range 500 {
		_, w := newWriter(t, kv.NewMemory(), nil)
		closed := make(chan struct{})
		var sources sync.WaitGroup
		for range 4 {
			sources.Go(func() {
				for {
					answered := make(chan error, 2)
					c := &change[none]{do: func(*Tx) (none, error) { return none{}, nil }, done: func(_ none, err error) { answered <- err }}
					if w.Submit(c) != nil {
						return
					}
					select {
					case <-answered:
					case <-closed:
						if len(answered) != 1 {
							t.Errorf("a command was answered %d times", len(answered))
						}
					}
				}
			})
		}
		w.Close()
		close(closed)
		sources.Wait()
	}
}

type none = struct{}

// shardOf is the shard of a writer, whose reads run where they are asked for.
func shardOf(e *Engine, w *Writer) *Shard {
	return NewShard(e, w.Submit, RunHere)
}

// TestManySubmitters lets many goroutines write to a few logs at once. Every command is answered, those of one goroutine
// are done in their order, and the logs hold everything.
func TestManySubmitters(t *testing.T) {
	t.Parallel()
	const sources, each, ahead = 32, 100, 8
	e, w := newWriter(t, newDisk(func(n int) error {
		if n%3 == 0 {
			time.Sleep(time.Millisecond) // so that rounds gather
		}
		return nil
	}), nil)
	s := shardOf(e, w)
	var running sync.WaitGroup
	for i := range sources {
		running.Go(func() {
			c := hongyan.Direct(hongyan.UserID(i+1), 1000) // this source's alone
			under := make(chan struct{}, ahead)
			want := hongyan.Ordinal(0)
			for range each {
				want++
				due := want
				under <- struct{}{}
				Change(s, func(tx *Tx) (hongyan.Ordinal, error) {
					m := &hongyan.Message{Conversation: c, From: hongyan.UserID(i + 1)}
					return m.Ordinal, errors.Join(addMessage(tx, m, []hongyan.UserID{hongyan.UserID(i + 1), 1000}), check(m.Ordinal, due))
				}, func(_ hongyan.Ordinal, err error) {
					if err != nil {
						t.Error(err)
					}
					<-under
				})
			}
			for range ahead {
				under <- struct{}{}
			}
		})
	}
	running.Wait()
	if c := e.Counts(); c.Commands < sources*each || c.Entries != 2*sources*each || c.Rounds == 0 || c.Rounds > sources*each {
		t.Errorf("the engine has counted %+v", c)
	}
	r := e.Read()
	defer r.Close()
	n := 0
	if err := store.ListEntries(r, 1000, hongyan.TypeMessage, 0, store.MaxVersion, false, func(store.Entry) bool { n++; return true }); err != nil || n != sources*each {
		t.Errorf("%d entries, %v, want %d", n, err, sources*each)
	}
}

// check compares the ordinal that a message was given.
func check(got, want hongyan.Ordinal) error {
	if got != want {
		return fmt.Errorf("message %d was given the ordinal %d", want, got)
	}
	return nil
}

// TestQueueIsBounded lets the disk stand still until the queue is full.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	d := newDisk(nil)
	_, w := newWriter(t, d, nil)
	d.set(func(int) error { <-stuck; return nil })
	var answered atomic.Int64
	submit := func(do func(tx *Tx) error) error {
		c := &change[none]{do: func(tx *Tx) (none, error) { return none{}, do(tx) }, done: func(_ none, err error) {
			answered.Add(1)
			if err != nil {
				t.Error(err)
			}
		}}
		return w.Submit(c)
	}
	nothing := func(*Tx) error { return nil }
	if err := submit(message("text", 1, 2)); err != nil {
		t.Fatal(err)
	}
	taken := int64(1)
	for {
		if err := submit(nothing); err != nil {
			codeOf(t, err, hongyan.Busy)
			if w.Queued() >= QueuedCommands {
				break
			}
			continue // the writer has just taken some out
		}
		taken++
	}
	// The filters of the window's hours may stand in the queue too. Three rounds can be under way: one that syncs, one that
	// waits for that, and one that cannot be handed on.
	least, most := int64(QueuedCommands-(WindowHours+3)), int64(QueuedCommands+4*MaxRoundCommands)
	if taken < least || taken > most {
		t.Errorf("%d commands were taken, the bounds are %d and %d", taken, least, most)
	}
	if n := answered.Load(); n != 0 {
		t.Errorf("%d were answered while the disk stood still", n)
	}
	close(stuck)
	w.Close()
	if answered.Load() != taken {
		t.Errorf("%d of %d commands were answered", answered.Load(), taken)
	}
	codeOf(t, submit(nothing), hongyan.Unavailable)
}

// TestFailureAnswersEverybody fails the disk with the queue full and rounds under way.
func TestFailureAnswersEverybody(t *testing.T) {
	t.Parallel()
	d := newDisk(nil)
	e, w := newWriter(t, d, nil)
	s := shardOf(e, w)
	broken := make(chan struct{})
	d.set(func(int) error { <-broken; return errDisk })
	const n = 3 * MaxRoundCommands
	outcomes := make(chan error, n+2)
	done := func(_ none, err error) { outcomes <- err }
	for range n {
		Change(s, func(tx *Tx) (none, error) { return none{}, message("text", 1, 2)(tx) }, done)
	}
	for started := uint64(0); started == 0; time.Sleep(time.Millisecond) {
		r := e.Read()
		started = r.started
		r.Close()
	}
	Look(s, Nobody, func(r *Read) (none, error) { return none{}, nil }, done)
	close(broken)
	for range n + 1 {
		codeOf(t, <-outcomes, hongyan.Unavailable)
	}
	Change(s, func(*Tx) (none, error) { return none{}, nil }, done)
	codeOf(t, <-outcomes, hongyan.Unavailable)
	w.Close()
}

// TestTrimUnderReaders sweeps all the time, while accounts write notes to themselves and devices pull them: what a device
// gets goes on where it was, or is a reset that says so.
func TestTrimUnderReaders(t *testing.T) {
	t.Parallel()
	const accounts, notes = 4, 300
	e, w := newWriter(t, newDisk(func(n int) error {
		if n%10 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		return nil
	}), nil)
	s := shardOf(e, w)
	must := func(do func(tx *Tx) error) {
		answered := make(chan error, 1)
		Change(s, func(tx *Tx) (none, error) { return none{}, do(tx) }, func(_ none, err error) { answered <- err })
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
	written := make(chan struct{})
	var writers, others sync.WaitGroup
	var resets, gaps atomic.Int64
	for u := hongyan.UserID(1); u <= accounts; u++ {
		must(account(u, store.Retention{Messages: 4}))
		must(view(u, hongyan.Direct(u, u), store.ConversationView{}))
		writers.Go(func() {
			for range notes {
				must(message("note", u))
			}
		})
		others.Go(func() {
			key := hongyan.KeyAt(e.Generation(), u, 0)
			last := hongyan.Ordinal(0)
			reset := true // so much may be gone already
			for last < notes {
				pages := make(chan Page, 1)
				Look(s, u, func(r *Read) (Page, error) { return r.Pull(u, key, nil, 7) }, func(p Page, err error) {
					if err != nil {
						t.Error(err)
					}
					pages <- p
				})
				page := <-pages
				if page.Reset != NoReset {
					resets.Add(1)
					reset = true
				}
				if reset && len(page.Entries) == 0 && isClosed(written) && page.Key.Version() == headOf(e, u) {
					return // the last note was behind the reset: none is to come
				}
				for _, entry := range page.Entries {
					o := entry.Ref.Ordinals[0]
					if o != last+1 && !reset || o <= last {
						gaps.Add(1)
					}
					last, reset = o, false
				}
				key = page.Key
				if u%2 == 0 {
					time.Sleep(time.Millisecond) // a slow device, which is overtaken
				}
			}
		})
	}
	others.Go(func() {
		sweeper := NewSweeper(s, store.Retention{})
		for !isClosed(written) {
			stepped := make(chan error, 1)
			sweeper.Step(time.Now().UnixMilli(), func(_ bool, err error) { stepped <- err })
			if err := <-stepped; err != nil {
				t.Error(err)
			}
		}
	})
	writers.Wait()
	close(written)
	others.Wait()
	if gaps.Load() != 0 || resets.Load() == 0 {
		t.Errorf("%d gaps without a word, and %d resets", gaps.Load(), resets.Load())
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func headOf(e *Engine, u hongyan.UserID) hongyan.Version {
	r := e.Read()
	defer r.Close()
	v, err := r.Head(u)
	if err != nil {
		return 0
	}
	return v
}
