package load

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// saturated is the share of a core from which on the generator counts as the bottleneck.
const saturated = 0.9

// Report is what a run has measured. Its JSON form is for programs; numbers are in the units that the names end in.
type Report struct {
	Mode        Mode   `json:"mode"`
	URL         string `json:"url"`
	Connections int    `json:"connections"`
	InFlight    int    `json:"in_flight,omitempty"`
	Size        int    `json:"size"`
	Type        string `json:"type"` // "binary" or "text"

	What      string  `json:"what"` // "messages", "handshakes", "deliveries", "reconnects" or "connections"
	Count     int64   `json:"count"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	Checked   int64   `json:"bytes_checked"` // in the whole run

	Latency   *Latency   `json:"latency_us,omitempty"` // of each of What
	Server    *Server    `json:"server,omitempty"`     // nil where its process is not known
	Generator *Generator `json:"generator,omitempty"`

	Memory   []Memory  `json:"memory,omitempty"` // of Idle: before, after each step, after a message on every connection
	IdleCore *float64  `json:"idle_server_core,omitempty"`
	Back     []float64 `json:"all_back_seconds,omitempty"` // of Storm, for each round: until the last connection was back
	Failed   int64     `json:"failed_attempts,omitempty"`  // of Storm: connections that were refused or cut and tried again
}

// Latency holds percentiles in microseconds, right to 1 %.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

func latency(h *Histogram) *Latency {
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	return &Latency{us(h.Quantile(.5)), us(h.Quantile(.9)), us(h.Quantile(.99)), us(h.Quantile(.999)), us(h.max)}
}

// Server is the CPU time of the server's processes in the time measured.
type Server struct {
	PIDs []int `json:"pids"`
	// CPU seconds for a million operations, that is, microseconds for one.
	PerMillion float64 `json:"cpu_seconds_per_million"`
	User       float64 `json:"user_seconds_per_million"`
	System     float64 `json:"system_seconds_per_million"`
	Cores      float64 `json:"cores"` // in use, on average
}

// Generator is what the generator's own thread did in the time measured, as shares of one core.
type Generator struct {
	Core       float64 `json:"core"`       // worked
	Queued     float64 `json:"queued"`     // wanted to work and was not given a processor
	Bottleneck bool    `json:"bottleneck"` // both together leave next to nothing: a faster generator might see higher rates
}

// Memory is the server's memory, and that of the kernel's side of the connections, at one moment. On loopback the kernel
// holds both ends of every connection.
type Memory struct {
	At          string `json:"at"` // "before", "opened" or "used"
	Connections int    `json:"connections"`
	RSS         int64  `json:"rss_bytes"`
	Anonymous   int64  `json:"anonymous_bytes"` // of RSS
	Buffers     int64  `json:"tcp_buffer_bytes"`
	Slab        int64  `json:"kernel_slab_bytes"`

	// Growth since "before", for each connection.
	RSSEach       float64 `json:"rss_per_connection"`
	AnonymousEach float64 `json:"anonymous_per_connection"`
	BuffersEach   float64 `json:"tcp_buffer_per_connection"`
	SlabEach      float64 `json:"kernel_slab_per_connection"`
}

func (m *Memory) since(before Memory) {
	each := func(now, then int64) float64 { return float64(now-then) / float64(m.Connections) }
	m.RSSEach, m.AnonymousEach = each(m.RSS, before.RSS), each(m.Anonymous, before.Anonymous)
	m.BuffersEach, m.SlabEach = each(m.Buffers, before.Buffers), each(m.Slab, before.Slab)
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d connections", r.Mode, r.URL, r.Connections)
	if r.InFlight > 0 {
		fmt.Fprintf(&b, ", %d in flight, %s messages of %d bytes", r.InFlight, r.Type, r.Size)
	}
	b.WriteByte('\n')
	if r.Count > 0 && r.Seconds > 0 {
		fmt.Fprintf(&b, "rate       %.0f %s a second (%d in %.2f s)\n", r.PerSecond, r.What, r.Count, r.Seconds)
	}
	if l := r.Latency; l != nil {
		fmt.Fprintf(&b, "latency    p50 %s  p90 %s  p99 %s  p99.9 %s  max %s\n", us(l.P50), us(l.P90), us(l.P99), us(l.P999), us(l.Max))
	}
	for i, seconds := range r.Back {
		fmt.Fprintf(&b, "storm %-4d all back after %.3f s\n", i+1, seconds)
	}
	if r.Failed > 0 {
		fmt.Fprintf(&b, "failed     %d attempts, which were repeated\n", r.Failed)
	}
	if s := r.Server; s != nil {
		fmt.Fprintf(&b, "server     %.3f CPU seconds for a million %s: %.3f user, %.3f system; %.2f cores in use\n",
			s.PerMillion, r.What, s.User, s.System, s.Cores)
	}
	for _, m := range r.Memory {
		fmt.Fprintf(&b, "%-10s %6d connections: server %s", m.At, m.Connections, bytesText(float64(m.RSS)))
		if m.Connections > 0 {
			fmt.Fprintf(&b, ", for each %.0f B; kernel for each %.0f B of slab, %.0f B of buffers", m.RSSEach, m.SlabEach, m.BuffersEach)
		}
		b.WriteByte('\n')
	}
	if r.IdleCore != nil {
		fmt.Fprintf(&b, "idle       %.2f %% of a core\n", 100**r.IdleCore)
	}
	fmt.Fprintf(&b, "checked    %s, every byte right\n", bytesText(float64(r.Checked)))
	if g := r.Generator; g != nil {
		fmt.Fprintf(&b, "generator  %.2f of a core, waited for one %.2f", g.Core, g.Queued)
		if g.Bottleneck {
			b.WriteString(": it was the bottleneck; rate and latency are its own, the server's CPU figures hold")
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func us(v float64) string {
	switch {
	case v < 1e3:
		return fmt.Sprintf("%.0f µs", v)
	case v < 1e6:
		return fmt.Sprintf("%.2f ms", v/1e3)
	}
	return fmt.Sprintf("%.2f s", v/1e6)
}

func bytesText(v float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if v < 1024 {
			return fmt.Sprintf("%.4g %s", v, unit)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.4g GiB", v)
}
