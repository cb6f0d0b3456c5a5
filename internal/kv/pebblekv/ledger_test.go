package pebblekv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// newRand returns a source whose seed is in the test's log.
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

const (
	ledgerWriters = 4
	ledgerKeys    = 4  // of one batch
	ledgerKept    = 10 // batches; the older ones are deleted
)

// ledger is a load whose every batch can be told from the state of the store. Each writer numbers its batches from 1.
// Batch n writes ledgerKeys keys of its own, removes those of batch n-ledgerKept, and sets the writer's head to n.
type ledger struct {
	limit   uint64                       // batches of each writer, 0 for no limit
	acked   [ledgerWriters]atomic.Uint64 // the last batch that was waited for
	applied [ledgerWriters]atomic.Uint64 // the last batch that Apply took
}

// marks is what had been acknowledged at one moment.
type marks [ledgerWriters]uint64

func (l *ledger) marks() (m marks) {
	for w := range m {
		m[w] = l.acked[w].Load()
	}
	return m
}

func headKey(w int) []byte { return []byte{'h', byte(w)} }

func batchKey(w int, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{'i', byte(w)}, n)
}

func entryKey(w int, n uint64, i int) []byte { return append(batchKey(w, n), byte(i)) }

// entryValue is 50 to 250 bytes that say whose they are.
func entryValue(w int, n uint64, i int) []byte {
	value := fmt.Appendf(nil, "entry %d of batch %d of writer %d", i, n, w)
	return append(value, make([]byte, 20+(n*7+uint64(i)*13)%200)...)
}

// write appends batches for one writer until the limit, the store fails or stop is set, and returns the error that it
// met.
func (l *ledger) write(s kv.Store, w int, term uint64, stop *atomic.Bool) error {
	var b kv.Batch
	for n := l.applied[w].Load() + 1; !stop.Load() && (l.limit == 0 || n <= l.limit); n++ {
		b.Reset()
		if n > ledgerKept {
			b.DeleteRange(batchKey(w, n-ledgerKept), batchKey(w, n-ledgerKept+1))
		}
		for i := range ledgerKeys {
			b.Set(entryKey(w, n, i), entryValue(w, n, i))
		}
		b.Set(headKey(w), binary.BigEndian.AppendUint64(nil, n))
		b.Fence(1, term)
		c, err := s.Apply(&b)
		if err != nil {
			return err
		}
		l.applied[w].Store(n)
		if err := c.Wait(); err != nil {
			return err
		}
		l.acked[w].Store(n)
	}
	return nil
}

// run writes with all writers at once until stop is set or all have met an error.
func (l *ledger) run(s kv.Store, term uint64, stop *atomic.Bool) []error {
	errs := make([]error, ledgerWriters)
	var wg sync.WaitGroup
	for w := range ledgerWriters {
		wg.Go(func() { errs[w] = l.write(s, w, term, stop) })
	}
	wg.Wait()
	return errs
}

// resume makes the writers go on from what the store holds.
func (l *ledger) resume(s kv.Store) error {
	for w := range ledgerWriters {
		head, err := ledgerHead(s, w)
		if err != nil {
			return err
		}
		l.acked[w].Store(head)
		l.applied[w].Store(head)
	}
	return nil
}

func ledgerHead(r kv.Reader, w int) (uint64, error) {
	value, err := r.Get(headKey(w))
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil || len(value) != 8 {
		return 0, fmt.Errorf("the head of writer %d is %x, %w", w, value, err)
	}
	return binary.BigEndian.Uint64(value), nil
}

// errLost is what checkLedger returns when an acknowledged batch is not there, though the rest is in order.
var errLost = errors.New("an acknowledged batch is lost")

// checkLedger makes sure that the store holds every acknowledged batch, and of every batch all or nothing.
func checkLedger(r kv.Reader, acked marks) error {
	for w := range ledgerWriters {
		head, err := ledgerHead(r, w)
		if err != nil {
			return err
		}
		n := uint64(1)
		if head > ledgerKept {
			n = head - ledgerKept + 1
		}
		i := 0
		it := r.Scan([]byte{'i', byte(w)}, []byte{'i', byte(w) + 1}, false)
		for it.Next() {
			if string(it.Key()) != string(entryKey(w, n, i)) || string(it.Value()) != string(entryValue(w, n, i)) {
				err = fmt.Errorf("writer %d, head %d: found %x=%.40q instead of entry %d of batch %d",
					w, head, it.Key(), it.Value(), i, n)
				break
			}
			if i++; i == ledgerKeys {
				n, i = n+1, 0
			}
		}
		if err := errors.Join(err, it.Close()); err != nil {
			return err
		}
		if n != head+1 || i != 0 {
			return fmt.Errorf("writer %d: the entries end before entry %d of batch %d, the head is %d", w, i, n, head)
		}
		if head < acked[w] {
			return fmt.Errorf("%w: writer %d was told of %d, the head is %d", errLost, w, acked[w], head)
		}
	}
	return nil
}
