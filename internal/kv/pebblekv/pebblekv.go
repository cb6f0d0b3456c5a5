// Package pebblekv keeps a kv.Store in the files of one directory, with Pebble: the engine of a single node.
//
// A batch goes through Pebble's log to its memtable, where readers see it at once; Apply returns then, and a goroutine
// of Pebble writes and syncs the log for all batches that have gathered meanwhile, which Commit.Wait waits for. Reads
// come from the memtables and, through the bloom filters and the block cache, from the tables.
//
// # Keys
//
// The keys are the caller's, in bytewise order. The filters hold prefixes, so that a Scan within one prefix skips the
// tables that have none of it; a descending one cannot. The prefix of a key is, by its first byte:
//
//	i s c r x p   the first 9 bytes: letter and account
//	m             the first 17 bytes: letter and conversation
//	other         the whole key
//
// A key that is shorter is all prefix. This table can never change, see comparerName: a record that is read by ranges
// needs a letter of the first two kinds, or does without the filter. Pebble's own comparer keeps the order, so nothing
// but the filters knows the table.
//
// Above all keys of the caller, which have kv.MaxKey bytes at the most, the store keeps records of its own under
// kv.MaxKey+1 bytes of 0xff, where no scan and no range of the caller reaches:
//
//	e | shard u32 -> term u64, big-endian both
//
// # Failure
//
// A store that cannot write fails as a whole and for good, see failstopFS; so does one that finds damage. Every call
// under way and every later one returns a *FailedError, OnFailure is told, and the process has to be started again.
// Until then the disk stays as it was at the failure. Open waits for nothing and tries nothing twice: on a full disk
// it fails.
//
// # Damage
//
// Pebble has a checksum on every block of a table, verified when it is read, and compares the sizes of the tables with
// the manifest in Open. On top of that Open looks for what Pebble takes for the end of a log or a manifest though it
// is damage (see checkLog). What nobody can tell from a loss of power is damage to the last record of the manifest, and
// to the end of the newest log: from the last sync that a later record vouches for. Pebble understates that position
// in a log by what was written in whole blocks, so that under heavy load the records of the last memtable may depend on
// the disk alone until it is flushed. Files that were removed are noticed if they are tables or manifests.
package pebblekv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// Store is an open store. It owns the directory until Close.
type Store struct {
	dir  string
	db   *pebble.DB
	lock *pebble.Lock // nil if Pebble holds it alone
	life *kv.Lifetime
	stop *failstop

	fence sync.RWMutex // held for reading from the look at a term to the end of the batch that depends on it
	terms map[uint32]uint64
}

var _ kv.Store = (*Store)(nil)

// Open opens the store in dir, or creates it. Errors are *LockedError, *NewerFormatError, *CorruptError, or what the
// file system said.
func Open(dir string, opts Options) (*Store, error) {
	return open(dir, opts, func(*pebble.Options) {})
}

func open(dir string, opts Options, tune func(*pebble.Options)) (*Store, error) {
	if opts.FS == nil {
		opts.FS = vfs.Default
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.CacheSize == 0 {
		opts.CacheSize = DefaultCacheSize
	}
	s := &Store{
		dir:   dir,
		life:  kv.NewLifetime(),
		stop:  &failstop{dir: dir, log: opts.Logger},
		terms: make(map[uint32]uint64),
	}
	fs := &failstopFS{FS: opts.FS, stop: s.stop}
	o := settings(fs, s.stop, opts.CacheSize)
	tune(o)
	if err := s.start(fs, o); err != nil {
		return nil, s.abandon(err)
	}
	if err := s.stop.arm(func(err error) {
		if opts.OnFailure != nil {
			opts.OnFailure(err)
		}
	}); err != nil {
		return nil, s.abandon(err)
	}
	return s, nil
}

// start opens the engine and reads what the store itself has to know.
func (s *Store) start(fs vfs.FS, o *pebble.Options) error {
	var format pebble.FormatMajorVersion
	if _, err := fs.Stat(s.dir); err == nil {
		if s.lock, err = pebble.LockDirectory(s.dir, fs); err != nil {
			return err
		}
		o.Lock = s.lock
		if format, err = inspect(fs, s.dir); err != nil {
			return err
		}
	}
	if err := s.openEngine(o); err != nil {
		return err
	}
	if format < pebble.FormatWALSyncChunks {
		// Pebble begins a store in an old format, raises that, and keeps the log that it began in the old one, without
		// the marks by which damage is told from a torn end. This begins the next log.
		if err := s.db.Flush(); err != nil {
			return err
		}
	}
	return s.readTerms()
}

// openEngine calls Pebble's Open, which panics over some kinds of damage.
func (s *Store) openEngine(o *pebble.Options) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &CorruptError{Dir: s.dir, Err: fmt.Errorf("pebble: %v", r)}
		}
	}()
	s.db, err = pebble.Open(s.dir, o)
	return err
}

// abandon undoes an Open that did not succeed, and returns its error in terms of this package.
func (s *Store) abandon(err error) error {
	if failure := s.stop.failure.Load(); failure != nil {
		err = failure.Err // the first cause; what came of it may look like anything
	}
	if s.db != nil {
		_ = s.db.Close()
	}
	if s.lock != nil {
		_ = s.lock.Close()
	}
	return s.classify(err)
}

// classify turns an error of Open into one of the typed ones if it is not the file system's refusal: then it is about
// what the files hold, or that one is missing.
func (s *Store) classify(err error) error {
	var (
		locked *LockedError
		newer  *NewerFormatError
		damage *CorruptError
		errno  syscall.Errno
	)
	switch {
	case errors.As(err, &locked), errors.As(err, &newer), errors.As(err, &damage):
		return err
	case errors.As(err, &errno) && errno != syscall.ENOENT:
		return fmt.Errorf("pebblekv: opening the store in %s: %w", s.dir, err)
	}
	return &CorruptError{Dir: s.dir, Err: err}
}

// Close implements kv.Store.
func (s *Store) Close() error {
	if err := s.life.End(); err != nil {
		return err
	}
	err := s.db.Close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	if failure := s.stop.err(); failure != nil {
		return failure
	}
	if err != nil {
		return fmt.Errorf("pebblekv: closing the store in %s: %w", s.dir, err)
	}
	return nil
}

// enter begins a call. A successful one ends with s.life.Leave.
func (s *Store) enter() error {
	if err := s.life.Enter(); err != nil {
		return err
	}
	if err := s.stop.err(); err != nil {
		s.life.Leave()
		return err
	}
	return nil
}

// firstKey stands for the start of the store: there is no shorter key, and Pebble is not at home with the empty one.
var firstKey = []byte{0}

// ownKeys is the prefix of the store's own records: above every key of the caller.
var ownKeys = bytes.Repeat([]byte{0xff}, kv.MaxKey+1)

func termKey(shard uint32) []byte {
	key := append(bytes.Clone(ownKeys), 'e')
	return binary.BigEndian.AppendUint32(key, shard)
}

func (s *Store) readTerms() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: ownKeys})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		rest, value := it.Key()[len(ownKeys):], it.Value()
		if len(rest) != 5 || rest[0] != 'e' || len(value) != 8 {
			return errors.Join(fmt.Errorf("a record of the store itself reads %x = %x", rest, value), it.Close())
		}
		s.terms[binary.BigEndian.Uint32(rest[1:])] = binary.BigEndian.Uint64(value)
	}
	return it.Close()
}
