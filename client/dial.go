package client

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// DefaultPort is the port of an address that names none: the one on which a server listens unless told otherwise.
const DefaultPort = "7878"

// DialOptions says how to reach a server. The zero value dials loopback addresses in the clear and all others over TLS
// with the certificates that the system trusts.
type DialOptions struct {
	// Secure uses TLS for loopback addresses too, as a server may demand.
	Secure bool

	// TLS replaces the system's certificates and defaults.
	TLS *tls.Config

	// Pin is the fingerprint of the one key that is accepted, whoever signed its certificate: "sha256//" and the base64 of
	// the SHA-256 of its SubjectPublicKeyInfo (RFC 7469 §2.4), as the server prints it at its start. A renewed certificate
	// keeps it as long as the key stays.
	Pin string

	// TrustFirst is asked about a certificate that nobody known has signed, when there is no Pin: nil accepts it, and the
	// caller keeps the fingerprint as the Pin for the next time. Without TrustFirst such a certificate is refused.
	TrustFirst func(fingerprint string) error

	// DialContext replaces the dialer, for proxies. Network is "tcp".
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// OnNotify gets the notifications that the server pushes; see NewConn.
	OnNotify func(*wire.Notify)
}

// Dial connects to address: "host:port", "host" with DefaultPort, or "unix:/path" for a socket of this machine, such
// as the admin socket. The context bounds the connecting alone.
func Dial(ctx context.Context, address string, o DialOptions) (*Conn, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		nc, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err != nil {
			return nil, err
		}
		return NewConn(nc, o.OnNotify), nil
	}
	host, hostPort, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	secure := o.Secure || !loopback(host)
	nc, err := o.reach(ctx, host, hostPort, secure, func() {})
	if err != nil {
		return nil, err
	}
	return NewConn(nc, o.OnNotify), nil
}

// Stages of an attempt, as reports name them. An attempt that has got past all of them is stageOK.
const (
	stageName    = "dns"
	stageConnect = "connect"
	stageTLS     = "tls"
	stageAnswer  = "answer"
	stageOK      = "ok"
)

// stageError says at which stage an attempt has failed.
type stageError struct {
	stage string
	err   error
}

func (e *stageError) Error() string { return e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// reach connects to an address, through a proxy if there is one, and encrypts if it is to be secure. It calls connected
// between the two. Host is what the certificate is checked by.
func (o *DialOptions) reach(ctx context.Context, host, address string, secure bool, connected func()) (net.Conn, error) {
	nc, err := o.connect(ctx, address)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // the rest says what was dialled, as does this
		}
		return nil, &stageError{stageConnect, fmt.Errorf("cannot reach %s: %w", address, err)}
	}
	connected()
	if !secure {
		return nc, nil
	}
	tc := tls.Client(nc, o.tlsConfig(host))
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, &stageError{stageTLS, fmt.Errorf("no secure connection with %s: %w", address, err)}
	}
	return tc, nil
}

// connect opens a TCP connection: by DialContext, through the proxy that the environment names, or directly.
func (o *DialOptions) connect(ctx context.Context, address string) (net.Conn, error) {
	if o.DialContext != nil {
		return o.DialContext(ctx, "tcp", address)
	}
	proxy, err := o.proxyFor(address)
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		return connectThrough(ctx, proxy, address)
	}
	return dialer.DialContext(ctx, "tcp", address)
}

// dialer asks for no probes of TCP: heartbeats of the protocol find dead connections, probes would only keep radios and
// servers awake.
var dialer = &net.Dialer{KeepAlive: -1}

// splitAddress returns the host of an address, and the address with a port.
func splitAddress(address string) (host, hostPort string, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		// There is no port, or more is wrong.
		host, port = strings.Trim(address, "[]"), DefaultPort
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			host = ""
		}
	}
	_, err = strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || strings.ContainsAny(host, " /") {
		return "", "", hongyan.Errorf(hongyan.Invalid, "%q is no address of a server", address).
			WithHint("write HOST or HOST:PORT, such as chat.example.com:443")
	}
	return host, net.JoinHostPort(host, port), nil
}

// loopback reports whether what is sent to host does not leave the machine. Only the name and the addresses that always
// mean so count: a name that merely resolves to one may resolve to another tomorrow.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// tlsConfig checks certificates by pin, by the roots, or by asking.
func (o *DialOptions) tlsConfig(host string) *tls.Config {
	config := o.TLS.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	if o.Pin == "" && o.TrustFirst == nil {
		return config
	}
	// The standard check knows neither pins nor questions, so VerifyConnection takes its place.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		got := fingerprint(leaf)
		if o.Pin != "" {
			if got != o.Pin {
				return fmt.Errorf("the server's certificate is not the pinned one: its fingerprint is %s", got)
			}
			return nil
		}
		verify := x509.VerifyOptions{
			Roots:         config.RootCAs,
			DNSName:       config.ServerName,
			Intermediates: x509.NewCertPool(),
		}
		for _, c := range state.PeerCertificates[1:] {
			verify.Intermediates.AddCert(c)
		}
		if _, err := leaf.Verify(verify); err == nil {
			return nil
		}
		return o.TrustFirst(got)
	}
	return config
}

// fingerprint is the Pin that accepts a certificate.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256//" + base64.StdEncoding.EncodeToString(sum[:])
}
