package app

import (
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// export registers the numbers that an operator watches. docs/OPERATIONS.md explains each.
func (s *Server) export() {
	gauge := func(name, help string, value func() float64) {
		s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "hongyan", Name: name, Help: help}, value))
	}
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge("sessions_authenticated", "Connections that have said who they are.", func() float64 {
		_, n := s.hub.Counts()
		return float64(n)
	})
	gauge("writer_queue", "Changes that wait for their round; at most inbox.QueuedCommands.", func() float64 { return float64(s.writer.Queued()) })
	gauge("reads_queue", "Reads that wait for a goroutine.", func() float64 {
		n, _ := s.reads.waiting()
		return float64(n)
	})
	gauge("reads_behind", "Accounts that read so much that they wait behind the others.", func() float64 {
		_, n := s.reads.waiting()
		return float64(n)
	})
	gauge("logins_queue", "Logins that wait for their password to be hashed.", func() float64 { return float64(len(s.hashes.jobs)) })
	gauge("sending", "1 while new content is taken, 0 while it is refused because the disk is nearly full.", func() float64 {
		if s.engine.Accepting() != nil {
			return 0
		}
		return 1
	})
	gauge("disk_free_bytes", "Free disk under the data directory.", func() float64 { return float64(s.disk.free.Load()) })
	gauge("store_disk_bytes", "Disk that the store takes.", func() float64 { return float64(s.kv.Metrics().DiskBytes) })
	gauge("store_log_bytes", "Log that the next start has to read again.", func() float64 { return float64(s.kv.Metrics().LogBytes) })
	gauge("store_memtable_bytes", "Memory of changes that are not in tables yet.", func() float64 { return float64(s.kv.Metrics().MemTableBytes) })
	gauge("store_l0_tables", "Young tables; many of them slow reads down.", func() float64 { return float64(s.kv.Metrics().L0Tables) })
	gauge("store_compaction_debt_bytes", "Bytes to be rewritten until the tables are in their best shape.", func() float64 { return float64(s.kv.Metrics().CompactionDebt) })
	count := func(name, help string, value func() uint64) {
		s.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "hongyan", Name: name, Help: help},
			func() float64 { return float64(value()) }))
	}
	count("rounds_total", "Rounds of changes made durable.", func() uint64 { return s.engine.Counts().Rounds })
	count("changes_total", "Requests for a change that were answered, refusals included.", func() uint64 { return s.engine.Counts().Commands })
	count("entries_total", "Entries written to the logs of accounts.", func() uint64 { return s.engine.Counts().Entries })
}

// spread is a random moment within d.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
