//go:build !race

package http1_test

const poolLosses = 0
