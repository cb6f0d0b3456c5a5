package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hongyan-im/hongyan/internal/config"
)

const clockCheck = "clock"

// clock compares the wall clock with the monotonic one since start, with the times of the files in the data directory,
// and asks the kernel whether something keeps it right.
func clock(c config.Config, start time.Time) []Finding {
	now := time.Now()
	elapsed := now.Sub(start)                // by the monotonic clock
	wall := now.Round(0).Sub(start.Round(0)) // by the wall clock
	newest, name := newestFile(c.Data, 2)
	if f := judgeClock(now, newest, name, wall-elapsed); f.Status != OK {
		return []Finding{f}
	}
	if synced, known := clockSynchronised(); known && !synced {
		return []Finding{{clockCheck, Warn, now.Format(time.RFC3339) + ", not synchronised",
			"Nothing keeps the clock right. The times of messages and the refusal of late retries depend on it.",
			"Run chrony, systemd-timesyncd or ntpd."}}
	}
	return []Finding{ok(clockCheck, now.Format(time.RFC3339))}
}

// A clock that differs from a file's time by less than this may just be coarse.
const clockTolerance = 5 * time.Second

func judgeClock(now, newest time.Time, name string, drift time.Duration) Finding {
	switch {
	case now.Year() < 2025:
		return Finding{clockCheck, Fail, now.Format(time.RFC3339),
			"This program is younger than that: the clock was never set.", "Set the clock, and run chrony, systemd-timesyncd or ntpd."}
	case newest.Sub(now) > clockTolerance:
		later := newest.Sub(now).Round(time.Second)
		return Finding{clockCheck, Fail, fmt.Sprintf("%s, but %s was written %s later", now.Format(time.RFC3339), name, later),
			"The clock has gone back since the server last ran. Messages would be dated before older ones, and clients' " +
				"retries refused as from the future.",
			"Set the clock right before the server is started."}
	case drift.Abs() > 500*time.Millisecond:
		drift = drift.Round(time.Millisecond)
		return Finding{clockCheck, Warn, fmt.Sprintf("%s, jumped by %s while this ran", now.Format(time.RFC3339), drift),
			"The clock is being set in jumps.", "Let chrony or ntpd slew it, and look for a second program that sets it."}
	}
	return ok(clockCheck, now.Format(time.RFC3339))
}

// newestFile is the latest time of a file in dir and so many levels below, zero if there is none.
func newestFile(dir string, levels int) (newest time.Time, path string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return newest, ""
	}
	for _, entry := range entries {
		at, t := filepath.Join(dir, entry.Name()), time.Time{}
		if entry.IsDir() && levels > 0 {
			t, at = newestFile(at, levels-1)
		} else if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			t = info.ModTime()
		}
		if t.After(newest) {
			newest, path = t, at
		}
	}
	return newest, path
}
