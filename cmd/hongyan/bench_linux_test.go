package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/load"
)

// What bench cannot do is said on one line, with the exit status that fits.
func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"bench echo", exitUsage, `"url"`},
		{"bench sleep", exitUsage, `no command "bench sleep"`},
		{"bench echo --url ws://127.0.0.1:1/ --connections 0", exitFailed, "0 connections"},
		{"bench idle --url ws://127.0.0.1:1/ --connections 5,2", exitFailed, "do not grow"},
		{"bench echo --url wss://127.0.0.1:1/", exitFailed, "wss"},
		{"bench connect --url ws://127.0.0.1:1/", exitFailed, "connection refused"},
	} {
		var out, errs bytes.Buffer
		status := run(strings.Fields(c.args), strings.NewReader(""), &out, &errs)
		if status != c.status || !strings.Contains(errs.String(), c.want) || out.Len() > 0 {
			t.Errorf("%s: exit status %d, want %d; %q, want %q", c.args, status, c.status, errs.String(), c.want)
		}
	}
}

// bench measures what serve-echo runs, on either carrier, and finds its process by the port.
func TestBenchMeasuresServeEcho(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"reactor", "goroutine"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			server := exec.Command("hongyan", "bench", "serve-echo", "--listen", "127.0.0.1:0", "--carrier", carrier)
			server.Env = append(os.Environ(), quickEnd)
			said := &watcher{found: make(chan string, 1), pattern: regexp.MustCompile(`(ws://\S+)\n`)}
			server.Stdout = said
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := endProcess(server); err != nil {
					t.Error(err)
				}
			}()
			var url string
			select {
			case url = <-said.found:
			case <-time.After(hang):
				t.Fatal("it does not listen")
			}
			for _, c := range []struct{ mode, path, more string }{
				{"echo", "/echo", "--connections 10 --in-flight 4 --duration 50ms --warmup 10ms --text"},
				{"broadcast", "/sub", "--connections 10 --in-flight 4 --duration 50ms --warmup 10ms"},
				{"connect", "/", "--connections 4 --duration 50ms --warmup 10ms"},
				{"storm", "/echo", "--connections 20 --rounds 1"},
				{"idle", "/echo", "--connections 5,10 --rest 10ms"},
			} {
				args := append([]string{"bench", c.mode, "--json", "--url", url + c.path}, strings.Fields(c.more)...)
				var out, errs bytes.Buffer
				if status := run(args, strings.NewReader(""), &out, &errs); status != 0 {
					t.Errorf("%s: exit status %d: %s", c.mode, status, errs.String())
					continue
				}
				var report load.Report
				if err := json.Unmarshal(out.Bytes(), &report); err != nil {
					t.Errorf("%s: %v in %s", c.mode, err, out.String())
				}
				if report.Count < 1 || string(report.Mode) != c.mode || c.mode != "idle" && report.Server.PIDs[0] != server.Process.Pid {
					t.Errorf("%s: %s", c.mode, out.String())
				}
			}
		})
	}
}
