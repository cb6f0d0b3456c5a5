package media

import (
	"bytes"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// metric returns the value of a metric whose labels, if it has any, hold a value.
func (w *world) metric(name, label string) float64 {
	w.tb.Helper()
	families, err := w.config.Metrics.(*prometheus.Registry).Gather()
	if err != nil {
		w.tb.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "hongyan_media_"+name && (label == "" || strings.Contains(m.String(), `"`+label+`"`)) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// TestMetrics follows the numbers that an operator watches through uploads, a refusal and a restart.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.begin(1, Upload{Size: 1000})
	w.put(1, id, 0, noise(600))
	if _, err := w.Save(t.Context(), 1, "", "", bytes.NewReader(noise(50))); err != nil {
		t.Fatal(err)
	}
	_, err := w.Finish(t.Context(), 1, id)
	want := func(when string, values map[string]float64) {
		t.Helper()
		for name, value := range values {
			if got := w.metric(name, ""); got != value {
				t.Errorf("%s: %s is %v, want %v", when, name, got, value)
			}
		}
	}
	want("amid an upload", map[string]float64{"uploads": 1, "upload_bytes": 1000, "received_bytes_total": 600, "stored_bytes": 50})
	if got := w.metric("refused_total", "INVALID"); err == nil || got != 1 {
		t.Errorf("%v refusals after %v", got, err)
	}
	w.reopen()
	want("after a restart", map[string]float64{"uploads": 1, "upload_bytes": 1000, "received_bytes_total": 0, "stored_bytes": 50})
	w.put(1, id, 600, noise(400))
	if _, err := w.Finish(t.Context(), 1, id); err != nil {
		t.Fatal(err)
	}
	want("at the end", map[string]float64{"uploads": 0, "upload_bytes": 0, "stored_bytes": 1050})
}
