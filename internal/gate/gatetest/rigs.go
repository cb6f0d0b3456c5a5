//go:build unix

package gatetest

import (
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/hongyan-im/hongyan/internal/carrier/carriertest"
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
		Dial: carriertest.DialTCP,
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
		Dial: carriertest.DialTLS,
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
		Dial: carriertest.DialUnix,
	}
}

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
