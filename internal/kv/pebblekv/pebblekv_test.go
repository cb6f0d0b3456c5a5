package pebblekv

import (
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/kv/kvtest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		if err := hold(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestStore(t *testing.T) {
	t.Parallel()
	kvtest.Run(t, func(t *testing.T) kv.Store {
		s, err := Open(t.TempDir(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// small are settings under which some hundred kilobytes pass through memtables, tables and compactions.
func small(o *pebble.Options) {
	o.MemTableSize = 32 << 10
	o.LBaseMaxBytes = 128 << 10
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 64 << 10
	}
}

// quiet are the same without work in the background, for a look at what is there.
func quiet(o *pebble.Options) {
	small(o)
	o.DisableAutomaticCompactions = true
	o.DisableTableStats = true
}

// flushed is a store that moves its first batches, and then one in sixteen, into tables at once, so that most of what
// a test reads comes through the filters.
type flushed struct {
	*Store
	batches *atomic.Int64
}

func (f flushed) Apply(b *kv.Batch) (kv.Commit, error) {
	c, err := f.Store.Apply(b)
	if err != nil {
		return nil, err
	}
	if n := f.batches.Add(1); n > 8 && n%16 != 0 {
		return c, nil
	}
	return c, f.db.Flush()
}

func TestStoreOfTables(t *testing.T) {
	t.Parallel()
	kvtest.RunReads(t, func(t *testing.T) kv.Store {
		s, err := open("db", Options{FS: vfs.NewMem()}, small)
		if err != nil {
			t.Fatal(err)
		}
		return flushed{s, new(atomic.Int64)}
	})
}

func TestReopen(t *testing.T) {
	t.Parallel()
	kvtest.RunReopen(t, func(t *testing.T) func() kv.Store {
		dir := t.TempDir()
		return func() kv.Store {
			s, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

var discard = slog.New(slog.DiscardHandler)
