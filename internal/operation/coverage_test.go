package operation

import (
	"testing"

	"github.com/hongyan-im/hongyan/wire"
)

func TestEveryOperationHasAHandler(t *testing.T) {
	t.Parallel()
	for _, row := range wire.Operations {
		if handlers[row.Op] == nil {
			t.Errorf("%s has none", row.Name)
		}
	}
	if len(handlers) != len(wire.Operations) {
		t.Errorf("there are %d handlers for %d operations", len(handlers), len(wire.Operations))
	}
}
