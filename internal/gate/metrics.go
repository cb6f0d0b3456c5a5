package gate

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// Reasons for refusing a connection, the label of gate_refused_total.
const (
	refusedConnections = "connections" // Limits.Connections
	refusedAddress     = "address"     // Limits.PerAddress
	refusedOperators   = "operators"   // Limits.Operators
	refusedDraining    = "draining"    // came as the server stopped to accept
	refusedSilent      = "silent"      // no first byte in time
	refusedUnknown     = "unknown"     // a first byte of nothing that is spoken here, or inside TLS again
)

// metrics count what the gate does, beside the counters of its carriers. Bytes are those of frames and of HTTP, inside
// TLS where there is TLS.
type metrics struct {
	open       [len(transports)]prometheus.Gauge
	accepted   prometheus.Counter
	refused    *prometheus.CounterVec
	pauses     prometheus.Counter
	handshakes prometheus.Counter
	broken     prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, moved *carrier.Counters) (*metrics, error) {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "hongyan", Subsystem: "gate", Name: name, Help: help}
	}
	connections := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "hongyan", Subsystem: "gate", Name: "connections", Help: "Open connections by transport.",
	}, []string{"transport"})
	m := &metrics{
		accepted: prometheus.NewCounter(opts("accepted_total", "Connections accepted, also those refused afterwards.")),
		refused: prometheus.NewCounterVec(
			opts("refused_total", "Connections closed before they carried anything, by reason."), []string{"reason"}),
		pauses: prometheus.NewCounter(opts("accept_pauses_total",
			"Times that accepting paused because the system refused, mostly for want of file descriptors.")),
		handshakes: prometheus.NewCounter(opts("tls_handshake_failures_total", "TLS handshakes that failed.")),
		broken: prometheus.NewCounter(opts("broken_streams_total",
			"Long links closed because their frames could not be read.")),
	}
	for t, name := range transports {
		m.open[t] = connections.WithLabelValues(string(name))
	}
	if reg == nil {
		return m, nil
	}
	all := []prometheus.Collector{connections, m.accepted, m.refused, m.pauses, m.handshakes, m.broken}
	read := func(opts prometheus.CounterOpts, n *atomic.Uint64) {
		all = append(all, prometheus.NewCounterFunc(opts, func() float64 { return float64(n.Load()) }))
	}
	read(opts("received_bytes_total", "Bytes received, inside TLS where there is TLS."), &moved.Received)
	read(opts("sent_bytes_total", "Bytes sent, inside TLS where there is TLS."), &moved.Sent)
	read(opts("rests_total", "Times that reading from a connection rested because it asked for too much."), &moved.Rests)
	for verdict, n := range map[string]*atomic.Uint64{
		"refused": &moved.OverSoft, "slow": &moved.OverHard, "stuck": &moved.Stuck,
	} {
		o := opts("queue_overflows_total",
			"Queues to a peer that ran over, by verdict: refused (over the soft bound, the session decides), "+
				"slow (over the hard bound, closed), stuck (nothing accepted in time, closed).")
		o.ConstLabels = prometheus.Labels{"verdict": verdict}
		read(o, n)
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
