//go:build linux && !hostile

package reactor

// hostile overwrites input when the handler has had it.
const hostile = false
