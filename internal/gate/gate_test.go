package gate_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/gate/gatetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func goroutine(cfg *gate.Config) { cfg.Carrier = gate.CarrierGoroutine }

func TestTCP(t *testing.T)  { gatetest.Run(t, gatetest.TCP(goroutine)) }
func TestUnix(t *testing.T) { gatetest.Run(t, gatetest.Unix(goroutine)) }

// TestTLS goes the whole way: from the carrier of plain connections through the handshake to a goroutine.
func TestTLS(t *testing.T) { gatetest.Run(t, gatetest.TLS(nil)) }

func TestListeners(t *testing.T) { gatetest.RunListeners(t, goroutine) }
