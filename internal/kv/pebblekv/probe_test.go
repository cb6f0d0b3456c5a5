package pebblekv

import (
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// change is something that is done to the disk.
type change string

const (
	opCreate change = "create" // a file, or reuse one under a new name
	opRename change = "rename" // or link
	opMkdir  change = "mkdir"
	opRemove change = "remove"
	opWrite  change = "write"
	opSync   change = "sync"
)

// probe asks before each change whether it may happen. (Pebble's errorfs lets a reused file out of sight.)
type probe struct {
	vfs.FS
	before func(op change, name string) error
}

func (p *probe) open(op change, name string, open func() (vfs.File, error)) (vfs.File, error) {
	if err := p.before(op, name); err != nil {
		return nil, err
	}
	file, err := open()
	if err != nil {
		return nil, err
	}
	return &probeFile{File: file, probe: p, name: name}, nil
}

func (p *probe) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return p.open(opCreate, name, func() (vfs.File, error) { return p.FS.Create(name, c) })
}

func (p *probe) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return p.open(opCreate, name, func() (vfs.File, error) { return p.FS.OpenReadWrite(name, c, opts...) })
}

func (p *probe) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return p.open(opCreate, newname, func() (vfs.File, error) { return p.FS.ReuseForWrite(oldname, newname, c) })
}

func (p *probe) OpenDir(name string) (vfs.File, error) {
	file, err := p.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &probeFile{File: file, probe: p, name: name}, nil
}

func (p *probe) Link(oldname, newname string) error {
	if err := p.before(opRename, newname); err != nil {
		return err
	}
	return p.FS.Link(oldname, newname)
}

func (p *probe) Rename(oldname, newname string) error {
	if err := p.before(opRename, newname); err != nil {
		return err
	}
	return p.FS.Rename(oldname, newname)
}

func (p *probe) MkdirAll(dir string, perm os.FileMode) error {
	if err := p.before(opMkdir, dir); err != nil {
		return err
	}
	return p.FS.MkdirAll(dir, perm)
}

func (p *probe) Remove(name string) error {
	if err := p.before(opRemove, name); err != nil {
		return err
	}
	return p.FS.Remove(name)
}

type probeFile struct {
	vfs.File
	probe *probe
	name  string
}

func (f *probeFile) Write(p []byte) (int, error) {
	if err := f.probe.before(opWrite, f.name); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *probeFile) Sync() error {
	if err := f.probe.before(opSync, f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *probeFile) SyncData() error {
	if err := f.probe.before(opSync, f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f *probeFile) SyncTo(length int64) (bool, error) {
	if err := f.probe.before(opSync, f.name); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}
