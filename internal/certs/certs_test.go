package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// pair writes a new certificate and its key into dir and returns the certificate's pin.
func pair(t *testing.T, cert, key string) string {
	t.Helper()
	dir := t.TempDir()
	s, err := SelfSigned(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, selfFile))
	if err != nil {
		t.Fatal(err)
	}
	write(t, cert, text)
	write(t, key, text)
	return Pin(s.Certificate().Leaf)
}

var writes int

// write gives the file a modification time of its own, however coarse the file system's are.
func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	writes++
	at := time.Now().Add(time.Duration(writes) * time.Second)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func fromFiles(t *testing.T, log io.Writer) (s *Source, c *clock, cert, key, pin string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pin = pair(t, cert, key)
	s, err := FromFiles(cert, key, logTo(log))
	if err != nil {
		t.Fatal(err)
	}
	c = newClock()
	s.now = c.Now
	return s, c, cert, key, pin
}

func TestReplacedFilesAreTakenUp(t *testing.T) {
	var log bytes.Buffer
	s, c, cert, key, old := fromFiles(t, &log)
	if got := Pin(s.Certificate().Leaf); got != old {
		t.Fatalf("pin %s, want %s", got, old)
	}
	next := pair(t, cert, key)
	if got := Pin(s.Certificate().Leaf); got != old {
		t.Fatalf("looked again at once: %s", got)
	}
	c.advance(lookEvery)
	if got := Pin(s.Certificate().Leaf); got != next {
		t.Fatalf("pin %s after the files were replaced, want %s", got, next)
	}
	if !strings.Contains(log.String(), next) {
		t.Errorf("the log does not name the new pin:\n%s", log.String())
	}
}

func TestUnusableFilesLeaveTheOldCertificate(t *testing.T) {
	var log bytes.Buffer
	s, c, cert, key, old := fromFiles(t, &log)
	check := func(what string, wantPin string, wantErrors int) {
		t.Helper()
		for range 3 {
			c.advance(lookEvery)
			if got := Pin(s.Certificate().Leaf); got != wantPin {
				t.Fatalf("%s: pin %s, want %s", what, got, wantPin)
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != wantErrors {
			t.Fatalf("%s: %d errors logged, want %d\n%s", what, n, wantErrors, log.String())
		}
	}
	check("unchanged", old, 0)
	write(t, cert, []byte("half a certifi"))
	check("a torn certificate", old, 1)

	other := t.TempDir()
	next := pair(t, filepath.Join(other, "cert"), filepath.Join(other, "key"))
	text, err := os.ReadFile(filepath.Join(other, "cert"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, cert, text)
	check("a new certificate beside the old key", old, 2)
	write(t, key, text)
	check("and its key", next, 2)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	check("a missing key", next, 3)
	write(t, key, text)
	check("which is back", next, 3)
}

func TestUnusableFilesAtStart(t *testing.T) {
	dir := t.TempDir()
	if _, err := FromFiles(filepath.Join(dir, "a"), filepath.Join(dir, "b"), logTo(io.Discard)); err == nil {
		t.Error("missing files: no error")
	}
	write(t, filepath.Join(dir, selfFile), []byte("nothing of use"))
	_, err := SelfSigned(dir, logTo(io.Discard))
	if err == nil || !strings.Contains(err.Error(), selfFile) {
		t.Errorf("a damaged self-signed file: %v", err)
	}
}

func TestSelfSigned(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	c := newClock()
	s, err := selfSigned(dir, logTo(&log), c.Now)
	if err != nil {
		t.Fatal(err)
	}
	leaf := s.Certificate().Leaf
	pin := Pin(leaf)
	if !strings.Contains(log.String(), pin) {
		t.Errorf("the log does not name the pin %s:\n%s", pin, log.String())
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life != validity {
		t.Errorf("valid for %v", life)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1", host} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "example.org", Roots: roots}); err == nil {
		t.Error("valid for example.org")
	}
	info, err := os.Stat(filepath.Join(dir, selfFile))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}

	again, err := selfSigned(dir, logTo(io.Discard), c.Now)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Certificate().Leaf.Raw, leaf.Raw) {
		t.Error("a second start made another certificate")
	}
}

func TestSelfSignedIsRenewed(t *testing.T) {
	dir := t.TempDir()
	c := newClock()
	s, err := selfSigned(dir, logTo(io.Discard), c.Now)
	if err != nil {
		t.Fatal(err)
	}
	first := s.Certificate().Leaf
	c.advance(validity - backdate - renewBefore - time.Minute)
	if got := s.Certificate().Leaf; !bytes.Equal(got.Raw, first.Raw) {
		t.Fatal("renewed too early")
	}
	c.advance(2 * time.Minute)
	second := s.Certificate().Leaf
	if !second.NotAfter.After(first.NotAfter.Add(300 * 24 * time.Hour)) {
		t.Fatalf("not renewed: expires %v", second.NotAfter)
	}
	if Pin(second) != Pin(first) {
		t.Error("renewed with another key")
	}

	c.advance(2 * validity)
	third, err := selfSigned(dir, logTo(io.Discard), c.Now)
	if err != nil {
		t.Fatal(err)
	}
	leaf := third.Certificate().Leaf
	if !c.Now().Before(leaf.NotAfter) || Pin(leaf) != Pin(first) {
		t.Errorf("started with an expired certificate: now %v, have one until %v, pin kept %v",
			c.Now(), leaf.NotAfter, Pin(leaf) == Pin(first))
	}
}

func TestFailedRenewalIsLoggedOnceAnHour(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := newClock()
	s, err := selfSigned(dir, logTo(&log), c.Now)
	if err != nil {
		t.Fatal(err)
	}
	first := s.Certificate().Leaf
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c.advance(validity - renewBefore)
	for range 10 {
		if got := s.Certificate().Leaf; !bytes.Equal(got.Raw, first.Raw) {
			t.Fatal("a certificate that could not be kept is in use")
		}
		c.advance(lookEvery)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Fatalf("%d errors logged, want 1\n%s", n, log.String())
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour)
	if got := s.Certificate().Leaf; bytes.Equal(got.Raw, first.Raw) {
		t.Fatal("not renewed when it was possible again")
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	s, err := SelfSigned(t.TempDir(), logTo(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate().Leaf)
	for _, tt := range []struct {
		name     string
		max      uint16
		want     uint16
		mustFail bool
	}{
		{name: "the newest", want: tls.VersionTLS13},
		{name: "at most 1.2", max: tls.VersionTLS12, want: tls.VersionTLS12},
		{name: "at most 1.1", max: tls.VersionTLS11, mustFail: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			defer server.Close()
			failed := make(chan error, 1)
			go func() { failed <- tls.Server(server, s.Config()).Handshake() }()
			tc := tls.Client(client, &tls.Config{
				RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tt.max,
			})
			err := tc.Handshake()
			if tt.mustFail {
				if err == nil {
					t.Fatal("accepted")
				}
				<-failed
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tc.ConnectionState().Version; got != tt.want {
				t.Errorf("version %x, want %x", got, tt.want)
			}
			go io.Copy(io.Discard, client) // the server's ticket needs a reader
			if err := <-failed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConcurrentHandshakesDuringReplacement(t *testing.T) {
	s, c, cert, key, _ := fromFiles(t, io.Discard)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if s.Certificate() == nil {
					t.Error("no certificate")
				}
			}
		})
	}
	var last string
	for range 10 {
		last = pair(t, cert, key)
		c.advance(lookEvery)
		s.Certificate()
	}
	wg.Wait()
	c.advance(lookEvery)
	if got := Pin(s.Certificate().Leaf); got != last {
		t.Errorf("pin %s, want %s", got, last)
	}
}
