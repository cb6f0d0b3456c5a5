package kv_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/kv"
	"github.com/hongyan-im/hongyan/internal/kv/kvtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	kvtest.Run(t, func(*testing.T) kv.Store { return kv.NewMemory() })
}
