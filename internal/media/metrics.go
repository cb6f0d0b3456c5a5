package media

import (
	"context"
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hongyan-im/hongyan"
)

// metrics count what the store does. Without a registerer nobody sees them.
type metrics struct {
	received prometheus.Counter
	refused  *prometheus.CounterVec
}

func newMetrics(s *Store, reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "hongyan", Subsystem: "media", Name: "received_bytes_total", Help: "Bytes of the parts of uploads that were written down.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "hongyan", Subsystem: "media", Name: "refused_total", Help: "Refused requests to upload, by code.",
		}, []string{"code"}),
	}
	if reg == nil {
		return m, nil
	}
	gauge := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "hongyan", Subsystem: "media", Name: name, Help: help},
			func() float64 { return float64(value()) })
	}
	counted := func(value func() int64) func() int64 {
		return func() int64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return value()
		}
	}
	for _, c := range []prometheus.Collector{
		m.received, m.refused,
		gauge("stored_bytes", "Bytes of all uploads that were finished, each counted for everybody who has uploaded it.", s.stored.Load),
		gauge("uploads", "Unfinished uploads; at most media.MaxUploads.", counted(func() int64 { return int64(s.open) })),
		gauge("upload_bytes", "Bytes that unfinished uploads have announced; at most media.MaxUploadBytes.",
			counted(func() int64 { return s.reserved })),
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// refused counts a refusal on its way out. Who has gone was not refused.
func (s *Store) refused(err error) error {
	if err != nil && !errors.Is(err, context.Canceled) {
		s.metrics.refused.WithLabelValues(strings.ToUpper(hongyan.CodeOf(err).String())).Inc()
	}
	return err
}
