package pebblekv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// TestFormatVersion reminds whoever updates Pebble that its new format is to be taken up on purpose: with a note that
// there is no way back, and not in the same release.
func TestFormatVersion(t *testing.T) {
	t.Parallel()
	if formatVersion != pebble.FormatNewest {
		t.Errorf("stores are kept in format %v, and Pebble has %v", formatVersion, pebble.FormatNewest)
	}
}

// TestNewerFormat opens stores that a later version would have written.
func TestNewerFormat(t *testing.T) {
	t.Parallel()
	disk, _ := written(t, 1, 3, quiet)
	later := map[string]func(fs *vfs.MemFS){
		"format": func(fs *vfs.MemFS) {
			writeFile(t, fs, fmt.Sprintf("marker.format-version.999999.%03d", formatVersion+1), nil)
		},
		"key order": func(fs *vfs.MemFS) {
			for _, name := range files(t, fs, func(name string) bool { return strings.HasPrefix(name, "OPTIONS") }) {
				content := readFile(t, fs, name)
				writeFile(t, fs, name, bytes.ReplaceAll(content, []byte(comparerName), []byte("hongyan.v2")))
			}
		},
	}
	for what, change := range later {
		fs := disk.CrashClone(vfs.CrashCloneCfg{})
		change(fs)
		before := fs.String()
		_, err := Open("db", Options{FS: fs})
		var newer *NewerFormatError
		if !errors.As(err, &newer) || newer.What != what || newer.Dir != "db" {
			t.Errorf("%s: %v, want a *NewerFormatError", what, err)
		}
		if after := fs.String(); after != before {
			t.Errorf("%s: Open changed the directory:\n%s\nwas\n%s", what, after, before)
		}
	}
	// And one of another program.
	fs := disk.CrashClone(vfs.CrashCloneCfg{})
	foreign, err := pebble.Open("other", &pebble.Options{FS: fs, Logger: &failstop{log: discard}})
	if err != nil {
		t.Fatal(err)
	}
	if err := foreign.Close(); err != nil {
		t.Fatal(err)
	}
	var damaged *CorruptError
	if _, err := Open("other", Options{FS: fs}); !errors.As(err, &damaged) || !strings.Contains(err.Error(), "orders the keys") {
		t.Errorf("%v, want a *CorruptError about the order of the keys", err)
	}
}

// TestLocked opens a store twice in one process.
func TestLocked(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]struct {
		fs  vfs.FS
		dir string
	}{"files": {nil, t.TempDir()}, "memory": {vfs.NewMem(), "db"}} {
		s, err := Open(place.dir, Options{FS: place.fs})
		if err != nil {
			t.Fatal(err)
		}
		var locked *LockedError
		if _, err := Open(place.dir, Options{FS: place.fs}); !errors.As(err, &locked) || locked.Dir != place.dir {
			t.Errorf("%s: %v, want a *LockedError", name, err)
		}
		// The second one has not taken anything from the first, and the lock ends with it.
		var b kv.Batch
		b.Set([]byte("a"), nil)
		if c, err := s.Apply(&b); err != nil || c.Wait() != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(place.dir, Options{FS: place.fs}); err != nil {
			t.Fatalf("%s: after Close: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// holdEnv makes the test binary open the store in the directory that it names and hold it until its input ends.
const holdEnv = "PEBBLEKV_TEST_HOLD"

func hold(dir string) error {
	s, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = bufio.NewReader(os.Stdin).ReadString(0)
	return s.Close()
}

// TestLockedByAnotherProcess opens a store that another process has open, and again when that one was killed.
func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdEnv+"="+dir)
	holder.Stderr = os.Stderr
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Errorf("the other process said %q, %v", line, err)
	}
	var locked *LockedError
	if _, err := Open(dir, Options{}); !errors.As(err, &locked) || !strings.Contains(err.Error(), "stop the other one") {
		t.Errorf("%v, want a *LockedError", err)
	}
	if err := errors.Join(holder.Process.Kill(), in.Close()); err != nil {
		t.Error(err)
	}
	_ = holder.Wait()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatalf("after the other process was killed: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOpenRefused opens what cannot be a store: the file system's own word comes back, not a claim about damage.
func TestOpenRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		_, err := Open(dir, Options{})
		var damaged *CorruptError
		if !errors.Is(err, syscall.ENOTDIR) || errors.As(err, &damaged) || !strings.Contains(err.Error(), dir) {
			t.Errorf("Open(%s): %v, want ENOTDIR", dir, err)
		}
	}
}

// TestMetrics watches the numbers move.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s, err := open("db", Options{FS: vfs.NewMem()}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	fresh := s.Metrics()
	var b kv.Batch
	b.Set([]byte("a"), make([]byte, 10<<10))
	c, err := s.Apply(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if m := s.Metrics(); m.LogBytes < 10<<10 || m.LogBytes > 20<<10 || m.MemTableBytes == 0 || m.L0Tables != 0 {
		t.Errorf("after a batch: %+v", m)
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get([]byte("a")); err != nil {
		t.Fatal(err)
	}
	m := s.Metrics()
	if m.L0Tables != 1 || m.LogBytes > 1<<10 || m.DiskBytes <= fresh.DiskBytes || m.CacheBytes == 0 {
		t.Errorf("after a flush: %+v, at first %+v", m, fresh)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if m := s.Metrics(); m != (Metrics{}) {
		t.Errorf("after Close: %+v", m)
	}
}
