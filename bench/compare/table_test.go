package main

import (
	"strings"
	"testing"
)

func cpu(us float64) *report {
	r := new(report)
	r.Server.PerMillion = us
	return r
}

// A ratio is the median of those within each round, not that of the medians, and failed measurements do not count.
func TestRatio(t *testing.T) {
	r := row{name: "row", mode: "echo"}
	run := &comparison{
		rounds: 4, rows: []row{r}, servers: []*server{{name: "ours"}, {name: reference}, {name: "gone"}},
		found: map[string]map[string][]*report{"row": {
			"ours":    {cpu(1), cpu(10), cpu(100), nil},
			reference: {cpu(2), cpu(10), cpu(400), cpu(1)},
			"gone":    {nil, nil, nil, nil},
		}},
	}
	for name, want := range map[string]string{"ours": "2.00", reference: "1.00", "gone": "–", "other": "–"} {
		if got := run.ratio(r, reference, name); got != want {
			t.Errorf("ratio of %s is %s, want %s", name, got, want)
		}
	}
	var b strings.Builder
	run.write(&b)
	if want := "| row | 2.00 | 1.00 | – |"; !strings.Contains(b.String(), want) {
		t.Errorf("no line %q in\n%s", want, b.String())
	}
	if want := "| ours | 10 |"; !strings.Contains(b.String(), want) {
		t.Errorf("no line %q in\n%s", want, b.String())
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 5}, 5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
	}
}
