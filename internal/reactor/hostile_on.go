//go:build linux && hostile

package reactor

const hostile = true
