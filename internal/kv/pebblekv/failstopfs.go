package pebblekv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// failstopFS is the file system that Pebble works on. The first change that fails (a write, a sync, a new or renamed
// file) fails the store and freezes the disk: neither that change nor any later one is tried again, and Pebble is told
// that each of them worked.
//
// So the disk is left as a loss of power at that moment would leave it, which Pebble recovers from, and a failed sync
// is never repeated: the kernel may have dropped the pages and would call the second attempt a success. Pebble, which
// answers such errors with panics under its locks and with endless retries, never meets one and can be closed in order.
// The claim of success ends in this package: the failure is recorded before the change returns, and every path to a
// caller looks for it afterwards (see commit.Wait).
//
// Reads go through unchanged, and so do removals: a file that stays is harmless.
type failstopFS struct {
	vfs.FS
	stop *failstop
}

// change makes a change to the disk unless the store has failed.
func (f *failstopFS) change(op, name string, do func() error) {
	if f.stop.failed() {
		return
	}
	if err := do(); err != nil {
		f.stop.fail(describe(op, name, err))
	}
}

// create is change for what opens a file to write to.
func (f *failstopFS) create(op, name string, open func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File = voidFile{}
	f.change(op, name, func() error {
		opened, err := open()
		if err == nil {
			file = &failstopFile{File: opened, fs: f, name: name}
		}
		return err
	})
	return file, nil
}

// markerPrefix begins the names of Pebble's markers (its package atomicfs).
const markerPrefix = "marker."

func (f *failstopFS) syncDir(name string) error {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// describe adds what was tried, where, if the error does not say it.
func describe(op, name string, err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return err
	}
	if link := (*os.LinkError)(nil); errors.As(err, &link) {
		return err
	}
	return fmt.Errorf("%s %s: %w", op, name, err)
}

// Create creates a file. A marker says which manifest is in force, so the name of that manifest has to be durable before
// there is one: POSIX lets a loss of power keep one new name of a directory and forget another, and Pebble syncs the
// directory only after it has made the marker.
func (f *failstopFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(f.PathBase(name), markerPrefix) {
		dir := f.PathDir(name)
		f.change("sync", dir, func() error { return f.syncDir(dir) })
	}
	return f.create("create", name, func() (vfs.File, error) { return f.FS.Create(name, category) })
}

func (f *failstopFS) OpenReadWrite(
	name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	return f.create("open", name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, category, opts...) })
}

func (f *failstopFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.create("reuse", newname, func() (vfs.File, error) { return f.FS.ReuseForWrite(oldname, newname, category) })
}

// OpenDir opens a directory, which is read from and synced.
func (f *failstopFS) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &failstopFile{File: dir, fs: f, name: name}, nil
}

func (f *failstopFS) Link(oldname, newname string) error {
	f.change("link", newname, func() error { return f.FS.Link(oldname, newname) })
	return nil
}

func (f *failstopFS) Rename(oldname, newname string) error {
	f.change("rename", newname, func() error { return f.FS.Rename(oldname, newname) })
	return nil
}

func (f *failstopFS) MkdirAll(dir string, perm os.FileMode) error {
	f.change("mkdir", dir, func() error { return f.FS.MkdirAll(dir, perm) })
	return nil
}

func (f *failstopFS) Remove(name string) error {
	if f.stop.failed() {
		return nil
	}
	return f.FS.Remove(name)
}

func (f *failstopFS) RemoveAll(name string) error {
	if f.stop.failed() {
		return nil
	}
	return f.FS.RemoveAll(name)
}

// Lock takes the lock of the directory. Whatever keeps it from another process is a *LockedError.
func (f *failstopFS) Lock(name string) (io.Closer, error) {
	lock, err := f.FS.Lock(name)
	var errno syscall.Errno
	if err != nil && (!errors.As(err, &errno) || errno == syscall.EAGAIN) {
		return nil, &LockedError{Dir: f.PathDir(name), Err: err}
	}
	return lock, err
}

// GetDiskUsage tells Pebble how much room there is for a compaction. Not to know is no reason to fail.
func (f *failstopFS) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	usage, err := f.FS.GetDiskUsage(path)
	if err != nil {
		return vfs.DiskUsage{}, vfs.ErrUnsupported
	}
	return usage, nil
}

// Unwrap implements vfs.FS.
func (f *failstopFS) Unwrap() vfs.FS { return f.FS }

// failstopFile is a file or directory that changes.
type failstopFile struct {
	vfs.File
	fs   *failstopFS
	name string
}

func (f *failstopFile) Write(p []byte) (int, error) {
	f.fs.change("write", f.name, func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

func (f *failstopFile) WriteAt(p []byte, offset int64) (int, error) {
	f.fs.change("write", f.name, func() error { _, err := f.File.WriteAt(p, offset); return err })
	return len(p), nil
}

func (f *failstopFile) Sync() error {
	f.fs.change("sync", f.name, f.File.Sync)
	return nil
}

func (f *failstopFile) SyncData() error {
	f.fs.change("sync", f.name, f.File.SyncData)
	return nil
}

// SyncTo starts to write out the file's first bytes. It can consume the error of an earlier write that a later Sync
// would no longer see, so it counts like one.
func (f *failstopFile) SyncTo(length int64) (full bool, err error) {
	f.fs.change("sync", f.name, func() error { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

// Preallocate reserves room ahead of the writes. Where it fails the writes tell.
func (f *failstopFile) Preallocate(offset, length int64) error {
	if f.fs.stop.failed() {
		return nil
	}
	return f.File.Preallocate(offset, length)
}

// Close lets go of the file even when the disk is frozen.
func (f *failstopFile) Close() error {
	if err := f.File.Close(); err != nil {
		f.fs.stop.fail(describe("close", f.name, err))
	}
	return nil
}

// voidFile stands for a file that could not be created, or was not because the disk is frozen.
type voidFile struct{}

func (voidFile) Close() error                           { return nil }
func (voidFile) Read([]byte) (int, error)               { return 0, io.EOF }
func (voidFile) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (voidFile) Write(p []byte) (int, error)            { return len(p), nil }
func (voidFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (voidFile) Preallocate(_, _ int64) error           { return nil }
func (voidFile) Stat() (vfs.FileInfo, error)            { return voidInfo{}, nil }
func (voidFile) Sync() error                            { return nil }
func (voidFile) SyncTo(int64) (bool, error)             { return false, nil }
func (voidFile) SyncData() error                        { return nil }
func (voidFile) Prefetch(_, _ int64) error              { return nil }
func (voidFile) Fd() uintptr                            { return vfs.InvalidFd }

type voidInfo struct{}

func (voidInfo) Name() string           { return "" }
func (voidInfo) Size() int64            { return 0 }
func (voidInfo) Mode() fs.FileMode      { return 0 }
func (voidInfo) ModTime() time.Time     { return time.Time{} }
func (voidInfo) IsDir() bool            { return false }
func (voidInfo) Sys() any               { return nil }
func (voidInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
