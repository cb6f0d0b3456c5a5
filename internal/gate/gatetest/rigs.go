//go:build unix

package gatetest

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/hongyan-im/hongyan/internal/certs"
	"github.com/hongyan-im/hongyan/internal/gate"
)

// TCP is the rig of plain TCP. What carries it is Configure's to choose: configure may be nil.
func TCP(configure func(*gate.Config)) Rig {
	return Rig{
		Configure: func(_ testing.TB, cfg *gate.Config) {
			cfg.Listen = []string{"127.0.0.1:0"}
			if configure != nil {
				configure(cfg)
			}
		},
		Dial: func(addr net.Addr) (Conn, error) {
			c, err := net.Dial(addr.Network(), addr.String())
			if err != nil {
				return nil, err
			}
			return tcpConn{c.(*net.TCPConn)}, nil
		},
	}
}

// TLS is the rig of TLS over TCP.
func TLS(configure func(*gate.Config)) Rig {
	return Rig{
		Configure: func(t testing.TB, cfg *gate.Config) {
			cfg.Listen = []string{"127.0.0.1:0"}
			cfg.TLS = serverTLS(t)
			if configure != nil {
				configure(cfg)
			}
		},
		Dial: func(addr net.Addr) (Conn, error) {
			c, err := tls.Dial(addr.Network(), addr.String(), clientTLS)
			if err != nil {
				return nil, err
			}
			return tlsConn{c}, nil
		},
	}
}

// Unix is the rig of the operator's socket.
func Unix(configure func(*gate.Config)) Rig {
	return Rig{
		Configure: func(t testing.TB, cfg *gate.Config) {
			cfg.Operator = filepath.Join(tempDir(t), "s")
			if configure != nil {
				configure(cfg)
			}
		},
		Dial: func(addr net.Addr) (Conn, error) {
			c, err := net.Dial(addr.Network(), addr.String())
			if err != nil {
				return nil, err
			}
			return unixConn{c.(*net.UnixConn)}, nil
		},
	}
}

// clientTLS does not check the certificate, for processes of one test have different ones, and uses the key
// exchange that is quick under the race detector: there are thousands of handshakes.
var clientTLS = &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.CurveP256}}

func serverTLS(t testing.TB) *tls.Config {
	t.Helper()
	source, err := certs.SelfSigned(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return source.Config()
}

// tempDir is a folder with a short name: that of a unix socket has some hundred bytes.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
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

// unixConn has no reset: to the other side its end in the middle of a frame is one.
type unixConn struct{ *net.UnixConn }

func (c unixConn) Reset() error { return c.Close() }
