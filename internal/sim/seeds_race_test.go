//go:build race

package sim

// How much a test run covers. Nearly all of it happens in one goroutine at a time, where the race detector finds nothing
// and costs much.
const (
	ordinarySeeds = 40
	pebbleSeeds   = 3
	plantedRuns   = 1
)
