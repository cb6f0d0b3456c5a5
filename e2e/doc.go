// Package e2e holds the tests of the whole: the real binary as processes, real sockets and disks, and kill -9. Clients are
// the Go SDK, the command line, and clients in other languages from examples/.
package e2e
