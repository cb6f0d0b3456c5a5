package pebblekv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// written returns the disk of a store that lost its power after each writer had n batches acknowledged.
func written(t *testing.T, writers int, n uint64, tune func(*pebble.Options)) (*vfs.MemFS, marks) {
	t.Helper()
	disk := vfs.NewCrashableMem()
	s, err := open("db", Options{FS: disk}, tune)
	if err != nil {
		t.Fatal(err)
	}
	term, err := s.Claim(1)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger{limit: n}
	var never atomic.Bool
	if writers == 1 {
		err = l.write(s, 0, term, &never)
	} else {
		err = errors.Join(l.run(s, term, &never)...)
	}
	if err != nil {
		t.Fatal(err)
	}
	unplugged := disk.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return unplugged, l.marks()
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	file, err := fs.Open(path.Join("db", name))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t *testing.T, fs vfs.FS, name string, content []byte) {
	t.Helper()
	file, err := fs.Create(path.Join("db", name), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(bytes.Clone(content))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// files returns the names in the store's directory that match, in order.
func files(t *testing.T, fs vfs.FS, match func(name string) bool) []string {
	t.Helper()
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool { return !match(name) })
}

func suffix(s string) func(string) bool {
	return func(name string) bool { return strings.HasSuffix(name, s) }
}

// outcome is what became of a damaged store.
type outcome string

const (
	refused  outcome = "refused"  // with a typed error, at Open or when the damage was met
	complete outcome = "complete" // nothing of what was acknowledged is missing
	lost     outcome = "lost"     // something is, and nobody was told
	mixed    outcome = "mixed"    // the same, and what is there does not go together
)

// examine opens the store and reads all of it.
func examine(t *testing.T, fs vfs.FS, acked marks) outcome {
	t.Helper()
	typed := func(err error) bool {
		var damaged *CorruptError
		var newer *NewerFormatError
		return errors.As(err, &damaged) || errors.As(err, &newer)
	}
	s, err := open("db", Options{FS: fs}, quiet)
	if err != nil {
		if !typed(err) {
			t.Fatalf("Open: %v, want a typed error", err)
		}
		return refused
	}
	err = checkLedger(s, acked)
	closeErr := s.Close()
	switch {
	case typed(err):
		var failed *FailedError
		if !errors.As(closeErr, &failed) {
			t.Fatalf("the store went on after %v", err)
		}
		return refused
	case errors.Is(err, errLost):
		return lost
	case err != nil:
		return mixed
	}
	if closeErr != nil && !typed(closeErr) {
		t.Fatal(closeErr)
	}
	return complete
}

// flip changes one bit of the file in a copy of the disk.
func flip(t *testing.T, r *rand.Rand, disk *vfs.MemFS, name string, content []byte, at int) *vfs.MemFS {
	t.Helper()
	fs := disk.CrashClone(vfs.CrashCloneCfg{})
	content = bytes.Clone(content)
	content[at] ^= 1 << r.IntN(8)
	writeFile(t, fs, name, content)
	return fs
}

// TestDamagedLog changes bits of the newest log. Only what no later record vouches for may be lost without a word: the
// records of the last syncs.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	for _, load := range []struct {
		writers int
		batches uint64
		tail    int // bytes at the end that nothing vouches for
	}{{1, 12, 3 << 10}, {1, 150, 10 << 10}, {ledgerWriters, 50, 24 << 10}} {
		t.Run(fmt.Sprintf("%d×%d", load.writers, load.batches), func(t *testing.T) {
			t.Parallel()
			r := newRand(t)
			disk, acked := written(t, load.writers, load.batches, func(*pebble.Options) {})
			logs := files(t, disk, suffix(".log"))
			name := logs[len(logs)-1]
			content := readFile(t, disk, name)
			content = content[:len(bytes.TrimRight(content, "\x00"))]
			count := map[outcome]int{}
			for range 40 {
				at := r.IntN(len(content))
				got := examine(t, flip(t, r, disk, name, content, at), acked)
				if got == mixed || got == lost && at < len(content)-load.tail {
					t.Errorf("damage at byte %d of %d: %s", at, len(content), got)
				}
				count[got]++
			}
			t.Logf("%s, %d bytes: %v", name, len(content), count)
		})
	}
}

// TestDamagedManifest changes bits of the manifest. Only damage to its last record may pass for a loss of power.
func TestDamagedManifest(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	disk, acked := written(t, ledgerWriters, 80, small)
	name, err := atomicfs.ReadMarker(disk, "db", "manifest")
	if err != nil {
		t.Fatal(err)
	}
	content := readFile(t, disk, name)
	last := int64(0)
	for rr := record.NewReader(bytes.NewReader(content), 0); ; {
		at := rr.Offset()
		rec, err := rr.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, rec); err != nil {
			t.Fatal(err)
		}
		last = at
	}
	count := map[outcome]int{}
	for range 100 {
		at := r.IntN(len(content))
		got := examine(t, flip(t, r, disk, name, content, at), acked)
		if got != refused && int64(at) < last {
			t.Errorf("damage at byte %d of %d, before the last record at %d: %s", at, len(content), last, got)
		}
		count[got]++
	}
	t.Logf("%s, %d bytes: %v", name, len(content), count)
}

// TestDamagedTable changes bits of the tables.
func TestDamagedTable(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	disk, acked := written(t, ledgerWriters, 120, small)
	tables := files(t, disk, func(name string) bool { // those that were under way are empty
		return strings.HasSuffix(name, ".sst") && len(readFile(t, disk, name)) > 0
	})
	if len(tables) == 0 {
		t.Fatal("there are no tables")
	}
	count := map[outcome]int{}
	for range 40 {
		name := tables[r.IntN(len(tables))]
		content := readFile(t, disk, name)
		at := r.IntN(len(content))
		got := examine(t, flip(t, r, disk, name, content, at), acked)
		if got != refused && got != complete {
			t.Errorf("damage at byte %d of %d in %s: %s", at, len(content), name, got)
		}
		count[got]++
	}
	t.Logf("%d tables: %v", len(tables), count)
	if count[refused] == 0 {
		t.Error("no damage was ever met")
	}
}

// TestDamagedNames damages what Pebble reads before anything else: the options and the names of the markers.
func TestDamagedNames(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	disk, acked := written(t, ledgerWriters, 40, small)
	for _, name := range files(t, disk, func(name string) bool { return strings.HasPrefix(name, "OPTIONS") }) {
		content := readFile(t, disk, name)
		for range 30 {
			at := r.IntN(len(content))
			if got := examine(t, flip(t, r, disk, name, content, at), acked); got != refused && got != complete {
				t.Errorf("damage at byte %d of %s: %s", at, name, got)
			}
		}
	}
	for _, name := range files(t, disk, func(name string) bool { return strings.HasPrefix(name, "marker.") }) {
		for _, renamed := range []string{name + "x", "marker.x", name[:len(name)-1] + "\x7f"} {
			fs := disk.CrashClone(vfs.CrashCloneCfg{})
			if err := fs.Rename(path.Join("db", name), path.Join("db", renamed)); err != nil {
				t.Fatal(err)
			}
			if got := examine(t, fs, acked); got != refused {
				t.Errorf("with %s for %s the store was %s", renamed, name, got)
			}
		}
	}
}

// TestMissingFile removes each file in turn. (A log that is missing cannot be told from one that was not begun.)
func TestMissingFile(t *testing.T) {
	t.Parallel()
	disk, acked := written(t, ledgerWriters, 60, small)
	for _, name := range files(t, disk, func(name string) bool { return !strings.HasSuffix(name, ".log") }) {
		fs := disk.CrashClone(vfs.CrashCloneCfg{})
		if err := fs.Remove(path.Join("db", name)); err != nil {
			t.Fatal(err)
		}
		if got := examine(t, fs, acked); got != refused && got != complete {
			t.Errorf("without %s: %s", name, got)
		}
	}
}

// TestDamageMetInBackground damages a table under a store that is at work: whoever meets it first fails the store.
func TestDamageMetInBackground(t *testing.T) {
	t.Parallel()
	disk, _ := written(t, ledgerWriters, 120, quiet)
	for _, name := range files(t, disk, suffix(".sst")) {
		content := readFile(t, disk, name)
		for i := range content {
			content[i] ^= 0xff
		}
		writeFile(t, disk, name, content)
	}
	failures := make(chan error, 1)
	s, err := open("db", Options{FS: disk, OnFailure: func(err error) { failures <- err }}, small)
	if err == nil {
		var b kv.Batch
		b.Set([]byte("i"), nil)
		for err == nil {
			var c kv.Commit
			if c, err = s.Apply(&b); err == nil {
				err = c.Wait()
			}
		}
		<-failures
		_ = s.Close()
	}
	var damaged *CorruptError
	if !errors.As(err, &damaged) {
		t.Errorf("%v, want a *CorruptError", err)
	}
}
