//go:build race

package sim

// How much a test run covers. Nearly all of it happens one thing at a time, where the race detector finds nothing and
// costs much.
const (
	ordinarySeeds = 20
	pebbleSeeds   = 2
	plantedRuns   = 1
)

// plantedFrom is where the search for a planted mistake begins: shortly before a seed that has shown it, if most do not.
func plantedFrom(mistake string) uint64 {
	switch mistake {
	case "drop an answer":
		return 1_000_048
	case "check permission before the writer":
		return 1_000_031
	case "answer a retry before the original is durable":
		return 1_000_079
	case "trim between reading the trim line and the entries":
		return 1_000_150
	}
	return 1_000_000
}
