package client

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/client/core"
)

func inOrder(n int64) int64 { return 0 }

// placesOf lists places as text, in order.
func placesOf(t *testing.T, n *network) string {
	t.Helper()
	places, err := n.places(inOrder)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range places {
		text := fmt.Sprintf("%s:%d", p.Host, p.Port)
		for _, ip := range p.IPs {
			text += " " + ip.String()
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func listed(host string, port uint16, priority int, ips ...string) listedPlace {
	p := listedPlace{Host: host, Port: port, Priority: priority, Weight: 1, Transports: []string{"tls", "wss", "https"}}
	for _, ip := range ips {
		p.IPs = append(p.IPs, netip.MustParseAddr(ip))
	}
	return p
}

// TestPlaces: the list comes first, then the address that people gave, then what is built in; all know the IPs of a host.
func TestPlaces(t *testing.T) {
	t.Parallel()
	built := []Address{{Host: "chat.example", IPs: []netip.Addr{netip.MustParseAddr("192.0.2.7")}}, {Host: "b.example", Port: 5}}
	n := openNetwork(t.TempDir(), "chat.example:443", built)
	want := "chat.example:443 192.0.2.7, chat.example:8080 192.0.2.7, chat.example:80 192.0.2.7, chat.example:14000 192.0.2.7, b.example:5"
	if got := placesOf(t, n); got != want {
		t.Errorf("without a list: %s", got)
	}
	list := &placeList{TTLMS: 1000, Addresses: []listedPlace{
		listed("c.example", 80, 2, "192.0.2.9"), listed("chat.example", 8080, 1, "192.0.2.8"),
	}}
	if err := n.believe(list, true, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := n.won(&session{route: core.Route{Host: "chat.example", Port: 80, IP: netip.MustParseAddr("192.0.2.6")}, secure: true}); err != nil {
		t.Fatal(err)
	}
	all := " 192.0.2.6 192.0.2.8 192.0.2.7"
	want = "chat.example:8080" + all + ", c.example:80 192.0.2.9, chat.example:443" + all + ", chat.example:80" + all +
		", chat.example:14000" + all + ", b.example:5"
	if got := placesOf(t, n); got != want {
		t.Errorf("with a list: %s", got)
	}
	again := openNetwork(filepath.Dir(n.path), "chat.example:443", built)
	if got := placesOf(t, again); got != want {
		t.Errorf("in the next process: %s", got)
	}
	kept := again.known()
	if r := kept.remembered(); r == nil || r.Port != 80 || r.Transport != core.LongLink {
		t.Errorf("it remembers %v", r)
	}
	if other := openNetwork(filepath.Dir(n.path), "other.example:443", nil); placesOf(t, other) != "other.example:443" {
		t.Errorf("another server: %s", placesOf(t, other))
	}
	if err := os.WriteFile(n.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if broken := openNetwork(filepath.Dir(n.path), "chat.example:443", nil); placesOf(t, broken) != "chat.example:443" {
		t.Errorf("a broken file: %s", placesOf(t, broken))
	}
}

// TestGivenPlaces: an address without a port stands for all ports on which servers are found, but on this machine.
func TestGivenPlaces(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"chat.example":     "chat.example:7878, chat.example:8080, chat.example:80, chat.example:443, chat.example:14000",
		"chat.example:443": "chat.example:443",
		"localhost":        "localhost:7878",
		"[2001:db8::1]:80": "2001:db8::1:80",
	} {
		if got := placesOf(t, openNetwork(t.TempDir(), server, nil)); got != want {
			t.Errorf("%s: %s", server, got)
		}
	}
}

// TestWhatIsBelieved: what came unencrypted names no new host, and nobody is sent to this machine from elsewhere.
func TestWhatIsBelieved(t *testing.T) {
	t.Parallel()
	list := func() *placeList {
		return &placeList{Addresses: []listedPlace{
			listed("chat.example", 8080, 1), listed("evil.example", 8080, 1), listed("built.example", 80, 1),
			listed("localhost", 8080, 1), listed("127.0.0.1", 80, 1), {Host: "chat.example", Port: 9, Transports: []string{"quic"}},
			listed("chat.example", 0, 1), listed("", 1, 1),
		}}
	}
	for _, tt := range []struct {
		server    string
		encrypted bool
		want      []string
	}{
		{"chat.example:443", true, []string{"chat.example", "evil.example", "built.example"}},
		{"chat.example:443", false, []string{"chat.example", "built.example"}},
		{"localhost:443", true, []string{"chat.example", "evil.example", "built.example", "localhost", "127.0.0.1"}},
		{"localhost:443", false, []string{"built.example", "localhost"}},
	} {
		n := openNetwork(t.TempDir(), tt.server, []Address{{Host: "built.example"}})
		if err := n.believe(list(), tt.encrypted, time.Now()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range n.known().List.Addresses {
			got = append(got, p.Host)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s, encrypted %v: %v", tt.server, tt.encrypted, got)
		}
	}
	long := &placeList{}
	for range 100 {
		long.Addresses = append(long.Addresses, listed("chat.example", 1, -5, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"))
	}
	n := openNetwork(t.TempDir(), "chat.example", nil)
	if err := n.believe(long, true, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := n.known().List.Addresses; len(got) != maxPlaces || len(got[0].IPs) != maxIPs || got[0].Priority != 0 {
		t.Errorf("%d places, %+v", len(got), got[0])
	}
}

// TestListAge: a list is asked for again when it is old, and when the clock was set back.
func TestListAge(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	for name, tt := range map[string]struct {
		kept keptNetwork
		want time.Time
	}{
		"none":         {keptNetwork{}, time.Time{}},
		"an hour":      {keptNetwork{FetchedMS: now.UnixMilli(), List: &placeList{TTLMS: 3_600_000}}, now.Add(time.Hour)},
		"nothing":      {keptNetwork{FetchedMS: now.UnixMilli(), List: &placeList{}}, now.Add(listMin)},
		"for ever":     {keptNetwork{FetchedMS: now.UnixMilli(), List: &placeList{TTLMS: 1 << 40}}, now.Add(listMax)},
		"from a later": {keptNetwork{FetchedMS: now.Add(time.Hour).UnixMilli(), List: &placeList{TTLMS: 1000}}, time.Time{}},
	} {
		if got := tt.kept.due(now); !got.Equal(tt.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
