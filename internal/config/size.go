package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes. Its text is a whole number and a unit: "64MiB", "1GiB", "1500B". Units are powers of
// 1024; the i may be left out, as in "64MB", and so may the B.
type Size int64

var sizeUnits = []struct {
	name  string
	shift uint
}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}}

// String writes s in the largest unit that needs no fraction. ParseSize reads it back.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if unit := Size(1) << u.shift; s%unit == 0 && (s != 0 || u.shift == 0) {
			return strconv.FormatInt(int64(s/unit), 10) + u.name
		}
	}
	panic("unreachable: every number is a multiple of one byte")
}

// ParseSize reads a Size. A bare number is refused, because 64 could mean anything.
func ParseSize(text string) (Size, error) {
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	unit := strings.TrimLeft(text[digits:], " ")
	n, err := strconv.ParseInt(text[:digits], 10, 64)
	for _, u := range sizeUnits {
		if err != nil || unit == "" || !sameUnit(unit, u.name) {
			continue
		}
		if n > math.MaxInt64>>u.shift {
			return 0, fmt.Errorf("%q is more than fits", text)
		}
		return Size(n << u.shift), nil
	}
	return 0, fmt.Errorf("%q is no size: write a whole number and a unit, such as 64MiB", text)
}

// sameUnit compares without case, and takes MB and M for MiB.
func sameUnit(text, name string) bool {
	return strings.EqualFold(text, name) ||
		strings.EqualFold(text, strings.Replace(name, "i", "", 1)) ||
		strings.EqualFold(text, name[:1])
}

// Approx writes s for people, with one decimal: "77.6 GiB".
func (s Size) Approx() string {
	const unit = 1024
	value, prefix := float64(s), 0
	for value >= unit && prefix < len("KMGT") {
		value /= unit
		prefix++
	}
	if prefix == 0 {
		return fmt.Sprintf("%d B", int64(s))
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[prefix-1])
}
