package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/bbolt"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/client/core"
)

// Limits of the outbox.
const (
	// MaxOutbox is how many messages may wait or stand failed in the outbox of a profile.
	MaxOutbox = 5000

	maxSentRecords = 1000            // results that are kept for processes that ask what became of their message
	outboxLockWait = 5 * time.Second // for another process that is sending
	outboxLoad     = 64              // waiting messages that are loaded at once
)

// Buckets of outbox.db. The first three hold CBOR of core.Item under a big-endian number that grows.
var (
	bucketWaiting = []byte("waiting") // in the order in which they are sent
	bucketFailed  = []byte("failed")
	bucketSent    = []byte("sent")   // without contents, the last maxSentRecords
	bucketPlaces  = []byte("places") // client id → number, name of the bucket
)

// outbox keeps what a device has to send. A process holds it only as long as it uses it, so that several can take
// turns: between acquire and the last release.
type outbox struct {
	path string
	turn chan struct{} // holds a token while somebody opens or closes
	db   *bbolt.DB     // open while refs > 0
	refs int
}

func newOutbox(dir string) *outbox {
	return &outbox{path: filepath.Join(dir, outboxFile), turn: make(chan struct{}, 1)}
}

// acquire makes the outbox usable until release. If another process holds it for long, the error is a *LockedError.
func (o *outbox) acquire(ctx context.Context) error {
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			return &LockedError{Path: o.path, PID: readPID(o.path)}
		}
		return context.Cause(ctx)
	}
	if o.refs == 0 {
		wait := outboxLockWait
		if deadline, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(deadline))
		}
		db, err := openDatabase(o.path, wait)
		if err != nil {
			return err
		}
		if err := initOutbox(db); err != nil {
			db.Close()
			return fmt.Errorf("%s: %w", o.path, err)
		}
		o.db = db
	}
	o.refs++
	return nil
}

// initOutbox makes the buckets of a new database.
func initOutbox(db *bbolt.DB) error {
	var done bool
	err := db.View(func(tx *bbolt.Tx) error {
		done = tx.Bucket(bucketPlaces) != nil
		return nil
	})
	if err != nil || done {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketWaiting, bucketFailed, bucketSent, bucketPlaces} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o *outbox) release() {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	if o.refs--; o.refs == 0 {
		o.db.Close()
		o.db = nil
	}
}

// add puts a new message, or one that is to be sent again, behind what waits.
func (o *outbox) add(it core.Item) error {
	return o.db.Update(func(tx *bbolt.Tx) error {
		if n := tx.Bucket(bucketWaiting).Stats().KeyN + tx.Bucket(bucketFailed).Stats().KeyN; n >= MaxOutbox {
			return hongyan.Errorf(hongyan.TooMany, "%d messages wait to be sent or have failed", n).
				WithHint("discard those that have failed, or wait until the server can be reached")
		}
		return place(tx, bucketWaiting, it)
	})
}

// save stores the present states of items.
func (o *outbox) save(items []core.Item) error {
	return o.db.Update(func(tx *bbolt.Tx) error {
		for _, it := range items {
			if err := o.saveOne(tx, it); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o *outbox) saveOne(tx *bbolt.Tx, it core.Item) error {
	switch it.State {
	case core.Waiting:
		bucket, key := find(tx, it.ID)
		if bucket == nil {
			return fmt.Errorf("message %x is not in the outbox", it.ID)
		}
		v, err := cbor.Marshal(it)
		if err != nil {
			return err
		}
		return bucket.Put(key, v)
	case core.Failed:
		return place(tx, bucketFailed, it)
	}
	it.Content = hongyan.Content{} // it stands in the conversation now
	if err := place(tx, bucketSent, it); err != nil {
		return err
	}
	sent := tx.Bucket(bucketSent)
	if last := sent.Sequence(); last > maxSentRecords {
		if v := sent.Get(be64(last - maxSentRecords)); v != nil {
			var old core.Item
			if err := cbor.Unmarshal(v, &old); err != nil {
				return err
			}
			return forgetItem(tx, old.ID)
		}
	}
	return nil
}

// place moves an item to the end of a bucket, from wherever it is.
func place(tx *bbolt.Tx, name []byte, it core.Item) error {
	if err := forgetItem(tx, it.ID); err != nil {
		return err
	}
	bucket := tx.Bucket(name)
	n, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	v, err := cbor.Marshal(it)
	if err != nil {
		return err
	}
	if err := bucket.Put(be64(n), v); err != nil {
		return err
	}
	return tx.Bucket(bucketPlaces).Put(it.ID[:], append(be64(n), name...))
}

// find returns where an item is, nil if there is none.
func find(tx *bbolt.Tx, id hongyan.ClientID) (bucket *bbolt.Bucket, key []byte) {
	v := tx.Bucket(bucketPlaces).Get(id[:])
	if len(v) < 8 {
		return nil, nil
	}
	return tx.Bucket(v[8:]), be64(binary.BigEndian.Uint64(v))
}

func forgetItem(tx *bbolt.Tx, id hongyan.ClientID) error {
	bucket, key := find(tx, id)
	if bucket == nil {
		return nil
	}
	if err := bucket.Delete(key); err != nil {
		return err
	}
	return tx.Bucket(bucketPlaces).Delete(id[:])
}

// get returns an item. It reports whether there is one.
func (o *outbox) get(id hongyan.ClientID) (it core.Item, ok bool, err error) {
	err = o.db.View(func(tx *bbolt.Tx) error {
		bucket, key := find(tx, id)
		if bucket == nil {
			return nil
		}
		ok = true
		return cbor.Unmarshal(bucket.Get(key), &it)
	})
	return it, ok, err
}

// remove forgets an item.
func (o *outbox) remove(id hongyan.ClientID) error {
	return o.db.Update(func(tx *bbolt.Tx) error { return forgetItem(tx, id) })
}

// waiting returns the first items that wait, in order.
func (o *outbox) waiting(limit int) ([]core.Item, error) { return o.list(bucketWaiting, limit) }

func (o *outbox) list(name []byte, limit int) ([]core.Item, error) {
	var items []core.Item
	err := o.db.View(func(tx *bbolt.Tx) error {
		cur := tx.Bucket(name).Cursor()
		for k, v := cur.First(); k != nil && len(items) < limit; k, v = cur.Next() {
			var it core.Item
			if err := cbor.Unmarshal(v, &it); err != nil {
				return err
			}
			items = append(items, it)
		}
		return nil
	})
	return items, err
}
