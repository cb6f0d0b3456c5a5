//go:build hostile

package carrier

// hostile overwrites input when its call is over, so that a handler that keeps it is found out.
const hostile = true
