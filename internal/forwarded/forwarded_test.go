package forwarded

import (
	"net/netip"
	"strings"
	"testing"
)

// fields makes a header of lines such as "x-forwarded-for: 192.0.2.1".
func fields(lines string) func(string) []string {
	return func(field string) (values []string) {
		for line := range strings.Lines(lines) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && name == field {
				values = append(values, value)
			}
		}
		return values
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	trusted := Trusted{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("127.0.0.1/32")}
	for name, tt := range map[string]struct {
		peer, header string
		want         string // empty: the peer itself
		secure       bool
	}{
		"nobody is believed by default": {"192.0.2.9", "x-forwarded-for: 198.51.100.1\nx-forwarded-proto: https", "", false},
		"a proxy says nothing":          {"10.0.0.1", "", "", false},
		"a client":                      {"10.0.0.1", "x-forwarded-for: 198.51.100.1\nx-forwarded-proto: https", "198.51.100.1", true},
		"in the clear":                  {"10.0.0.1", "x-forwarded-for: 198.51.100.1\nx-forwarded-proto: http", "198.51.100.1", false},
		"who knows how":                 {"127.0.0.1", "x-forwarded-for: 198.51.100.1", "198.51.100.1", false},
		"encrypted by whom":             {"10.0.0.1", "x-forwarded-proto: https", "10.0.0.1", true},
		"over two proxies":              {"10.0.0.1", "x-forwarded-for: 198.51.100.1, 10.0.0.2", "198.51.100.1", false},
		"in two lines":                  {"10.0.0.1", "x-forwarded-for: 198.51.100.1\nx-forwarded-for: 10.0.0.2", "198.51.100.1", false},
		"a client that invents one":     {"10.0.0.1", "x-forwarded-for: 203.0.113.7, 198.51.100.1", "198.51.100.1", false},
		"a client that plays the proxy": {"10.0.0.1", "x-forwarded-for: 127.0.0.1, 198.51.100.1", "198.51.100.1", false},
		"proxies alone":                 {"10.0.0.1", "x-forwarded-for: 10.0.0.3, 10.0.0.2", "10.0.0.3", false},
		"somebody hidden":               {"10.0.0.1", "x-forwarded-for: 203.0.113.7, unknown", "10.0.0.1", false},
		"IPv6":                          {"fd00::1", "x-forwarded-for: 2001:db8::7", "2001:db8::7", false},
		"with a port":                   {"10.0.0.1", "x-forwarded-for: [2001:db8::7]:4711", "2001:db8::7", false},
		"mapped":                        {"10.0.0.1", "x-forwarded-for: ::ffff:198.51.100.1", "198.51.100.1", false},
		"an invented protocol":          {"10.0.0.1", "x-forwarded-for: 198.51.100.1\nx-forwarded-proto: https, http", "198.51.100.1", false},
		"RFC 7239":                      {"10.0.0.1", `forwarded: for="[2001:db8::7]:80";proto=https;by=10.0.0.1`, "2001:db8::7", true},
		"RFC 7239, two":                 {"10.0.0.1", "forwarded: For=203.0.113.7;Proto=https, for=198.51.100.1;proto=http", "198.51.100.1", false},
		"RFC 7239, hidden":              {"10.0.0.1", "forwarded: for=203.0.113.7, for=_secret", "10.0.0.1", false},
		"both, and they agree":          {"10.0.0.1", "x-forwarded-for: 198.51.100.1\nforwarded: for=198.51.100.1;proto=https", "198.51.100.1", true},
		"both, one is invented":         {"10.0.0.1", "x-forwarded-for: 198.51.100.1\nforwarded: for=203.0.113.7;proto=https", "10.0.0.1", false},
		"both, one protocol is invented": {"10.0.0.1",
			"x-forwarded-for: 198.51.100.1\nx-forwarded-proto: http\nforwarded: for=198.51.100.1;proto=https", "10.0.0.1", false},
		"rubbish": {"10.0.0.1", "x-forwarded-for: ,,\nforwarded: ;;=,", "10.0.0.1", false},
	} {
		got, ok := trusted.Client(netip.MustParseAddr(tt.peer), fields(tt.header))
		if ok != (tt.want != "") || ok && got.Addr != netip.MustParseAddr(tt.want) || got.Secure != tt.secure {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	if _, ok := Trusted(nil).Client(netip.MustParseAddr("127.0.0.1"), fields("x-forwarded-for: 198.51.100.1")); ok {
		t.Error("loopback is believed without being told")
	}
}

// FuzzClient: whatever stands before what the proxy has added changes nothing.
func FuzzClient(f *testing.F) {
	f.Add("127.0.0.1", "https")
	f.Add("10.0.0.9, unknown", "")
	f.Add(`"],for=`, ";,")
	trusted := Trusted{netip.MustParsePrefix("10.0.0.0/8")}
	proxy, client := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("198.51.100.1")
	f.Fuzz(func(t *testing.T, invented, proto string) {
		header := map[string][]string{
			"x-forwarded-for": {invented + ",198.51.100.1"}, "x-forwarded-proto": {proto + ",http"},
		}
		got, ok := trusted.Client(proxy, func(field string) []string { return header[field] })
		if !ok || got.Addr != client || got.Secure {
			t.Errorf("%q, %q: %v, %v", invented, proto, got, ok)
		}
	})
}
