//go:build !linux

package load

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
)

// run needs epoll and /proc.
func run(context.Context, *Options, endpoint) (*Report, error) {
	return nil, errors.New("the load generator runs on Linux, not on " + runtime.GOOS)
}

// resident and listeners need /proc.
func resident([]int) int64 { return 0 }

// yieldProcessor needs /proc too: elsewhere the bad clients take as much processor time as the others.
func yieldProcessor() error { return nil }

func listeners(netip.AddrPort) []int { return nil }
