package pebblekv

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// Apply implements kv.Store. It returns when the batch is in the log's buffer and in the memtable; it waits only while
// four memtables are full, or 4,095 batches wait for the log.
func (s *Store) Apply(b *kv.Batch) (kv.Commit, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.life.Leave()
	if shard, term := b.Fenced(); term != 0 {
		// This process is the only writer, by the lock of the directory, so the terms in memory are the ones on the disk.
		s.fence.RLock()
		defer s.fence.RUnlock()
		if s.terms[shard] != term {
			return nil, kv.ErrFenced
		}
	}
	batch, err := s.encode(b)
	if err == nil {
		err = s.db.ApplyNoSyncWait(batch, pebble.Sync)
	}
	if err := s.writeError(err); err != nil {
		return nil, err
	}
	return &commit{store: s, batch: batch}, nil
}

// encode copies the writes into a batch of Pebble's.
func (s *Store) encode(b *kv.Batch) (*pebble.Batch, error) {
	const overhead = 16 // bytes that Pebble adds to a batch or a write, at the most
	batch := s.db.NewBatchWithSize(b.Size() + overhead*(b.Len()+1))
	for _, op := range b.Ops() {
		var err error
		switch op.Kind {
		case kv.OpSet:
			err = batch.Set(op.Key, op.Value, nil)
		case kv.OpDelete:
			err = batch.Delete(op.Key, nil)
		case kv.OpDeleteRange:
			from := op.Key
			if len(from) == 0 {
				from = firstKey
			}
			if bytes.Compare(from, op.Value) < 0 {
				err = batch.DeleteRange(from, op.Value, nil)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if batch.Empty() {
		// Pebble would not log it, and Wait would not wait for the batches before it.
		return batch, batch.LogData(nil, nil)
	}
	return batch, nil
}

// writeError returns what a write ended with: any error fails the store.
func (s *Store) writeError(err error) error {
	if err != nil {
		s.stop.fail(err)
	}
	return s.stop.err()
}

// commit is a batch whose log record waits to be synced.
type commit struct {
	store *Store
	batch *pebble.Batch
}

// Wait implements kv.Commit. Pebble's word for the sync is worth what the disk's state was when it gave it: a failure
// is recorded before the sync that met it returns, so to look for one afterwards is enough (see failstopFS).
func (c *commit) Wait() error {
	if err := c.store.writeError(c.batch.SyncWait()); err != nil {
		return err
	}
	_ = c.batch.Close() // back to Pebble's pool; it has no other error than a second Close
	return nil
}

// Claim implements kv.Store.
func (s *Store) Claim(shard uint32) (uint64, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.life.Leave()
	s.fence.Lock()
	defer s.fence.Unlock()
	term := s.terms[shard] + 1
	if err := s.writeError(s.db.Set(termKey(shard), binary.BigEndian.AppendUint64(nil, term), pebble.Sync)); err != nil {
		return 0, fmt.Errorf("pebblekv: claiming shard %d: %w", shard, err)
	}
	s.terms[shard] = term
	return term, nil
}
