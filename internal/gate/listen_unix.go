//go:build unix

package gate

import "syscall"

// ownerOnly gives an unbound socket the mode 0600, which its file then has from the first moment. Linux does so; what
// other systems do with the mode of a socket is theirs.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
}
