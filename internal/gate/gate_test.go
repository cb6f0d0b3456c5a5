package gate_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/gate/gatetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTCP(t *testing.T)  { gatetest.Run(t, gatetest.TCP(nil)) }
func TestTLS(t *testing.T)  { gatetest.Run(t, gatetest.TLS(nil)) }
func TestUnix(t *testing.T) { gatetest.Run(t, gatetest.Unix(nil)) }

func TestListeners(t *testing.T) { gatetest.RunListeners(t, nil) }
