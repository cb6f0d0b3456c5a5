package auth

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestNewPassword(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, typed, want string }{
		{"ASCII is left alone", " Alice-Secret ~ ", " Alice-Secret ~ "},
		{"decomposed letters compose", "cafe\u0301 au lait", "caf\u00e9 au lait"},
		{"Hangul composes", "\u1112\u1161\u11ab", "\ud55c"},
		{"no-break space", "correct\u00a0horse", "correct horse"},
		{"ideographic space", "correct\u3000horse", "correct horse"},
		{"full-width letters stay", "ｓｅｃｒｅｔ！", "ｓｅｃｒｅｔ！"},
		{"compatibility forms stay", "ﬁrst²", "ﬁrst²"},
		{"case stays", "ÄäSS", "ÄäSS"},
		{"a character newer than the tables", "\U0003fffd secret", "\U0003fffd secret"},
		{"the longest", strings.Repeat("x", MaxPassword), strings.Repeat("x", MaxPassword)},
		{"short ones are for Hash to refuse", "x", "x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := *password(t, test.typed).text; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	for _, typed := range []string{
		"", "tab\there", "line\n", "\u0085", "\x00", "\x7f", "\xff\xfe", "surrogate \xed\xa0\x80",
		strings.Repeat("x", MaxPassword+1),
	} {
		var rule *RuleError
		if _, err := NewPassword(typed); !errors.As(err, &rule) {
			t.Errorf("NewPassword(%.20q): %v, want a *RuleError", typed, err)
		}
	}
}

func FuzzNewPassword(f *testing.F) {
	for _, seed := range []string{
		"alice-secret", "cafe\u0301", "\u3000\u00a0 x", "\u1112\u1161\u11ab", "\xff", "a\u0301\u0323",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		pw, err := NewPassword(typed)
		if err != nil {
			if pw.text != nil {
				t.Fatal("a password beside an error")
			}
			return
		}
		text := *pw.text
		if !utf8.ValidString(text) || !norm.NFC.IsNormalString(text) {
			t.Fatalf("%q is not normal", text)
		}
		if len(text) > MaxPassword {
			return // composing can lengthen a text, so this one cannot be typed again
		}
		again, err := NewPassword(text)
		if err != nil || *again.text != text {
			t.Fatalf("%q becomes %q (%v) the second time", text, *again.text, err)
		}
	})
}
