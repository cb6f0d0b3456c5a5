package memory

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestTidy leaves garbage behind in a server at rest.
func TestTidy(t *testing.T) {
	before := debug.SetGCPercent(-1) // what happens here happens by Tidy
	defer debug.SetGCPercent(before)
	runtime.GC()
	var garbage [][]byte
	for range 4000 {
		garbage = append(garbage, make([]byte, 1000))
	}
	runtime.KeepAlive(garbage)
	garbage = nil
	if !pays() {
		t.Fatal("4 MB of garbage are none")
	}
	ctx, cancel := context.WithCancel(context.Background())
	tidied := make(chan struct{})
	go func() {
		defer close(tidied)
		Tidy(ctx, func() uint64 { return 0 })
	}()
	for end := time.Now().Add(20 * time.Second); pays(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the garbage is still there")
		}
	}
	cancel()
	<-tidied
}
