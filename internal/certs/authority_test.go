package certs

import (
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestAuthority makes an authority and opens it again: who trusts the file trusts what both have signed, and for nothing
// but the domains.
func TestAuthority(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(names ...string) *x509.Certificate {
		t.Helper()
		s, err := Authority(dir, "ca.pem", []string{"example.com"}, names, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return s.Certificate().Leaf
	}
	first := open("*.example.com")
	text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate: %s", text)
	}
	verify := func(c *x509.Certificate, name string) error {
		_, err := c.Verify(x509.VerifyOptions{Roots: pool, DNSName: name})
		return err
	}
	for _, c := range []*x509.Certificate{first, open("*.example.com", "*.chat.example.com")} {
		if err := verify(c, "im.example.com"); err != nil {
			t.Error(err)
		}
		if verify(c, "example.org") == nil {
			t.Error("vouches for another domain")
		}
	}
	if verify(open("*.example.org"), "im.example.org") == nil {
		t.Error("the authority is not bound to its domains")
	}
	for name, mode := range map[string]os.FileMode{"ca.pem": 0o644, "ca.pem.key": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Authority(dir, "ca.pem", nil, []string{"a"}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a damaged file is passed over")
	}
}
