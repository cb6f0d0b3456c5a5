package inbox

import (
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// QueuedCommands bounds the commands that wait for their round. Beyond it Submit answers Busy.
const QueuedCommands = 8192

// Writer drives an Engine: one goroutine gathers what waits and commits it, a second waits for the disk and settles, so
// that the next round fills while the last one syncs.
type Writer struct {
	e     *Engine
	now   func() time.Time
	queue chan Command
	stop  chan struct{} // closed by Close
	done  sync.WaitGroup
	once  sync.Once
}

// NewWriter starts a writer of e. failed is called once, on its own goroutine, if the store fails.
func NewWriter(e *Engine, now func() time.Time, failed func(error)) *Writer {
	w := &Writer{e: e, now: now, queue: make(chan Command, QueuedCommands), stop: make(chan struct{})}
	rounds := make(chan *Round, 1)
	w.done.Add(3)
	view := e.store.View() // of the terms before this one
	go func() {
		defer w.done.Done()
		defer view.Close()
		w.loadFilters(view)
	}()
	go func() {
		defer w.done.Done()
		defer close(rounds)
		w.commit(rounds)
	}()
	go func() {
		defer w.done.Done()
		for r := range rounds {
			e.Settle(r, r.Wait())
		}
		if err := e.Failure(); err != nil && failed != nil {
			failed(err)
		}
	}()
	return w
}

// Submit queues a command for its round. Commands of one goroutine keep their order. A Busy Error means that nothing was
// done and Done will not be called.
func (w *Writer) Submit(c Command) error {
	select {
	case <-w.stop:
		return hongyan.Errorf(hongyan.Unavailable, "the server is stopping").WithHint("come back in a moment")
	default:
	}
	select {
	case w.queue <- c:
		return nil
	default:
		return hongyan.Errorf(hongyan.Busy, "%d requests wait to be written", QueuedCommands).
			WithHint("send it again in a moment, with the same ids").WithRetryAfter(time.Second)
	}
}

// Queued is the number of commands that wait.
func (w *Writer) Queued() int { return len(w.queue) }

// Close settles what was submitted before and ends the writer. Commands that are submitted at the same time may be left
// unanswered: stop their sources first.
func (w *Writer) Close() {
	w.once.Do(func() { close(w.stop) })
	w.done.Wait()
}

func (w *Writer) commit(rounds chan<- *Round) {
	waiting := make([]Command, 0, MaxRoundCommands)
	for {
		if len(waiting) == 0 {
			select {
			case c := <-w.queue:
				waiting = append(waiting, c)
			case <-w.stop:
				select { // what was queued before the stop is still done
				case c := <-w.queue:
					waiting = append(waiting, c)
				default:
					return
				}
			}
		}
		waiting = w.gather(waiting)
		r, taken, err := w.e.Commit(w.now().UnixMilli(), waiting)
		waiting = append(waiting[:0], waiting[taken:]...)
		if err == nil {
			rounds <- r
		}
	}
}

// gather adds what waits in the queue, without waiting itself.
func (w *Writer) gather(waiting []Command) []Command {
	for len(waiting) < MaxRoundCommands {
		select {
		case c := <-w.queue:
			waiting = append(waiting, c)
		default:
			return waiting
		}
	}
	return waiting
}

// loadFilters brings the deduplication filters of earlier terms in, newest first, while the writer already works.
func (w *Writer) loadFilters(view *store.View) {
	for _, hour := range Filters(w.now().UnixMilli()) {
		c, err := LoadFilter(view, hour)
		if err != nil {
			return // the store is unreadable, which the rounds will meet themselves; look-ups remain correct
		}
		select {
		case w.queue <- c:
		case <-w.stop:
			return
		}
	}
}
