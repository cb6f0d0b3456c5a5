package auth

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Lengths of names, in characters: ASCII ones for account names, Unicode code points for display names.
const (
	MinName        = 2
	MaxName        = 32
	MaxDisplayName = 64
)

// ParseName returns the canonical form of an account name as a person typed it: without white space around it and
// with A to Z in lower case. No other letter is folded: the Kelvin sign is not a k. The error is that of ValidName.
func ParseName(typed string) (string, error) {
	name := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, strings.TrimSpace(typed))
	if err := ValidName(name); err != nil {
		return "", err
	}
	return name, nil
}

// ValidName returns nil for a canonical account name: MinName to MaxName of the characters a to z, 0 to 9, '.', '_'
// and '-', with a letter or digit at both ends, so that a name followed by a full stop can be told from its
// sentence. Otherwise it returns a *RuleError.
func ValidName(name string) error {
	if name == "" {
		return &RuleError{"name", "is empty", fmt.Sprintf("use %d to %d characters", MinName, MaxName)}
	}
	position := 0
	for _, r := range name {
		position++
		if !alphanumeric(r) && r != '.' && r != '_' && r != '-' {
			return &RuleError{"name", fmt.Sprintf("has %q as character %d", r, position),
				"use only a to z, 0 to 9, '.', '_' and '-'"}
		}
		if position > MaxName {
			return &RuleError{"name", fmt.Sprintf("has more than %d characters", MaxName), "choose a shorter one"}
		}
	}
	if position < MinName {
		return &RuleError{"name", fmt.Sprintf("has %d character", position),
			fmt.Sprintf("use %d to %d", MinName, MaxName)}
	}
	if first := rune(name[0]); !alphanumeric(first) {
		return &RuleError{"name", fmt.Sprintf("begins with %q", first), "begin with a letter or digit"}
	}
	if last := rune(name[len(name)-1]); !alphanumeric(last) {
		return &RuleError{"name", fmt.Sprintf("ends with %q", last), "end with a letter or digit"}
	}
	return nil
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9'
}

// ParseDisplayName returns the canonical form of a display name as a person typed it: without white space around it,
// composed to NFC. The error is that of ValidDisplayName.
func ParseDisplayName(typed string) (string, error) {
	if err := boundDisplayName(typed); err != nil {
		return "", err
	}
	name := norm.NFC.String(strings.TrimSpace(typed))
	if err := ValidDisplayName(name); err != nil {
		return "", err
	}
	return name, nil
}

// ValidDisplayName returns nil for a canonical display name: 1 to MaxDisplayName code points of NFC text, trimmed,
// with something to see in it and nothing that could disguise it or the text around it. Otherwise it returns a
// *RuleError.
func ValidDisplayName(name string) error {
	if err := boundDisplayName(name); err != nil {
		return err
	}
	visible := false
	position := 0
	for _, r := range name {
		position++
		if hidden(r) {
			return &RuleError{"display name", fmt.Sprintf("has the invisible character %U at position %d", r, position),
				"remove it"}
		}
		if !blank(r) {
			visible = true
		}
	}
	switch {
	case !visible:
		return &RuleError{"display name", "has nothing to see in it", "use at least one letter, digit or symbol"}
	case position > MaxDisplayName:
		return &RuleError{"display name", fmt.Sprintf("has %d characters", position),
			fmt.Sprintf("use at most %d", MaxDisplayName)}
	case strings.TrimSpace(name) != name:
		return &RuleError{"display name", "begins or ends with white space", "remove it"}
	case !norm.NFC.IsNormalString(name):
		return &RuleError{"display name", "is not composed to NFC", "send it in that form"}
	}
	return nil
}

// boundDisplayName refuses what the other checks need not look at. Composing may shorten a text, so the bound is
// not the final one.
func boundDisplayName(name string) error {
	const most = 4 * MaxDisplayName * utf8.UTFMax
	switch {
	case len(name) > most:
		return &RuleError{"display name", fmt.Sprintf("has %d bytes", len(name)),
			fmt.Sprintf("use at most %d characters", MaxDisplayName)}
	case !utf8.ValidString(name):
		return &RuleError{"display name", "is not valid UTF-8", "send it as UTF-8 text"}
	}
	return nil
}

const (
	zeroWidthNonJoiner = 0x200C // Persian and Indic spelling
	zeroWidthJoiner    = 0x200D // emoji sequences too
	brailleBlank       = 0x2800
)

// hidden reports whether r is barred from display names: controls, line and paragraph separators, the format
// characters, among them all that steer the direction of text (UAX #9 §2), and fillers that show nothing. The two
// joiners are needed to spell.
func hidden(r rune) bool {
	if r == zeroWidthJoiner || r == zeroWidthNonJoiner {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

// blank reports whether r alone shows nothing.
func blank(r rune) bool {
	return r == zeroWidthJoiner || r == zeroWidthNonJoiner || r == brailleBlank ||
		unicode.In(r, unicode.Zs, unicode.M)
}
