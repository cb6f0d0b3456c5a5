//go:build race

package http1_test

// poolLosses is what a request may allocate although it need not: under the race detector a sync.Pool drops a part of
// what it is given.
const poolLosses = 2
