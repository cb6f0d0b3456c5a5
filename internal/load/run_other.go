//go:build !linux

package load

import (
	"context"
	"errors"
	"runtime"
)

// run needs epoll and /proc.
func run(context.Context, *Options, endpoint) (*Report, error) {
	return nil, errors.New("the load generator runs on Linux, not on " + runtime.GOOS)
}
