package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Flock"}, IsCA: true,
		BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	return authority{sign(t, template, template, key, key), key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (a authority) issue(t *testing.T, key *ecdsa.PrivateKey, from, until time.Time, names ...string) *x509.Certificate {
	return sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until, DNSNames: names}, a.cert, key, a.key)
}

func TestJudgeChain(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const day = 24 * time.Hour
	ca, other, key := newAuthority(t), newAuthority(t), newKey(t)
	good := ca.issue(t, key, now.Add(-day), now.Add(90*day), "chat.example")
	chain := func(certs ...*x509.Certificate) []*x509.Certificate { return certs }
	want(t, judgeChain(chain(good, ca.cert), now), OK, "for chat.example until")
	want(t, judgeChain(chain(good), now), OK, "for chat.example until")
	want(t, judgeChain(chain(good, ca.cert), now.Add(80*day)), Warn, "expires in 9 days")
	want(t, judgeChain(chain(good), now.Add(91*day)), Fail, "expired")
	want(t, judgeChain(chain(good), now.Add(-2*day)), Fail, "valid only from")
	want(t, judgeChain(chain(good, other.cert), now), Fail, "certificate 2 of the chain did not sign certificate 1")
	want(t, judgeChain(chain(ca.issue(t, key, now.Add(-day), now.Add(day))), now), Fail, "names no host")
}

func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	c := setup(t)
	ca, key := newAuthority(t), newKey(t)
	leaf := ca.issue(t, key, time.Now().Add(-time.Hour), time.Now().Add(1000*time.Hour), "chat.example")
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.TLS.Cert, c.TLS.Key = filepath.Join(c.Data, "cert.pem"), filepath.Join(c.Data, "key.pem")
	want(t, certificate(c)[0], Fail, "no such file")
	writePEM(t, c.TLS.Cert, "CERTIFICATE", leaf.Raw, 0o644)
	writePEM(t, c.TLS.Key, "PRIVATE KEY", der, 0o600)
	all := certificate(c)
	if len(all) != 1 {
		t.Fatalf("findings: %+v", all)
	}
	want(t, all[0], OK, "chat.example")
	if err := os.Chmod(c.TLS.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, certificate(c)[1], Warn, "chmod 600")
	strangers, err := x509.MarshalPKCS8PrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, c.TLS.Key, "PRIVATE KEY", strangers, 0o600)
	want(t, certificate(c)[0], Fail, "belong together")
}

func writePEM(t *testing.T, path, kind string, der []byte, mode os.FileMode) {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		t.Fatal(err)
	}
}

func TestJudgeOwn(t *testing.T) {
	t.Parallel()
	c := setup(t)
	c.Listen = []string{"127.0.0.1:1", "[::1]:2", "localhost:3"}
	want(t, judgeOwn(c), OK, "loopback")
	c.Listen = append(c.Listen, ":4")
	want(t, judgeOwn(c), Warn, "fingerprint")
	c.TLS.AllowPlain = true
	want(t, judgeOwn(c), Warn, "listen to the network")
}
