package pebblekv

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/kv/kvtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

// quiet are the same without compactions, for a look at what is there.
func quiet(o *pebble.Options) {
	small(o)
	o.DisableAutomaticCompactions = true
}

func TestStoreOfSmallTables(t *testing.T) {
	t.Parallel()
	kvtest.Run(t, func(t *testing.T) kv.Store {
		s, err := open("db", Options{FS: vfs.NewMem()}, small)
		if err != nil {
			t.Fatal(err)
		}
		return s
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
