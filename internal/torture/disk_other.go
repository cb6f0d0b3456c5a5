//go:build !linux

package torture

import "errors"

type filler struct{}

func newFiller(string) *filler { return nil }

func (*filler) fill(int64) error { return nil }

func (*filler) empty() error { return nil }

func checkSmall(string) error { return errors.New("a disk is filled on Linux only") }
