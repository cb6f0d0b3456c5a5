//go:build !linux

package gate

import "errors"

// DefaultCarrier is what moves bytes when nobody has said what does.
const DefaultCarrier = CarrierGoroutine

func newReactor(*Server) (loops, error) {
	return nil, errors.New("gate: the reactor needs Linux: use the goroutine carrier")
}
