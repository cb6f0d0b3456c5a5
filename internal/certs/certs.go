// Package certs keeps the certificate that listeners show: one from files that somebody else replaces, such as an ACME
// client, or one that the server has signed itself.
//
// Both are a Source. Every few seconds at most, a TLS handshake makes the Source look whether there is something newer:
// other files, or the renewal of a self-signed certificate. A newer one that cannot be used is logged once, and the one
// before it stays. docs/decisions/tls.md has the reasons.
package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often a Source looks for something newer, at most.
const lookEvery = 5 * time.Second

// Source is a certificate that may change while it is used. It is safe for use from any goroutine.
type Source struct {
	log     *slog.Logger
	now     func() time.Time
	refresh func(now time.Time) (*tls.Certificate, error) // the newer certificate, nil if there is none; under mu

	current atomic.Pointer[tls.Certificate]
	looked  atomic.Int64 // when, Unix nanoseconds
	mu      sync.Mutex   // held by the one who looks
}

// FromFiles returns the certificate of two PEM files: the chain, leaf first, and its private key, which may be one and
// the same file.
func FromFiles(cert, key string, log *slog.Logger) (*Source, error) {
	f := &files{cert: cert, key: key}
	s := &Source{log: log, now: time.Now, refresh: f.refresh}
	return s, s.start()
}

// start gets the first certificate.
func (s *Source) start() error {
	now := s.now()
	cert, err := s.refresh(now)
	if err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	s.looked.Store(now.UnixNano())
	s.current.Store(cert)
	return nil
}

// Config returns what a server with this certificate offers: TLS 1.3, and 1.2 for clients that have nothing newer.
func (s *Source) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.Certificate(), nil },
		// Small records let a browser show the top of a page early. A frame is of use only when it is whole, and every
		// record is a system call.
		DynamicRecordSizingDisabled: true,
	}
}

// Certificate returns the present certificate, its leaf parsed, after looking for a newer one if it is time.
func (s *Source) Certificate() *tls.Certificate {
	now := s.now()
	// Whoever comes while another looks takes the certificate that is there: no handshake waits for a disk.
	if now.UnixNano()-s.looked.Load() >= int64(lookEvery) && s.mu.TryLock() {
		s.look(now)
		s.mu.Unlock()
	}
	return s.current.Load()
}

func (s *Source) look(now time.Time) {
	s.looked.Store(now.UnixNano())
	cert, err := s.refresh(now)
	switch {
	case err != nil:
		s.log.Error("the new TLS certificate cannot be used, the old one stays",
			"error", err, "expires", s.current.Load().Leaf.NotAfter)
	case cert != nil:
		s.current.Store(cert)
		s.log.Info("TLS certificate changed", "expires", cert.Leaf.NotAfter, "pin", Pin(cert.Leaf))
	}
}

// Pin returns the fingerprint of the public key in cert: "sha256//" and the base64 of the SHA-256 of its
// SubjectPublicKeyInfo, as in RFC 7469 §2.4 and in curl's --pinnedpubkey. It stays when a certificate is renewed with
// the same key.
func Pin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return "sha256//" + base64.StdEncoding.EncodeToString(sum[:])
}

// files are a certificate's files and the state in which they were last read, whatever came of it.
type files struct {
	cert, key string
	seen      [2]stamp
}

// stamp tells one content of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	missing  bool
}

// refresh reads the files if they are not as they were.
func (f *files) refresh(time.Time) (*tls.Certificate, error) {
	seen := [2]stamp{stampOf(f.cert), stampOf(f.key)}
	if seen == f.seen {
		return nil, nil
	}
	// Before reading: a file that changes meanwhile is read again.
	f.seen = seen
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", f.cert, f.key, err)
	}
	return &cert, nil
}

// stampOf follows symbolic links, which is how certbot replaces files.
func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{missing: true}
	}
	return stamp{modified: info.ModTime(), size: info.Size()}
}
