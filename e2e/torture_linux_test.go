//go:build long

package e2e

import (
	"testing"

	"github.com/hongyan-im/hongyan/internal/torture"
)

// TestTortureFullDisk does so on a disk that is full every now and then.
func TestTortureFullDisk(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		r, status := runTorture(t, binary, "--duration", "15s", "--clients", "2", "--rate", "50", "--seed", "11", "--disk", smallDisk(t, "512"))
		checkTorture(t, r, status, torture.FullDisk)
	})
}
