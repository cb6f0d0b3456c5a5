package inbox

import (
	"sync"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// disk is a store in memory whose durability is in the test's hands.
type disk struct {
	kv.Store
	mu   sync.Mutex
	wait func(n int) error // what the wait for the n-th batch does, from 1; nil: nothing
	n    int               // batches applied
}

func newDisk(wait func(n int) error) *disk { return &disk{Store: kv.NewMemory(), wait: wait} }

// set changes what the waits for later batches do.
func (d *disk) set(wait func(n int) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wait = wait
}

func (d *disk) Apply(b *kv.Batch) (kv.Commit, error) {
	c, err := d.Store.Apply(b)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
	return &diskCommit{c, d.wait, d.n}, nil
}

type diskCommit struct {
	kv.Commit
	wait func(n int) error
	n    int
}

func (c *diskCommit) Wait() error {
	if c.wait != nil {
		if err := c.wait(c.n); err != nil {
			return err
		}
	}
	return c.Commit.Wait()
}
