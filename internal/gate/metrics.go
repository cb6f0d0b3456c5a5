package gate

import "github.com/prometheus/client_golang/prometheus"

// Reasons for refusing a connection, the label of gate_refused_total.
const (
	refusedConnections = "connections" // Limits.Connections
	refusedAddress     = "address"     // Limits.PerAddress
	refusedOperators   = "operators"   // Limits.Operators
	refusedSilent      = "silent"      // no first byte in time
	refusedUnknown     = "unknown"     // a first byte of nothing that is spoken here, or inside TLS again
)

// metrics count what the gate does. Bytes are those of frames and of HTTP, inside TLS where there is TLS.
type metrics struct {
	connections    *prometheus.GaugeVec
	accepted       prometheus.Counter
	refused        *prometheus.CounterVec
	pauses         prometheus.Counter
	handshakes     prometheus.Counter
	received, sent prometheus.Counter
	broken         prometheus.Counter
	overflows      *prometheus.CounterVec

	overSoft, overHard, slowWrite prometheus.Counter // of overflows
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "hongyan", Subsystem: "gate", Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		opts := prometheus.CounterOpts{Namespace: "hongyan", Subsystem: "gate", Name: name, Help: help}
		return prometheus.NewCounterVec(opts, []string{label})
	}
	m := &metrics{
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "hongyan", Subsystem: "gate", Name: "connections", Help: "Open connections by transport.",
		}, []string{"transport"}),
		accepted:   counter("accepted_total", "Connections accepted, also those refused afterwards."),
		refused:    vec("refused_total", "Connections closed before they carried anything, by reason.", "reason"),
		pauses:     counter("accept_pauses_total", "Times that accepting paused because the system refused, mostly for want of file descriptors."),
		handshakes: counter("tls_handshake_failures_total", "TLS handshakes that failed."),
		received:   counter("received_bytes_total", "Bytes received, inside TLS where there is TLS."),
		sent:       counter("sent_bytes_total", "Bytes sent, inside TLS where there is TLS."),
		broken:     counter("broken_streams_total", "Long links closed because their frames could not be read."),
		overflows: vec("queue_overflows_total",
			"Queues to a peer that ran over, by verdict: refused (over the soft bound, the session decides), "+
				"slow (over the hard bound, closed), stuck (nothing accepted in time, closed).", "verdict"),
	}
	m.overSoft = m.overflows.WithLabelValues("refused")
	m.overHard = m.overflows.WithLabelValues("slow")
	m.slowWrite = m.overflows.WithLabelValues("stuck")
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.connections, m.accepted, m.refused, m.pauses, m.handshakes, m.received, m.sent, m.broken, m.overflows,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
