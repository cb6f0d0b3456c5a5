package hongyan

import (
	"bytes"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// randomKeys makes keys with any set of types, and says how to repeat them.
func randomKeys(t *testing.T, n int) (keys []SyncKey) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		k := SyncKey{Generation: r.Uint64() >> r.IntN(65), User: UserID(r.Uint64() >> r.IntN(65))}
		for _, typ := range Types {
			if r.IntN(2) == 0 {
				k.Advance(typ, Version(r.Uint64()>>r.IntN(65)))
			}
		}
		keys = append(keys, k)
	}
	return keys
}

func TestSyncKeyRoundTrip(t *testing.T) {
	t.Parallel()
	keys := append(randomKeys(t, 1000),
		SyncKey{}, SyncKey{Generation: 1}, SyncKey{User: 1}, KeyAt(1, 2, 3), KeyAt(0, 0, 1), KeyAt(1<<64-1, 1<<53-1, 1<<53-1))
	for _, k := range keys {
		token := k.Token()
		got, err := ParseSyncKey(token)
		if err != nil || got != k {
			t.Fatalf("%+v became %x and came back as %+v, %v", k, token, got, err)
		}
		if again := got.Token(); !bytes.Equal(again, token) {
			t.Fatalf("%x encodes to %x", token, again)
		}
		if len(token) > MaxSyncKey {
			t.Fatalf("a token of %d bytes", len(token))
		}
	}
}

// TestSyncKeyEncoding pins the bytes: devices keep them for years.
func TestSyncKeyEncoding(t *testing.T) {
	t.Parallel()
	k := SyncKey{Generation: 0x0102030405060708, User: 17}
	k.Advance(TypeMessage, VersionAt(3, 5))
	k.Advance(TypeSetting, 1)
	const want = "01" + "0102030405060708" + "0000000000000011" +
		"01" + "0000000300000005" + "06" + "0000000000000001" + "4d31370c"
	if got := hex.EncodeToString(k.Token()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b, err := k.AppendBinary([]byte("before"))
	if err != nil || !bytes.Equal(b, append([]byte("before"), k.Token()...)) {
		t.Errorf("appended: %x, %v", b, err)
	}
	if token := (SyncKey{}).Token(); len(token) != 0 {
		t.Errorf("the zero key is %x", token)
	}
}

func TestSyncKeyDamage(t *testing.T) {
	t.Parallel()
	for _, k := range append(randomKeys(t, 20), KeyAt(7, 17, VersionAt(1, 9))) {
		token := k.Token()
		for i := range token {
			for flip := 1; flip < 256; flip++ {
				damaged := bytes.Clone(token)
				damaged[i] ^= byte(flip)
				if got, err := ParseSyncKey(damaged); CodeOf(err) != KeyInvalid || got != (SyncKey{}) {
					t.Fatalf("byte %d of %x flipped by %#x: %+v, %v", i, token, flip, got, err)
				}
			}
			if i > 0 { // the empty token is the zero key
				if _, err := ParseSyncKey(token[:i]); CodeOf(err) != KeyInvalid {
					t.Fatalf("%x cut to %d bytes: %v", token, i, err)
				}
			}
		}
	}
}

// sealed appends the checksum, for keys that are wrong in themselves.
func sealed(t *testing.T, body string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(body, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	sum := crc32.Checksum(b, castagnoli)
	return append(b, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
}

func TestSyncKeyMalformed(t *testing.T) {
	t.Parallel()
	const head = "01 0000000000000001 0000000000000011"
	for name, body := range map[string]string{
		"unknown format":          "02 0000000000000001 0000000000000011",
		"no head":                 "01 00000000",
		"half an item":            head + "01 00000000",
		"type zero":               head + "00 0000000000000001",
		"type of a later version": head + "07 0000000000000001",
		"types out of order":      head + "02 0000000000000001 01 0000000000000001",
		"type twice":              head + "01 0000000000000001 01 0000000000000002",
		"version zero":            head + "01 0000000000000000",
		"the zero key spelt out":  "01 0000000000000000 0000000000000000",
		"too long":                head + strings.Repeat("01 0000000000000001", 300),
	} {
		_, err := ParseSyncKey(sealed(t, body))
		var e *Error
		if !errors.As(err, &e) || e.Code != KeyInvalid || e.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if k, err := ParseSyncKey(sealed(t, head)); err != nil || k != (SyncKey{Generation: 1, User: 17}) {
		t.Errorf("a key that has seen nothing yet: %+v, %v", k, err)
	}
}

func TestSyncKeyVersions(t *testing.T) {
	t.Parallel()
	k := KeyAt(1, 17, 10)
	k.Advance(TypeContact, 12)
	k.Advance(TypeContact, 11) // never back
	k.Advance(TypeMessage, 15)
	for _, tt := range []struct {
		what      string
		got, want Version
	}{
		{"contacts", k.Seen(TypeContact), 12}, {"messages", k.Seen(TypeMessage), 15}, {"groups", k.Seen(TypeGroup), 10},
		{"the whole key", k.Version(), 10}, {"the newest", k.Newest(), 15},
		{"the zero key", SyncKey{}.Version(), 0}, {"the newest of the zero key", SyncKey{}.Newest(), 0},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, tt.got, tt.want)
		}
	}
	if k.IsZero() || !(SyncKey{}).IsZero() || KeyAt(1, 0, 0).IsZero() {
		t.Error("IsZero is wrong")
	}
}

// FuzzSyncKey checks that a token that is accepted is the one and only form of its key.
func FuzzSyncKey(f *testing.F) {
	f.Add([]byte{})
	f.Add(KeyAt(1, 17, 3).Token())
	f.Add(SyncKey{Generation: 1, User: 17}.Token())
	f.Fuzz(func(t *testing.T, data []byte) {
		// As it is, and with a checksum that lets more of it through.
		sum := crc32.Checksum(data, castagnoli)
		sealed := append(bytes.Clone(data), byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
		for _, token := range [][]byte{data, sealed} {
			k, err := ParseSyncKey(token)
			if err != nil {
				if CodeOf(err) != KeyInvalid || k != (SyncKey{}) {
					t.Fatalf("%x: %+v, %v", token, k, err)
				}
				continue
			}
			if again := k.Token(); !bytes.Equal(again, token) {
				t.Fatalf("%x is accepted and encodes to %x", token, again)
			}
			if k.Version() > k.Newest() {
				t.Fatalf("%x: version %d, newest %d", token, k.Version(), k.Newest())
			}
		}
	})
}
