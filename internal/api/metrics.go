package api

import "github.com/prometheus/client_golang/prometheus"

// metrics count what the API does. Without a registerer nobody sees them.
type metrics struct {
	requests *prometheus.CounterVec
	reports  prometheus.Counter
}

func newMetrics(a *API, reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "hongyan", Subsystem: "api", Name: "requests_total", Help: "Answered HTTP requests by the code of their problem, or OK.",
	}, []string{"code"})}
	m.reports = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "hongyan", Subsystem: "api", Name: "reports_total", Help: "Reports of clients whose network fails them.",
	})
	if reg == nil {
		return m, nil
	}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "hongyan", Subsystem: "api", Name: name, Help: help},
			func() float64 { return float64(value()) })
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.reports,
		gauge("held", "Syncs that are held for news, those of streams included; at most api.MaxHeld.", a.held.count),
		gauge("streams", "Open event streams; at most api.MaxStreams.", a.streams.count),
		gauge("tickets", "Stream tickets that are not spent; at most api.MaxTickets.", a.tickets.count),
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// answered counts an answer.
func (m *metrics) answered(code string) { m.requests.WithLabelValues(code).Inc() }
