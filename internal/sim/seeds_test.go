//go:build !race

package sim

// How much a test run covers.
const (
	ordinarySeeds = 2000
	pebbleSeeds   = 60
	plantedRuns   = 5
)
