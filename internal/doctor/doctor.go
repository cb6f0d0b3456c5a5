// Package doctor examines the machine that a server is to run on and says what it found, what that means and what to
// do about it.
//
// Every check is two steps: the measuring, which asks the system, and the judging, a pure function of what was measured
// and of the set-up. Nothing is changed: a check writes at most one temporary file, into the data directory, and
// removes it.
package doctor

import (
	"context"
	"time"

	"github.com/hongyan-im/hongyan/internal/config"
)

// Status is the verdict of a check.
type Status string

const (
	OK   Status = "ok"   // as it should be
	Warn Status = "warn" // works, but not well, or not for long
	Fail Status = "fail" // the server will not start, or will refuse its work
)

// Finding is the outcome of one check.
type Finding struct {
	Check  string `json:"check"` // what was examined: "disk space"
	Status Status `json:"status"`
	Found  string `json:"found"`           // what was measured
	Means  string `json:"means,omitempty"` // why it matters; empty if all is well
	Do     string `json:"do,omitempty"`    // how to change it; empty if all is well
}

func ok(check, found string) Finding { return Finding{Check: check, Status: OK, Found: found} }

// Examine runs every check for a server set up as c. What cannot be measured on this system is left out. It takes about
// a second, most of it for the disk.
func Examine(ctx context.Context, c config.Config) []Finding {
	start := time.Now()
	var all []Finding
	for _, check := range []func(config.Config) []Finding{
		descriptors, directory, space, syncing, ports, certificate, kernel, memory,
	} {
		if ctx.Err() != nil {
			return all
		}
		all = append(all, check(c)...)
	}
	// Last, so that the clocks have had time to drift apart.
	return append(all, clock(c, start)...)
}

// Worst is the worst status among findings, OK if there are none.
func Worst(findings []Finding) Status {
	worst := OK
	for _, f := range findings {
		if f.Status == Fail || f.Status == Warn && worst == OK {
			worst = f.Status
		}
	}
	return worst
}
