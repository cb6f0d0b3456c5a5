package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"
)

var issued = time.Unix(1_800_000_000, 0)

var ticket = Ticket{
	Account: 1<<63 + 7, Device: 1<<62 + 9, Epoch: 3,
	Issued: issued, Expires: issued.Add(time.Hour),
}

func newRing(t testing.TB, seed byte) *KeyRing {
	t.Helper()
	ring, err := NewKeyRing(seeded(seed))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func sign(t testing.TB, ring *KeyRing, ticket Ticket) string {
	t.Helper()
	token, err := ring.Sign(ticket)
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

func TestTicketRoundTrip(t *testing.T) {
	t.Parallel()
	ring := newRing(t, 1)
	text := sign(t, ring, ticket)
	if len(text) != 100 || !strings.HasPrefix(text, AccessTokenPrefix) {
		t.Errorf("text is %q", text)
	}
	got, err := ring.Verify(issued, text)
	if err != nil || got != ticket {
		t.Errorf("got %+v, %v", got, err)
	}

	fraction := ticket
	fraction.Issued = issued.Add(999 * time.Millisecond)
	fraction.Expires = ticket.Expires.Add(time.Millisecond).UTC()
	got, err = ring.Verify(issued, sign(t, ring, fraction))
	if err != nil || got != ticket {
		t.Errorf("with fractions of seconds: got %+v, %v", got, err)
	}
}

// The form of a ticket is for ever, and so is that of a ring: nodes of two releases share them.
func TestTicketTextIsStable(t *testing.T) {
	t.Parallel()
	ring, err := NewKeyRing(bytes.NewReader(bytes.Repeat([]byte{0x11}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	text := sign(t, ring, ticket)
	raw, err := tokenEncoding.DecodeString(text[len(AccessTokenPrefix):])
	if err != nil {
		t.Fatal(err)
	}
	body := "\x11\x11\x11\x11" + "\x80\x00\x00\x00\x00\x00\x00\x07" + "\x40\x00\x00\x00\x00\x00\x00\x09" +
		"\x00\x00\x00\x03" + "\x00\x00\x00\x00\x6b\x49\xd2\x00" + "\x00\x00\x00\x00\x6b\x49\xe0\x10"
	mac := hmac.New(sha256.New, bytes.Repeat([]byte{0x11}, 32))
	mac.Write([]byte("hya_" + body))
	if want := mac.Sum([]byte(body)); !bytes.Equal(raw, want) {
		t.Errorf("got  %x\nwant %x", raw, want)
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	ring := newRing(t, 1)
	for name, test := range map[string]Ticket{
		"no times":          {},
		"no expiry":         {Issued: issued},
		"empty period":      {Issued: issued, Expires: issued.Add(999 * time.Millisecond)},
		"before 1970":       {Issued: time.Unix(-1, 0), Expires: issued},
		"the distant years": {Issued: issued, Expires: time.Unix(maxTicketTime+1, 0)},
	} {
		if token, err := ring.Sign(test); err == nil {
			t.Errorf("%s: signed as %s", name, token.Reveal())
		}
	}
}

func TestVerifyErrors(t *testing.T) {
	t.Parallel()
	ring := newRing(t, 1)
	text := sign(t, ring, ticket)
	raw, err := tokenEncoding.DecodeString(text[len(AccessTokenPrefix):])
	if err != nil {
		t.Fatal(err)
	}
	altered := func(i int) string {
		b := bytes.Clone(raw)
		b[i] ^= 1
		return AccessTokenPrefix + tokenEncoding.EncodeToString(b)
	}
	for name, test := range map[string]struct {
		text string
		now  time.Time
		want error
	}{
		"nothing":               {"", issued, ErrMalformed},
		"another prefix":        {"hyd_" + text[4:], issued, ErrMalformed},
		"cut":                   {text[:99], issued, ErrMalformed},
		"longer":                {text + "A", issued, ErrMalformed},
		"line break":            {text[:50] + "\n" + text[51:], issued, ErrMalformed},
		"four line breaks":      {text[:96] + "\n\r\r\n", issued, ErrMalformed},
		"padding":               {text[:99] + "=", issued, ErrMalformed},
		"another key":           {altered(0), issued, ErrUnknownKey},
		"another account":       {altered(11), issued, ErrBadSignature},
		"another device":        {altered(19), issued, ErrBadSignature},
		"another epoch":         {altered(23), issued, ErrBadSignature},
		"issued otherwise":      {altered(31), issued, ErrBadSignature},
		"expires otherwise":     {altered(39), issued, ErrBadSignature},
		"another signature":     {altered(71), issued, ErrBadSignature},
		"forged and expired":    {altered(40), issued.Add(2 * time.Hour), ErrBadSignature},
		"impossible times":      {altered(34), issued, ErrMalformed},
		"first moment":          {text, issued, nil},
		"clock a little behind": {text, issued.Add(-MaxClockSkew), nil},
		"clock far behind":      {text, issued.Add(-MaxClockSkew - time.Nanosecond), ErrExpired},
		"last moment":           {text, ticket.Expires.Add(-time.Nanosecond), nil},
		"expired":               {text, ticket.Expires, ErrExpired},
	} {
		got, err := ring.Verify(test.now, test.text)
		if err != test.want || err != nil && got != (Ticket{}) {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, test.want)
		}
	}
	for i := range raw { // no bit is left out of the signature
		for bit := range 8 {
			b := bytes.Clone(raw)
			b[i] ^= 1 << bit
			if got, err := ring.Verify(issued, AccessTokenPrefix+tokenEncoding.EncodeToString(b)); err == nil {
				t.Errorf("bit %d of byte %d altered: %+v", bit, i, got)
			}
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	random := seeded(1)
	ring, err := NewKeyRing(random)
	if err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for range MaxKeys + 2 {
		tokens = append(tokens, sign(t, ring, ticket))
		for age := range tokens {
			want := error(nil)
			if age >= MaxKeys {
				want = ErrUnknownKey
			}
			if _, err := ring.Verify(issued, tokens[len(tokens)-1-age]); err != want {
				t.Errorf("after %d rotations: %v, want %v", age, err, want)
			}
		}
		before := ring.Reveal()
		next, err := ring.Rotate(random)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ring.Reveal(), before) {
			t.Error("Rotate changed the ring")
		}
		// A node that has read the ring from its record sees what this one sees.
		if ring, err = ParseKeyRing(next.Reveal()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := newRing(t, 2).Verify(issued, tokens[0]); err != ErrUnknownKey {
		t.Errorf("a ring of its own: %v", err)
	}
}

func TestRotateTakesAnIDThatIsFree(t *testing.T) {
	t.Parallel()
	same := bytes.Repeat([]byte{7}, ringKeySize)
	ring, err := NewKeyRing(bytes.NewReader(same))
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Repeat([]byte{8}, ringKeySize)
	if ring, err = ring.Rotate(bytes.NewReader(append(same, other...))); err != nil {
		t.Fatal(err)
	}
	if len(ring.keys) != 2 || ring.keys[0].id != 0x08080808 {
		t.Errorf("%d keys, current %x", len(ring.keys), ring.keys[0].id)
	}
	if _, err := ring.Rotate(bytes.NewReader(same)); err == nil {
		t.Error("rotated without randomness")
	}
}

func TestParseKeyRingRefuses(t *testing.T) {
	t.Parallel()
	good := newRing(t, 1).Reveal()
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"no key":          {ringVersion},
		"another version": append([]byte{2}, good[1:]...),
		"cut":             good[:len(good)-1],
		"longer":          append(bytes.Clone(good), 0),
		"one key twice":   append(bytes.Clone(good), good[1:]...),
		"too many keys":   append([]byte{ringVersion}, make([]byte, ringKeySize*(MaxKeys+1))...),
	} {
		if _, err := ParseKeyRing(b); !errors.Is(err, ErrKeyRing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	ring := newRing(f, 1)
	text := sign(f, ring, ticket)
	f.Add(text)
	f.Add(sign(f, newRing(f, 2), ticket))
	f.Add(text[:50] + "\r" + text[51:])
	f.Add(text[:40] + strings.Repeat("A", 60))
	f.Fuzz(func(t *testing.T, text string) {
		var raw [ticketBody + ticketMAC]byte
		decoded := decodeTicketText(&raw, text)
		id, parsed, ok := decodeTicket(&raw)
		if ok = ok && decoded; ok {
			again := raw
			encodeTicket(&again, id, parsed)
			if got := AccessTokenPrefix + tokenEncoding.EncodeToString(again[:]); got != text {
				t.Fatalf("%q encodes as %q", text, got)
			}
		}
		got, err := ring.Verify(issued, text)
		if ok == (err == ErrMalformed) {
			t.Fatalf("%q: parsed %v, but %v", text, ok, err)
		}
		if err == nil && sign(t, ring, got) != text {
			t.Fatalf("%q passes, but is signed as %q", text, sign(t, ring, got))
		}
	})
}

func FuzzParseKeyRing(f *testing.F) {
	ring := newRing(f, 1)
	f.Add(ring.Reveal())
	random := seeded(2)
	for range MaxKeys {
		var err error
		if ring, err = ring.Rotate(random); err != nil {
			f.Fatal(err)
		}
		f.Add(ring.Reveal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ring, err := ParseKeyRing(b)
		if err != nil {
			return
		}
		if got := ring.Reveal(); !bytes.Equal(got, b) {
			t.Fatalf("%x reveals as %x", b, got)
		}
		if _, err := ring.Verify(issued, sign(t, ring, ticket)); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

func BenchmarkVerifyTicket(b *testing.B) {
	ring := newRing(b, 1)
	text := sign(b, ring, ticket)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Verify(issued, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignTicket(b *testing.B) {
	ring := newRing(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Sign(ticket); err != nil {
			b.Fatal(err)
		}
	}
}
