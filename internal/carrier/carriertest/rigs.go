//go:build unix

package carriertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hongyan-im/hongyan/internal/carrier"
)

// TCP is the rig of the goroutine carrier with plain TCP.
func TCP() Rig {
	return Rig{
		Dial: DialTCP,
		Listen: func(t testing.TB, l *carrier.Limits, n *carrier.Counters, open func(carrier.Conn) carrier.Handler) (net.Addr, func()) {
			return listen(t, "tcp", "127.0.0.1:0", func(raw net.Conn, hold func(carrier.Conn)) {
				carrier.Serve(raw, raw, l, n, func(c carrier.Conn) carrier.Handler { hold(c); return open(c) })
			})
		},
	}
}

// TLS is the rig of the goroutine carrier with TLS over TCP.
func TLS() Rig {
	return Rig{
		Dial: DialTLS,
		Listen: func(t testing.TB, l *carrier.Limits, n *carrier.Counters, open func(carrier.Conn) carrier.Handler) (net.Addr, func()) {
			config := serverTLS(t)
			return listen(t, "tcp", "127.0.0.1:0", func(raw net.Conn, hold func(carrier.Conn)) {
				tc := tls.Server(raw, config)
				if err := tc.Handshake(); err != nil {
					t.Errorf("TLS handshake: %v", err)
					raw.Close()
					return
				}
				carrier.Serve(raw, tc, l, n, func(c carrier.Conn) carrier.Handler { hold(c); return open(c) })
			})
		},
	}
}

// Unix is the rig of the goroutine carrier with unix sockets.
func Unix() Rig {
	return Rig{
		Dial: DialUnix,
		Listen: func(t testing.TB, l *carrier.Limits, n *carrier.Counters, open func(carrier.Conn) carrier.Handler) (net.Addr, func()) {
			dir, err := os.MkdirTemp("", "carrier") // with a short name: that of a unix socket has some hundred bytes
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			return listen(t, "unix", filepath.Join(dir, "s"), func(raw net.Conn, hold func(carrier.Conn)) {
				carrier.Serve(raw, raw, l, n, func(c carrier.Conn) carrier.Handler { hold(c); return open(c) })
			})
		},
	}
}

// DialTCP is the Dial of every rig with plain TCP.
func DialTCP(addr net.Addr) (Conn, error) {
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return nil, err
	}
	return tcpConn{c.(*net.TCPConn)}, nil
}

// DialTLS is the Dial of every rig with TLS over TCP.
func DialTLS(addr net.Addr) (Conn, error) {
	c, err := tls.Dial(addr.Network(), addr.String(), ClientTLS)
	if err != nil {
		return nil, err
	}
	return tlsConn{c}, nil
}

// DialUnix is the Dial of every rig with unix sockets.
func DialUnix(addr net.Addr) (Conn, error) {
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return nil, err
	}
	return unixConn{c.(*net.UnixConn)}, nil
}

// ClientTLS does not check the certificate, for processes of one test have different ones, and uses the key
// exchange that is quick under the race detector: there are thousands of handshakes.
var ClientTLS = &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.CurveP256}}

// listen gives every connection to serve, on a goroutine of its own, which tells what there is to abort at the end.
func listen(t testing.TB, network, addr string, serve func(raw net.Conn, hold func(carrier.Conn))) (net.Addr, func()) {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	var held []carrier.Conn
	running.Go(func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				serve(raw, func(c carrier.Conn) {
					mu.Lock()
					held = append(held, c)
					mu.Unlock()
				})
			})
		}
	})
	return ln.Addr(), func() {
		ln.Close()
		mu.Lock()
		for _, c := range held {
			c.Abort()
		}
		mu.Unlock()
		running.Wait()
	}
}

// serverTLS has a certificate that nobody checks.
func serverTLS(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

type tcpConn struct{ *net.TCPConn }

func (c tcpConn) Reset() error {
	if err := c.SetLinger(0); err != nil {
		return err
	}
	return c.Close()
}

// tlsConn ends its half as TLS does: by a close_notify, without the FIN of TCP.
type tlsConn struct{ *tls.Conn }

func (c tlsConn) Reset() error { return tcpConn{c.NetConn().(*net.TCPConn)}.Reset() }

// unixConn has no reset: to the other side its end in the middle of something is one.
type unixConn struct{ *net.UnixConn }

func (c unixConn) Reset() error { return c.Close() }
