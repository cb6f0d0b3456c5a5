package auth

import (
	"errors"
	"strings"
	"testing"
)

// The known answers of the argon2 reference implementation for "password" and the salt "somesalt".
var knownHashes = []string{
	"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
}

func TestKnownHashes(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 1, 0)
	for _, text := range knownHashes {
		stored, err := ParsePasswordHash(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := stored.Reveal(); got != text {
			t.Errorf("%s reveals as %s", text, got)
		}
		if err := h.Verify(t.Context(), stored, password(t, "password")); err != nil {
			t.Errorf("%s: the right password: %v", text, err)
		}
		if err := h.Verify(t.Context(), stored, password(t, "passworD")); err != ErrWrongPassword {
			t.Errorf("%s: a wrong password: %v", text, err)
		}
		if !h.NeedsRehash(stored) {
			t.Errorf("%s needs no rehash", text)
		}
	}
}

func TestParsePasswordHashRefuses(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for name, text := range map[string]string{
		"nothing":               "",
		"another algorithm":     "$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + key,
		"the old version":       "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + key,
		"no version":            "$argon2id$m=256,t=2,p=1$" + salt + "$" + key,
		"4 GiB":                 "$argon2id$v=19$m=4194304,t=2,p=1$" + salt + "$" + key,
		"just too much memory":  "$argon2id$v=19$m=131073,t=2,p=1$" + salt + "$" + key,
		"memory beyond 32 bits": "$argon2id$v=19$m=4294967552,t=2,p=1$" + salt + "$" + key,
		"less than a block":     "$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + key,
		"too little for lanes":  "$argon2id$v=19$m=31,t=2,p=4$" + salt + "$" + key,
		"no passes":             "$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + key,
		"many passes":           "$argon2id$v=19$m=256,t=17,p=1$" + salt + "$" + key,
		"no lanes":              "$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + key,
		"many lanes":            "$argon2id$v=19$m=256,t=2,p=17$" + salt + "$" + key,
		"lanes beyond 8 bits":   "$argon2id$v=19$m=256,t=2,p=257$" + salt + "$" + key,
		"leading zero":          "$argon2id$v=19$m=0256,t=2,p=1$" + salt + "$" + key,
		"plus sign":             "$argon2id$v=19$m=+256,t=2,p=1$" + salt + "$" + key,
		"another order":         "$argon2id$v=19$t=2,m=256,p=1$" + salt + "$" + key,
		"a cost left out":       "$argon2id$v=19$m=256,t=2$" + salt + "$" + key,
		"a key id":              "$argon2id$v=19$m=256,t=2,p=1,keyid=AA$" + salt + "$" + key,
		"short salt":            "$argon2id$v=19$m=256,t=2,p=1$c29tZQ$" + key,
		"no salt":               "$argon2id$v=19$m=256,t=2,p=1$$" + key,
		"short key":             "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$nf65EA",
		"no key":                "$argon2id$v=19$m=256,t=2,p=1$" + salt,
		"padding":               "$argon2id$v=19$m=256,t=2,p=1$" + salt + "=$" + key,
		"stray bits":            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHR$" + key,
		"line break":            "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key + "\n",
		"the other alphabet":    "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + strings.ReplaceAll(key, "/", "_"),
		"something behind":      "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key + "$",
		"endless":               "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + strings.Repeat("A", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePasswordHash(text)
			if !errors.Is(err, ErrHashFormat) || got.key != nil {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
		})
	}
}

func FuzzParsePasswordHash(f *testing.F) {
	for _, text := range knownHashes {
		f.Add(text)
	}
	f.Add("$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHR$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParsePasswordHash(text)
		if err != nil {
			if !errors.Is(err, ErrHashFormat) || h.key != nil {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if got := h.Reveal(); got != text {
			t.Fatalf("%q reveals as %q", text, got)
		}
		if err := h.params.check(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
