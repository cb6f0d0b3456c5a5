package kvtest

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// awkward are keys whose order goes wrong under anything but a comparison of bytes: the extremes, prefixes of each
// other, and letters that a collation would sort otherwise.
var awkward = []string{
	"\x00", "\x00\x00", "\x00\x01", "\x00\xff", string(repeat(0, kv.MaxKey)),
	"A", "Z", "_", "a", "a\x00", "a\x00b", "a\xff", "ab", "b", "ä", "ß", "z", "Ä", "中", "\x7f", "\x80",
	"\xfe\xff", "\xff", "\xff\x00", "\xff\xff", string(repeat(0xff, kv.MaxKey-1)), string(repeat(0xff, kv.MaxKey)),
}

func fill(t *testing.T, s kv.Store) []pair {
	t.Helper()
	var pairs []pair
	for _, key := range awkward {
		pairs = append(pairs, pair{key, "value of " + key})
	}
	set(t, s, pairs...)
	slices.SortFunc(pairs, func(a, b pair) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
	return pairs
}

func testOrder(t *testing.T, s kv.Store) {
	pairs := fill(t, s)
	expect(t, s, pairs...)
	for _, p := range pairs {
		expectGet(t, s, p.key, p.value)
	}
	slices.Reverse(pairs)
	expectScan(t, s, nil, nil, true, pairs)
	for _, key := range []string{"", "\x00\x02", "a\x00\x00", "aa", "\xff\xfe", string(repeat(0xff, kv.MaxKey+1))} {
		expectNone(t, s, key)
	}
}

// testBounds walks over every range between two keys of the store, their neighbours, and the two ends.
func testBounds(t *testing.T, s kv.Store) {
	pairs := fill(t, s)
	bounds := [][]byte{nil, {}, repeat(0xff, kv.MaxKey+1)}
	for _, p := range pairs {
		bounds = append(bounds, []byte(p.key), []byte(p.key+"\x00"))
	}
	for _, from := range bounds {
		for _, to := range bounds {
			var want []pair
			for _, p := range pairs {
				if p.key >= string(from) && (to == nil || p.key < string(to)) {
					want = append(want, p)
				}
			}
			for _, reverse := range []bool{false, true} {
				expectScan(t, s, from, to, reverse, want)
				slices.Reverse(want)
			}
		}
	}
}

func testValues(t *testing.T, s kv.Store) {
	var b kv.Batch
	b.Set([]byte("nil"), nil)
	b.Set([]byte("empty"), []byte{})
	b.Set([]byte("zero"), []byte{0})
	b.Set([]byte("bytes"), []byte("\x00\xff'\"\\%\r\n\x80"))
	large := bytes.Repeat([]byte("0123456789abcdef"), kv.MaxValue/16)
	b.Set([]byte("large"), large)
	commit(t, s, &b)
	expectGet(t, s, "nil", "")
	expectGet(t, s, "empty", "")
	expectGet(t, s, "zero", "\x00")
	expectGet(t, s, "bytes", "\x00\xff'\"\\%\r\n\x80")
	if got, err := s.Get([]byte("large")); err != nil || !bytes.Equal(got, large) {
		t.Fatalf("a value of %d bytes came back as %d bytes, %v", len(large), len(got), err)
	}
	set(t, s, pair{"large", "small"}, pair{"zero", ""})
	expect(t, s, pair{"bytes", "\x00\xff'\"\\%\r\n\x80"}, pair{"empty", ""}, pair{"large", "small"}, pair{"nil", ""},
		pair{"zero", ""})
}

// testOwnership changes every slice that the contract leaves to the caller.
func testOwnership(t *testing.T, s kv.Store) {
	key, value, from, to := []byte("key"), []byte("value"), []byte("x"), []byte("y")
	var b kv.Batch
	b.Set([]byte("x1"), nil)
	b.DeleteRange(from, to)
	b.Set(key, value)
	commit(t, s, &b)
	copy(key, "kay")
	copy(value, "other")
	copy(from, "a")
	copy(to, "z")
	expect(t, s, pair{"key", "value"})

	got, err := s.Get([]byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	copy(got, "xxxxx")
	_ = append(got, "yyyyy"...)
	expectGet(t, s, "key", "value")

	snapshot := takeSnapshot(t, s)
	got, err = snapshot.Get([]byte("key"))
	if err := snapshot.Close(); err != nil {
		t.Fatal(err)
	}
	set(t, s, pair{"key", "after"})
	if err != nil || string(got) != "value" {
		t.Fatalf("a value read from a snapshot became %q, %v after its end", got, err)
	}

	set(t, s, pair{"a", "1"}, pair{"b", "2"}, pair{"c", "3"})
	for _, reverse := range []bool{false, true} {
		low, high := []byte("a"), []byte("d")
		it := s.Scan(low, high, reverse)
		copy(low, "c")
		copy(high, "b")
		n := 0
		for it.Next() {
			n++
		}
		if err := it.Close(); err != nil || n != 3 {
			t.Fatalf("the walk followed its bounds after the call: %d keys, %v, want 3", n, err)
		}
	}
}

func testIterators(t *testing.T, s kv.Store) {
	set(t, s, pair{"a", "1"}, pair{"b", "2"}, pair{"c", "3"})
	up, down := startScan(t, s, false), startScan(t, s, true)
	// What is written after the call is not in the walk, whether the walk has passed its place or not.
	if !up.Next() || !down.Next() {
		t.Fatal("no first key")
	}
	var b kv.Batch
	b.Delete([]byte("b"))
	b.Set([]byte("c"), []byte("changed"))
	b.Set([]byte("bb"), []byte("new"))
	commit(t, s, &b)
	for _, want := range []pair{{"a", "1"}, {"b", "2"}, {"c", "3"}} {
		if string(up.Key()) != want.key || string(up.Value()) != want.value {
			t.Fatalf("%q=%q, want %v", up.Key(), up.Value(), want)
		}
		if more := up.Next(); more != (want.key != "c") {
			t.Fatalf("Next after %v returned %v", want, more)
		}
	}
	for range 3 {
		if up.Next() {
			t.Fatal("Next returned true after the end")
		}
	}
	if err := up.Close(); err != nil {
		t.Fatal(err)
	}
	if string(down.Key()) != "c" || string(down.Value()) != "3" || !down.Next() || !down.Next() || string(down.Key()) != "a" {
		t.Fatalf("descending: at %q=%q", down.Key(), down.Value())
	}
	for range 3 {
		if down.Next() {
			t.Fatal("Next returned true after the end of a descending walk")
		}
	}
	if err := down.Close(); err != nil {
		t.Fatal(err)
	}
	// One that is closed in the middle, one that was never begun, and one over nothing.
	half, unused := startScan(t, s, false), startScan(t, s, true)
	if !half.Next() {
		t.Fatal("no first key")
	}
	nothing := s.Scan([]byte("x"), []byte("y"), true)
	for range 2 {
		if nothing.Next() {
			t.Fatal("Next returned true over nothing")
		}
	}
	if err := errors.Join(half.Close(), unused.Close(), nothing.Close()); err != nil {
		t.Fatal(err)
	}
	expect(t, s, pair{"a", "1"}, pair{"bb", "new"}, pair{"c", "changed"})
}

// testPrefixes walks over ranges that lie within one leading part of the key, present or not: what an engine may answer
// from a filter.
func testPrefixes(t *testing.T, s kv.Store) {
	uid := func(letter byte, n byte, rest string) string {
		return string(letter) + string(repeat(0, 7)) + string(n) + rest
	}
	var pairs []pair
	for _, letter := range []byte("cdehimrs") {
		for n := byte(1); n < 8; n += 2 {
			for _, rest := range []string{"", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x00", "\x01", "\xff\xff"} {
				pairs = append(pairs, pair{uid(letter, n, rest), string(letter)})
			}
		}
		pairs = append(pairs, pair{string(letter), "short"}, pair{string(letter) + string(repeat(0xff, 8)), "last"},
			pair{string(letter) + string(repeat(0xff, 20)), "last"})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
	set(t, s, pairs...)
	check := func(from, to string) {
		t.Helper()
		var want []pair
		for _, p := range pairs {
			if p.key >= from && p.key < to {
				want = append(want, p)
			}
		}
		for _, reverse := range []bool{false, true} {
			expectScan(t, s, []byte(from), []byte(to), reverse, want)
			slices.Reverse(want)
		}
	}
	for _, letter := range []byte("cdehimrs") {
		for n := byte(0); n < 9; n++ {
			check(uid(letter, n, ""), uid(letter, n+1, ""))
			check(uid(letter, n, ""), uid(letter, n, "\x01"))
			check(uid(letter, n, "\x00"), uid(letter, n, "\xff"))
			check(uid(letter, n, "\x00\x00"), uid(letter, n, "\x00\xff\x00"))
			check(uid(letter, n, "\x01"), uid(letter, n+1, "\x00"))
			check(uid(letter, n, "\x01"), uid(letter, n+2, ""))
		}
		check(string(letter)+string(repeat(0xff, 8)), string(letter+1))
		check(string(letter)+string(repeat(0xff, 8)), string(letter)+string(repeat(0xff, 16)))
		check(string(letter), string(letter+1))
	}
}
