package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// listed is the address list as a client reads it.
type listed struct {
	Addresses []struct {
		Host       string
		Port       uint16
		IPs        []string
		Priority   int
		Weight     uint32
		Transports []string
	}
	TTLMs int64 `json:"ttlMs,string"`
	Hints map[string]any
}

func (w *world) addresses(host string) (list listed, lines []string) {
	w.tb.Helper()
	a := w.do("GET", "/v1/addresses", "", "Host", host)
	if err := json.Unmarshal(a.body, &list); err != nil || a.StatusCode != 200 {
		w.tb.Fatalf("%v: %s %s", err, a.Status, a.body)
	}
	for _, one := range list.Addresses {
		lines = append(lines, fmt.Sprintf("%s:%d %d %d %v", one.Host, one.Port, one.Priority, one.Weight, one.IPs))
	}
	return list, lines
}

func TestAddressesThatTheOperatorNamed(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, Config{Ports: []uint16{9}, Places: []Place{
		{"a.example", 14000, 1}, {"a.example", 443, 1}, {"b.example", 7878, 1}, {"b.example", 8080, 3}, {"192.0.2.1", 8080, 1},
	}})
	w.api.resolver.lookup = func(_ context.Context, _, name string) ([]netip.Addr, error) {
		if name == "b.example" {
			return nil, errors.New("it does not answer")
		}
		return []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.7"), netip.MustParseAddr("2001:db8::7")}, nil
	}
	list, got := w.addresses("ignored.example")
	want := []string{
		"b.example:8080 1 3 []", "192.0.2.1:8080 1 1 [192.0.2.1]", "a.example:443 2 1 [192.0.2.7 2001:db8::7]",
		"b.example:7878 3 1 []", "a.example:14000 4 1 [192.0.2.7 2001:db8::7]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if list.TTLMs != time.Hour.Milliseconds() || list.Hints["maxFrame"] == nil {
		t.Errorf("the list lives %d ms, with the hints %v", list.TTLMs, list.Hints)
	}
}

func TestAddressesThatTheClientKnows(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, Config{Ports: []uint16{8080, 443, 7878}})
	host := strings.TrimPrefix(w.http.URL, "http://")
	list, got := w.addresses("")
	want := []string{"127.0.0.1:8080 1 1 []", "127.0.0.1:443 2 1 []", "127.0.0.1:7878 3 1 []", host + " 3 1 []"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if transports := list.Addresses[0].Transports; !slices.Contains(transports, "tcp") || transports[0] != "tls" {
		t.Errorf("the transports are %q", transports)
	}
	w.peer.Store(&Peer{}) // from elsewhere, without TLS: it may not speak so, but it may ask where else to go
	if list, _ := w.addresses(""); slices.Contains(list.Addresses[0].Transports, "tcp") {
		t.Errorf("the transports for a stranger are %q", list.Addresses[0].Transports)
	}
}

func TestResolver(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	s := newResolver([]Place{{Host: "a.example"}, {Host: "a.example"}}, func() time.Time { return now })
	asked, answer := 0, netip.MustParseAddr("192.0.2.1")
	var failure error
	s.lookup = func(context.Context, string, string) ([]netip.Addr, error) {
		asked++
		return []netip.Addr{answer}, failure
	}
	expect := func(ip string, times int) {
		t.Helper()
		if got := s.of("a.example"); len(got) != 1 || got[0].String() != ip || asked != times {
			t.Errorf("%v after %d questions, want %s after %d", got, asked, ip, times)
		}
	}
	expect("192.0.2.1", 1)
	answer = netip.MustParseAddr("192.0.2.2")
	now = now.Add(resolvedFor - 1)
	expect("192.0.2.1", 1)
	now = now.Add(1)
	expect("192.0.2.2", 2)
	failure = errors.New("no answer")
	now = now.Add(resolvedFor)
	expect("192.0.2.2", 3) // what was known stays
	expect("192.0.2.2", 3) // and it is not asked again at once
	if s.of("other.example") != nil {
		t.Error("a name that nobody has given is looked up")
	}
}
