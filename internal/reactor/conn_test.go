//go:build linux

package reactor

import (
	"testing"
	"unsafe"
)

// TestConnSize pins what an idle connection costs in this package, beside its place in the loop's table.
func TestConnSize(t *testing.T) {
	if size := unsafe.Sizeof(conn{}); size > 80 {
		t.Errorf("a conn has %d bytes", size)
	}
}
