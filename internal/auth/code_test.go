package auth

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestNewCode(t *testing.T) {
	t.Parallel()
	random := seeded(1)
	seen := make(map[string]bool)
	used := make(map[rune]bool)
	for range 1000 {
		code, err := NewCode(random)
		if err != nil {
			t.Fatal(err)
		}
		text := code.Reveal()
		if len(text) != 14 || text[4] != '-' || text[9] != '-' || seen[text] {
			t.Fatalf("code %q", text)
		}
		seen[text] = true
		for _, r := range strings.ReplaceAll(text, "-", "") {
			used[r] = true
		}
	}
	if len(used) != 32 {
		t.Errorf("%d symbols in use, want 32", len(used))
	}
	for _, r := range "ILOU-" {
		if used[r] {
			t.Errorf("%q is ambiguous", r)
		}
	}
	if _, err := NewCode(bytes.NewReader(make([]byte, 7))); err == nil {
		t.Error("a code from too little randomness")
	}
}

// Sixty bits: every bit of the randomness that is used changes the code.
func TestCodeHoldsSixtyBits(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for bit := range 64 {
		random := make([]byte, 8)
		random[bit/8] = 1 << (bit % 8)
		code, err := NewCode(bytes.NewReader(random))
		if err != nil {
			t.Fatal(err)
		}
		seen[code.Reveal()] = true
	}
	if len(seen) != 60+1 { // the remaining four give the code of zero
		t.Errorf("%d codes, want 61", len(seen))
	}
}

func TestParseCode(t *testing.T) {
	t.Parallel()
	const want = "0123-ABCD-XYZ1"
	for _, typed := range []string{
		want, "0123abcdxyz1", "  0123 abcd xyz1\n", "o123-ABCD-xyzl", "OL23-abcd-XYZi", "0-1-2-3-A-B-C-D-X-Y-Z-1",
		"０１２３－ａｂｃｄ－ＸＹＺ１", "0123\u3000ABCD\u3000XYZ1",
		"0123–ABCD—XYZ1", "0123‐ABCD‑XYZ1", "Ｏ１２３ＡＢＣＤＸＹＺＬ",
	} {
		if code, err := ParseCode(typed); err != nil || code.Reveal() != want {
			t.Errorf("ParseCode(%q): %v", typed, err)
		}
	}
	for _, typed := range []string{
		"", "-", "0123-ABCD-XYZ", "0123-ABCD-XYZ11", "0123-ABCD-XYZU", "0123-ABCD-XYZ*", "0123_ABCD_XYZ1",
		"0123-ABCD-XY\u212a1", "0123-ABCD-XYZ\u0661", "0123-ABCD-XYZ\xff", "0123-ABCD-XYZ\x00", strings.Repeat(" ", 65),
	} {
		var rule *RuleError
		if _, err := ParseCode(typed); !errors.As(err, &rule) || rule.What != "code" {
			t.Errorf("ParseCode(%q): %v, want a *RuleError", typed, err)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	for _, seed := range []string{"0123-ABCD-XYZ1", "ol23abcdxyzi", "０１２３－ａｂｃｄ－ＸＹＺ１", "0123-ABCD-XYZU", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := ParseCode(typed)
		if err != nil {
			return
		}
		again, err := ParseCode(code.Reveal())
		if err != nil || again.Reveal() != code.Reveal() {
			t.Fatalf("%q gives %q, which gives %q, %v", typed, code.Reveal(), again.Reveal(), err)
		}
		if lower, err := ParseCode(strings.ToLower(code.Reveal())); err != nil || lower.Reveal() != code.Reveal() {
			t.Fatalf("%q in lower case: %v", code.Reveal(), err)
		}
	})
}
