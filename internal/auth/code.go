package auth

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode"
)

const (
	codeSymbols = 12 // of 5 bits each: 60 bits
	codeGroup   = 4  // symbols between hyphens
	maxCodeText = 64 // bytes of input that ParseCode looks at

	// crockford is Douglas Crockford's base 32: digits and letters without I, L, O, which look like digits, and U.
	crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// Code is a short random secret that people read out and type: an invitation, or the code in a group's link. It has
// 60 bits, enough because it can be tried only against the server, which throttles.
type Code struct {
	redacted
	text *string
}

// NewCode makes a code from 8 bytes of rand; the errors are rand's.
func NewCode(rand io.Reader) (Code, error) {
	random, err := readString(rand, 8)
	if err != nil {
		return Code{}, err
	}
	bits := binary.BigEndian.Uint64([]byte(random))
	symbols := make([]byte, codeSymbols)
	for i := range symbols {
		symbols[i] = crockford[bits&31]
		bits >>= 5
	}
	return newCode(symbols), nil
}

// ParseCode takes a code as a person typed it: in any case, with spaces and hyphens anywhere or nowhere, with O for
// 0 and I or L for 1, and in the full-width characters of an East Asian keyboard. It returns a *RuleError for
// anything that is no code.
func ParseCode(typed string) (Code, error) {
	if len(typed) > maxCodeText {
		return Code{}, &RuleError{"code", fmt.Sprintf("has %d bytes", len(typed)), "copy it without the text around it"}
	}
	symbols := make([]byte, 0, codeSymbols)
	for _, r := range typed {
		r = narrow(r)
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			continue
		}
		symbol := codeSymbol(r)
		if symbol == 0 {
			return Code{}, &RuleError{"code", fmt.Sprintf("contains %q", r), "use its letters and digits only"}
		}
		symbols = append(symbols, symbol)
	}
	if len(symbols) != codeSymbols {
		return Code{}, &RuleError{"code", fmt.Sprintf("has %d letters and digits", len(symbols)),
			fmt.Sprintf("type all %d", codeSymbols)}
	}
	return newCode(symbols), nil
}

// Reveal returns the one spelling under which the caller stores and shows the code: XXXX-XXXX-XXXX.
func (c Code) Reveal() string { return *c.text }

func newCode(symbols []byte) Code {
	text := string(symbols[:codeGroup])
	for i := codeGroup; i < codeSymbols; i += codeGroup {
		text += "-" + string(symbols[i:i+codeGroup])
	}
	return Code{text: &text}
}

// codeSymbol returns the symbol that r stands for, or 0.
func codeSymbol(r rune) byte {
	if 'a' <= r && r <= 'z' {
		r -= 'a' - 'A'
	}
	switch r {
	case 'O':
		return '0'
	case 'I', 'L':
		return '1'
	}
	if r > unicode.MaxASCII || strings.IndexByte(crockford, byte(r)) < 0 {
		return 0
	}
	return byte(r)
}

// narrow maps the full-width forms U+FF01 to U+FF5E to the ASCII characters that they double.
func narrow(r rune) rune {
	if 0xFF01 <= r && r <= 0xFF5E {
		return r - 0xFF01 + '!'
	}
	return r
}
