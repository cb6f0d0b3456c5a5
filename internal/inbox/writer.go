package inbox

import (
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// QueuedCommands bounds the commands that wait for their round. Beyond it Submit answers Busy.
const QueuedCommands = 8192

// Writer drives an Engine: one goroutine gathers what waits and runs it, a second applies, a third waits for the disk and
// settles. So a round runs while the one before is applied and the one before that syncs.
type Writer struct {
	e    *Engine
	now  func() time.Time
	stop chan struct{} // closed by Close
	wake chan struct{} // holds a token when the queue is no longer empty
	done sync.WaitGroup

	mu     sync.Mutex
	queue  []Command
	closed bool // no command comes in any more
}

// NewWriter starts a writer of e. failed is called once, on its own goroutine, as soon as the engine fails; it must not
// call Close.
func NewWriter(e *Engine, now func() time.Time, failed func(error)) *Writer {
	w := &Writer{e: e, now: now, stop: make(chan struct{}), wake: make(chan struct{}, 1)}
	ran, applied := make(chan *Round), make(chan *Round, 1)
	settled := make(chan struct{})
	w.done.Add(5)
	view, hours := e.store.View(), e.Filters(now().UnixMilli()) // of the terms before this one
	go func() {
		defer w.done.Done()
		defer view.Close()
		w.loadFilters(view, hours)
	}()
	go func() {
		defer w.done.Done()
		defer close(ran)
		w.run(ran)
	}()
	go func() {
		defer w.done.Done()
		defer close(applied)
		for r := range ran {
			if e.Apply(r) == nil {
				applied <- r
			}
		}
	}()
	go func() {
		defer w.done.Done()
		defer close(settled)
		for r := range applied {
			e.Settle(r, r.Wait())
		}
	}()
	go func() {
		defer w.done.Done()
		select {
		case <-e.failed:
		case <-settled:
		}
		if err := e.Failure(); err != nil && failed != nil {
			failed(err)
		}
	}()
	return w
}

// Submit queues a command for its round. Commands of one goroutine keep their order. An error means that nothing was
// done and Done will not be called: Busy when the queue is full, Unavailable when the writer is closed. After nil Done is
// called, whatever happens.
func (w *Writer) Submit(c Command) error { return w.push(c, QueuedCommands) }

func (w *Writer) push(c Command, bound int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return hongyan.Errorf(hongyan.Unavailable, "the server is stopping").WithHint("come back in a moment")
	case len(w.queue) >= bound:
		return hongyan.Errorf(hongyan.Busy, "%d requests wait to be written", bound).
			WithHint("send it again in a moment, with the same ids").WithRetryAfter(time.Second)
	}
	w.queue = append(w.queue, c)
	if len(w.queue) == 1 {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// Queued is the number of commands that wait.
func (w *Writer) Queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// Close refuses further commands, settles what was submitted before, and ends the writer.
func (w *Writer) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.stop)
	}
	w.mu.Unlock()
	w.done.Wait()
}

// run makes rounds of what was submitted until the writer is closed and nothing waits.
func (w *Writer) run(rounds chan<- *Round) {
	waiting := make([]Command, 0, MaxRoundCommands)
	for {
		if waiting = w.take(waiting); len(waiting) == 0 {
			select {
			case <-w.wake:
				continue
			case <-w.stop:
			}
			// Nothing can come in any more.
			if waiting = w.take(waiting); len(waiting) == 0 {
				return
			}
		}
		r, taken, err := w.e.Run(w.now().UnixMilli(), waiting)
		n := copy(waiting, waiting[taken:])
		clear(waiting[n:])
		waiting = waiting[:n]
		if err == nil {
			rounds <- r
		}
	}
}

// take moves what a round has room for from the queue to the end of what waits for it.
func (w *Writer) take(waiting []Command) []Command {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.queue), MaxRoundCommands-len(waiting))
	waiting = append(waiting, w.queue[:n]...)
	rest := copy(w.queue, w.queue[n:])
	clear(w.queue[rest:])
	w.queue = w.queue[:rest]
	return waiting
}

// loadFilters brings the deduplication filters of earlier terms in, newest first, while the writer already works. What
// cannot be read or has no room is looked up instead.
func (w *Writer) loadFilters(view *store.View, hours []uint32) {
	open := func() bool {
		select {
		case <-w.stop:
			return false
		default:
			return true
		}
	}
	bytes := 0
	for _, hour := range hours {
		f, err := LoadFilter(view, hour, open)
		if err != nil || f == nil {
			return
		}
		// There is one for each hour of the window, so they need no bound of their own in the queue.
		if bytes += f.Bytes(); bytes > MaxFilterBytes || w.push(f, QueuedCommands+len(hours)) != nil {
			return
		}
	}
}
