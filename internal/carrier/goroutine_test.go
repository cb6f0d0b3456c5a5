//go:build unix

package carrier_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/carrier/carriertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTCP(t *testing.T)  { carriertest.Run(t, carriertest.TCP()) }
func TestTLS(t *testing.T)  { carriertest.Run(t, carriertest.TLS()) }
func TestUnix(t *testing.T) { carriertest.Run(t, carriertest.Unix()) }
