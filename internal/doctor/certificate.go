package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/config"
)

const tlsCheck = "TLS"

func certificate(c config.Config) []Finding {
	if c.TLS.Cert == "" {
		return []Finding{judgeOwn(c)}
	}
	pair, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return []Finding{{tlsCheck, Fail, err.Error(), "The server cannot start.",
			"tls.cert and tls.key must be PEM files that this user may read and that belong together."}}
	}
	chain := make([]*x509.Certificate, len(pair.Certificate))
	for i, der := range pair.Certificate {
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return []Finding{{tlsCheck, Fail, fmt.Sprintf("certificate %d of the chain: %v", i+1, err),
				"Clients will refuse it.", "Get the certificate again."}}
		}
	}
	all := []Finding{judgeChain(chain, time.Now())}
	if info, err := os.Stat(c.TLS.Key); err == nil {
		if f := judgeKeyMode(c.TLS.Key, info.Mode()); f.Status != OK {
			all = append(all, f)
		}
	}
	return all
}

// judgeOwn judges a server that signs its certificate itself, because nobody gave it one.
func judgeOwn(c config.Config) Finding {
	switch {
	case onLoopback(c.Listen):
		return ok(tlsCheck, "a certificate of its own, and none needed on loopback")
	case c.TLS.AllowPlain:
		return Finding{tlsCheck, Warn, "a certificate of its own, and tls.allow_plain is set",
			"Whoever can listen to the network reads the passwords and messages of those who do not encrypt.",
			"Unset tls.allow_plain, unless a proxy in front of the server encrypts."}
	}
	return Finding{tlsCheck, Warn, "a certificate of its own",
		"Clients on other machines have to be given its fingerprint, which the server logs at its start.",
		"For clients that know nothing of it, set tls.cert and tls.key to a certificate that an authority has signed."}
}

// onLoopback reports whether every address can be reached from this machine only.
func onLoopback(addrs []string) bool {
	for _, addr := range addrs {
		host, _, err := net.SplitHostPort(addr)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// judgeChain judges a chain of certificates, leaf first, at a time.
func judgeChain(chain []*x509.Certificate, now time.Time) Finding {
	leaf := chain[0]
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	const day = 24 * time.Hour
	left := leaf.NotAfter.Sub(now)
	found := fmt.Sprintf("for %s until %s", strings.Join(names, ", "), leaf.NotAfter.Format(time.DateOnly))
	switch {
	case now.Before(leaf.NotBefore):
		return Finding{tlsCheck, Fail, "valid only from " + leaf.NotBefore.Format(time.RFC3339),
			"Clients refuse it until then.", "Check the clock of this machine, or get another certificate."}
	case left <= 0:
		return Finding{tlsCheck, Fail, found, "It has expired; clients refuse it.", "Renew it."}
	case len(names) == 0:
		// RFC 9525 §2: the common name is not looked at.
		return Finding{tlsCheck, Fail, "the certificate names no host",
			"Clients compare the host with the subject alternative names and refuse it.", "Get one with subject alternative names."}
	}
	for i, cert := range chain[1:] {
		if err := chain[i].CheckSignatureFrom(cert); err != nil {
			found := fmt.Sprintf("certificate %d of the chain did not sign certificate %d: %v", i+2, i+1, err)
			return Finding{tlsCheck, Fail, found, "Clients cannot follow the chain and refuse it.",
				"Put the server's certificate first in tls.cert, then each one's issuer."}
		}
	}
	if left < 14*day {
		return Finding{tlsCheck, Warn, found, fmt.Sprintf("It expires in %d days.", int(left/day)),
			"Renew it, and find out why that did not happen by itself."}
	}
	return ok(tlsCheck, found)
}

func judgeKeyMode(path string, mode fs.FileMode) Finding {
	found := fmt.Sprintf("%s has mode %04o", path, mode.Perm())
	if mode.Perm()&0o007 == 0 {
		return ok(tlsCheck, found)
	}
	return Finding{tlsCheck, Warn, found, "Every user of this machine can take the private key.", "chmod 600 " + path}
}
