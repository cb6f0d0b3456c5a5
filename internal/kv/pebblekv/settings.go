package pebblekv

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are what Open takes. The zero value is a store on the operating system's files that logs nothing.
type Options struct {
	// FS is where the store lives; nil means the operating system's files.
	FS vfs.FS
	// Logger receives the incidents of the engine, and its daily work at the level Debug; nil means none.
	Logger *slog.Logger
	// OnFailure is called once, on a goroutine of its own, when the store has failed, with the *FailedError that every
	// call returns from then on. The process should end with an error. It may close the store.
	OnFailure func(error)
	// CacheSize bounds the bytes of memory for blocks read and for batches not yet written to tables, together; it is
	// taken as needed. 0 means DefaultCacheSize.
	CacheSize int64
}

// DefaultCacheSize leaves as much for blocks as the batches may take at the most.
const DefaultCacheSize = 512 << 20

// formatVersion is written into the store at Open, and an older program does not open it any more. So it is raised on
// purpose, not by an update of Pebble. It must be at least FormatWALSyncChunks, which tells a torn log from a damaged one.
const formatVersion = pebble.FormatValueSeparation

const (
	memTableSize  = 64 << 20
	memTableLimit = 4 // full ones that wait to be written, and the one in use
	// l0Limit is the depth of young tables at which writes would stop. Reads get slower long before; what has to slow
	// the senders down is the queue in front of the store.
	l0Limit = 1000
	// bloomBits per prefix make one in a hundred of the absent ones look present.
	bloomBits = 10
	// keyBundle is the number of neighbouring keys that share a prefix in a table, part of the name of the key schema.
	keyBundle = 16
)

func settings(fs vfs.FS, stop *failstop, cacheSize int64) *pebble.Options {
	comparer := newComparer()
	schema := colblk.DefaultKeySchema(comparer, keyBundle)
	o := &pebble.Options{
		Comparer:                    comparer,
		KeySchema:                   schema.Name,
		KeySchemas:                  sstable.MakeKeySchemas(&schema),
		FormatMajorVersion:          formatVersion,
		FS:                          fs,
		Logger:                      stop,
		EventListener:               stop.events(),
		CacheSize:                   cacheSize,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: memTableLimit,
		L0StopWritesThreshold:       l0Limit,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	return o
}
