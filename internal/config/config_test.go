package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// faults lists the *Error values of a Load, or fails the test for any other error.
func faults(t *testing.T, err error) []*Error {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("error %T is not joined", err)
	}
	var list []*Error
	for _, e := range joined.Unwrap() {
		fault, ok := errors.AsType[*Error](e)
		if !ok {
			t.Fatalf("fault is %T, want *Error", e)
		}
		list = append(list, fault)
	}
	return list
}

// write puts text in a file and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hongyan.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestNothingSetIsTheDefault(t *testing.T) {
	t.Parallel()
	c, err := Load(Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if !equal(c, Default()) {
		t.Errorf("Load() = %+v\nwant %+v", c, Default())
	}
}

func equal(a, b Config) bool {
	for _, r := range table {
		if r.value(&a).text() != r.value(&b).text() {
			return false
		}
	}
	return true
}

func TestWrittenFileReadsBack(t *testing.T) {
	t.Parallel()
	other := Config{
		Data:         `C:\goose "flock" 鸿雁`,
		Listen:       []string{":443", "[::1]:7878"},
		Carrier:      CarrierGoroutine,
		Registration: RegistrationClosed,
		TLS:          TLS{Cert: "a.pem", Key: "b.pem", AllowPlain: true},
		HTTP: HTTP{
			Origins: []string{"https://chat.example.com", "*"}, Root: "public", Advertise: []string{"chat.example.com:8080=2"},
			TrustedProxies: []string{"10.0.0.0/8", "2001:db8::1"},
		},
		WebWX:     WebWX{Access: AccessOn, Connect: true},
		Messages:  Messages{ContactsOnly: true, RecallWindow: 90 * time.Second},
		Retention: Retention{Days: 30, Messages: 10_000},
		Devices:   Devices{Policy: DevicesOnePerClass, Max: 4},
		Storage:   Storage{LowWater: 1500, Ballast: 0, Cache: 3 << 30},
		Limits:    Limits{Connections: 12, ConnectionsPerAddress: 0, Idle: time.Hour + 30*time.Second},
		Log:       Log{Level: LogDebug, Format: LogJSON},
		Drain:     Drain{Timeout: 0, Spread: 1500 * time.Millisecond},
	}
	if defaultCarrier() == other.Carrier {
		other.Carrier = CarrierReactor
	}
	for _, r := range table {
		if a, b := other, Default(); r.value(&a).text() == r.value(&b).text() {
			t.Errorf("the example leaves %s at its default, so it proves nothing about it", r.key)
		}
	}
	for name, c := range map[string]Config{"default": Default(), "other": other} {
		var b strings.Builder
		if err := WriteFile(&b, c); err != nil {
			t.Fatal(err)
		}
		got, err := Load(Sources{File: write(t, b.String())})
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, b.String())
		}
		if !equal(got, c) {
			t.Errorf("%s: read back\n%+v\nwant\n%+v", name, got, c)
		}
		for line := range strings.Lines(b.String()) {
			if len(line) > 121 {
				t.Errorf("%s: line of %d columns: %s", name, len(line)-1, line)
			}
		}
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := write(t, "[log]\nlevel = \"debug\"\nformat = \"json\"\n[devices]\nmax = 3\n")
	c, err := Load(Sources{
		File:   file,
		Getenv: env("HONGYAN_LOG_LEVEL", "warn", "HONGYAN_DEVICES_MAX", "5"),
		Flags:  map[string]string{"devices.max": "7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Log.Format != LogJSON {
		t.Errorf("file before default: log.format = %s", c.Log.Format)
	}
	if c.Log.Level != LogWarn {
		t.Errorf("environment before file: log.level = %s", c.Log.Level)
	}
	if c.Devices.Max != 7 {
		t.Errorf("flag before environment: devices.max = %d", c.Devices.Max)
	}
}

func TestWellKnownPorts(t *testing.T) {
	t.Parallel()
	c, err := Load(Sources{Flags: map[string]string{"listen": "127.0.0.1:1,well-known"}})
	want := []string{"127.0.0.1:1", ":8080", ":80", ":443", ":14000"}
	if err != nil || !slices.Equal(c.Listen, want) {
		t.Errorf("it listens on %q, %v", c.Listen, err)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	proxies, err := HTTP{TrustedProxies: []string{"10.1.2.3/8", "2001:db8::1"}}.Proxies()
	if err != nil || len(proxies) != 2 || proxies[0].String() != "10.0.0.0/8" || proxies[1].String() != "2001:db8::1/128" {
		t.Errorf("the proxies are %v, %v", proxies, err)
	}
	got, err := HTTP{Advertise: []string{"chat.example.com:8080", "[2001:db8::1]:443=7"}}.Places()
	want := []Place{{"chat.example.com", 8080, 1}, {"2001:db8::1", 443, 7}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFaultsOfTheFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		where      string // what follows the file's path
		message    string
		hint       string // a part of it
	}{
		{"misspelt key", "data = \"x\"\nlisten_ = [\":1\"]", ":2", `unknown setting "listen_"`, `"listen"`},
		{"misspelt in table", "\n[tls]\ncrt = \"x\"", ":3", `unknown setting "tls.crt"`, `"tls.cert"? It belongs under [tls]`},
		{"misspelt table", "[storrage]\ncache = \"1MiB\"", ":1", `unknown setting "storrage"`, `"storage"`},
		{"outside its table", "low_water = \"1MiB\"", ":1", `unknown setting "low_water"`, `"storage.low_water"? It belongs under [storage]`},
		{"in a wrong table", "[tls]\nidle = \"1m\"", ":2", `unknown setting "tls.idle"`, `"limits.idle"`},
		{"nothing like it", "[tls]\nfavourite_colour = 1", ":2", `unknown setting "tls.favourite_colour"`, "hongyan config"},
		{"dotted", "log.levle = \"info\"", ":1", `unknown setting "log.levle"`, `"log.level"`},
		{"implied table", "\nfoo.bar.baz = 1\nfoo.bar.a = 2", ":2", `unknown setting "foo"`, "hongyan config"},
		{"inline table", "log = {level = \"info\", fromat = \"x\"}", ":1", `unknown setting "log.fromat"`, `"log.format"`},
		{"number for a list", "\n\nlisten = 5", ":3", `listen wants a list of strings, such as ["one", "two"]`, ""},
		{"string for a list", "listen = \":1\"", ":1", `listen wants a list of strings, such as ["one", "two"]`, ""},
		{"comma in a list", "listen = [\":1,:2\"]", ":1", `listen wants a list of strings, such as ["one", "two"]`, ""},
		{"mixed list", "listen = [\":1\", 2]", ":1", `listen wants a list of strings, such as ["one", "two"]`, ""},
		{"string for a number", "[devices]\nmax = \"3\"", ":2", "devices.max wants a whole number, without quotes", ""},
		{"float for a number", "[devices]\nmax = 3.5", ":2", "devices.max wants a whole number, without quotes", ""},
		{"string for a switch", "[tls]\nallow_plain = \"yes\"", ":2", "tls.allow_plain wants true or false, without quotes", ""},
		{"number for a duration", "[limits]\nidle = 11", ":2", `limits.idle wants a duration in quotes, such as "90s" or "2m"`, ""},
		{"duration without unit", "[limits]\nidle = \"11\"", ":2", `limits.idle: "11" is no duration: write a number and a unit, such as 90s, 2m or 1h30m`, ""},
		{"duration too short", "[limits]\nidle = \"1s\"", ":2", "limits.idle: 1s is outside 30s to 24h", ""},
		{"negative", "[retention]\ndays = -1", ":2", "retention.days: -1 is outside 0 to 36500", ""},
		{"size without unit", "[storage]\ncache = \"64\"", ":2", `storage.cache: "64" is no size: write a whole number and a unit, such as 64MiB`, ""},
		{"size too small", "[storage]\ncache = \"1KiB\"", ":2", "storage.cache: 1KiB is outside 1MiB to 1024TiB", ""},
		{"no such word", "registration = \"sometimes\"", ":1", `registration: "sometimes" is not one of open, invitation, closed, loopback`, ""},
		{"value for a table", "tls = true", ":1", `"tls" is a table`, "[tls]"},
		{"table for a value", "[listen]\nx = 1", ":1", `listen wants a list of strings, such as ["one", "two"]`, ""},
		{"not TOML", "data = \"x\"\nlisten = [", ":2", "", ""},
		{"twice", "data = \"x\"\ndata = \"y\"", ":2", "Key 'data' has already been defined.", ""},
		{"no address", "listen = []", ":1", "listen: no address", "127.0.0.1:7878"},
		{"no port", "listen = [\"127.0.0.1\"]", ":1", `listen: "127.0.0.1": missing port in address`, "HOST:PORT"},
		{"bad port", "listen = [\":99999\"]", ":1", `listen: ":99999": "99999" is no port from 0 to 65535`, "HOST:PORT"},
		{"address twice", "listen = [\":80\", \":81\", \":80\"]", ":1", `listen: ":80" stands twice`, "once"},
		{"origin with a path", "[http]\norigins = [\"https://a.example/\"]", ":2", `http.origins: "https://a.example/" is no origin`, "SCHEME://HOST"},
		{"origin without a scheme", "[http]\norigins = [\"a.example\"]", ":2", `http.origins: "a.example" is no origin`, "SCHEME://HOST"},
		{"proxies of no network", "[http]\ntrusted_proxies = [\"10.0.0.0/33\"]", ":2", `http.trusted_proxies: "10.0.0.0/33" is no network`, "a single address"},
		{"place without a port", "[http]\nadvertise = [\"a.example\"]", ":2", `http.advertise: "a.example": missing port in address`, "HOST:PORT"},
		{"place without a host", "[http]\nadvertise = [\":80\"]", ":2", `http.advertise: ":80": a client needs both a host and a port`, "HOST:PORT"},
		{"any port", "[http]\nadvertise = [\"a:0\"]", ":2", `http.advertise: "a:0": a client needs both a host and a port`, "HOST:PORT"},
		{"weight of nothing", "[http]\nadvertise = [\"a:1=0\"]", ":2", `http.advertise: "a:1=0": "0" is no weight from 1 to 1000`, "WEIGHT"},
		{"well-known and one of them", "listen = [\"well-known\", \":80\"]", ":1", `listen: ":80" stands twice`, "once"},
		{"certificate alone", "[tls]\ncert = \"c\"", ":2", "tls.cert is set without tls.key", "private key"},
		{"key alone", "[tls]\nkey = \"c\"", ":2", "tls.key is set without tls.cert", "certificate chain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, tt.text)
			_, err := Load(Sources{File: path})
			list := faults(t, err)
			if len(list) != 1 {
				t.Fatalf("got %d faults, want 1: %v", len(list), err)
			}
			e := list[0]
			if e.Where != path+tt.where {
				t.Errorf("where is %q, want ….toml%s", e.Where, tt.where)
			}
			if tt.message != "" && e.Message != tt.message {
				t.Errorf("message is\n%q, want\n%q", e.Message, tt.message)
			}
			if !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("hint is %q, want it to have %q", e.Hint, tt.hint)
			}
		})
	}
}

func TestAllFaultsAtOnceInOrder(t *testing.T) {
	t.Parallel()
	path := write(t, "registration = \"no\"\n[log]\nlevel = 1\nformt = \"x\"\n[drain]\ntimeout = \"\"\n")
	_, err := Load(Sources{
		File:   path,
		Getenv: env("HONGYAN_DEVICES_MAX", "many"),
		Flags:  map[string]string{"tls.allow_plain": "maybe"},
	})
	var where []string
	for _, e := range faults(t, err) {
		where = append(where, strings.TrimPrefix(e.Where, path))
	}
	want := []string{":1", ":3", ":4", ":6", "--tls.allow_plain", "$HONGYAN_DEVICES_MAX"}
	if !slices.Equal(where, want) {
		t.Errorf("faults are at %q, want %q\n%v", where, want, err)
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none.toml")
	_, err := Load(Sources{File: missing})
	if list := faults(t, err); len(list) != 1 || !strings.Contains(list[0].Hint, "hongyan config >"+missing) {
		t.Errorf("missing file: %v", err)
	}
	_, err = Load(Sources{File: t.TempDir()})
	if list := faults(t, err); len(list) != 1 || !strings.Contains(list[0].Message, "cannot read") {
		t.Errorf("directory for a file: %v", err)
	}
	_, err = Load(Sources{File: write(t, strings.Repeat("#\n", maxFile))})
	if list := faults(t, err); len(list) != 1 || !strings.Contains(list[0].Message, "at most") {
		t.Errorf("huge file: %v", err)
	}
}

func TestListFromFlag(t *testing.T) {
	t.Parallel()
	c, err := Load(Sources{Flags: map[string]string{"listen": " :1 , 127.0.0.1:0,127.0.0.1:0"}})
	if want := []string{":1", "127.0.0.1:0", "127.0.0.1:0"}; err != nil || !slices.Equal(c.Listen, want) {
		t.Errorf("listen = %q, %v; want %q", c.Listen, err, want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, s := range Settings() {
		if seen[s.Env] || seen[s.Key] {
			t.Errorf("%s or %s stands twice", s.Key, s.Env)
		}
		seen[s.Env], seen[s.Key] = true, true
		if section, _, dotted := strings.Cut(s.Key, "."); dotted && sections[section] == "" {
			t.Errorf("the section of %s is not described", s.Key)
		}
		if s.Doc == "" {
			t.Errorf("%s is not described", s.Key)
		}
	}
}

func TestDefaultData(t *testing.T) {
	if os.Geteuid() == 0 {
		if got := DefaultData(); got != "/var/lib/hongyan" {
			t.Errorf("root's data is in %s", got)
		}
		return
	}
	t.Setenv("XDG_DATA_HOME", "/somewhere")
	if got := DefaultData(); got != "/somewhere/hongyan" {
		t.Errorf("data is in %s, want it in $XDG_DATA_HOME", got)
	}
	t.Setenv("XDG_DATA_HOME", "relative")
	t.Setenv("HOME", "/home/goose")
	if got := DefaultData(); got != "/home/goose/.local/share/hongyan" {
		t.Errorf("data is in %s, want it in ~/.local/share", got)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{
		"0B": 0, "1B": 1, "1023B": 1023, "1KiB": 1024, "1536B": 1536, "64MiB": 64 << 20, "3GiB": 3 << 30,
		"1024TiB": 1 << 50,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("%d is written %q, want %q", got, got.String(), text)
		}
	}
	for text, want := range map[string]Size{"64mb": 64 << 20, "64 MiB": 64 << 20, "2k": 2048, "5b": 5, "1G": 1 << 30} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "64", "MiB", "-1B", "1.5GiB", "1XiB", "99999999999999999999B", "9999999TiB", "1 M iB", " 1B"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestSizeApprox(t *testing.T) {
	t.Parallel()
	for n, want := range map[Size]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536 << 10: "1.5 MiB", 5 << 40: "5.0 TiB", 9000 << 40: "9000.0 TiB",
	} {
		if got := n.Approx(); got != want {
			t.Errorf("%d is about %q, want %q", n, got, want)
		}
	}
}

func TestDurationText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 10 * time.Second: "10s", time.Minute: "1m", 10 * time.Minute: "10m",
		time.Hour: "1h", 10 * time.Hour: "10h", time.Hour + time.Second: "1h0m1s", 90 * time.Minute: "1h30m",
		time.Minute + 30*time.Second: "1m30s", 1500 * time.Millisecond: "1.5s",
	} {
		if got := duration(d).String(); got != want {
			t.Errorf("%d is written %q, want %q", d, got, want)
		}
		if back, err := time.ParseDuration(want); err != nil || back != d {
			t.Errorf("%q reads as %v, %v", want, back, err)
		}
	}
}

// FuzzFile checks that no file makes the loader panic, that every fault says where it is, and that what was read
// survives being written and read again.
func FuzzFile(f *testing.F) {
	var documented strings.Builder
	if err := WriteFile(&documented, Default()); err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{documented.String(), "", "listen = [", "[tls]\ncert=1", "[[tls]]\ncert=\"a\"", "tls.cert = \"a\"\ntls = 1",
		"a = 1979-05-27", "[log.level]\nx=1", "\n0.0=0", "a.b.c=1", "log = {level=\"info\"}", "\"li\\u0073ten\" = [\":1\"]", "\x00", "data='''\nx'''", "\"\" = 1", "[\"a.b\"]\nc=1",
		"data = \"\"\"\n\"\"\"", "[storage]\ncache = \"9223372036854775807B\"\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := loader{config: Default(), origin: make(map[string]string)}
		l.parse("f.toml", text)
		for _, p := range l.errs {
			if p.line <= 0 || !strings.HasPrefix(p.err.Where, "f.toml:") {
				t.Fatalf("fault without a line: %v in %q", p.err, text)
			}
		}
		if len(l.errs) > 0 {
			return
		}
		var b strings.Builder
		if err := WriteFile(&b, l.config); err != nil {
			t.Fatal(err)
		}
		again := loader{config: Default(), origin: make(map[string]string)}
		again.parse("f.toml", b.String())
		if len(again.errs) > 0 || !equal(again.config, l.config) {
			t.Fatalf("%q was written as\n%s\nwhich reads as %+v, %v", text, b.String(), again.config, again.result())
		}
	})
}
