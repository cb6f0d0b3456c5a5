// Package bench measures the server against what the machine can do at most, in the same run, so that its figures are
// ratios that mean something on a noisy machine. make bench-send and the other bench targets run it.
package bench
