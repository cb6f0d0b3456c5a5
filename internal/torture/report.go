package torture

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
)

// Report says how a run went.
type Report struct {
	Seed    uint64  `json:"seed"`
	Seconds float64 `json:"seconds"`
	Clients int     `json:"clients"` // processes
	Acts    int     `json:"acts"`
	Devices int     `json:"devices"` // fresh ones at the end of an act included

	Operations   int `json:"operations"`   // requests that were begun, each counted once however often it was repeated
	Acknowledged int `json:"acknowledged"` // messages
	Retried      int `json:"retried"`      // sends under a client id that another send had, too, that were answered
	Refused      int `json:"refused"`      // requests
	Applied      int `json:"applied"`      // messages stored by devices, each on each

	Faults map[Fault]int `json:"faults"`

	// Broken promises, by the rules of docs/RELIABILITY.md.
	Lost      int `json:"lost"`      // durable
	Doubled   int `json:"doubled"`   // once
	Reordered int `json:"reordered"` // order
	Stuck     int `json:"stuck"`     // progress
	Other     int `json:"other"`

	// WorstHealMS is how long after the last fault of an act the last device had everything, at most, in milliseconds.
	WorstHealMS int64 `json:"worst_heal_ms"`
	// MostMemory is the server's resident memory when it was looked at, at most, in bytes.
	MostMemory int64 `json:"most_memory"`

	Violations []Violation `json:"violations"`
	Dir        string      `json:"dir"` // of the records of acts with violations
}

// Violation is a broken promise.
type Violation struct {
	Rule   history.Rule `json:"rule"`
	Detail string       `json:"detail"`
	Dir    string       `json:"dir"` // of the records that show it, and of story.txt, which tells all of them in order
	// Window is the beginning of that part of the story that is about the same place or device.
	Window []string `json:"window,omitempty"`
}

// maxViolations bounds Report.Violations. All are counted.
const maxViolations = 20

// OK reports whether every promise was kept.
func (r *Report) OK() bool { return r.Lost+r.Doubled+r.Reordered+r.Stuck+r.Other == 0 }

func (r *Report) add(v history.Violation, dir string, window []string) {
	switch v.Rule {
	case history.Durable:
		r.Lost++
	case history.Once:
		r.Doubled++
	case history.Order:
		r.Reordered++
	case history.Progress:
		r.Stuck++
	default:
		r.Other++
	}
	if len(r.Violations) < maxViolations {
		r.Violations = append(r.Violations, Violation{v.Rule, v.Detail, dir, window})
	}
}

// failed reports whether a violation points at dir.
func (r *Report) failed(dir string) bool {
	return slices.ContainsFunc(r.Violations, func(v Violation) bool { return v.Dir == dir })
}

func (a *act) violate(rule history.Rule, format string, args ...any) {
	a.report.add(history.Violation{Rule: rule, Detail: fmt.Sprintf(format, args...)}, a.dir, nil)
}

// count adds what the records of an act tell.
func (a *act) count(l *loader) {
	r := a.report
	r.Devices += len(a.devices)
	r.Operations += len(l.h.Ops)
	r.Applied += l.applied
	seen := map[hongyan.ClientID]bool{}
	for _, o := range l.h.Ops {
		switch {
		case o.Completed != 0 && o.Code != 0:
			r.Refused++
		case o.Kind != history.Send || !o.Done():
		case seen[o.Client]:
			r.Retried++
		default:
			seen[o.Client] = true
			r.Acknowledged++
		}
	}
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.f("seed %d: %.0f s, %d acts, %d client processes, %d devices\n", r.Seed, r.Seconds, r.Acts, r.Clients, r.Devices)
	p.f("%12d requests, %d of them refused\n", r.Operations, r.Refused)
	p.f("%12d messages acknowledged, %d retries answered\n", r.Acknowledged, r.Retried)
	p.f("%12d messages stored by devices\n", r.Applied)
	for _, f := range slices.SortedFunc(maps.Keys(r.Faults), func(a, b Fault) int {
		return cmp.Or(cmp.Compare(r.Faults[b], r.Faults[a]), cmp.Compare(a, b))
	}) {
		p.f("%12d × %s\n", r.Faults[f], f)
	}
	p.f("%12.1f s after the last fault, at most, until every device had everything\n", float64(r.WorstHealMS)/1000)
	if r.MostMemory > 0 {
		p.f("%12d MiB of memory of the server, at most\n", r.MostMemory>>20)
	}
	p.f("lost %d, doubled %d, reordered %d, stuck %d, other broken promises %d\n", r.Lost, r.Doubled, r.Reordered, r.Stuck, r.Other)
	for _, v := range r.Violations {
		p.f("  %s: %s (%s)\n", v.Rule, v.Detail, v.Dir)
		for _, l := range v.Window {
			p.f("      %s\n", l)
		}
	}
	return p.err
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
