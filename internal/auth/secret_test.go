package auth

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	pw := password(t, "alice-secret")
	hash, err := newHasher(t, cheap, 1, 0).Hash(t.Context(), seeded(1), pw)
	if err != nil {
		t.Fatal(err)
	}
	device, err := NewDeviceToken(seeded(2), 7, 9)
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewAPIKey(seeded(3))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := NewKeyRing(seeded(4))
	if err != nil {
		t.Fatal(err)
	}
	issued := time.Unix(1_800_000_000, 0)
	access, err := ring.Sign(Ticket{Issued: issued, Expires: issued.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	code, err := NewCode(seeded(5))
	if err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		secret any
		nested any // the same in an unexported field, where fmt finds no methods
		clear  []byte
	}{
		{pw, struct{ in Password }{pw}, []byte("alice-secret")},
		{hash, struct{ in PasswordHash }{hash}, []byte(*hash.key)},
		{device, struct{ in DeviceToken }{device}, []byte(*device.secret)},
		{key, struct{ in APIKey }{key}, []byte(*key.secret)},
		{ring, struct{ in *KeyRing }{ring}, []byte(*ring.keys[0].secret)},
		{*ring, struct{ in KeyRing }{*ring}, []byte(*ring.keys[0].secret)},
		{access, struct{ in AccessToken }{access}, []byte(access.Reveal())},
		{code, struct{ in Code }{code}, []byte(code.Reveal())},
	} {
		t.Run(fmt.Sprintf("%T", test.secret), func(t *testing.T) {
			decimal := strings.Trim(fmt.Sprint(test.clear[:8]), "[]")
			leaks := func(out string) bool {
				out = strings.ToLower(out)
				return strings.Contains(out, strings.ToLower(string(test.clear))) || strings.Contains(out, decimal) ||
					strings.Contains(out, fmt.Sprintf("%x", test.clear[:8])) ||
					strings.Contains(out, strings.ReplaceAll(decimal, " ", ", "))
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%t", "%z"} {
				if got := fmt.Sprintf(verb, test.secret); got != "[redacted]" {
					t.Errorf("%s prints %s", verb, got)
				}
				if got := fmt.Sprintf(verb, test.nested); leaks(got) {
					t.Errorf("%s of a struct around it prints %s", verb, got)
				}
				if got := fmt.Sprintf(verb, []any{test.secret}); !strings.Contains(got, "[redacted]") || leaks(got) {
					t.Errorf("%s of a slice around it prints %s", verb, got)
				}
			}
			got, err := json.Marshal(map[string]any{"secret": test.secret})
			if err != nil || string(got) != `{"secret":"[redacted]"}` {
				t.Errorf("JSON is %s, %v", got, err)
			}
			if got, err := xml.Marshal(test.secret); err != nil || !strings.Contains(string(got), ">[redacted]<") {
				t.Errorf("XML is %s, %v", got, err)
			}
			for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
				"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
				"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			} {
				var out bytes.Buffer
				slog.New(handler(&out)).Info("login", "secret", test.secret, "nested", test.nested)
				if !strings.Contains(out.String(), "[redacted]") || leaks(out.String()) {
					t.Errorf("slog as %s writes %s", name, out.String())
				}
			}
		})
	}
}

func TestRuleErrorsDoNotRepeatThePassword(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"hunter2\n", "hunter2\xff", "hunter2" + strings.Repeat("x", MaxPassword)} {
		_, err := NewPassword(typed)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewPassword(%.10q): %v", typed, err)
		}
	}
}
