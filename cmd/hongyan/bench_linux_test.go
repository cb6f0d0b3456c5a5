package main

import (
	"bytes"
	"strings"
	"testing"
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
