package load

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// edgeTriggered is EPOLLET without its sign.
const edgeTriggered = 1 << 31

// Reads, writes and the look at the epoll set cannot block, so they go past the scheduler: the loop is the only busy
// goroutine of the process, and handing its processor over for a microsecond costs more than the call.

func readSome(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}

// writeSome returns how much of b was taken; b is not empty. A full socket is no error.
func writeSome(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN:
		return 0, nil
	}
	return 0, fmt.Errorf("writing: %w", errno)
}

// wait looks for events, and if there are none, waits for them.
func wait(epoll int, events []unix.EpollEvent, d time.Duration) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno == 0 && n > 0 {
		return int(n), nil
	}
	k, err := unix.EpollWait(epoll, events, int(d.Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("epoll_wait: %w", err)
	}
	return k, nil
}

var epoch = time.Now()

// nanos is the time since the program began.
func nanos() int64 { return int64(time.Since(epoch)) }

// raiseFiles lets this process have n files open.
func raiseFiles(n uint64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("getrlimit: %w", err)
	}
	if limit.Cur >= n {
		return nil
	}
	limit.Cur, limit.Max = n, max(limit.Max, n) // beyond the hard limit the superuser may go
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("%d open files are needed and not allowed here; ulimit -Hn says how many are: %w", n, err)
	}
	return nil
}
