//go:build !hostile

package carrier

const hostile = false // see hostile.go
