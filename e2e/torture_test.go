package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/torture"
)

// runTorture runs the torture command and returns its report and its exit status.
func runTorture(t *testing.T, binary string, args ...string) (*torture.Report, int) {
	t.Helper()
	args = append([]string{"torture", "--json", "--dir", filepath.Join(t.TempDir(), "torture")}, args...)
	c := exec.CommandContext(t.Context(), binary, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	report := new(torture.Report)
	if json.Unmarshal(out.Bytes(), report) != nil {
		t.Fatalf("hongyan %s: %v\n%s", strings.Join(args, " "), err, tail(errs.String(), 4000))
	}
	return report, c.ProcessState.ExitCode()
}

// checkTorture fails for a broken promise, and for a run in which nothing happened.
func checkTorture(t *testing.T, r *torture.Report, status int, faults ...torture.Fault) {
	t.Helper()
	if !r.OK() || status != 0 {
		_ = r.WriteText(os.Stderr)
		t.Fatalf("seed %d: exit status %d", r.Seed, status)
	}
	if r.Acknowledged == 0 || r.Applied < 2*r.Acknowledged {
		t.Errorf("%d messages acknowledged, %d applied", r.Acknowledged, r.Applied)
	}
	for _, f := range faults {
		if r.Faults[f] == 0 {
			t.Errorf("nobody did this: %s", f)
		}
	}
	t.Logf("%d messages acknowledged, %d retries answered; faults: %v", r.Acknowledged, r.Retried, r.Faults)
}

// TestTorture runs the torture command for a moment; make torture does for longer.
func TestTorture(t *testing.T) {
	t.Parallel()
	r, status := runTorture(t, binary, "--duration", "12s", "--clients", "2", "--rate", "100", "--seed", "61")
	checkTorture(t, r, status, torture.KillServer, torture.KillClients)
}
