package kvtest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

func testBatchOrder(t *testing.T, s kv.Store) {
	set(t, s, pair{"old", "1"}, pair{"gone", "1"})
	var b kv.Batch
	b.Set([]byte("twice"), []byte("first"))
	b.Set([]byte("twice"), []byte("second"))
	b.Set([]byte("set-delete"), []byte("1"))
	b.Delete([]byte("set-delete"))
	b.Delete([]byte("delete-set"))
	b.Set([]byte("delete-set"), []byte("1"))
	b.Delete([]byte("gone"))
	b.Delete([]byte("never there"))
	b.Delete([]byte("old"))
	b.Set([]byte("old"), []byte("2"))
	commit(t, s, &b)
	expect(t, s, pair{"delete-set", "1"}, pair{"old", "2"}, pair{"twice", "second"})
}

func testDeleteRange(t *testing.T, s kv.Store) {
	set(t, s, pair{"a", "1"}, pair{"b", "1"}, pair{"b\x00", "1"}, pair{"c", "1"}, pair{"d", "1"}, pair{"\xff", "1"})

	// The range covers what was there and what the batch wrote before it, and nothing that the batch writes after it.
	var b kv.Batch
	b.Set([]byte("bb"), []byte("before"))
	b.Set([]byte("d"), []byte("end is outside"))
	b.DeleteRange([]byte("b"), []byte("d"))
	b.Set([]byte("bc"), []byte("after"))
	commit(t, s, &b)
	expect(t, s, pair{"a", "1"}, pair{"bc", "after"}, pair{"d", "end is outside"}, pair{"\xff", "1"})

	// Ranges of nothing remove nothing.
	b.Reset()
	b.DeleteRange([]byte("d"), []byte("d"))
	b.DeleteRange([]byte("d"), []byte("a"))
	b.DeleteRange([]byte("a"), nil)
	b.DeleteRange(nil, nil)
	b.DeleteRange([]byte("e"), []byte("f"))
	commit(t, s, &b)
	expect(t, s, pair{"a", "1"}, pair{"bc", "after"}, pair{"d", "end is outside"}, pair{"\xff", "1"})

	// Ranges that overlap, in one batch and with writes between them.
	b.Reset()
	b.DeleteRange([]byte("a"), []byte("c"))
	b.Set([]byte("b"), []byte("2"))
	b.DeleteRange([]byte("b"), []byte("b\x00"))
	b.Set([]byte("c"), []byte("2"))
	b.DeleteRange([]byte("bb"), []byte("cc"))
	b.Set([]byte("ca"), []byte("2"))
	commit(t, s, &b)
	expect(t, s, pair{"ca", "2"}, pair{"d", "end is outside"}, pair{"\xff", "1"})

	// From the start to behind the last possible key.
	b.Reset()
	b.Set(repeat(0xff, kv.MaxKey-1), []byte("1"))
	b.DeleteRange(nil, repeat(0xff, kv.MaxKey))
	commit(t, s, &b)
	expect(t, s)
	set(t, s, pair{"a", "again"})
	expect(t, s, pair{"a", "again"})
}

func testBatchReuse(t *testing.T, s kv.Store) {
	var b kv.Batch
	for i := range 3 {
		b.Reset()
		b.Set([]byte{byte(i + 1)}, []byte("kept"))
		commit(t, s, &b)
	}
	expect(t, s, pair{"\x01", "kept"}, pair{"\x02", "kept"}, pair{"\x03", "kept"})
}

func testEmptyBatch(t *testing.T, s kv.Store) {
	var b, empty kv.Batch
	b.Set([]byte("a"), []byte("1"))
	first, err := s.Apply(&b)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, &empty)
	if err := first.Wait(); err != nil {
		t.Fatal(err)
	}
	// Nor is one whose every write is a range of nothing any different.
	empty.DeleteRange([]byte("a"), []byte("a"))
	commit(t, s, &empty)
	expect(t, s, pair{"a", "1"})
}

// testAtomicity looks for half a batch through every kind of reader while batches are written.
func testAtomicity(t *testing.T, s kv.Store) {
	const keys, batches = 16, 100
	var b kv.Batch
	setGeneration(&b, 'k', keys, "0")
	commit(t, s, &b)
	var done atomic.Bool
	reader := func(take func() (kv.Reader, func() error)) func() error {
		return func() error {
			for !done.Load() {
				r, end := take()
				_, err := generation(r, 'k', keys)
				if err := errors.Join(err, end()); err != nil {
					return err
				}
			}
			return nil
		}
	}
	group(t, func() error {
		defer done.Store(true)
		var b kv.Batch
		for i := range batches {
			b.Reset()
			setGeneration(&b, 'k', keys, fmt.Sprint(i))
			if err := tryCommit(s, &b); err != nil {
				return err
			}
		}
		return nil
	}, reader(func() (kv.Reader, func() error) {
		return s, func() error { return nil }
	}), reader(func() (kv.Reader, func() error) {
		snapshot := s.Snapshot()
		return snapshot, snapshot.Close
	}))
}

func testOversize(t *testing.T, s kv.Store) {
	tests := []struct {
		name  string
		write func(b *kv.Batch)
		want  error
	}{
		{"key to set", func(b *kv.Batch) { b.Set(repeat('k', kv.MaxKey+1), nil) },
			&kv.OversizeError{What: "key", Size: kv.MaxKey + 1, Limit: kv.MaxKey}},
		{"key to delete", func(b *kv.Batch) { b.Delete(repeat('k', kv.MaxKey+2)) },
			&kv.OversizeError{What: "key", Size: kv.MaxKey + 2, Limit: kv.MaxKey}},
		{"start of a range", func(b *kv.Batch) { b.DeleteRange(repeat('k', kv.MaxKey+1), []byte("z")) },
			&kv.OversizeError{What: "key", Size: kv.MaxKey + 1, Limit: kv.MaxKey}},
		{"end of a range", func(b *kv.Batch) { b.DeleteRange([]byte("a"), repeat('k', kv.MaxKey+1)) },
			&kv.OversizeError{What: "key", Size: kv.MaxKey + 1, Limit: kv.MaxKey}},
		{"value", func(b *kv.Batch) { b.Set([]byte("k"), make([]byte, kv.MaxValue+1)) },
			&kv.OversizeError{What: "value", Size: kv.MaxValue + 1, Limit: kv.MaxValue}},
		{"no key to set", func(b *kv.Batch) { b.Set(nil, []byte("v")) }, kv.ErrEmptyKey},
		{"no key to delete", func(b *kv.Batch) { b.Delete([]byte{}) }, kv.ErrEmptyKey},
	}
	for _, test := range tests {
		var b kv.Batch
		b.Set([]byte("before"), nil)
		test.write(&b)
		b.Set([]byte("after"), nil)
		_, err := s.Apply(&b)
		var got, want *kv.OversizeError
		switch {
		case errors.As(test.want, &want):
			if !errors.As(err, &got) || *got != *want {
				t.Errorf("%s: %v, want %v", test.name, err, want)
			}
		case !errors.Is(err, test.want):
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	expect(t, s)

	var b kv.Batch
	b.Set(repeat('k', kv.MaxKey), make([]byte, kv.MaxValue))
	b.DeleteRange([]byte("a"), repeat('a', kv.MaxKey))
	commit(t, s, &b)
	if got, err := s.Get(repeat('k', kv.MaxKey)); err != nil || len(got) != kv.MaxValue {
		t.Fatalf("a record at the limits came back with %d bytes, %v", len(got), err)
	}
}

// testLargestBatch writes a batch of exactly MaxBatch bytes and one byte more.
func testLargestBatch(t *testing.T, s kv.Store) {
	const records = kv.MaxBatch / kv.MaxValue
	value := repeat('v', kv.MaxValue-4)
	var b kv.Batch
	for i := range records {
		b.Set([]byte{'k', 'e', 'y', byte(i)}, value)
	}
	if b.Size() != kv.MaxBatch {
		t.Fatalf("the batch has %d bytes", b.Size())
	}
	commit(t, s, &b)
	it, n := s.Scan(nil, nil, false), 0
	for it.Next() {
		n++
	}
	if err := it.Close(); err != nil || n != records {
		t.Fatalf("%d records, %v, want %d", n, err, records)
	}
	b.Set([]byte("x"), nil)
	var oversize *kv.OversizeError
	if _, err := s.Apply(&b); !errors.As(err, &oversize) || oversize.What != "batch" {
		t.Fatalf("a batch of one byte more: %v", err)
	}
	expectNone(t, s, "x")
}
