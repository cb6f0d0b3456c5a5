package doctor

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/config"
)

// setup is a set-up whose data is in a fresh directory and whose one address is free.
func setup(t *testing.T) config.Config {
	c := config.Default()
	c.Data = t.TempDir()
	if err := os.Chmod(c.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	c.Listen = []string{"127.0.0.1:0"}
	c.Limits.Connections = 100
	return c
}

// want checks status and a word of the explanation, and that everything but OK explains itself.
func want(t *testing.T, f Finding, status Status, word string) {
	t.Helper()
	if f.Status != status {
		t.Errorf("%s: %s, want %s (%+v)", f.Check, f.Status, status, f)
	}
	if text := f.Found + "\n" + f.Means + "\n" + f.Do; !strings.Contains(text, word) {
		t.Errorf("%s: %q is not in %+v", f.Check, word, f)
	}
	if explained := f.Means != "" && f.Do != ""; explained == (f.Status == OK) {
		t.Errorf("%s: %s, means %q, do %q", f.Check, f.Status, f.Means, f.Do)
	}
}

func TestExamineStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if found := Examine(ctx, setup(t)); len(found) != 0 {
		t.Errorf("%d findings after the end", len(found))
	}
}

func TestWorst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		statuses []Status
		want     Status
	}{
		{nil, OK}, {[]Status{OK, OK}, OK}, {[]Status{OK, Warn, OK}, Warn}, {[]Status{Warn, Fail, Warn}, Fail}, {[]Status{Fail, OK}, Fail},
	} {
		var findings []Finding
		for _, s := range tt.statuses {
			findings = append(findings, Finding{Status: s})
		}
		if got := Worst(findings); got != tt.want {
			t.Errorf("Worst(%v) = %s, want %s", tt.statuses, got, tt.want)
		}
	}
}

func TestJudgeDescriptors(t *testing.T) {
	t.Parallel()
	want(t, judgeDescriptors(200_000, 100_000), OK, "200000")
	want(t, judgeDescriptors(65_536, 100_000), Warn, "LimitNOFILE=101024")
	want(t, judgeDescriptors(1024, 100_000), Fail, "LimitNOFILE")
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	c := setup(t)
	c.Data = filepath.Join(c.Data, "new", "data")
	want(t, directory(c)[0], OK, "can be created")
	if _, err := os.Stat(filepath.Dir(c.Data)); err == nil {
		t.Error("the check created the directory")
	}
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		t.Fatal(err)
	}
	want(t, directory(c)[0], Warn, "chmod 700")
	file := filepath.Join(c.Data, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Data = file
	want(t, directory(c)[0], Fail, "is a file")
	c.Data = filepath.Join(file, "below")
	want(t, directory(c)[0], Fail, "not a directory")
}

func TestJudgeFilesystem(t *testing.T) {
	t.Parallel()
	want(t, judgeFilesystem("ext4"), OK, "ext4")
	want(t, judgeFilesystem("nfs"), Warn, "lose")
	want(t, judgeFilesystem("tmpfs"), Warn, "restart")
}

func TestJudgeSpace(t *testing.T) {
	t.Parallel()
	s := config.Storage{LowWater: 100 << 20, Ballast: 50 << 20}
	want(t, judgeSpace(10<<30, s), OK, "10.0 GiB free")
	want(t, judgeSpace(449<<20, s), Warn, "retention")
	want(t, judgeSpace(99<<20, s), Fail, "refuses every message")
}

func TestJudgeSync(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	want(t, judgeSync([]time.Duration{2 * ms, ms, 9 * ms}), OK, "median 2ms, worst 9ms of 3")
	want(t, judgeSync([]time.Duration{50 * ms, 40 * ms, ms}), Warn, "SSD")
	want(t, judgeSync([]time.Duration{3 * time.Microsecond}), Warn, "power cut")
}

func TestJudgeClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	want(t, judgeClock(now, now.Add(-time.Hour), "x", 0), OK, "2026")
	want(t, judgeClock(now, time.Time{}, "", 0), OK, "2026")
	want(t, judgeClock(now, now.Add(time.Hour), "000012.log", 0), Fail, "000012.log was written 1h0m0s later")
	want(t, judgeClock(now, time.Time{}, "", -2*time.Second), Warn, "jumped by -2s")
	want(t, judgeClock(time.Unix(0, 0), time.Time{}, "", 0), Fail, "never set")
}

func TestClockAgainstFiles(t *testing.T) {
	t.Parallel()
	c := setup(t)
	file := filepath.Join(c.Data, "store", "000004.log")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
	want(t, clock(c, time.Now())[0], Fail, "000004.log")
}

func TestJudgePort(t *testing.T) {
	t.Parallel()
	want(t, judgePort(":80", &net.OpError{Err: os.NewSyscallError("bind", syscall.EACCES)}, "", false), Fail, "setcap")
	want(t, judgePort(":80", os.NewSyscallError("bind", syscall.EADDRINUSE), "", false), Fail, "ss -ltnp")
	want(t, judgePort(":x", net.UnknownNetworkError("x"), "", false), Fail, "--listen")
}

func TestKernelSettings(t *testing.T) {
	t.Parallel()
	for _, s := range kernelSettings {
		want(t, s.judge(s.least(100_000), 100_000), OK, s.path)
		want(t, s.judge(s.least(100_000)-1, 100_000), Warn, "sysctl -w "+s.path)
	}
}

func TestJudgeMemory(t *testing.T) {
	t.Parallel()
	c := config.Default()
	want(t, judgeMemory(8<<30, false, c), OK, "8.0 GiB available, 100000 idle connections")
	want(t, judgeMemory(500<<20, true, c), Warn, "bounded by the control group")
	want(t, judgeMemory(100<<20, false, c), Fail, "storage.cache")
}
