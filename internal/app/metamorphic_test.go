package app

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/kv/pebblekv"
	"github.com/hongyan-im/hongyan/wire"
)

var (
	metamorphicFirst = flag.Uint64("metamorphic.first", 1, "the first seed of TestMetamorphic")
	metamorphicSeeds = flag.Int("metamorphic.seeds", 2, "how many seeds TestMetamorphic runs")
	metamorphicSteps = flag.Int("metamorphic.steps", 40, "how many requests a seed of TestMetamorphic makes in each world")
)

// TestMetamorphic lets the same happen in many worlds: over each engine and each carrier, and by each way to the server
// or by all of them in turns. Everybody must be told the same at every step, and in the end own the same. What is told is
// not judged; other tests do that. A seed whose worlds differ is cut down to the steps that matter, and named:
//
//	go test ./internal/app -run 'TestMetamorphic$' -metamorphic.first=7 -metamorphic.seeds=1 -metamorphic.steps=40
func TestMetamorphic(t *testing.T) {
	t.Parallel()
	all := everySetting(t)
	for seed := *metamorphicFirst; seed < *metamorphicFirst+uint64(*metamorphicSeeds); seed++ {
		begin := time.Now()
		told := compare(t, all, write(seed, *metamorphicSteps))
		if told == nil {
			t.Fatalf("seed %d: go test ./internal/app -run 'TestMetamorphic$' -metamorphic.first=%d -metamorphic.seeds=1 -metamorphic.steps=%d",
				seed, seed, *metamorphicSteps)
		}
		t.Logf("seed %d: %s, in %d worlds, %v", seed, told, len(all), time.Since(begin).Round(time.Millisecond))
	}
}

// TestMetamorphicNotices plants a world in which recalls are lost, and expects that to be noticed.
func TestMetamorphicNotices(t *testing.T) {
	t.Parallel()
	s, _ := startOver(t, openMemory, settings(t.TempDir()))
	lossy := []way{{"lossy", func(t *testing.T, s *Server, token string) (asker, error) {
		a, err := ways[0].open(t, s, token)
		return lossyAsker{a}, err
	}}}
	said := difference(t, setting{"honest", s, ways[:1]}, setting{"lossy", s, lossy}, write(1, 60))
	if _, differs, found := strings.Cut(said, "then, over honest"); !found || !strings.Contains(differs, " Recall ") {
		t.Errorf("lost recalls are told as %q", said)
	}
}

// TestShrink cuts a list down to the two steps that matter.
func TestShrink(t *testing.T) {
	t.Parallel()
	steps := write(1, 100)
	first, last := steps[17].slot, steps[80].op
	matters := func(steps []step) bool {
		i := slices.IndexFunc(steps, func(s step) bool { return s.slot == first })
		return i >= 0 && slices.ContainsFunc(steps[i+1:], func(s step) bool { return s.op == last })
	}
	if less := shrink(steps, matters); !matters(less) || len(less) != 2 {
		t.Errorf("cut down to %d steps", len(less))
	}
}

// lossyAsker says that recalls are done, and does none.
type lossyAsker struct{ asker }

func (a lossyAsker) ask(op wire.Op, req, reply proto.Message) error {
	if op == wire.OpRecall {
		return nil
	}
	return a.asker.ask(op, req, reply)
}

// setting is where a world is, and how its devices reach it.
type setting struct {
	name   string
	server *Server
	ways   []way
}

// everySetting starts a server for each engine and carrier, and returns every way to each.
func everySetting(t *testing.T) []setting {
	var list []setting
	for _, engine := range []struct {
		name string
		open func(*Server) (records, error)
	}{{"memory", openMemory}, {"Pebble", openPebble}} {
		for _, carrier := range []config.Carrier{config.CarrierReactor, config.CarrierGoroutine} {
			c := settings(t.TempDir())
			c.Carrier = carrier
			c.Messages.RecallWindow = 24 * time.Hour // so that the pace of the test does not matter
			s, _ := startOver(t, engine.open, c)
			name := engine.name + ", " + string(carrier) + ", "
			for _, w := range ways {
				list = append(list, setting{name + w.name, s, []way{w}})
			}
			list = append(list, setting{name + "all ways in turns", s, ways})
		}
	}
	return list
}

// memoryEngine is the reference implementation of kv.
type memoryEngine struct{ *kv.Memory }

func (memoryEngine) Metrics() pebblekv.Metrics { return pebblekv.Metrics{} }

func openMemory(*Server) (records, error) { return memoryEngine{kv.NewMemory()}, nil }

// story is what happened in a world.
type story struct {
	lines []string
	steps int // lines that the steps have caused; the others are what was found in the end
	err   error
}

// tell lets steps happen in a new world.
func tell(t *testing.T, at setting, steps []step) (s story) {
	w, err := newWorld(t, at.server, at.ways)
	if w != nil {
		defer w.end()
	}
	if err != nil {
		return story{err: err}
	}
	for _, step := range steps {
		if err := w.take(step); err != nil {
			return story{err: err}
		}
	}
	n := len(w.lines)
	err = w.inspect()
	return story{w.lines, n, err}
}

// compare lets steps happen in a world of each setting, and returns a word on what happened; nil, and a failed test, if
// it was not the same in all.
func compare(t *testing.T, all []setting, steps []step) fmt.Stringer {
	t.Helper()
	stories := make([]story, len(all))
	var running sync.WaitGroup
	for i, at := range all {
		running.Go(func() { stories[i] = tell(t, at, steps) })
	}
	running.Wait()
	for i, at := range all {
		if err := stories[i].err; err != nil {
			t.Errorf("%s: %v", at.name, err)
			return nil
		}
		if slices.Equal(stories[i].lines, stories[0].lines) {
			continue
		}
		differs := func(steps []step) bool { return difference(t, all[0], at, steps) != "" }
		switch said := firstDifference(all[0].name, at.name, stories[0], stories[i]); {
		case !differs(steps):
			t.Errorf("the worlds differed once, and not again: %s", said)
		default:
			t.Error(difference(t, all[0], at, shrink(steps, differs)))
		}
		return nil
	}
	return stories[0]
}

// difference lets steps happen in two new worlds and says where they differ; empty if they do not.
func difference(t *testing.T, a, b setting, steps []step) string {
	one, other := tell(t, a, steps), tell(t, b, steps)
	if one.err != nil || other.err != nil {
		return fmt.Sprintf("%s: %v; %s: %v", a.name, one.err, b.name, other.err)
	}
	return firstDifference(a.name, b.name, one, other)
}

// firstDifference says where two stories part, with the steps before.
func firstDifference(a, b string, one, other story) string {
	for i := range max(len(one.lines), len(other.lines)) {
		x, y := "nothing", "nothing"
		if i < len(one.lines) {
			x = one.lines[i]
		}
		if i < len(other.lines) {
			y = other.lines[i]
		}
		if x != y {
			before := one.lines[:min(i, one.steps)]
			before = before[max(0, len(before)-30):]
			return fmt.Sprintf("%s\nthen, over %s\n  %s\nand over %s\n  %s", strings.Join(before, "\n"), a, x, b, y)
		}
	}
	return ""
}

// shrink leaves out steps, many at a time and then one by one, as long as what is left fails.
func shrink(steps []step, fails func([]step) bool) []step {
	for size := len(steps) / 2; size > 0; size /= 2 {
		for from := 0; from < len(steps); {
			less := slices.Concat(steps[:from], steps[min(len(steps), from+size):])
			if fails(less) {
				steps = less
			} else {
				from += size
			}
		}
	}
	return steps
}

// String counts what was done and what was refused, by code.
func (s story) String() string {
	refused, by := 0, map[string]int{}
	for code, name := range hongyan.Codes() {
		for _, line := range s.lines[:s.steps] {
			if strings.HasSuffix(line, ": refused, "+code.String()) {
				refused++
				by[name]++
			}
		}
	}
	return fmt.Sprintf("%d steps, %d of them refused %v", s.steps, refused, by)
}
