package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/hongyan-im/hongyan/internal/load"
)

// TestAbuse lets good clients talk beside bad ones. None of them loses its connection or is kept from sending, and the
// server's memory stays where it was, but for what the bounded queues of the bad ones may hold.
func TestAbuse(t *testing.T) {
	t.Parallel()
	s := newServer(t, t.TempDir())
	c := exec.CommandContext(t.Context(), binary, "bench", "abuse", "--json", "--server", s.addr, "--data", s.data,
		"--good", "100", "--bad", "20", "--every", "500ms", "--phase", "3s")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	r := new(load.AbuseReport)
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*load.AbusePhase{"alone": &r.Alone, "abused": &r.Abused, "after": &r.After} {
		if p.Sent == 0 || p.Delivered == 0 || p.LongestGap > hang.Seconds() {
			t.Errorf("%s: %d sent, %d delivered, none for %.1f s", name, p.Sent, p.Delivered, p.LongestGap)
		}
	}
	if grown := r.Abused.RSS - r.Alone.RSS; grown > 200<<20 {
		t.Errorf("the server grew by %d MiB", grown>>20)
	}
	for _, d := range r.Deeds {
		if d.Attempts == 0 {
			t.Errorf("nobody did this: %s", d.Kind)
		}
		if (d.Kind == "garbage" || d.Kind == "huge frames") && d.Ended == 0 {
			t.Errorf("%s is put up with %d times", d.Kind, d.Attempts)
		}
	}
	t.Logf("p50 %.1f, %.1f, %.1f ms; RSS %d, %d, %d MiB", r.Alone.Latency.P50/1e3, r.Abused.Latency.P50/1e3, r.After.Latency.P50/1e3,
		r.Alone.RSS>>20, r.Abused.RSS>>20, r.After.RSS>>20)
}
