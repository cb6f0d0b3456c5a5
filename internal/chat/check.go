package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan"
)

// firstError returns the first error that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkLength checks a text that people type: valid UTF-8 of at most limit characters, without control characters other
// than line breaks and tabs.
func checkLength(what, text string, limit int) error {
	switch {
	case !utf8.ValidString(text):
		return hongyan.Errorf(hongyan.Invalid, "the %s is not UTF-8", what)
	case utf8.RuneCountInString(text) > limit:
		return hongyan.Errorf(hongyan.TooLarge, "the %s has %d characters, the limit is %d", what, utf8.RuneCountInString(text), limit)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		return hongyan.Errorf(hongyan.Invalid, "the %s holds a control character", what)
	}
	return nil
}

// pageLimit is a client's limit, or the usual one, within bounds.
func pageLimit(asked uint32, usual, most int) int {
	if asked == 0 {
		return usual
	}
	return int(min(asked, uint32(most)))
}
