package load

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

func TestParseLocal(t *testing.T) {
	t.Parallel()
	// As x86 writes them: the bytes of each word in its own order.
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000:0016":                         "0.0.0.0:22",
		"00000000000000000000000001000000:1F90": "[::1]:8080",
		"0000000000000000FFFF00000100007F:1F90": "127.0.0.1:8080",
	} {
		if got, ok := parseLocal(text); !ok || got.String() != want {
			t.Errorf("%s is %v %v, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "0100007F", "0100007F:", "0100007F:10000", "0100007:1F90", "0100007G:1F90", "0100007F0100007F:1"} {
		if got, ok := parseLocal(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// Whoever listens is found at the address and at the unspecified one, and nowhere else.
func TestListeners(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
		if got := listeners(at); !slices.Equal(got, []int{os.Getpid()}) {
			t.Errorf("%s: %v listen, want this process alone", address, got)
		}
		elsewhere := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), port)
		if got := listeners(elsewhere); got != nil {
			t.Errorf("%s: %v listen on another machine", address, got)
		}
		l.Close()
		if got := listeners(at); got != nil {
			t.Errorf("%s: %v listen after the end", address, got)
		}
	}
}

// The CPU time of the server is what it has used, in whichever way it is read.
func TestUsage(t *testing.T) {
	e := &engine{server: []int{os.Getpid()}}
	before := e.usage()
	const work = 300 * time.Millisecond
	var spent usage
	for spent.ran < work {
		for end := time.Now().Add(10 * time.Millisecond); time.Now().Before(end); {
		}
		if spent = e.usage().since(before); spent.ran == 0 {
			t.Fatal("the kernel says nothing of the time of threads")
		}
	}
	user, system := spent.server()
	if total := user + system; total != spent.ran || user <= 0 {
		t.Errorf("%v user and %v system of %v", user, system, spent.ran)
	}
	if ticks := spent.user + spent.system; ticks < spent.ran-8*tickLength || ticks > spent.ran+8*tickLength {
		t.Errorf("%v in ticks and %v to the nanosecond", ticks, spent.ran)
	}
	// Where threads have ended or the kernel does not count them, the ticks hold.
	if user, system := (usage{user: time.Second, system: time.Second, ran: time.Second}).server(); user+system != 2*time.Second {
		t.Errorf("%v user and %v system of two seconds", user, system)
	}
}
