//go:build linux

package gate_test

import (
	"testing"

	"github.com/hongyan-im/hongyan/internal/gate"
	"github.com/hongyan-im/hongyan/internal/gate/gatetest"
)

func onReactor(cfg *gate.Config) { cfg.Carrier = gate.CarrierReactor }

func TestReactorTCP(t *testing.T) { gatetest.Run(t, gatetest.TCP(onReactor)) }

func TestReactorListeners(t *testing.T) { gatetest.RunListeners(t, onReactor) }
