package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/inbox"
	"github.com/hongyan-im/hongyan/internal/store"
)

// thumbnailExt is what the name of a thumbnail ends in, behind that of its object.
const thumbnailExt = ".thumbnail"

// objectPath is where the bytes with a hash stand.
func (s *Store) objectPath(sum []byte) string {
	name := hex.EncodeToString(sum)
	return s.path(objectsDir, name[:2], name)
}

// keep makes the file at path, whose bytes are synced, an object of an account, and returns it when it is durable. The
// file stays; it must not be written to any more. An object that the account has already is left as it is.
func (s *Store) keep(
	ctx context.Context, owner hongyan.UserID, d description, path string, size int64, sum [sha256.Size]byte,
) (hongyan.Media, error) {
	if m, ok, err := s.held(owner, d, size, sum); ok || err != nil {
		return m, err
	}
	if err := s.accepting(); err != nil {
		return hongyan.Media{}, err
	}
	picture, err := s.examine(ctx, path)
	if err != nil {
		return hongyan.Media{}, err
	}
	object := s.objectPath(sum[:])
	if len(picture.thumbnail) > 0 {
		if err := s.writeFile(object+thumbnailExt, picture.thumbnail); err != nil {
			return hongyan.Media{}, fmt.Errorf("media: %w", err)
		}
	}
	if err := os.Link(path, object); err != nil && !errors.Is(err, fs.ErrExist) {
		return hongyan.Media{}, diskError(err)
	}
	if err := syncFolder(s.path(objectsDir, hex.EncodeToString(sum[:1]))); err != nil {
		return hongyan.Media{}, diskError(err)
	}
	kept, err := s.record(s.refFor(owner, d, sum), &store.Media{
		SHA256: sum[:], Size: size, Owner: owner, CreatedMS: s.config.Now().UnixMilli(), Name: d.name,
		MIME: mediaType(picture.head, d.mime), Width: picture.width, Height: picture.height,
		Thumbnail: len(picture.thumbnail) > 0,
	})
	if err != nil {
		return hongyan.Media{}, err
	}
	kept.Thumbnail = picture.thumbnail
	return kept, nil
}

// held returns what an account has uploaded already, if it has.
func (s *Store) held(
	owner hongyan.UserID, d description, size int64, sum [sha256.Size]byte,
) (_ hongyan.Media, ok bool, _ error) {
	key := s.refFor(owner, d, sum)
	m, err := s.lookUp(key)
	if err != nil || m == nil {
		return hongyan.Media{}, false, err
	}
	if m.Size != size {
		return hongyan.Media{}, false, hongyan.Errorf(hongyan.Invalid, "the file with this SHA-256 has %d bytes, not %d", m.Size, size)
	}
	public := record{m}.public(formatRef(key))
	if m.Thumbnail {
		public.Thumbnail, err = s.readThumbnail(m.SHA256)
	}
	return public, err == nil, err
}

// record writes the record of an object, and that its owner has uploaded so much more.
func (s *Store) record(key store.MediaRef, m *store.Media) (hongyan.Media, error) {
	added, err := change(s, func(tx *inbox.Tx) (bool, error) {
		there, err := store.Medias.Get(tx, key)
		if err != nil || there != nil {
			return false, err // two uploads of the same at once
		}
		uses := map[hongyan.UserID]store.MediaUse{}
		for _, u := range []hongyan.UserID{0, m.Owner} {
			use, err := store.MediaUses.Get(tx, u)
			if err != nil {
				return false, err
			}
			if use != nil {
				uses[u] = *use
			}
		}
		for _, u := range []hongyan.UserID{0, m.Owner} {
			use := uses[u]
			use.Bytes, use.Objects = use.Bytes+m.Size, use.Objects+1
			store.MediaUses.Put(tx.Tx, u, &use)
		}
		store.Medias.Put(tx.Tx, key, m)
		return true, nil
	})
	if err != nil {
		return hongyan.Media{}, err
	}
	if added {
		s.stored.Add(m.Size)
	}
	return record{m}.public(formatRef(key)), nil
}

// Save keeps what r holds, up to its end, as an object of an account: for small files, and for those that come from the
// server itself. The name and the media type are what the uploader says; see Begin.
func (s *Store) Save(ctx context.Context, owner hongyan.UserID, name, mime string, r io.Reader) (hongyan.Media, error) {
	m, err := s.save(ctx, owner, name, mime, r)
	return m, s.refused(err)
}

func (s *Store) save(ctx context.Context, owner hongyan.UserID, name, mime string, r io.Reader) (_ hongyan.Media, err error) {
	d, err := describe(name, mime)
	if err != nil {
		return hongyan.Media{}, err
	}
	if err := s.accepting(); err != nil {
		return hongyan.Media{}, err
	}
	room, err := s.enter(owner)
	if err != nil {
		return hongyan.Media{}, err
	}
	defer room.leave()
	f, err := os.CreateTemp(s.path(tempDir), "")
	if err != nil {
		return hongyan.Media{}, diskError(err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(diskWriter{f}, hash), &filling{ctx: ctx, r: r, room: room, left: s.config.MaxSize})
	if err == nil && size == 0 {
		err = hongyan.Errorf(hongyan.Invalid, "the file is empty")
	}
	if err == nil {
		err = diskError(f.Sync())
	}
	if err != nil {
		return hongyan.Media{}, err
	}
	return s.keep(ctx, owner, d, f.Name(), size, [sha256.Size]byte(hash.Sum(nil)))
}

// filling is a reader that makes room for what it reads.
type filling struct {
	ctx  context.Context
	r    io.Reader
	room *room
	left int64 // until the object is too large
}

func (f *filling) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := f.r.Read(p)
	if f.left -= int64(n); f.left < 0 {
		return 0, f.room.store.tooLarge()
	}
	if n > 0 {
		if refused := f.room.grow(int64(n)); refused != nil {
			return 0, refused
		}
	}
	return n, err
}

func (s *Store) tooLarge() error {
	return hongyan.Errorf(hongyan.TooLarge, "a file has at most %d bytes here", s.config.MaxSize)
}

// accepting says StorageLow when the server takes no new content.
func (s *Store) accepting() error {
	if err := s.config.Accepting(); err != nil {
		return storageLow(err)
	}
	return nil
}

// storageLow is the refusal of a server that is short of disk. The cause is not for clients.
func storageLow(error) error {
	return hongyan.Errorf(hongyan.StorageLow, "the server's disk is nearly full").
		WithHint("keep the file and go on with the upload later").WithRetryAfter(time.Minute)
}

// diskError is what a failed access to the disk is told as: a full one is no fault.
func diskError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return storageLow(err)
	}
	return fmt.Errorf("media: %w", err)
}

// diskWriter tells the errors of a file from those of a reader.
type diskWriter struct{ f *os.File }

func (w diskWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	return n, diskError(err)
}

// writeFile writes a whole file and puts it into its place. It is durable when the folder is synced.
func (s *Store) writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(s.path(tempDir), "")
	if err != nil {
		return diskError(err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return diskError(err)
}

// readThumbnail reads the thumbnail of the object with a hash.
func (s *Store) readThumbnail(sum []byte) ([]byte, error) {
	b, err := os.ReadFile(s.objectPath(sum) + thumbnailExt)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	return b, nil
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
