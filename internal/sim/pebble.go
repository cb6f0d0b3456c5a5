package sim

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/kv/pebblekv"
)

// pebbleDisk keeps the records with Pebble, on files in memory that lose what was not synced. Pebble has goroutines of
// its own: how much of an unsynced write a power cut finds on the disk may differ from run to run.
type pebbleDisk struct {
	w     *world
	files *vfs.MemFS
	store *pebblekv.Store
	bad   *atomic.Bool // writes fail
}

func newPebbleDisk(w *world) *pebbleDisk { return &pebbleDisk{w: w, files: vfs.NewCrashableMem()} }

func (d *pebbleDisk) start() (kv.Store, error) {
	bad := new(atomic.Bool)
	files := errorfs.Wrap(d.files, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if bad.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return errDisk
		}
		return nil
	}))
	store, err := pebblekv.Open("db", pebblekv.Options{FS: files, CacheSize: 1 << 20})
	if err != nil {
		return nil, err
	}
	d.store, d.bad = store, bad
	return store, nil
}

func (d *pebbleDisk) cut() {
	share := one(d.w, []int{0, 50, 100})
	d.w.note("disk     loses its power, %d%% of what was not synced survives", share)
	left := d.files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: share, RNG: d.w.rng})
	_ = d.store.Close() // writes, if it can, to files that nobody will read
	d.files = left
}

func (d *pebbleDisk) spoil() { d.bad.Store(true) }

func (d *pebbleDisk) end() error { return d.store.Close() }
