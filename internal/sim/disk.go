package sim

import (
	"bytes"
	"errors"
	"time"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// disk keeps the server's records over power cuts.
type disk interface {
	// start returns the store that is left of what was written before.
	start() (kv.Store, error)
	// cut ends the store as a loss of power does: what was synced is there afterwards, and perhaps some of what was
	// written after it.
	cut()
	// spoil makes the next write or sync fail, and with it the store.
	spoil()
	// end closes the store that is open.
	end() error
}

// memoryDisk keeps batches in memory. A power cut leaves a prefix of the batches that were applied, with all that were
// synced: that is what a log with checksums leaves, whose torn end is cut off.
type memoryDisk struct {
	w       *world
	store   *memoryStore // the one that is open
	left    *kv.Memory   // what a cut has left
	terms   map[uint32]uint64
	lost    int // batches
	planted *planted
}

func newMemoryDisk(w *world, p *planted) *memoryDisk {
	return &memoryDisk{w: w, left: kv.NewMemory(), terms: map[uint32]uint64{}, planted: p}
}

func (d *memoryDisk) start() (kv.Store, error) {
	d.store = &memoryStore{Memory: d.left, d: d, states: []kv.Snapshot{d.left.Snapshot()}}
	return d.store, nil
}

func (d *memoryDisk) cut() {
	s := d.store
	kept := s.synced + int(d.w.draw(int64(len(s.states)-s.synced)))
	d.w.note("disk     of %d unsynced batches %d survive", len(s.states)-1-s.synced, kept-s.synced)
	d.lost += len(s.states) - 1 - kept
	d.left = kv.NewMemory()
	var b kv.Batch
	it := s.states[kept].Scan(nil, nil, false)
	for it.Next() {
		b.Set(bytes.Clone(it.Key()), bytes.Clone(it.Value()))
	}
	if err := it.Close(); err != nil {
		panic(err)
	}
	if d.planted.forgetDedupe {
		b.DeleteRange([]byte{'d'}, []byte{'d' + 1})
		b.DeleteRange([]byte{'f'}, []byte{'f' + 1})
	}
	if _, err := d.left.Apply(&b); err != nil {
		panic(err)
	}
	for shard, term := range d.terms {
		for range term {
			if _, err := d.left.Claim(shard); err != nil {
				panic(err)
			}
		}
	}
	for _, state := range s.states {
		if state != nil {
			state.Close()
		}
	}
}

func (d *memoryDisk) spoil() {
	if d.w.chance(3) {
		d.store.failed = errDisk
		return
	}
	d.store.spoilt = true
}

func (d *memoryDisk) end() error { return nil }

// memoryStore is one life of a memoryDisk.
type memoryStore struct {
	*kv.Memory
	d      *memoryDisk
	states []kv.Snapshot // after each batch; nil before the last one that was synced
	synced int           // of states
	spoilt bool          // the next sync fails
	failed error

	stale   kv.Snapshot // see planted.staleLine
	staleAt time.Time
}

var errDisk = errors.New("the simulated disk has failed")

// Claim implements kv.Store. It is durable at once, with all that was applied before.
func (s *memoryStore) Claim(shard uint32) (uint64, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	s.sync(len(s.states) - 1)
	if s.d.planted.reuseTerm && s.d.terms[shard] > 0 {
		return s.d.terms[shard], nil
	}
	term, err := s.Memory.Claim(shard)
	s.d.terms[shard] = term
	return term, err
}

// Apply implements kv.Store.
func (s *memoryStore) Apply(b *kv.Batch) (kv.Commit, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	if _, err := s.Memory.Apply(s.d.planted.batch(s.d.w, s.Memory, b)); err != nil {
		return nil, err
	}
	s.states = append(s.states, s.Memory.Snapshot())
	return memoryCommit{s, len(s.states) - 1}, nil
}

func (s *memoryStore) sync(upTo int) {
	for ; s.synced < upTo; s.synced++ {
		s.states[s.synced].Close()
		s.states[s.synced] = nil
	}
}

// Snapshot implements kv.Store.
func (s *memoryStore) Snapshot() kv.Snapshot {
	if !s.d.planted.staleLine {
		return s.Memory.Snapshot()
	}
	if now := s.d.w.now; s.stale == nil || now.Sub(s.staleAt) > 3*time.Second {
		s.stale, s.staleAt = s.Memory.Snapshot(), now
	}
	return staleSnapshot{s.Memory.Snapshot(), s.stale}
}

// staleSnapshot is a snapshot whose trim lines are of an earlier time.
type staleSnapshot struct {
	kv.Snapshot
	stale kv.Snapshot
}

func (s staleSnapshot) Get(key []byte) ([]byte, error) {
	if key[0] == 'h' {
		return s.stale.Get(key)
	}
	return s.Snapshot.Get(key)
}

type memoryCommit struct {
	s    *memoryStore
	upTo int
}

func (c memoryCommit) Wait() error {
	if c.s.spoilt {
		c.s.failed = errDisk
	}
	if c.s.failed != nil {
		return c.s.failed
	}
	if !c.s.d.planted.skipSync {
		c.s.sync(c.upTo)
	}
	return nil
}
