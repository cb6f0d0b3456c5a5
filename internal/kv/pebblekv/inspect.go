package pebblekv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// inspect looks at an existing directory before Pebble does, because Pebble acts on what it takes for the truth: it
// starts a new store where the marker of the manifest is missing, ends a damaged manifest or log at the damage as if
// the power had failed there, and then deletes the files that it no longer knows about.
// It returns the version of the formats that the store is in, 0 for a new one.
func inspect(fs vfs.FS, dir string) (pebble.FormatMajorVersion, error) {
	names, err := fs.List(dir)
	if err != nil {
		return 0, err
	}
	format, err := readFormat(fs, dir)
	if err != nil {
		return 0, err
	}
	if format > formatVersion {
		return 0, &NewerFormatError{Dir: dir, What: "format", Found: format.String(), Known: formatVersion.String()}
	}
	manifest, err := atomicfs.ReadMarker(fs, dir, "manifest")
	if err != nil {
		return 0, &CorruptError{Dir: dir, Err: err}
	}
	if manifest == "" {
		// The marker is on the disk before the first table or log is created.
		for _, name := range names {
			if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") {
				return 0, &CorruptError{Dir: dir, Err: fmt.Errorf("there is %s, but no file marker.manifest.*", name)}
			}
		}
		return format, nil
	}
	if err := checkKeyOrder(fs, dir); err != nil {
		return 0, err
	}
	if err := checkLog(fs, dir, manifest, manifestChunks{}); err != nil {
		return 0, err
	}
	var last wal.NumWAL
	var newest string
	for _, name := range names {
		if number, _, ok := wal.ParseLogFilename(name); ok && number >= last {
			last, newest = number, name
		}
	}
	if newest == "" {
		return format, nil
	}
	return format, checkLog(fs, dir, newest, walChunks{uint32(last)})
}

// readFormat returns the version of Pebble's formats, which is in the name of a file, or 0 if there is none.
func readFormat(fs vfs.FS, dir string) (pebble.FormatMajorVersion, error) {
	marker, err := atomicfs.ReadMarker(fs, dir, "format-version")
	if err != nil {
		return 0, &CorruptError{Dir: dir, Err: err}
	}
	if marker == "" {
		return 0, nil
	}
	version, err := strconv.ParseUint(marker, 10, 32)
	if err != nil {
		return 0, &CorruptError{Dir: dir, Err: fmt.Errorf("the marker of the format says %q", marker)}
	}
	return pebble.FormatMajorVersion(version), nil
}

// checkKeyOrder compares the name of the comparer, which the last options file holds.
func checkKeyOrder(fs vfs.FS, dir string) error {
	description, err := pebble.Peek(dir, fs)
	if err != nil {
		return &CorruptError{Dir: dir, Err: err}
	}
	if description.OptionsFilename == "" {
		return nil
	}
	file, err := fs.Open(description.OptionsFilename)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	options, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(options)) {
		name, found := strings.CutPrefix(strings.TrimSpace(line), "comparer=")
		if !found || name == comparerName {
			continue
		}
		if strings.HasPrefix(name, "hongyan.v") { // v1 is the first, so it is a later one
			return &NewerFormatError{Dir: dir, What: "key order", Found: name, Known: comparerName}
		}
		return &CorruptError{Dir: dir, Err: fmt.Errorf("%s orders the keys by %q, which is not this program's %q",
			description.OptionsFilename, name, comparerName)}
	}
	return nil
}

// Pebble's manifests and logs are blocks of 32 KiB that hold chunks, each with a checksum; a chunk does not cross the
// end of a block, and a record is one chunk or a first one, middle ones and a last one. (Package record of Pebble.)
const blockSize = 32 << 10

// chunks knows one of the encodings.
type chunks interface {
	// headers are the lengths of the shortest and of the longest header. The writer fills with zeros what remains of a
	// block and has no room for the longest one.
	headers() (shortest, longest int)
	// parse reads the chunk at the start of b and returns its length with the header, or 0 if there is none.
	parse(b []byte) int
	// end reports whether b starts with the mark of an orderly end.
	end(b []byte) bool
	// proves reports whether the chunk at the start of b was written after a sync of everything before offset.
	proves(b []byte, offset int64) bool
}

// checkLog reads a manifest or log up to the first chunk that is not one, which is where the record under way was torn
// when the power failed, or where a file that was closed in order ends. If something behind that place proves that the
// place had been synced before, then it was not torn but damaged, and the records behind it are at stake.
func checkLog(fs vfs.FS, dir, name string, c chunks) error {
	file, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return &CorruptError{Dir: dir, Err: err}
	}
	defer func() { _ = file.Close() }()
	gap := int64(-1)
	shortest, longest := c.headers()
	zero := make([]byte, blockSize)
	buf := make([]byte, blockSize)
	for offset := int64(0); ; offset += blockSize {
		n, err := file.ReadAt(buf, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		b := buf[:n]
		for gap < 0 && len(b) >= shortest {
			if length := c.parse(b); length > 0 {
				b = b[length:]
				continue
			}
			if c.end(b) {
				return nil
			}
			if len(b) < longest && bytes.Equal(b, zero[:len(b)]) {
				break
			}
			gap = offset + int64(n-len(b))
		}
		if bytes.Equal(b, zero[:len(b)]) {
			b = nil // reserved for the log and never written
		}
		for len(b) >= shortest {
			length := c.parse(b)
			if length > 0 && c.proves(b, gap) {
				return &CorruptError{Dir: dir, Err: fmt.Errorf("%s is unreadable at byte %d, and what follows at byte %d "+
					"shows that it was whole once", name, gap, offset+int64(n-len(b)))}
			}
			b = b[max(length, 1):]
		}
		if n < blockSize {
			return nil
		}
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunkLength returns the length of the chunk at the start of b if its checksum is right, or 0.
func chunkLength(b []byte, header int) int {
	end := header + int(binary.LittleEndian.Uint16(b[4:]))
	if end > len(b) {
		return 0
	}
	sum := crc32.Checksum(b[6:end], castagnoli)
	if sum = (sum>>15 | sum<<17) + 0xa282ead8; sum != binary.LittleEndian.Uint32(b) {
		return 0
	}
	return end
}

// manifestChunks: checksum u32, length u16, kind u8 (1 whole, 2 first, 3 middle, 4 last). Each record is synced before
// the next is begun, and the file becomes the manifest when its first ones are, so a record that begins behind the gap
// is a proof. Another chunk is none: the blocks of a torn record may reach the disk in any order.
type manifestChunks struct{}

func (manifestChunks) headers() (int, int) { return 7, 7 }
func (manifestChunks) end([]byte) bool     { return false }
func (manifestChunks) parse(b []byte) int {
	if b[6] < 1 || b[6] > 4 {
		return 0
	}
	return chunkLength(b, 7)
}
func (manifestChunks) proves(b []byte, _ int64) bool { return b[6] <= 2 }

// walChunks: the same, then the number of the log u32, and with the kinds 9 to 12 how many bytes of the file had been
// synced when the chunk was written, u64. The kinds 5 to 8 lack that. A log ends with a header of the following log's
// number. The file may be a recycled one and hold chunks of its former life.
type walChunks struct{ number uint32 }

func (walChunks) headers() (int, int) { return 11, 19 }

func (w walChunks) end(b []byte) bool {
	return b[6] == 5 && binary.LittleEndian.Uint32(b[7:]) == w.number+1
}

func (w walChunks) parse(b []byte) int {
	switch {
	case b[6] < 5 || b[6] > 12 || binary.LittleEndian.Uint32(b[7:]) != w.number:
		return 0
	case b[6] < 9:
		return chunkLength(b, 11)
	case len(b) < 19:
		return 0
	}
	return chunkLength(b, 19)
}

func (walChunks) proves(b []byte, offset int64) bool {
	return b[6] >= 9 && binary.LittleEndian.Uint64(b[11:]) > uint64(offset)
}
