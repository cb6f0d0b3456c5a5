package e2e

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const namespaceVar = "HONGYAN_E2E_BINARY"

// runInNamespace reports whether this process is a test that was started again in a namespace of its own.
func runInNamespace() bool {
	binary = os.Getenv(namespaceVar)
	return binary != ""
}

// inNamespace runs the body of a test in a process with user and mount namespaces of its own, where it may mount a
// small file system without being root.
func inNamespace(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	if os.Getenv(namespaceVar) != "" {
		body(t)
		return
	}
	again := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), namespaceVar+"="+binary)
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
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
