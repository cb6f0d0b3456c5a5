package doctor

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// descriptorLimit is how many descriptors a process of this user may have open. The Go runtime raises the soft limit to
// the hard one at start, so the hard one counts.
func descriptorLimit() (uint64, bool) {
	var r unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r)
	return r.Max, err == nil
}

// freeSpace is what this user may still write to the file system of path: bytes, and files.
func freeSpace(path string) (bytes, files uint64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, false
	}
	return s.Bavail * uint64(s.Bsize), s.Ffree, true
}

// filesystem names the kind of file system of path.
func filesystem(path string) (string, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return "", false
	}
	switch s.Type {
	case unix.NFS_SUPER_MAGIC:
		return "nfs", true
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "smb", true
	case unix.CIFS_SUPER_MAGIC:
		return "cifs", true
	case unix.V9FS_MAGIC:
		return "9p", true
	case unix.FUSE_SUPER_MAGIC:
		return "fuse", true
	case unix.TMPFS_MAGIC:
		return "tmpfs", true
	case unix.RAMFS_MAGIC:
		return "ramfs", true
	case unix.EXT4_SUPER_MAGIC:
		return "ext4", true
	case unix.XFS_SUPER_MAGIC:
		return "xfs", true
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs", true
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs", true
	}
	return "", false
}

// clockSynchronised asks the kernel whether a time service keeps the clock right (adjtimex(2): STA_UNSYNC).
func clockSynchronised() (synced, known bool) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&unix.STA_UNSYNC == 0, true
}

func kernelValue(path string) (uint64, bool) { return readNumber(filepath.Join("/proc/sys", path)) }

func readNumber(path string) (uint64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// availableMemory is what processes can still get, in bytes, and whether the control group bounds it.
func availableMemory() (bytes uint64, limited, known bool) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, false, false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) > 1 && fields[0] == "MemAvailable:" {
			kib, err := strconv.ParseUint(fields[1], 10, 64)
			bytes, known = kib<<10, err == nil
		}
	}
	for _, group := range [][2]string{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
	} {
		most, isSet := readNumber(group[0]) // not a number where there is no bound
		used, _ := readNumber(group[1])
		if left := most - min(used, most); isSet && left < bytes {
			bytes, limited = left, true
		}
	}
	return bytes, limited, known
}

// portOwner names the process that listens on the port of addr, as far as this user may see it: "nginx (pid 42)".
func portOwner(addr string) string {
	inode, uid, found := listener(addr)
	if !found {
		return ""
	}
	link := fmt.Sprintf("socket:[%s]", inode)
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range descriptors {
		if target, err := os.Readlink(fd); err == nil && target == link {
			process := filepath.Dir(filepath.Dir(fd))
			name, _ := os.ReadFile(filepath.Join(process, "comm"))
			return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(name)), filepath.Base(process))
		}
	}
	return "a process of user id " + uid + " that this user may not see (try as root: ss -ltnp)"
}

// listener finds the socket that listens on the port of addr in /proc/net/tcp and tcp6 (proc_net_tcp.rst).
func listener(addr string) (inode, uid string, found bool) {
	want, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return "", "", false
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			const listen = "0A"
			if len(fields) < 10 || fields[3] != listen {
				continue
			}
			if at, ok := parseProcAddress(fields[1]); ok && int(at.Port()) == want.Port && overlaps(at.Addr(), want.IP) {
				return fields[9], fields[7], true
			}
		}
	}
	return "", "", false
}

// overlaps reports whether two listeners on these addresses would be in each other's way.
func overlaps(a netip.Addr, b net.IP) bool {
	other, ok := netip.AddrFromSlice(b)
	return !ok || other.IsUnspecified() || a.IsUnspecified() || other.Unmap() == a.Unmap()
}

// parseProcAddress reads "0100007F:1EC6": words of four bytes in the order of this machine, and a port.
func parseProcAddress(s string) (netip.AddrPort, bool) {
	words, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(words)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.NativeEndian.Uint32(b[i:]))
	}
	addr, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr, uint16(n)), ok
}
