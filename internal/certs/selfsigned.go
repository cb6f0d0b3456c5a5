package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The life of a self-signed certificate: as long as clients accept at most (398 days), and renewed a month before.
const (
	validity    = 397 * 24 * time.Hour
	renewBefore = 30 * 24 * time.Hour
	backdate    = time.Hour // for clients whose clock is behind
)

// selfFile holds key and certificate together, so that one is never replaced without the other.
const selfFile = "tls-selfsigned.pem"

// SelfSigned returns the certificate that the server signs itself, for localhost and the machine's name. It is made on
// the first call and kept in dir, in a file that only this user can read; it is renewed before it expires, with the
// same key, so that its Pin stays.
func SelfSigned(dir string, log *slog.Logger) (*Source, error) {
	return selfSigned(dir, log, time.Now)
}

func selfSigned(dir string, log *slog.Logger, now func() time.Time) (*Source, error) {
	self := &self{path: filepath.Join(dir, selfFile)}
	s := &Source{log: log, now: now, refresh: self.refresh}
	if err := s.start(); err != nil {
		return nil, err
	}
	leaf := s.Certificate().Leaf
	log.Info("self-signed TLS certificate", "file", self.path, "expires", leaf.NotAfter, "pin", Pin(leaf))
	return s, nil
}

// self is the self-signed certificate's file.
type self struct {
	path    string
	current *tls.Certificate
	retry   time.Time // no renewal before, for one has failed
}

// refresh loads the certificate, makes it, or renews it when it is time.
func (f *self) refresh(now time.Time) (*tls.Certificate, error) {
	if f.current == nil {
		if err := f.load(); err != nil {
			return nil, err
		}
		if f.current != nil && now.Before(f.current.Leaf.NotAfter) {
			return f.current, nil
		}
		return f.renew(now)
	}
	if now.Before(f.retry) || now.Before(f.current.Leaf.NotAfter.Add(-renewBefore)) {
		return nil, nil
	}
	cert, err := f.renew(now)
	if err != nil {
		f.retry = now.Add(time.Hour)
	}
	return cert, err
}

// load reads the file, if there is one.
func (f *self) load() error {
	cert, err := tls.LoadX509KeyPair(f.path, f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w (remove it to have another made; clients that know its key will ask about it)", f.path, err)
	}
	f.current = &cert
	return nil
}

// renew signs a certificate that begins now, with the key there is or a new one, and keeps it.
func (f *self) renew(now time.Time) (*tls.Certificate, error) {
	key, err := f.key()
	if err != nil {
		return nil, err
	}
	der, err := sign(key, now)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...)
	cert, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, err
	}
	if err := replace(f.path, text); err != nil {
		return nil, err
	}
	f.current = &cert
	return f.current, nil
}

func (f *self) key() (crypto.Signer, error) {
	if f.current == nil {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	key, ok := f.current.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a key that cannot sign", f.path)
	}
	return key, nil
}

// sign makes the certificate of key.
func sign(key crypto.Signer, now time.Time) (der []byte, err error) {
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "" && host != "localhost" {
		names = append(names, host)
	}
	template, err := newTemplate("Hongyan, self-signed", now, validity)
	if err != nil {
		return nil, err
	}
	template.DNSNames = names
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
}

// replace writes a file that only this user can read, so that a crash leaves the old content or the new.
func replace(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.Write(content); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync() // the rename survives a power cut, where the system can do that for a folder
		_ = d.Close()
	}
	return nil
}
