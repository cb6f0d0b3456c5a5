package doctor

import (
	"fmt"

	"github.com/hongyan-im/hongyan/internal/config"
)

// A kernel setting and the least that serves so many connections.
type kernelSetting struct {
	path  string // below /proc/sys
	least func(connections int) uint64
	means string
}

var kernelSettings = []kernelSetting{
	{"net/core/somaxconn", func(n int) uint64 { return uint64(min(max(n/16, 128), 4096)) },
		"When everybody reconnects at once, connections beyond this queue are dropped and come back a second later."},
	{"net/ipv4/tcp_max_syn_backlog", func(n int) uint64 { return uint64(min(max(n/16, 128), 4096)) },
		"Half-open connections beyond this are dropped when everybody reconnects at once."},
	{"net/netfilter/nf_conntrack_max", func(n int) uint64 { return uint64(n) + uint64(n)/4 },
		"The firewall tracks every connection; when its table is full, it drops packets of all."},
	{"fs/nr_open", func(n int) uint64 { return uint64(n) + spareDescriptors },
		"No limit on file descriptors can be set above this."},
}

// kernel reports the settings that are too low, or one finding that none is.
func kernel(c config.Config) []Finding {
	var all []Finding
	known := 0
	for _, s := range kernelSettings {
		if value, ok := kernelValue(s.path); ok {
			known++
			if f := s.judge(value, c.Limits.Connections); f.Status != OK {
				all = append(all, f)
			}
		}
	}
	if known > 0 && len(all) == 0 {
		all = append(all, ok("kernel", fmt.Sprintf("settings suffice for %d connections", c.Limits.Connections)))
	}
	return all
}

func (s kernelSetting) judge(value uint64, connections int) Finding {
	const check = "kernel"
	least := s.least(connections)
	found := fmt.Sprintf("%s is %d", s.path, value)
	if value >= least {
		return ok(check, found)
	}
	return Finding{check, Warn, fmt.Sprintf("%s, %d connections want %d", found, connections, least), s.means,
		fmt.Sprintf("sysctl -w %s=%d, and the same line in /etc/sysctl.d", s.path, least)}
}
