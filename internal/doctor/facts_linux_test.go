package doctor

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"testing"

	"github.com/hongyan-im/hongyan/internal/config"
)

func TestExamine(t *testing.T) {
	t.Parallel()
	c := setup(t)
	found := Examine(context.Background(), c)
	checks := make(map[string]Status)
	for _, f := range found {
		checks[f.Check] = f.Status
		if f.Found == "" {
			t.Errorf("%s found nothing", f.Check)
		}
	}
	for _, check := range []string{"file descriptors", "data directory", "disk space", "disk sync", "port 127.0.0.1:0", "TLS", "memory", "clock"} {
		if _, done := checks[check]; !done {
			t.Errorf("no finding about %s", check)
		}
	}
	if checks["data directory"] != OK || checks["port 127.0.0.1:0"] != OK {
		t.Errorf("findings on a sound set-up: %v", checks)
	}
	entries, err := os.ReadDir(c.Data)
	if err != nil || len(entries) != 0 {
		t.Errorf("the examination left %v, %v", entries, err)
	}
	var back []Finding
	if text, err := json.Marshal(found); err != nil || json.Unmarshal(text, &back) != nil || len(back) != len(found) {
		t.Errorf("JSON: %v", err)
	}
}

func TestDirectoryNotWritable(t *testing.T) {
	t.Parallel()
	// Nobody, not even root, creates files in /proc.
	c := config.Default()
	c.Data = "/proc"
	want(t, directory(c)[0], Fail, "may not write")
	c.Data = "/proc/none"
	want(t, directory(c)[0], Fail, "may not create")
	if times := measureSync("/proc"); len(times) != 0 {
		t.Errorf("measured %v where nothing can be written", times)
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	c := setup(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c.Listen = []string{l.Addr().String()}
	f := ports(c)[0]
	want(t, f, Fail, "taken by doctor.test (pid ")

	admin, err := net.Listen("unix", config.AdminSocket(c.Data))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	want(t, ports(c)[0], OK, "a server runs on this data directory")

	c.Listen = []string{"192.0.2.1:0"} // TEST-NET-1, RFC 5737: nobody has it
	want(t, ports(c)[0], Fail, "no such address")
}

func TestParseProcAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0100007F:1EC6":                         "127.0.0.1:7878",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:01BB": "[::ffff:127.0.0.1]:443",
	} {
		if got, ok := parseProcAddress(text); !ok || got.String() != want {
			t.Errorf("%s is %s, %v; want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "0100007F", "0100007:1EC6", "0100007F:10000", "01:1"} {
		if got, ok := parseProcAddress(text); ok {
			t.Errorf("%q is %s", text, got)
		}
	}
}
