package sim

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

var (
	seeds = flag.Int("sim.seeds", 200, "how many seeds to run")
	first = flag.Uint64("sim.first", 1, "the first seed")
)

// TestSeeds runs clusters by seed, and expects that every promise is kept.
func TestSeeds(t *testing.T) {
	t.Parallel()
	var sum Counts
	for i := range *seeds {
		seed := *first + uint64(i)
		r, err := Run(seed, Config{Trace: *seeds == 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Violations) > 0 {
			report(t, seed, r)
		}
		sum.Events += r.Events
		sum.Acknowledged += r.Acknowledged
		sum.ServerCrashes += r.ServerCrashes
	}
	t.Logf("%d seeds: %+v", *seeds, sum)
}

// TestRepeatable runs a seed twice and expects the same to the last line.
func TestRepeatable(t *testing.T) {
	t.Parallel()
	var traces [2][]string
	for i := range traces {
		r, err := Run(77, Config{Trace: true})
		if err != nil {
			t.Fatal(err)
		}
		traces[i] = append(r.Trace, fmt.Sprint(r.Counts))
	}
	for i, line := range traces[0] {
		if i >= len(traces[1]) || traces[1][i] != line {
			t.Fatalf("line %d of the trace is %q, and another time it is different", i, line)
		}
	}
}

func report(t *testing.T, seed uint64, r Result) {
	t.Helper()
	var b strings.Builder
	for _, v := range r.Violations {
		b.WriteString("\n  " + v.String())
	}
	for _, l := range r.Trace {
		b.WriteString("\n" + l)
	}
	t.Fatalf("seed %d breaks promises; go test ./internal/sim -run TestSeeds -sim.first=%d -sim.seeds=1 -v%s", seed, seed, b.String())
}
