package auth

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// tokenForms lets the tests run over both kinds of stored token.
var tokenForms = []struct {
	prefix string
	make   func(io.Reader) (revealer, error)
	parse  func(string) (revealer, error)
	size   int // characters of the text
}{
	{
		DeviceTokenPrefix,
		func(r io.Reader) (revealer, error) { return NewDeviceToken(r, 1<<63+5, 42) },
		func(s string) (revealer, error) { return ParseDeviceToken(s) },
		4 + 70,
	},
	{
		APIKeyPrefix,
		func(r io.Reader) (revealer, error) { return NewAPIKey(r) },
		func(s string) (revealer, error) { return ParseAPIKey(s) },
		4 + 59,
	},
}

type revealer interface {
	Reveal() string
	Hash() TokenHash
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for _, form := range tokenForms {
		t.Run(form.prefix, func(t *testing.T) {
			token, err := form.make(seeded(1))
			if err != nil {
				t.Fatal(err)
			}
			text := token.Reveal()
			if len(text) != form.size || !strings.HasPrefix(text, form.prefix) {
				t.Fatalf("text is %q", text)
			}
			parsed, err := form.parse(text)
			if err != nil || parsed.Reveal() != text {
				t.Fatalf("parsing %q: %v", text, err)
			}
			if !token.Hash().Equal(parsed.Hash()) {
				t.Error("a parsed token has another hash")
			}
			other, err := form.make(seeded(2))
			if err != nil {
				t.Fatal(err)
			}
			if token.Hash().Equal(other.Hash()) || token.Hash().Equal(TokenHash{}) {
				t.Error("the hash equals that of another token")
			}
			if _, err := form.make(bytes.NewReader(make([]byte, secretSize-1))); err == nil {
				t.Error("a token from too little randomness")
			}
		})
	}
}

func TestDeviceTokenNamesItsRecord(t *testing.T) {
	t.Parallel()
	token, err := NewDeviceToken(seeded(1), 1<<63+5, 42)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseDeviceToken(token.Reveal())
	if err != nil || parsed.Account != 1<<63+5 || parsed.Device != 42 {
		t.Fatalf("account %d, device %d, %v", parsed.Account, parsed.Device, err)
	}
	moved := token
	moved.Device++
	if token.Hash().Equal(moved.Hash()) {
		t.Error("the hash does not cover the device")
	}
	moved = token
	moved.Account++
	if token.Hash().Equal(moved.Hash()) {
		t.Error("the hash does not cover the account")
	}
}

// The text forms are for ever: clients, records and secret scanners rely on them.
func TestTokenTextIsStable(t *testing.T) {
	t.Parallel()
	device, err := NewDeviceToken(bytes.NewReader(make([]byte, 64)), 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	const wantDevice = "hyd_AAAAAAAAAAEAAAAAAAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAvRAtqg"
	if got := device.Reveal(); got != wantDevice {
		t.Errorf("device token %s", got)
	}
	key, err := NewAPIKey(bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	const wantKey = "hyk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAF2L0RU"
	if got := key.Reveal(); got != wantKey {
		t.Errorf("API key %s", got)
	}
}

func TestEveryTypoIsFound(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, form := range tokenForms {
		token, err := form.make(seeded(3))
		if err != nil {
			t.Fatal(err)
		}
		text := token.Reveal()
		for i := range text {
			for _, c := range []byte(alphabet + "=+/ \n\x00") {
				typo := []byte(text)
				typo[i] = c
				if _, err := form.parse(string(typo)); err == nil && string(typo) != text {
					t.Errorf("%s is taken for %s", typo, text)
				}
			}
		}
		for i := 1; i < len(text); i++ { // CRC-32 finds every pair of swapped neighbours
			swapped := []byte(text)
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			if _, err := form.parse(string(swapped)); err == nil && string(swapped) != text {
				t.Errorf("%s is taken for %s", swapped, text)
			}
		}
	}
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	token, err := NewDeviceToken(seeded(1), 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	text := token.Reveal()
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"nothing":                                {"", ErrMalformed},
		"another prefix":                         {APIKeyPrefix + text[4:], ErrMalformed},
		"upper case":                             {"HYD_" + text[4:], ErrMalformed},
		"cut":                                    {text[:len(text)-1], ErrMalformed},
		"longer":                                 {text + "A", ErrMalformed},
		"line break":                             {text[:20] + "\n" + text[20:], ErrMalformed},
		"line break in the place of a character": {text[:20] + "\n" + text[21:], ErrMalformed},
		"stray bits":                             {text[:len(text)-1] + string(text[len(text)-1]+1), ErrMalformed},
		"mistyped":                               {text[:20] + "zzz" + text[23:], ErrMistyped},
	} {
		if _, err := ParseDeviceToken(test.text); err != test.want {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func fuzzToken(f *testing.F, kind int) {
	form := tokenForms[kind]
	for seed := range byte(3) {
		token, err := form.make(seeded(seed))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token.Reveal())
		f.Add(token.Reveal()[:20] + "\r" + token.Reveal()[21:])
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := form.parse(text)
		if err != nil {
			if err != ErrMalformed && err != ErrMistyped {
				t.Fatal(err)
			}
			return
		}
		if got := token.Reveal(); got != text {
			t.Fatalf("%q reveals as %q", text, got)
		}
	})
}

func FuzzParseDeviceToken(f *testing.F) { fuzzToken(f, 0) }

func FuzzParseAPIKey(f *testing.F) { fuzzToken(f, 1) }

// The checksum stops nearly everything the fuzzer invents, so here it gets the body and the checksum is right.
func FuzzTokenBody(f *testing.F) {
	f.Add(make([]byte, deviceBody))
	f.Add(bytes.Repeat([]byte{0xff}, deviceBody))
	f.Fuzz(func(t *testing.T, body []byte) {
		text := tokenText(DeviceTokenPrefix, body)
		token, err := ParseDeviceToken(text)
		if (err == nil) != (len(body) == deviceBody) {
			t.Fatalf("%d bytes: %v", len(body), err)
		}
		if err == nil && token.Reveal() != text {
			t.Fatalf("%q reveals as %q", text, token.Reveal())
		}
	})
}

func BenchmarkParseDeviceToken(b *testing.B) {
	token, err := NewDeviceToken(seeded(1), 1, 2)
	if err != nil {
		b.Fatal(err)
	}
	text, stored := token.Reveal(), token.Hash()
	b.ReportAllocs()
	for b.Loop() {
		if token, err := ParseDeviceToken(text); err != nil || !token.Hash().Equal(stored) {
			b.Fatal(err)
		}
	}
}
