package pebblekv

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// TestSplit holds the table that can never change.
func TestSplit(t *testing.T) {
	t.Parallel()
	if comparerName != "hongyan.v1" {
		t.Errorf("the comparer is called %q", comparerName)
	}
	want := map[byte]int{'i': 9, 's': 9, 'c': 9, 'r': 9, 'x': 9, 'p': 9, 'm': 17}
	for letter := range 256 {
		for length := 1; length <= 60; length++ {
			key := append([]byte{byte(letter)}, make([]byte, length-1)...)
			n, cut := want[byte(letter)]
			if !cut || n > length {
				n = length
			}
			if got := split(key); got != n {
				t.Fatalf("a key of %#x with %d bytes is split at %d, want %d", letter, length, got, n)
			}
		}
	}
	if split(nil) != 0 {
		t.Error("the empty key has no prefix")
	}
}

// FuzzComparer checks what Pebble wants of a Split (see base.Split) and what Scan makes of it.
func FuzzComparer(f *testing.F) {
	f.Add([]byte("i\x00\x00\x00\x00\x00\x00\x00\x01\x01"), []byte("i\x00\x00\x00\x00\x00\x00\x00\x02"), []byte("i"))
	f.Add([]byte("m0123456789abcdef\x01"), []byte("m0123456789abcdef"), []byte("m0123456789abcde"))
	f.Add([]byte("i\xff\xff\xff\xff\xff\xff\xff\xff"), []byte("j"), []byte("i\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("d\x00\x00\x00\x01"), []byte{}, []byte("\xff"))
	c := newComparer()
	prefix := func(key []byte) []byte { return key[:c.Split(key)] }
	f.Fuzz(func(t *testing.T, a, b, k []byte) {
		ap, bp := prefix(a), prefix(b)
		order := bytes.Compare(a, b)
		if c.Compare(a, b) != order || c.Equal(a, b) != (order == 0) {
			t.Fatalf("%q and %q are not in the order of bytes", a, b)
		}
		if len(ap) < len(a) && c.Compare(ap, a) >= 0 {
			t.Errorf("the prefix %q does not sort before %q", ap, a)
		}
		if n := c.Split(ap); n != len(ap) {
			t.Errorf("the prefix %q is split at %d", ap, n)
		}
		if order <= 0 && c.Compare(ap, bp) > 0 || c.Compare(ap, bp) < 0 && order >= 0 {
			t.Errorf("%q and %q are in another order than their prefixes %q and %q", a, b, ap, bp)
		}
		if bytes.Equal(ap, bp) && c.ComparePointSuffixes(a[len(ap):], b[len(bp):]) != order {
			t.Errorf("%q and %q are in another order than what follows their prefixes", a, b)
		}
		if order < 0 && len(a) > 0 {
			if s := c.Separator(nil, a, b); c.Compare(a, s) > 0 || c.Compare(s, b) >= 0 {
				t.Errorf("%q does not separate %q and %q", s, a, b)
			}
		}
		if s := c.Successor(nil, a); c.Compare(a, s) > 0 {
			t.Errorf("%q is before %q", s, a)
		}
		// The following prefix: behind a's, with no other prefix and no key of a's prefix between them.
		next := c.ImmediateSuccessor(nil, ap)
		if c.Split(next) != len(next) || c.Compare(ap, next) >= 0 {
			t.Errorf("the prefix after %q is %q", ap, next)
		}
		if kp := prefix(k); c.Compare(kp, ap) > 0 && c.Compare(kp, next) < 0 {
			t.Errorf("the prefix %q is between %q and %q", kp, ap, next)
		}
		if bytes.Equal(prefix(k), ap) && c.Compare(k, next) >= 0 {
			t.Errorf("%q has the prefix %q and is behind %q", k, ap, next)
		}
		// A range within one prefix holds keys of that prefix only.
		if len(b) > 0 && withinPrefix(a, b) && c.Compare(a, k) <= 0 && c.Compare(k, b) < 0 && !bytes.Equal(prefix(k), ap) {
			t.Errorf("%q is in the range from %q to %q", k, a, b)
		}
	})
}

func TestWithinPrefix(t *testing.T) {
	t.Parallel()
	account := "i" + strings.Repeat("\x00", 7) + "\x05"
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{account, account, true},
		{account, account + "\x01", true},
		{account + "\x01\x02", account + "\x01\xff\xff", true},
		{account, "i" + strings.Repeat("\x00", 7) + "\x06", true},
		{account + "\x07", "i" + strings.Repeat("\x00", 7) + "\x06", true},
		{account, "i" + strings.Repeat("\x00", 7) + "\x06\x00", false},
		{account, "j", false},
		{"i" + strings.Repeat("\xff", 8), "j", true},
		{"i" + strings.Repeat("\xff", 8), "j\x00", false},
		{account[:8], account, false},
		{"i", "j", false},
		{"m" + account + "1234567", "m" + account + "1234567\x01", true},
		{"m" + account + "123456", "m" + account + "1234567", false},
		{"d" + account, "d" + account + "\x00", false},
		{"h" + account, "h" + account + "\x00", false},
		{"", "a", false},
	} {
		if got := withinPrefix([]byte(test.from), []byte(test.to)); got != test.want {
			t.Errorf("from %q to %q: %v", test.from, test.to, got)
		}
	}
}

// TestFilters makes sure that scans within one prefix and lookups of absent keys are answered by the filters, on every
// level of the tables.
func TestFilters(t *testing.T) {
	t.Parallel()
	s, err := open("db", Options{FS: vfs.NewMem()}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	account := func(letter byte, n int) []byte { return []byte{letter, 0, 0, 0, 0, 0, 0, byte(n >> 8), byte(n)} }
	const accounts = 500
	fill := func() {
		t.Helper()
		var b kv.Batch
		for n := 0; n < accounts; n += 2 {
			for item := range byte(3) {
				b.Set(append(account('i', n), item), []byte("entry"))
			}
			b.Set(append(account('d', n), 1), []byte("result"))
		}
		c, err := s.Apply(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	// absent reads what is not there and returns the share of the readings that a filter answered.
	absent := func(read func(n int)) float64 {
		t.Helper()
		before := s.db.Metrics().Filter.Hits
		for n := 1; n < accounts; n += 2 {
			read(n)
		}
		return float64(s.db.Metrics().Filter.Hits-before) / (accounts / 2)
	}
	scan := func(n int) {
		it := s.Scan(account('i', n), append(account('i', n), 0xff), false)
		if it.Next() {
			t.Errorf("account %d has %q", n, it.Key())
		}
		if err := it.Close(); err != nil {
			t.Error(err)
		}
	}
	get := func(n int) {
		if value, err := s.Get(append(account('d', n), 1)); err != kv.ErrNotFound {
			t.Errorf("Get: %q, %v", value, err)
		}
	}
	fill()
	if share := absent(scan); share < 0.95 {
		t.Errorf("in a young table the filters answered %.0f %% of the scans", 100*share)
	}
	if share := absent(get); share < 0.95 {
		t.Errorf("in a young table the filters answered %.0f %% of the lookups", 100*share)
	}
	if err := s.db.Compact(t.Context(), []byte("a"), []byte("z"), false); err != nil {
		t.Fatal(err)
	}
	if m := s.db.Metrics(); m.Levels[6].TablesCount == 0 || m.Levels[0].TablesCount != 0 {
		t.Fatalf("the compaction left\n%v", m)
	}
	if share := absent(scan); share < 0.95 {
		t.Errorf("in the lowest level the filters answered %.0f %% of the scans", 100*share)
	}
	// What is there is found, whatever the filters hold, in ranges of any shape.
	r := rand.New(rand.NewPCG(1, 2))
	for n := 0; n < accounts; n += 2 {
		first := byte(r.IntN(3))
		for _, reverse := range []bool{false, true} {
			it, found := s.Scan(append(account('i', n), first), account('i', n+1), reverse), 0
			for it.Next() {
				found++
			}
			if err := it.Close(); err != nil || found != 3-int(first) {
				t.Fatalf("account %d, from item %d, reverse %v: %d items, %v", n, first, reverse, found, err)
			}
		}
	}
}
