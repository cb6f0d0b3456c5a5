package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what the server and the generator have used at one moment.
type usage struct {
	at           int64         // nanoseconds
	user, system time.Duration // of the server, in ticks
	ran          time.Duration // by the server, to the nanosecond; 0 where the kernel does not say
	worked       time.Duration // by the thread of the generator
	queued       time.Duration // that it could have worked and had no processor
}

// tickLength is that of the clock in /proc/PID/stat, which is part of the kernel's interface.
const tickLength = 10 * time.Millisecond

func (e *engine) usage() usage {
	u := usage{at: nanos()}
	for _, pid := range e.server {
		user, system := cpuTime(pid)
		u.user += user
		u.system += system
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, task := range tasks {
			ran, _ := schedstat(task)
			u.ran += ran
		}
	}
	var self unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &self) == nil {
		u.worked = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	}
	_, u.queued = schedstat("/proc/thread-self/schedstat")
	return u
}

// schedstat reads how long a thread has run, and how long it has waited for a processor.
func schedstat(path string) (ran, queued time.Duration) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, 0
	}
	first, _ := strconv.ParseInt(fields[0], 10, 64)
	second, _ := strconv.ParseInt(fields[1], 10, 64)
	return time.Duration(first), time.Duration(second)
}

// since is what was used between two moments; its at is the time between them.
func (u usage) since(before usage) usage {
	return usage{
		u.at - before.at, u.user - before.user, u.system - before.system, u.ran - before.ran, u.worked - before.worked,
		u.queued - before.queued,
	}
}

func (u usage) plus(v usage) usage {
	return usage{u.at + v.at, u.user + v.user, u.system + v.system, u.ran + v.ran, u.worked + v.worked, u.queued + v.queued}
}

// settle fills in what count operations took.
func (e *engine) settle(r *Report, spent usage, count int64) {
	elapsed := time.Duration(spent.at)
	r.Count, r.Seconds = count, elapsed.Seconds()
	r.PerSecond = float64(count) / elapsed.Seconds()
	g := &Generator{Core: share(spent.worked, elapsed), Queued: share(spent.queued, elapsed)}
	g.Bottleneck = g.Core+g.Queued >= saturated
	r.Generator = g
	if len(e.server) == 0 {
		return
	}
	user, system := spent.server()
	each := 1e6 / float64(count)
	r.Server = &Server{
		PIDs: e.server, PerMillion: (user + system).Seconds() * each, User: user.Seconds() * each, System: system.Seconds() * each,
		Cores: share(user+system, elapsed),
	}
}

// server is the server's CPU time. The kernel gives its two parts in ticks, which is coarse for a short measurement, and
// their sum for each thread to the nanosecond. A sum that is too small lacks threads that have ended.
func (u usage) server() (user, system time.Duration) {
	ticks := u.user + u.system
	if ticks <= 0 || u.ran < ticks-4*tickLength {
		return u.user, u.system
	}
	user = time.Duration(float64(u.ran) * share(u.user, ticks))
	return user, u.ran - user
}

func share(part, whole time.Duration) float64 { return float64(part) / float64(whole) }

// cpuTime is that of all threads of a process; 0 if it is gone.
func cpuTime(pid int) (user, system time.Duration) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// The second field is the name of the program in brackets and may hold anything; utime is the fourteenth.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, 0
	}
	ticks := func(s string) time.Duration {
		n, _ := strconv.ParseInt(s, 10, 64)
		return time.Duration(n) * tickLength
	}
	return ticks(fields[11]), ticks(fields[12])
}

// memory reads the server's memory and the kernel's.
func (e *engine) memory(at string, connections int) Memory {
	m := Memory{At: at, Connections: connections, Slab: kilobytes("/proc/meminfo", "Slab:")}
	for _, pid := range e.server {
		status := fmt.Sprintf("/proc/%d/status", pid)
		m.RSS += kilobytes(status, "VmRSS:")
		m.Anonymous += kilobytes(status, "RssAnon:")
	}
	text, _ := os.ReadFile("/proc/net/sockstat")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "TCP:" && fields[len(fields)-2] == "mem" {
			pages, _ := strconv.ParseInt(fields[len(fields)-1], 10, 64)
			m.Buffers = pages * int64(os.Getpagesize())
		}
	}
	return m
}

// kilobytes returns, in bytes, what a file of /proc gives in kB behind a name; 0 if it does not.
func kilobytes(path, name string) int64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// listeners returns the processes that have a socket listening at addr, as far as this user may see them. Whether addr
// is one of this machine is for the caller to know: elsewhere nothing listens on loopback.
func listeners(addr netip.AddrPort) []int {
	if !addr.Addr().IsLoopback() {
		return nil
	}
	sockets := make(map[string]bool)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table)
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			const listening = "0A"
			if len(fields) < 10 || fields[3] != listening {
				continue
			}
			if local, ok := parseLocal(fields[1]); ok && local.Port() == addr.Port() &&
				(local.Addr().IsUnspecified() || local.Addr() == addr.Addr()) {
				sockets["socket:["+fields[9]+"]"] = true
			}
		}
	}
	var pids []int
	folders, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, folder := range folders {
		files, _ := os.ReadDir(folder)
		holds := slices.ContainsFunc(files, func(f os.DirEntry) bool {
			target, err := os.Readlink(filepath.Join(folder, f.Name()))
			return err == nil && sockets[target]
		})
		if holds {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// parseLocal reads an address of /proc/net/tcp: words of 32 bits in the order of the machine, a colon and the port, all in
// hexadecimal.
func parseLocal(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || len(host)%8 != 0 {
		return netip.AddrPort{}, false
	}
	var raw []byte
	for ; len(host) > 0; host = host[8:] {
		word, err := strconv.ParseUint(host[:8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, false
		}
		raw = binary.NativeEndian.AppendUint32(raw, uint32(word))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), ok
}

// resident is the memory of processes, in bytes.
func resident(pids []int) (n int64) {
	for _, pid := range pids {
		n += kilobytes("/proc/"+strconv.Itoa(pid)+"/status", "VmRSS:")
	}
	return n
}

// yieldProcessor leaves the processor to every other process that wants it. Priorities belong to threads (sched(7)); those
// to come inherit that of their maker.
func yieldProcessor() error {
	const lowest = 19
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, lowest); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}
