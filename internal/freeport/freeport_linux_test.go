package freeport

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReserveAmongFew has two ports to choose from in a network of its own, and reserves one.
func TestReserveAmongFew(t *testing.T) {
	const inside = "FREEPORT_TEST_INSIDE"
	if os.Getenv(inside) == "" {
		again := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		again.Env = append(os.Environ(), inside+"=1")
		again.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	raiseLoopback(t)
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40001"), 0); err != nil {
		t.Fatal(err)
	}
	at, reservation, err := Reserve("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	one, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if one.Addr().String() == at {
		t.Errorf("%s was chosen although it is reserved", at)
	}
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		t.Errorf("%s was chosen although it is reserved", l.Addr())
		l.Close()
	}
	if c, err := net.Dial("tcp", one.Addr().String()); err == nil {
		t.Errorf("a connection left from %s although it is reserved", c.LocalAddr())
		c.Close()
	}
	reservation.Close()
	c, err := net.Dial("tcp", one.Addr().String())
	if err != nil {
		t.Fatalf("after the end of the reservation: %v", err)
	}
	c.Close()
}

func raiseLoopback(t *testing.T) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	up.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, up); err != nil {
		t.Fatal(err)
	}
}
