// Package media keeps what people send besides text: pictures, recordings, files. An object is the bytes of one file; it
// stands on the disk once, under its SHA-256, however many accounts have uploaded it. A reference leads to it: an
// unguessable name that never changes, one for each account, file name and type under which the object was uploaded.
// Knowing the hash of a file gives no access to it, and whoever has the reference may read.
//
//	Begin ─► Put, Put, … (any order, at once, again) ─► Finish ─┐
//	Save  ─► temporary file ────────────────────────────────────┴─► keep ─► Media ─► Open, Thumbnail
//
// Keeping an object is, in this order: its bytes are synced, linked into their place, the folder is synced, and the record
// of the reference goes through a round of the store. So what was answered survives kill -9 and power cuts, and a crash
// in between leaves at most a file that nobody refers to. A part is recorded as received when its bytes are synced.
//
// Everything that people cause is bounded: see the constants below and Config. Refusals are *hongyan.Error.
package media

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// Limits.
const (
	PartSize             = 1 << 20        // bytes of a part, as clients are advised
	MaxPart              = 4 << 20        // bytes of a part
	MaxWhole             = 10 << 20       // bytes of an object that comes in one request
	MaxUploads           = 1024           // unfinished uploads
	MaxUploadsPerAccount = 16             // of them, of one account
	MaxUploadBytes       = 16 << 30       // that all unfinished uploads have announced
	MaxRanges            = 1024           // pieces, without what lies between, of which an upload may consist meanwhile
	UploadTTL            = 24 * time.Hour // after which an unfinished upload goes
	MaxThumbnailSide     = 240            // pixels of the longer side of a thumbnail
	MaxPixels            = 16 << 20       // of an image that gets a thumbnail
	maxKnown             = 8192           // records that are remembered
)

// Config is what an operator decides, and what the server lends.
type Config struct {
	Dir     string // of everything the store keeps on disk; created if it is missing
	MaxSize int64  // bytes of an object
	Quota   int64  // bytes that one account may have uploaded; 0: no limit
	Shard   *inbox.Shard
	// Accepting returns nil, or why the server takes no new content at present.
	Accepting func() error
	Now       func() time.Time
	Metrics   prometheus.Registerer // nil: nobody sees them
}

// Store is an open media store. Its methods may be called from several goroutines.
type Store struct {
	config  Config
	secret  []byte // that references are made with
	metrics *metrics
	stored  atomic.Int64 // bytes under all references
	known   *lru.Cache[store.MediaRef, *store.Media]
	hashing slots // of uploads that are finished
	drawing slots // of images that are decoded

	mu       sync.Mutex
	uploads  map[string]*upload
	accounts map[hongyan.UserID]*account // those with something under way
	open     int                         // uploads of all accounts, those of Save included
	reserved int64                       // bytes that they have announced
}

// Names of the folders in Config.Dir.
const (
	objectsDir = "objects" // aa/ and the SHA-256 in hex, which begins with aa; .thumbnail behind it
	uploadsDir = "uploads" // id, and .json or .parts behind it
	tempDir    = "tmp"     // emptied when the store is opened
)

// Open opens the store in a folder, with the uploads that were not finished when it was closed or killed.
func Open(c Config) (*Store, error) {
	s := &Store{
		config: c, hashing: make(slots, runtime.GOMAXPROCS(0)), drawing: make(slots, max(1, runtime.GOMAXPROCS(0)/2)),
		uploads: map[string]*upload{}, accounts: map[hongyan.UserID]*account{},
	}
	err := s.makeFolders()
	if err == nil {
		s.known, err = lru.New[store.MediaRef, *store.Media](maxKnown)
	}
	if err == nil {
		err = s.readSecret()
	}
	if err == nil {
		err = s.readUploads()
	}
	if err == nil {
		s.metrics, err = newMetrics(s, c.Metrics)
	}
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	return s, nil
}

// makeFolders makes the folders that are missing. Once they are there, no object has to wait for one.
func (s *Store) makeFolders() error {
	if err := os.RemoveAll(s.path(tempDir)); err != nil {
		return err
	}
	for _, name := range []string{"", objectsDir, uploadsDir, tempDir} {
		if err := os.MkdirAll(s.path(name), 0o700); err != nil {
			return err
		}
	}
	for i := range 256 {
		err := os.Mkdir(s.path(objectsDir, fmt.Sprintf("%02x", i)), 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, name := range []string{objectsDir, "", ".."} {
		if err := syncFolder(s.path(name)); err != nil {
			return err
		}
	}
	return nil
}

// readSecret reads what references are made with, or draws it at the first start, and how much is stored.
func (s *Store) readSecret() error {
	const name = "media-secret"
	secret, err := change(s, func(tx *inbox.Tx) ([]byte, error) {
		use, err := store.MediaUses.Get(tx, 0)
		if err != nil {
			return nil, err
		}
		if use != nil {
			s.stored.Store(use.Bytes)
		}
		kept, err := store.Meta.Get(tx, name)
		if err != nil {
			return nil, err
		}
		if kept != nil {
			return *kept, nil
		}
		drawn := make([]byte, 32)
		rand.Read(drawn)
		store.Meta.Put(tx.Tx, name, &drawn)
		return drawn, nil
	})
	s.secret = secret
	return err
}

func (s *Store) path(names ...string) string {
	return filepath.Join(append([]string{s.config.Dir}, names...)...)
}

// change runs do in a round of the shard and returns when it is durable.
func change[R any](s *Store, do func(tx *inbox.Tx) (R, error)) (R, error) {
	return await(func(done func(R, error)) { inbox.Change(s.config.Shard, do, done) })
}

// look runs do over what is durable.
func look[R any](s *Store, do func(r *inbox.Read) (R, error)) (R, error) {
	return await(func(done func(R, error)) { inbox.Look(s.config.Shard, inbox.Nobody, do, done) })
}

func await[R any](start func(done func(R, error))) (R, error) {
	type result struct {
		r   R
		err error
	}
	got := make(chan result, 1)
	start(func(r R, err error) { got <- result{r, err} })
	it := <-got
	return it.r, it.err
}

// slots bound how many do something dear at a time.
type slots chan struct{}

// take waits for a slot, which leave gives back.
func (s slots) take(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slots) leave() { <-s }

// Object is a kept object, to be read and closed.
type Object struct {
	io.ReadSeekCloser
	Media   hongyan.Media // without the thumbnail
	Created time.Time
}

// Open opens the object of a reference. NotFound says that there is none.
func (s *Store) Open(_ context.Context, ref string) (Object, error) {
	m, err := s.find(ref)
	if err != nil {
		return Object{}, err
	}
	f, err := os.Open(s.objectPath(m.SHA256))
	if err != nil {
		return Object{}, fmt.Errorf("media: the object of %s: %w", ref, err)
	}
	return Object{f, m.public(ref), time.UnixMilli(m.CreatedMS)}, nil
}

// Thumbnail returns the thumbnail of an image, a JPEG of at most hongyan.MaxThumbnail bytes. NotFound says that there is
// no such image, or that it has none.
func (s *Store) Thumbnail(_ context.Context, ref string) ([]byte, error) {
	m, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	if !m.Thumbnail {
		return nil, hongyan.Errorf(hongyan.NotFound, "there is no thumbnail under this reference")
	}
	return s.readThumbnail(m.SHA256)
}

// record is what is known of a reference.
type record struct{ *store.Media }

func (s *Store) find(ref string) (record, error) {
	key, ok := parseRef(ref)
	if ok {
		m, err := s.lookUp(key)
		if m != nil || err != nil {
			return record{m}, err
		}
	}
	return record{}, hongyan.Errorf(hongyan.NotFound, "there is no media under this reference").
		WithHint("give it exactly as it came")
}

// lookUp returns the record of a reference, or nil. Records never change, so those that were looked up are remembered: a
// read of the store may have to wait for the disk, if it has seen what somebody is writing.
func (s *Store) lookUp(key store.MediaRef) (*store.Media, error) {
	if m, ok := s.known.Get(key); ok {
		return m, nil
	}
	m, err := look(s, func(r *inbox.Read) (*store.Media, error) { return store.Medias.Get(r, key) })
	if m != nil {
		s.known.Add(key, m)
	}
	return m, err
}

// public is a record as messages carry it.
func (r record) public(ref string) hongyan.Media {
	return hongyan.Media{
		Ref: ref, Name: r.Name, MIME: r.MIME, Size: uint64(r.Size), Width: r.Width, Height: r.Height, SHA256: r.SHA256,
	}
}
