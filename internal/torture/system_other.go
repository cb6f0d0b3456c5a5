//go:build !linux

package torture

import (
	"syscall"
	"time"
)

// monotonic is a clock that all processes of this machine share, in nanoseconds. Here somebody may set it, which would
// spoil a run.
func monotonic() int64 { return time.Now().UnixNano() }

func childAttributes() *syscall.SysProcAttr { return nil }
