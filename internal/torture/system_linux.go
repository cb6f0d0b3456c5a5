package torture

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// monotonic is a clock that all processes of this machine share and nobody sets, in nanoseconds.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // there is one on every Linux
	}
	return t.Nano()
}

// childAttributes has a child end with this process, however that ends.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
