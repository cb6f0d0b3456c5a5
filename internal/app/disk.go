package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hongyan-im/hongyan"
)

// diskEvery is how often the free disk is looked at.
const diskEvery = time.Second

// disk watches the free space under the data directory.
type disk struct {
	dir      string
	lowWater uint64
	free     atomic.Uint64
	log      *slog.Logger
	low      bool
}

// freeDisk is what unprivileged writers can still use, in bytes.
func freeDisk(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free disk of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// look measures once and says whether new content is to be refused. The server takes content again when a tenth more
// than the low-water mark is free, so that it does not flicker.
func (d *disk) look() *hongyan.Error {
	free, err := freeDisk(d.dir)
	if err != nil {
		d.log.Warn("cannot measure the free disk", "error", err)
		return nil
	}
	d.free.Store(free)
	mark := d.lowWater
	if d.low {
		mark += mark / 10
	}
	if low := free < mark; low != d.low {
		d.low = low
		if low {
			d.log.Error("the disk is nearly full: new content is refused, reading goes on", "free_bytes", free, "low_water_bytes", d.lowWater,
				"hint", "free some space; deleting the file "+filepath.Join(d.dir, ballastName)+" gives room at once")
		} else {
			d.log.Info("there is room on the disk again: new content is taken", "free_bytes", free)
		}
	}
	if !d.low {
		return nil
	}
	return hongyan.Errorf(hongyan.StorageLow, "the server's disk is nearly full").
		WithHint("keep the message and send it again later, with the same client_id").WithRetryAfter(time.Minute)
}

// ballastName is a file that only takes room: deleting it gets a server on a full disk going again.
const ballastName = "ballast"

// layBallast makes the ballast file if there is room for it beside the low-water mark, and takes it away when the disk
// is so full that the store might not open.
func layBallast(dir string, size, lowWater uint64, log *slog.Logger) error {
	path := filepath.Join(dir, ballastName)
	free, err := freeDisk(dir)
	if err != nil {
		return err
	}
	_, err = os.Stat(path)
	switch there := err == nil; {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case there && free < lowWater/4:
		log.Warn("the disk is nearly full: the ballast file is deleted so that the store can open", "file", path)
		return os.Remove(path)
	case there || size == 0 || free < size+2*lowWater:
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = allocate(f, int64(size))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		// A file system that cannot reserve room has no use for ballast.
		log.Debug("no ballast file", "error", err)
		return os.Remove(path)
	}
	return nil
}
