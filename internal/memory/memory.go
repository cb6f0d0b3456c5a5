// Package memory gives back to the system what a burst of connections has left behind. Go collects garbage when as much
// again has been allocated as was alive, and at rest only every other minute: until then a hundred thousand handshakes are
// paid for by a server that has nothing to do.
package memory

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	every = 2 * time.Second
	rest  = 64 << 10 // bytes moved in that time, up to which a server is at rest
	worth = 1 << 20  // bytes of garbage below which nothing is done, and so is below a quarter of what is alive
)

// Tidy collects garbage whenever the server is at rest and it pays, until ctx ends. moved is the number of bytes that the
// server has moved so far.
func Tidy(ctx context.Context, moved func() uint64) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	var before uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		now := moved()
		if now-before <= rest && pays() {
			debug.FreeOSMemory()
		}
		before = now
	}
}

// pays reports whether a collection would free enough.
func pays() bool {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples)
	live, held := samples[0].Value.Uint64(), samples[1].Value.Uint64()
	return held > live+max(worth, live/4)
}
