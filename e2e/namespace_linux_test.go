package e2e

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const namespaceVar = "HONGYAN_E2E_BINARY"

// runInNamespace reports whether this process is a test that was started again in a namespace of its own.
func runInNamespace() bool {
	binary = os.Getenv(namespaceVar)
	return binary != ""
}

// inNamespace runs the body of a test in a process with user, mount and network namespaces of its own, where it may
// mount a small file system, and give itself addresses, without being root.
func inNamespace(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	if os.Getenv(namespaceVar) != "" {
		setInterface(t, "lo", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) { r.SetUint16(unix.IFF_UP) })
		body(t)
		return
	}
	again := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), namespaceVar+"="+binary)
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := again.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// smallDisk mounts a file system of so many MiB and returns its directory.
func smallDisk(t *testing.T, mib string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+mib+"m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// setInterface makes a request about an interface of this namespace.
func setInterface(t *testing.T, name string, request uint, fill func(*unix.Ifreq)) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	r, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	fill(r)
	if err := unix.IoctlIfreq(socket, request, r); err != nil {
		t.Fatal(err)
	}
}

// becomeHost gives this namespace an address that is not loopback besides those that are: to itself, the test is another
// machine.
func becomeHost(t *testing.T, a, b, c, d byte) string {
	t.Helper()
	var set error
	setInterface(t, "lo:1", unix.SIOCSIFADDR, func(r *unix.Ifreq) { set = r.SetInet4Addr([]byte{a, b, c, d}) })
	if set != nil {
		t.Fatal(set)
	}
	return netip.AddrFrom4([4]byte{a, b, c, d}).String()
}

// netfilter replaces the rules for what comes in to this namespace.
func netfilter(t *testing.T, rules ...string) {
	t.Helper()
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader("table inet e2e\ndelete table inet e2e\ntable inet e2e {\n" +
		"chain in { type filter hook input priority 0;\n" + strings.Join(rules, "\n") + "\n}\n}\n")
	if out, err := nft.CombinedOutput(); err != nil {
		t.Fatalf("nft, of nftables: %v\n%s", err, out)
	}
}
