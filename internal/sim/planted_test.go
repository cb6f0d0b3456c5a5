package sim

import (
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan/internal/history"
)

// mistakes are what a cluster may get wrong, and by which promise it is to be noticed at the latest.
var mistakes = []struct {
	name  string
	plant planted
	rules []history.Rule // one of these
}{
	{"answer before a sync is done", planted{skipSync: true}, nil},
	{"answer before a round is durable", planted{settleEarly: true}, nil},
	{"show what is not durable", planted{readEarly: true}, nil},
	{"answer a retry before the original is durable", planted{retryEarly: true}, nil},
	{"drop an answer", planted{dropAnswer: true}, []history.Rule{history.Progress}},
	{"drop an acknowledged round", planted{dropWrite: true}, nil},
	{"reuse a term", planted{reuseTerm: true}, nil},
	{"forget client ids over a restart", planted{forgetDedupe: true}, []history.Rule{history.Once}},
	{"check permission before the writer", planted{checkEarly: true}, []history.Rule{history.Membership}},
	{"advance a key too far", planted{keyAhead: true}, []history.Rule{history.Key}},
	{"trim between reading the trim line and the entries", planted{staleLine: true}, nil},
	{"keep a recalled body", planted{keepRecalled: true}, []history.Rule{history.Recalled}},
	{"give a receipt for what was only sent", planted{receiptEarly: true}, []history.Rule{history.Receipts}},
	{"count own messages as unread", planted{countWrong: true}, []history.Rule{history.Unread}},
	{"store the key before the changes", planted{keyFirst: true}, nil},
	{"retry under another client id", planted{forgetSent: true}, []history.Rule{history.Once}},
}

// seedsOfPlanted bounds the search for a seed that shows a planted mistake. It is searched plantedRuns times.
const seedsOfPlanted = 2000

// TestPlanted plants one mistake after the other and expects that each is noticed. It tells after how many seeds.
func TestPlanted(t *testing.T) {
	t.Parallel()
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			var needed []int
			var by history.Violation
			seed := plantedFrom(m.name)
			for range plantedRuns {
				n := 0
				for found := false; !found; seed++ {
					if n++; n > seedsOfPlanted {
						t.Fatalf("nothing was noticed in %d seeds", seedsOfPlanted)
					}
					r, err := Run(seed, Config{planted: m.plant})
					if err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					i := slices.IndexFunc(r.Violations, func(v history.Violation) bool {
						return len(m.rules) == 0 || slices.Contains(m.rules, v.Rule)
					})
					if found = i >= 0; found {
						by = r.Violations[i]
					}
				}
				needed = append(needed, n)
			}
			slices.Sort(needed)
			t.Logf("noticed after %d seeds (median of %v), the last time by %d: %v", needed[len(needed)/2], needed, seed-1, by)
		})
	}
}
