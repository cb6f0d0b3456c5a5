package auth

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MinPassword is the least number of Unicode code points in a new password (NIST SP 800-63B).
	MinPassword = 8
	// MaxPassword is the most bytes of UTF-8 in a password as it was typed.
	MaxPassword = 1024
)

// Password is a normalised password, on its way to a Hasher. It never leaves the package again.
type Password struct {
	redacted
	text *string
}

// NewPassword takes a password as a person typed it. So that the same password typed on another keyboard gives the
// same bytes, it maps every Unicode space to U+0020 and composes to NFC, as the OpaqueString profile does (RFC 8265
// §4.2.2). It returns a *RuleError for text that is empty, longer than MaxPassword, not UTF-8, or contains control
// characters. Only Hasher.Hash asks for MinPassword, so that raising the minimum locks nobody out.
func NewPassword(typed string) (Password, error) {
	switch {
	case typed == "":
		return Password{}, &RuleError{"password", "is empty", "type it"}
	case len(typed) > MaxPassword:
		return Password{}, &RuleError{"password", fmt.Sprintf("has %d bytes", len(typed)),
			fmt.Sprintf("use at most %d", MaxPassword)}
	case !utf8.ValidString(typed):
		return Password{}, &RuleError{"password", "is not valid UTF-8", "send it as UTF-8 text"}
	case strings.ContainsFunc(typed, unicode.IsControl):
		return Password{}, &RuleError{"password", "contains a control character such as a tab or line break",
			"leave it out"}
	}
	spaced := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}, typed)
	text := norm.NFC.String(spaced)
	return Password{text: &text}, nil
}
