package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan/internal/config"
)

// existing is path, or the nearest directory above it that exists.
func existing(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	for {
		if info, err := os.Stat(path); err == nil && info.IsDir() || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

func directory(c config.Config) []Finding {
	const check = "data directory"
	dir := existing(c.Data)
	info, err := os.Stat(c.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if canWrite(dir) {
			return []Finding{ok(check, c.Data+" does not exist yet and can be created")}
		}
		return []Finding{{check, Fail, fmt.Sprintf("%s does not exist, and this user may not create it in %s", c.Data, dir),
			"The server has nowhere to keep anything.",
			"Create the directory and give it to the user of the server, or choose another with --data."}}
	case err != nil:
		return []Finding{{check, Fail, err.Error(), "The server cannot look into its data directory.",
			"Give the directory, and the way to it, to the user of the server."}}
	case !info.IsDir():
		return []Finding{{check, Fail, c.Data + " is a file", "The server needs a directory.", "Choose another with --data."}}
	case !canWrite(c.Data):
		return []Finding{{check, Fail, "this user may not write to " + c.Data, "The server cannot keep anything.",
			"Run this as the user of the server, or give that user the directory: chown -R USER " + c.Data}}
	}
	all := []Finding{judgeMode(c.Data, info.Mode())}
	if kind, known := filesystem(c.Data); known {
		all = append(all, judgeFilesystem(kind))
	}
	return all
}

// canWrite tries, because permission bits, access lists and read-only mounts together are more than can be reasoned
// out.
func canWrite(dir string) bool {
	f, err := os.CreateTemp(dir, ".hongyan-doctor-*")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}

func judgeMode(path string, mode fs.FileMode) Finding {
	const check = "data directory"
	found := fmt.Sprintf("%s is writable, mode %04o", path, mode.Perm())
	if mode.Perm()&0o077 == 0 {
		return ok(check, found)
	}
	return Finding{check, Warn, found, "Other users of this machine can look at messages, or talk to the admin socket.",
		"chmod 700 " + path}
}

// judgeFilesystem knows where an fsync does not mean what the store takes it to mean.
func judgeFilesystem(kind string) Finding {
	const check = "file system"
	switch kind {
	case "nfs", "smb", "cifs", "9p", "fuse":
		return Finding{check, Warn, kind,
			"A network or user-space file system may acknowledge a write that it then loses, and it is slow.",
			"Put the data directory on a disk of this machine."}
	case "tmpfs", "ramfs":
		return Finding{check, Warn, kind, "Everything is gone when this machine restarts.", "Put the data directory on a disk."}
	}
	return ok(check, kind)
}

func space(c config.Config) []Finding {
	free, files, known := freeSpace(existing(c.Data))
	if !known {
		return nil
	}
	all := []Finding{judgeSpace(free, c.Storage)}
	// Zero with free space left is a file system that does not count its files.
	if files > 0 && files < 10_000 {
		all = append(all, Finding{"disk inodes", Warn, fmt.Sprintf("%d files may still be created", files),
			"Media are files; when no more can be created, uploads fail.", "Free some, or move the data directory."})
	}
	return all
}

func judgeSpace(free uint64, s config.Storage) Finding {
	const check = "disk space"
	found := fmt.Sprintf("%s free, sends are refused below %s (storage.low_water)", config.Size(free).Approx(), s.LowWater)
	switch {
	case free < uint64(s.LowWater):
		return Finding{check, Fail, found, "The server starts, but refuses every message.",
			"Free space, move the data directory, or lower storage.low_water."}
	case free < 4*uint64(s.LowWater)+uint64(s.Ballast):
		return Finding{check, Warn, found, "The server will soon refuse messages.",
			"Free space, or set retention.days so that old messages go."}
	}
	return ok(check, found)
}

// The measuring of fsync stops after so many writes or so much time, whichever is first.
const (
	syncWrites = 50
	syncTime   = time.Second
)

func syncing(c config.Config) []Finding {
	times := measureSync(existing(c.Data))
	if len(times) == 0 {
		return nil // the directory check has said why
	}
	return []Finding{judgeSync(times)}
}

// measureSync appends 4 KiB and waits for the disk, over and over, as the log of the store does.
func measureSync(dir string) []time.Duration {
	f, err := os.CreateTemp(dir, ".hongyan-doctor-*")
	if err != nil {
		return nil
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var times []time.Duration
	block := make([]byte, 4096)
	for begin := time.Now(); len(times) < syncWrites && time.Since(begin) < syncTime; {
		start := time.Now()
		if _, err := f.Write(block); err != nil || f.Sync() != nil {
			return nil
		}
		times = append(times, time.Since(start))
	}
	return times
}

func judgeSync(times []time.Duration) Finding {
	const check = "disk sync"
	slices.Sort(times)
	median, worst := times[len(times)/2], times[len(times)-1]
	found := fmt.Sprintf("median %s, worst %s of %d", round(median), round(worst), len(times))
	switch {
	case median < 20*time.Microsecond:
		return Finding{check, Warn, found,
			"So fast that it is likely no disk waits: a power cut may lose acknowledged messages.",
			"Check that the file system is not mounted without barriers and that the disk of a virtual machine is not in " +
				"an unsafe cache mode."}
	case median > 30*time.Millisecond:
		return Finding{check, Warn, found,
			"Every message waits for the disk before it is acknowledged, so people will see \"sending\".",
			"Use an SSD, or a disk that is not shared with something busy."}
	}
	return ok(check, found)
}

// round leaves three digits or so.
func round(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Microsecond / 10)
}
