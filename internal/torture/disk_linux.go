package torture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// filler fills a file system.
type filler struct{ path string }

func newFiller(dir string) *filler { return &filler{filepath.Join(dir, "filler")} }

// fill takes space until leave bytes are free, or nothing is.
func (f *filler) fill(leave int64) error {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	for {
		var st syscall.Statfs_t
		if err := syscall.Statfs(filepath.Dir(f.path), &st); err != nil {
			return err
		}
		if int64(st.Bavail)*st.Bsize <= leave {
			return nil
		}
		if _, err := file.Write(block); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// empty gives the space back.
func (f *filler) empty() error { return os.Remove(f.path) }

// checkSmall refuses a file system on which others may be, or that is too large to be filled again and again.
func checkSmall(dir string) error {
	var here, above syscall.Stat_t
	var st syscall.Statfs_t
	if err := errors.Join(
		syscall.Stat(dir, &here), syscall.Stat(filepath.Dir(dir), &above), syscall.Statfs(dir, &st),
	); err != nil {
		return err
	}
	if here.Dev == above.Dev {
		return fmt.Errorf("%s is no file system of its own: filling it would fill that of others", dir)
	}
	if size := int64(st.Blocks) * st.Bsize; size > maxDisk {
		return fmt.Errorf("%s is a file system of %d MiB, more than %d are not filled", dir, size>>20, maxDisk>>20)
	}
	return nil
}

const maxDisk = 4 << 30
