package webwx

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what the adapter does. Without a registerer nobody sees them.
type metrics struct {
	requests *prometheus.CounterVec
}

func newMetrics(s *Server, reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "hongyan", Subsystem: "webwx", Name: "requests_total",
		Help: "Answered requests of Web WeChat clients by endpoint and Ret.",
	}, []string{"endpoint", "ret"})}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.requests,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "hongyan", Subsystem: "webwx", Name: "logins", Help: "Logins that wait to be confirmed; bounded.",
		}, func() float64 { return float64(s.logins.count()) }),
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) answered(endpoint string, ret int) {
	m.requests.WithLabelValues(endpoint, strconv.Itoa(ret)).Inc()
}
