package media

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
)

// An upload is three files in uploadsDir: its bytes, with holes where nothing has come; its plan; and a list of the parts
// that are on the disk. The plan makes the upload: without it the other two are removed. The list is written after the
// bytes of a part are synced and is not synced itself, so a power cut may forget parts, but never invents one.

const (
	uploadPrefix = "u_"
	planExt      = ".json"
	partsExt     = ".parts"
)

// plan is what an upload is to be.
type plan struct {
	Owner   hongyan.UserID
	Size    int64
	Name    string
	MIME    string
	SHA256  []byte
	Expires time.Time
}

func (p plan) description() description { return description{p.Name, p.MIME} }

// writePlan makes the files of an upload.
func (s *Store) writePlan(u *upload) error {
	f, err := os.OpenFile(u.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return diskError(err)
	}
	if err := errors.Join(f.Truncate(u.plan.Size), f.Close()); err != nil {
		return diskError(err)
	}
	text, err := json.Marshal(u.plan)
	if err != nil {
		return err
	}
	return s.writeFile(u.path+planExt, text)
}

// remove removes the files of an upload, the plan first.
func (u *upload) remove() {
	for _, ext := range []string{planExt, partsExt, ""} {
		_ = os.Remove(u.path + ext) // what stays is removed at the next start
	}
}

// partSize is the size of a part in the list: offset u64, length u64, and the CRC-32C of both, big-endian. The sum tells a
// part from what a crash has left behind the last.
const partSize = 8 + 8 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// note writes down that a part is on the disk.
func (u *upload) note(part Range) error {
	u.writing.RLock()
	defer u.writing.RUnlock()
	if u.ended {
		return errNoUpload
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.received.cover(part) {
		return nil
	}
	with := u.received.add(part)
	if len(with) > MaxRanges {
		return hongyan.Errorf(hongyan.TooMany, "the upload would be in more than %d pieces", MaxRanges).
			WithHint("send what lies between those that have come")
	}
	f, err := os.OpenFile(u.path+partsExt, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return diskError(err)
	}
	_, err = f.Write(appendPart(nil, part))
	if err = errors.Join(err, f.Close()); err != nil {
		return diskError(err)
	}
	u.received = with
	return nil
}

func appendPart(b []byte, part Range) []byte {
	begin := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(part.Offset))
	b = binary.BigEndian.AppendUint64(b, uint64(part.Length))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[begin:], castagnoli))
}

// parseParts reads a list of parts of an upload up to what is damaged, and returns how long the list is until there.
func parseParts(b []byte, size int64) (received ranges, good int) {
	for len(b)-good >= partSize {
		one := b[good : good+partSize]
		part := Range{int64(binary.BigEndian.Uint64(one)), int64(binary.BigEndian.Uint64(one[8:]))}
		if crc32.Checksum(one[:16], castagnoli) != binary.BigEndian.Uint32(one[16:]) ||
			part.Offset < 0 || part.Length <= 0 || part.Offset > size || part.Length > size-part.Offset {
			break
		}
		received = received.add(part)
		good += partSize
	}
	return received, good
}

// readUploads finds the uploads that were not finished, and removes what is left of others.
func (s *Store) readUploads() error {
	files, err := os.ReadDir(s.path(uploadsDir))
	if err != nil {
		return err
	}
	for _, f := range files {
		if id, ok := strings.CutSuffix(f.Name(), planExt); ok {
			if err := s.readUpload(id); err != nil {
				return err
			}
		}
	}
	for _, f := range files {
		id, _, _ := strings.Cut(f.Name(), ".")
		if s.uploads[id] == nil {
			if err := os.Remove(s.path(uploadsDir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// readUpload finds an upload. One whose plan or bytes are not as they were written is passed over.
func (s *Store) readUpload(id string) error {
	text, err := os.ReadFile(s.path(uploadsDir, id) + planExt)
	if err != nil {
		return err
	}
	var p plan
	if json.Unmarshal(text, &p) != nil || p.Owner == 0 {
		return nil
	}
	u := s.newUpload(id, p, nil)
	if info, err := os.Stat(u.path); err != nil || info.Size() != p.Size {
		return nil
	}
	list, err := os.ReadFile(u.path + partsExt)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var good int
	if u.received, good = parseParts(list, p.Size); good < len(list) {
		if err := os.Truncate(u.path+partsExt, int64(good)); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u.room = s.enterLocked(p.Owner)
	u.room.take(p.Size)
	s.uploads[id] = u
	return nil
}
