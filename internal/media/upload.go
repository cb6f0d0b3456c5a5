package media

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Upload is what an uploader says of a file beforehand.
type Upload struct {
	Size   int64  // bytes, from 1 to Config.MaxSize
	Name   string // of the file, for people; a path before it is dropped
	MIME   string // media type; the bytes decide where they tell
	SHA256 []byte // 32 bytes or none: Finish compares
}

// Begun is an upload that was begun.
type Begun struct {
	ID      string
	Expires time.Time
	// Media is set instead of the rest if the account has uploaded the same file, by SHA-256, name and type, before.
	Media *hongyan.Media
}

// Progress is how far an upload is.
type Progress struct {
	Size     int64
	Received []Range // in order
	Expires  time.Time
}

// Total is how many bytes have come.
func (p Progress) Total() int64 { return ranges(p.Received).total() }

// upload is an upload that is not finished.
type upload struct {
	id   string
	plan plan
	path string // of the bytes; more files have this name with something behind it
	room *room

	writing sync.RWMutex // held for reading while bytes are written, for writing by what ends the upload
	ended   bool         // guarded by writing
	kept    *hongyan.Media

	mu       sync.Mutex // guards what follows, and the file of parts
	received ranges
}

// Begin begins an upload of an account. It is there until Finish, Abort or Progress.Expires, over restarts too. Whoever says
// the SHA-256 and begins the same again gets the upload that is there, or the object that has become of it.
func (s *Store) Begin(_ context.Context, owner hongyan.UserID, u Upload) (Begun, error) {
	b, err := s.begin(owner, u)
	return b, s.refused(err)
}

func (s *Store) begin(owner hongyan.UserID, u Upload) (Begun, error) {
	d, err := describe(u.Name, u.MIME)
	switch {
	case err != nil:
		return Begun{}, err
	case u.Size < 1:
		return Begun{}, hongyan.Errorf(hongyan.Invalid, "an upload has at least one byte, not %d", u.Size).WithHint("say the size")
	case u.Size > s.config.MaxSize:
		return Begun{}, s.tooLarge()
	case len(u.SHA256) != 0 && len(u.SHA256) != sha256.Size:
		return Begun{}, hongyan.Errorf(hongyan.Invalid, "a SHA-256 has 32 bytes, not %d", len(u.SHA256))
	}
	if len(u.SHA256) != 0 {
		m, ok, err := s.held(owner, d, u.Size, [sha256.Size]byte(u.SHA256))
		if err != nil {
			return Begun{}, err
		}
		if ok {
			return Begun{Media: &m}, nil
		}
		if there := s.sameUpload(owner, u.Size, d, u.SHA256); there != nil {
			return Begun{ID: there.id, Expires: there.plan.Expires}, nil
		}
	}
	if err := s.accepting(); err != nil {
		return Begun{}, err
	}
	room, err := s.enter(owner)
	if err == nil {
		err = room.grow(u.Size)
		if err != nil {
			room.leave()
		}
	}
	if err != nil {
		return Begun{}, err
	}
	up := s.newUpload(uploadPrefix+rand.Text(), plan{
		Owner: owner, Size: u.Size, Name: d.name, MIME: d.mime, SHA256: u.SHA256, Expires: s.config.Now().Add(UploadTTL),
	}, room)
	if err := s.writePlan(up); err != nil {
		up.remove()
		room.leave()
		return Begun{}, err
	}
	s.mu.Lock()
	s.uploads[up.id] = up
	s.mu.Unlock()
	return Begun{ID: up.id, Expires: up.plan.Expires}, nil
}

// sameUpload returns an unfinished upload of the same file, nil if there is none.
func (s *Store) sameUpload(owner hongyan.UserID, size int64, d description, sum []byte) *upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.uploads {
		if u.plan.Owner == owner && u.plan.Size == size && u.plan.description() == d && bytes.Equal(u.plan.SHA256, sum) {
			return u
		}
	}
	return nil
}

func (s *Store) newUpload(id string, p plan, r *room) *upload {
	return &upload{id: id, plan: p, path: s.path(uploadsDir, id), room: r}
}

// upload finds an upload of an account. Those of others are not there for it.
func (s *Store) upload(owner hongyan.UserID, id string) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.uploads[id]; u != nil && u.plan.Owner == owner {
		return u, nil
	}
	return nil, errNoUpload
}

var errNoUpload = hongyan.Errorf(hongyan.NotFound, "there is no such upload").
	WithHint("it is finished, cancelled or expired: begin again, with the SHA-256, to learn which")

// Received says what has come of an upload.
func (s *Store) Received(owner hongyan.UserID, id string) (Progress, error) {
	u, err := s.upload(owner, id)
	if err != nil {
		return Progress{}, err
	}
	return u.progress(), nil
}

func (u *upload) progress() Progress {
	u.mu.Lock()
	defer u.mu.Unlock()
	return Progress{Size: u.plan.Size, Received: u.received, Expires: u.plan.Expires}
}

// Put writes a part of an upload down, from 1 to MaxPart bytes. Parts may come in any order, at once and again; bytes that
// have come already are passed over. When Put returns, the part is on the disk; after an error nothing of it counts.
func (s *Store) Put(ctx context.Context, owner hongyan.UserID, id string, offset int64, r io.Reader) (Progress, error) {
	p, err := s.put(ctx, owner, id, offset, r)
	return p, s.refused(err)
}

func (s *Store) put(ctx context.Context, owner hongyan.UserID, id string, offset int64, r io.Reader) (Progress, error) {
	u, err := s.upload(owner, id)
	if err != nil {
		return Progress{}, err
	}
	if err := s.accepting(); err != nil {
		return Progress{}, err
	}
	if offset < 0 || offset >= u.plan.Size {
		return Progress{}, hongyan.Errorf(hongyan.Invalid, "the offset %d is outside the upload's %d bytes", offset, u.plan.Size)
	}
	f, err := os.OpenFile(u.path, os.O_WRONLY, 0)
	if err != nil {
		return Progress{}, u.gone(err)
	}
	defer func() { _ = f.Close() }()
	part := Range{Offset: offset}
	part.Length, err = io.CopyBuffer(&partWriter{ctx, u, f, part}, io.LimitReader(r, MaxPart+1), make([]byte, 64<<10))
	switch {
	case err != nil:
		return Progress{}, err
	case part.Length == 0:
		return Progress{}, hongyan.Errorf(hongyan.Invalid, "the part is empty")
	}
	if err := f.Sync(); err != nil {
		return Progress{}, diskError(err)
	}
	if err := u.note(part); err != nil {
		return Progress{}, err
	}
	s.metrics.received.Add(float64(part.Length))
	return u.progress(), nil
}

// partWriter writes a part where it belongs.
type partWriter struct {
	ctx  context.Context
	u    *upload
	f    *os.File
	part Range // that was written
}

func (w *partWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	next := Range{w.part.end(), int64(len(p))}
	switch {
	case w.part.Length+next.Length > MaxPart:
		return 0, hongyan.Errorf(hongyan.TooLarge, "a part has at most %d bytes", MaxPart).WithHint("send smaller ones")
	case next.end() > w.u.plan.Size:
		return 0, hongyan.Errorf(hongyan.Invalid, "the part ends behind the upload's %d bytes", w.u.plan.Size)
	}
	w.u.writing.RLock()
	defer w.u.writing.RUnlock()
	if w.u.ended {
		return 0, errNoUpload
	}
	if !w.u.has(next) {
		if _, err := w.f.WriteAt(p, next.Offset); err != nil {
			return 0, diskError(err)
		}
	}
	w.part.Length += next.Length
	return len(p), nil
}

func (u *upload) has(r Range) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.received.cover(r)
}

// gone tells an upload that has ended meanwhile from a fault of the disk.
func (u *upload) gone(err error) error {
	u.writing.RLock()
	defer u.writing.RUnlock()
	if u.ended {
		return errNoUpload
	}
	return diskError(err)
}

// Finish makes an upload whose parts have all come an object, and returns it when it is durable. Invalid says that parts are
// missing, or that the bytes have another SHA-256 than was said; in the latter case the upload is gone.
func (s *Store) Finish(ctx context.Context, owner hongyan.UserID, id string) (hongyan.Media, error) {
	m, err := s.finish(ctx, owner, id)
	return m, s.refused(err)
}

func (s *Store) finish(ctx context.Context, owner hongyan.UserID, id string) (hongyan.Media, error) {
	u, err := s.upload(owner, id)
	if err != nil {
		return hongyan.Media{}, err
	}
	if n := u.progress().Total(); n != u.plan.Size {
		return hongyan.Media{}, hongyan.Errorf(hongyan.Invalid, "%d of %d bytes have come", n, u.plan.Size).
			WithHint("ask what has come, and send the rest")
	}
	if err := s.hashing.take(ctx); err != nil {
		return hongyan.Media{}, err
	}
	defer s.hashing.leave()
	u.writing.Lock()
	defer u.writing.Unlock()
	if u.ended {
		if u.kept != nil { // by another Finish, a moment ago
			return *u.kept, nil
		}
		return hongyan.Media{}, errNoUpload
	}
	sum, err := hashFile(ctx, u.path)
	if err != nil {
		return hongyan.Media{}, err
	}
	if want := u.plan.SHA256; len(want) > 0 && [sha256.Size]byte(want) != sum {
		s.end(u)
		return hongyan.Media{}, hongyan.Errorf(hongyan.Invalid, "the bytes that have come have the SHA-256 %x", sum).
			WithHint("upload the file again")
	}
	m, err := s.keep(ctx, owner, u.plan.description(), u.path, u.plan.Size, sum)
	if err != nil {
		return hongyan.Media{}, err
	}
	u.kept = &m
	s.end(u)
	return m, nil
}

// hashFile returns the SHA-256 of a file.
func hashFile(ctx context.Context, path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, diskError(err)
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		n, err := f.Read(buf)
		hash.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return [sha256.Size]byte(hash.Sum(nil)), nil
		}
		if err != nil {
			return sum, diskError(err)
		}
	}
}

// Abort forgets an upload.
func (s *Store) Abort(owner hongyan.UserID, id string) error {
	u, err := s.upload(owner, id)
	if err != nil {
		return err
	}
	s.abort(u)
	return nil
}

func (s *Store) abort(u *upload) {
	u.writing.Lock()
	defer u.writing.Unlock()
	if !u.ended {
		s.end(u)
	}
}

// end takes an upload away. The caller holds writing.
func (s *Store) end(u *upload) {
	u.ended = true
	s.mu.Lock()
	delete(s.uploads, u.id)
	s.mu.Unlock()
	u.remove()
	u.room.leave()
}

// Expire forgets the uploads whose time is over. The server calls it now and then.
func (s *Store) Expire() {
	now := s.config.Now()
	s.mu.Lock()
	var over []*upload
	for _, u := range s.uploads {
		if !now.Before(u.plan.Expires) {
			over = append(over, u)
		}
	}
	s.mu.Unlock()
	for _, u := range over {
		s.abort(u)
	}
}
