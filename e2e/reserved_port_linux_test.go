package e2e

import (
	"net"
	"os"
	"testing"

	"github.com/hongyan-im/hongyan/internal/freeport"
)

// TestReservedPort reserves one of two ports that the system can choose from: it chooses that one for nobody.
func TestReservedPort(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40001"), 0); err != nil {
			t.Fatal(err)
		}
		at, release, err := freeport.Reserve("127.0.0.1")
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
		release()
		c, err := net.Dial("tcp", one.Addr().String())
		if err != nil {
			t.Fatalf("after the release: %v", err)
		}
		c.Close()
	})
}
