package auth

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"alice": "alice", "Alice": "alice", " BOB-2\n": "bob-2", "a1": "a1", "0x": "0x", "42": "42",
		"li.ming_88": "li.ming_88", "a..b": "a..b", strings.Repeat("a", MaxName): strings.Repeat("a", MaxName),
	} {
		if got, err := ParseName(typed); err != nil || got != want {
			t.Errorf("ParseName(%q) = %q, %v", typed, got, err)
		}
	}
	for typed, message := range map[string]string{
		"":                             "name is empty: use 2 to 32 characters",
		"   ":                          "name is empty: use 2 to 32 characters",
		"a":                            "name has 1 character: use 2 to 32",
		strings.Repeat("a", MaxName+1): "name has more than 32 characters: choose a shorter one",
		"al ice":                       `name has ' ' as character 3: use only a to z, 0 to 9, '.', '_' and '-'`,
		".alice":                       `name begins with '.': begin with a letter or digit`,
		"alice.":                       `name ends with '.': end with a letter or digit`,
		"-_":                           `name begins with '-': begin with a letter or digit`,
		"鸿雁":                           `name has '鸿' as character 1: use only a to z, 0 to 9, '.', '_' and '-'`,
		"al\u0131ce":                   `name has 'ı' as character 3: use only a to z, 0 to 9, '.', '_' and '-'`,
		"\u212aelvin":                  "name has '\u212a' as character 1: use only a to z, 0 to 9, '.', '_' and '-'",
		"а" + "lice":                   `name has 'а' as character 1: use only a to z, 0 to 9, '.', '_' and '-'`, // Cyrillic
		"ali\u202ece":                  `name has '\u202e' as character 4: use only a to z, 0 to 9, '.', '_' and '-'`,
		"ali\u200bce":                  `name has '\u200b' as character 4: use only a to z, 0 to 9, '.', '_' and '-'`,
		"ali\x00ce":                    `name has '\x00' as character 4: use only a to z, 0 to 9, '.', '_' and '-'`,
		"ali\xffce":                    "name has '\ufffd' as character 4: use only a to z, 0 to 9, '.', '_' and '-'",
		"alice@example.org":            `name has '@' as character 6: use only a to z, 0 to 9, '.', '_' and '-'`,
	} {
		var rule *RuleError
		if got, err := ParseName(typed); !errors.As(err, &rule) || err.Error() != message || got != "" {
			t.Errorf("ParseName(%q) = %q, %v\nwant %s", typed, got, err, message)
		}
	}
	for _, name := range []string{"Alice", " alice", "alice "} {
		if ValidName(name) == nil {
			t.Errorf("%q is taken for canonical", name)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"alice", " Bob.2 ", "\u212a", "a\xff", "-", strings.Repeat("Z", 33)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		name, err := ParseName(typed)
		if err != nil {
			if !utf8.ValidString(err.Error()) || len(err.Error()) > 200 {
				t.Fatalf("%q: message %q", typed, err.Error())
			}
			return
		}
		if again, err := ParseName(name); err != nil || again != name || ValidName(name) != nil {
			t.Fatalf("%q gives %q, which gives %q, %v", typed, name, again, err)
		}
	})
}

func TestParseDisplayName(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"A":                           "A",
		" 鸿雁 \u3000":                  "鸿雁",
		"Zoe\u0308":                   "Zo\u00eb",
		"👩\u200d👩\u200d👧":             "👩\u200d👩\u200d👧", // joined by zero width joiners
		"❤\ufe0f":                     "❤\ufe0f",
		"می\u200cخواهم":               "می\u200cخواهم", // Persian with a zero width non-joiner
		"محمد":                        "محمد",
		"O'Brien & Sons <3>":          "O'Brien & Sons <3>",
		"李 明":                         "李 明",
		"\U0003fffd new":              "\U0003fffd new",
		"\u0e01\u0e33":                "\u0e01\u0e33",
		strings.Repeat("雁", 64):       strings.Repeat("雁", 64),
		strings.Repeat("e\u0301", 64): strings.Repeat("\u00e9", 64), // 128 code points until composed
	} {
		if got, err := ParseDisplayName(typed); err != nil || got != want {
			t.Errorf("ParseDisplayName(%q) = %q, %v", typed, got, err)
		}
	}
	for name, typed := range map[string]string{
		"nothing":              "",
		"white space":          " \u3000\u00a0 ",
		"too long":             strings.Repeat("雁", 65),
		"far too long":         strings.Repeat("a", 1<<20),
		"line break":           "Alice\nBob",
		"tab":                  "Alice\tBob",
		"escape":               "\x1b[31mAlice",
		"C1 control":           "Alice\u009b",
		"override":             "Alice \u202egpj.exe",
		"embedding":            "\u202aAlice\u202c",
		"isolate":              "\u2067Alice\u2069",
		"direction mark":       "Alice\u200f",
		"Arabic mark":          "Alice\u061c",
		"zero width space":     "Al\u200bice",
		"word joiner":          "Al\u2060ice",
		"byte order mark":      "\ufeffAlice",
		"soft hyphen":          "Al\u00adice",
		"line separator":       "Alice\u2028Bob",
		"tag characters":       "Alice\U000e0041",
		"Hangul filler":        "\u3164",
		"half-width filler":    "\uffa0",
		"Hangul jamo filler":   "\u115f\u1160",
		"braille blank":        "\u2800\u2800",
		"joiners only":         "\u200d\u200c",
		"marks only":           "\u0301\u0302",
		"variation selector":   "\ufe0f",
		"not UTF-8":            "Alice\xff",
		"an encoded surrogate": "Alice\xed\xa0\x80",
	} {
		t.Run(name, func(t *testing.T) {
			var rule *RuleError
			got, err := ParseDisplayName(typed)
			if !errors.As(err, &rule) || got != "" {
				t.Fatalf("ParseDisplayName(%.20q) = %.20q, %v", typed, got, err)
			}
			for _, r := range err.Error() {
				if r < ' ' || r > '~' {
					t.Errorf("the message %q repeats %U", err, r)
				}
			}
		})
	}
	for _, name := range []string{" Alice", "Alice\u3000", "Zoe\u0308"} {
		if ValidDisplayName(name) == nil {
			t.Errorf("%q is taken for canonical", name)
		}
	}
}

func FuzzParseDisplayName(f *testing.F) {
	for _, seed := range []string{"鸿雁", " Zoe\u0308", "👩\u200d👧", "\u202e", "\xff", "\u2800", "\u00a0\u0301x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		name, err := ParseDisplayName(typed)
		if err != nil {
			return
		}
		if n := utf8.RuneCountInString(name); n < 1 || n > MaxDisplayName || !norm.NFC.IsNormalString(name) {
			t.Fatalf("%q gives %q", typed, name)
		}
		if strings.ContainsAny(name, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\n\r\x00") {
			t.Fatalf("%q gives %q", typed, name)
		}
		if again, err := ParseDisplayName(name); err != nil || again != name || ValidDisplayName(name) != nil {
			t.Fatalf("%q gives %q, which gives %q, %v", typed, name, again, err)
		}
	})
}
