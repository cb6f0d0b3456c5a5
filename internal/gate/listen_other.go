//go:build !unix

package gate

import "syscall"

// ownerOnly does nothing: the folder's permissions guard the socket here.
func ownerOnly(_, _ string, _ syscall.RawConn) error { return nil }
