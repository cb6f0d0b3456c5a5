package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/history"
)

var (
	seeds = flag.Int("sim.seeds", ordinarySeeds, "how many seeds to run")
	first = flag.Uint64("sim.first", 1, "the first seed")

	pebble = flag.Int("sim.pebble", pebbleSeeds, "how many seeds to run over Pebble")
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // a run leaves little behind, and much of it
	flag.Parse()
	os.Exit(m.Run())
}

// TestSeeds runs clusters by seed, and expects that every promise is kept.
func TestSeeds(t *testing.T) {
	t.Parallel()
	runSeeds(t, *first, *seeds, Config{Trace: *seeds == 1})
}

// TestPebble does the same over the real engine, whose files lose what was not synced.
func TestPebble(t *testing.T) {
	t.Parallel()
	runSeeds(t, *first, *pebble, Config{Pebble: true})
}

// runSeeds runs n seeds on all processors.
func runSeeds(t *testing.T, first uint64, n int, config Config) {
	var next atomic.Uint64
	var mu sync.Mutex
	var sum Counts
	t.Run("seeds", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("some", func(t *testing.T) {
				t.Parallel()
				for i := next.Add(1) - 1; i < uint64(n); i = next.Add(1) - 1 {
					r := mustRun(t, first+i, config)
					mu.Lock()
					sum.add(r.Counts)
					mu.Unlock()
					if done := i + 1; done%1000 == 0 {
						t.Logf("%d of %d seeds", done, n)
					}
				}
			})
		}
	})
	t.Logf("%d seeds: %+v", n, sum)
	if reached := [...]int{
		sum.Repeated, sum.Pushed, sum.Resets, sum.ServerCrashes, sum.DiskFaults, sum.DeviceKills, sum.Cuts,
	}; n >= 100 && slices.Contains(reached[:], 0) {
		t.Errorf("something never happened: %+v", sum)
	}
}

// mustRun runs a seed, and once more with a trace if it breaks promises.
func mustRun(t *testing.T, seed uint64, config Config) Result {
	t.Helper()
	r, err := Run(seed, config)
	if err != nil {
		t.Fatal(err)
	}
	r.Violations = append(r.Violations, history.Linearizable(r.History, time.Minute)...)
	if len(r.Violations) == 0 {
		return r
	}
	if !config.Trace {
		config.Trace = true
		again, err := Run(seed, config)
		if err != nil {
			t.Fatal(err)
		}
		r.Trace = again.Trace // which may tell another story over Pebble
	}
	report(t, seed, r)
	return r
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
