package store

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// refs are references with their bytes, which are on disks.
var refs = []struct {
	ref Ref
	hex string
}{
	{MessageRef(RefMessage, direct, 3), "01 0000000000000001 0000000000000002 0000000000000003"},
	{MessageRef(RefOwn, group, 4), "05 0000000000000000 0000000000000009 0000000000000004"},
	{Ref{Kind: RefRecall, Conversation: direct, Ordinals: []hongyan.Ordinal{3}, By: 7},
		"02 0000000000000001 0000000000000002 0000000000000003 0000000000000007"},
	{Ref{Kind: RefRemoval, Conversation: direct, Ordinals: []hongyan.Ordinal{3, 1}},
		"03 0000000000000001 0000000000000002 0000000000000003 0000000000000001"},
	{Ref{Kind: RefItem, Item: []byte("item")}, "04 6974656d"},
	{Ref{Kind: RefItem}, "04"},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRefs(t *testing.T) {
	t.Parallel()
	for _, test := range refs {
		raw := unhex(t, test.hex)
		if got := appendRef(nil, test.ref); !bytes.Equal(got, raw) {
			t.Errorf("%+v is written %x, want %x", test.ref, got, raw)
		}
		got, err := decodeRef(raw)
		if err != nil || !reflect.DeepEqual(got, test.ref) {
			t.Errorf("%x is read %+v, %v, want %+v", raw, got, err, test.ref)
		}
	}
}

func TestDamagedRefs(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"empty":               "",
		"unknown kind":        "06 0000000000000001 0000000000000002 0000000000000003",
		"kind zero":           "00 0000000000000001 0000000000000002 0000000000000003",
		"no conversation":     "01 0000000000000001",
		"no ordinal":          "01 0000000000000001 0000000000000002",
		"half an ordinal":     "01 0000000000000001 0000000000000002 00000000",
		"two for a message":   "01 0000000000000001 0000000000000002 0000000000000003 0000000000000004",
		"two for one's own":   "05 0000000000000001 0000000000000002 0000000000000003 0000000000000004",
		"recall by nobody":    "02 0000000000000001 0000000000000002 0000000000000003",
		"recall by two":       "02 0000000000000001 0000000000000002 0000000000000003 0000000000000004 0000000000000005",
		"conversation turned": "01 0000000000000002 0000000000000001 0000000000000003",
	} {
		if r, err := decodeRef(unhex(t, s)); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
}

// FuzzRef checks that what is read is written back as it was.
func FuzzRef(f *testing.F) {
	for _, seed := range refs {
		f.Add(unhex(f, seed.hex))
	}
	f.Add([]byte{byte(RefMessage)})
	f.Add(bytes.Repeat([]byte{byte(RefRemoval)}, 200))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decodeRef(raw)
		if err != nil {
			return
		}
		if again := appendRef(nil, r); !bytes.Equal(again, raw) {
			t.Fatalf("%x is read as %+v and written back as %x", raw, r, again)
		}
	})
}
