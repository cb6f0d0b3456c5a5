package pebblekv

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// TestTornTail ends each log and manifest where a loss of power may have: at any length, with a hole, with garbage.
// None of that is damage.
func TestTornTail(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	disk, _ := written(t, 1, 12, quiet)
	logs := files(t, disk, suffix(".log"))
	name := logs[len(logs)-1]
	content := readFile(t, disk, name)
	content = content[:len(bytes.TrimRight(content, "\x00"))]
	for range 40 {
		at := r.IntN(len(content))
		torn := bytes.Clone(content[:at])
		switch r.IntN(3) {
		case 1:
			torn = append(torn, make([]byte, len(content)-at)...)
		case 2:
			for range r.IntN(4 << 10) {
				torn = append(torn, byte(r.Uint32()))
			}
		}
		fs := disk.CrashClone(vfs.CrashCloneCfg{})
		writeFile(t, fs, name, torn)
		if got := examine(t, fs, marks{}); got != complete {
			t.Errorf("a log that ends at byte %d of %d: %s", at, len(content), got)
		}
	}
}

// TestTornRecord loses parts of the last record, which is many blocks long and had not been synced: its blocks may have
// reached the disk in any order, so that whole chunks follow a hole.
func TestTornRecord(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s, err := open("db", Options{FS: disk}, func(*pebble.Options) {})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		var b kv.Batch
		b.Set([]byte{'a', byte(n)}, make([]byte, 100))
		if n == 4 {
			// Below the size for which Pebble would begin a new log.
			b.Set([]byte("large"), bytes.Repeat([]byte("large "), 18_000))
		}
		if c, err := s.Apply(&b); err != nil {
			t.Fatal(err)
		} else if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	all := disk.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	logs := files(t, all, suffix(".log"))
	name := logs[len(logs)-1]
	content := readFile(t, all, name)
	for block := 1; (block+1)*blockSize < len(content); block++ {
		fs := all.CrashClone(vfs.CrashCloneCfg{})
		torn := bytes.Clone(content)
		clear(torn[block*blockSize : (block+1)*blockSize])
		writeFile(t, fs, name, torn)
		s, err := Open("db", Options{FS: fs})
		if err != nil {
			t.Fatalf("block %d was not written: %v", block, err)
		}
		for n := range 5 {
			if _, err := s.Get([]byte{'a', byte(n)}); (err == nil) != (n < 4) {
				t.Errorf("block %d was not written: batch %d: %v", block, n, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCheckManifest tells a torn record of a manifest from a damaged one.
func TestCheckManifest(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w := record.NewWriter(&file)
	add := func(size int) int {
		t.Helper()
		if _, err := w.WriteRecord(bytes.Repeat([]byte{byte(size), 1}, size/2)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return file.Len()
	}
	first := add(500)
	second := add(3*blockSize + 100)
	third := add(300)
	check := func(length int, hole ...int) error {
		t.Helper()
		content := bytes.Clone(file.Bytes()[:length])
		if len(hole) == 2 {
			clear(content[hole[0]:hole[1]])
		}
		fs := vfs.NewMem()
		if err := fs.MkdirAll("db", 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, fs, "MANIFEST-000001", content)
		return checkLog(fs, "db", "MANIFEST-000001", manifestChunks{})
	}
	for name, err := range map[string]error{
		"whole":                            check(third),
		"end of the second":                check(second),
		"torn second":                      check(blockSize + 77),
		"second without its start":         check(second, first, blockSize),
		"second without a block":           check(second, blockSize, 2*blockSize),
		"second without the middle of one": check(second, blockSize+100, blockSize+200),
		"third without its end":            check(third, third-10, third),
		"third without its start":          check(third, second, second+5),
		"first alone, torn":                check(first - 1),
		"nothing":                          check(0),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"first damaged, second follows":  check(second, 100, 101),
		"first damaged, third follows":   check(third, 100, 101),
		"second damaged, third follows":  check(third, blockSize, blockSize+1),
		"start of the second is missing": check(third, first, first+7),
	} {
		var damaged *CorruptError
		if !errors.As(err, &damaged) {
			t.Errorf("%s: %v, want a *CorruptError", name, err)
		}
	}
}
