package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// authorityValidity is how long a certificate authority of the server's own lasts. Whoever trusts it has put it into files
// by hand, so it is long.
const authorityValidity = 10 * 365 * 24 * time.Hour

// Authority returns a certificate for names below domains, "*.example.com" among them, that is signed by a certificate
// authority of the server's own. Clients have to be told to trust that: it stands in dir, in the file name, and is made on
// the first call with its key beside it. It is bound to domains, so it can vouch for no others even if the key gets lost.
func Authority(dir, name string, domains, names []string, log *slog.Logger) (*Source, error) {
	a := &authority{path: filepath.Join(dir, name), keyPath: filepath.Join(dir, name+".key"), domains: domains, names: names}
	now := time.Now()
	if err := a.load(); err != nil {
		return nil, err
	}
	if a.cert == nil || now.After(a.cert.NotAfter.Add(-validity)) {
		if err := a.make(now); err != nil {
			return nil, err
		}
	}
	s := &Source{log: log, now: time.Now, refresh: a.refresh}
	if err := s.start(); err != nil {
		return nil, err
	}
	log.Info("certificate authority of the server's own", "file", a.path, "domains", domains, "expires", a.cert.NotAfter)
	return s, nil
}

type authority struct {
	path, keyPath  string
	domains, names []string
	cert           *x509.Certificate
	key            crypto.Signer
	leaf           *tls.Certificate
}

// load reads the files, if they are there.
func (a *authority) load() error {
	pair, err := tls.LoadX509KeyPair(a.path, a.keyPath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w (remove it to have another made; clients will have to be told of that)", a.path, err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return fmt.Errorf("%s: a key that cannot sign", a.keyPath)
	}
	a.cert, a.key = pair.Leaf, key
	return nil
}

// make makes a new authority and keeps it: the key first, for a certificate without its key is of no use.
func (a *authority) make(now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := newTemplate("Hongyan, local authority", now, authorityValidity)
	if err != nil {
		return err
	}
	template.IsCA, template.MaxPathLenZero = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	template.PermittedDNSDomainsCritical, template.PermittedDNSDomains = true, a.domains
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	a.key = key
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := replace(a.keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})); err != nil {
		return err
	}
	if err := replace(a.path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		return err
	}
	return os.Chmod(a.path, 0o644) // clients run as other users
}

// refresh signs a certificate, and another one when it is time. It is kept in memory alone: clients know the authority.
func (a *authority) refresh(now time.Time) (*tls.Certificate, error) {
	if a.leaf != nil && now.Before(a.leaf.Leaf.NotAfter.Add(-renewBefore)) {
		return nil, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(a.names[0], now, validity)
	if err != nil {
		return nil, err
	}
	template.DNSNames = a.names
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a.leaf = &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return a.leaf, nil
}

// newTemplate is what all certificates have in common that this package signs.
func newTemplate(name string, now time.Time, validity time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	from := now.Add(-backdate)
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: from.Add(validity),
		BasicConstraintsValid: true,
	}, nil
}
