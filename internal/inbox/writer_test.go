package inbox

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

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
