package app

import (
	"crypto/rand"
	"fmt"

	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// keptSecret reads a secret of the store, or draws one of size bytes on the first start.
func keptSecret(part *inbox.Shard, name string, size int) ([]byte, error) {
	type result struct {
		secret []byte
		err    error
	}
	got := make(chan result, 1)
	inbox.Change(part, func(tx *inbox.Tx) ([]byte, error) {
		kept, err := store.Meta.Get(tx, name)
		switch {
		case err != nil:
			return nil, err
		case kept == nil:
			kept = new([]byte)
			*kept = make([]byte, size)
			_, _ = rand.Read(*kept) // it never fails
			store.Meta.Put(tx.Tx, name, kept)
		case len(*kept) != size:
			return nil, fmt.Errorf("%d bytes are stored, want %d", len(*kept), size)
		}
		return *kept, nil
	}, func(b []byte, err error) { got <- result{b, err} })
	r := <-got
	if r.err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, r.err)
	}
	return r.secret, nil
}
