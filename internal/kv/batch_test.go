package kv_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

func TestBatchKeepsTheOrderOfWrites(t *testing.T) {
	t.Parallel()
	var b kv.Batch
	b.Set([]byte("a"), []byte("12"))
	b.Delete([]byte("b"))
	b.DeleteRange([]byte("c"), []byte("de"))
	b.Fence(3, 9)
	want := []kv.Op{
		{Kind: kv.OpSet, Key: []byte("a"), Value: []byte("12")},
		{Kind: kv.OpDelete, Key: []byte("b")},
		{Kind: kv.OpDeleteRange, Key: []byte("c"), Value: []byte("de")},
	}
	if b.Len() != len(want) || b.Size() != 7 || b.Check() != nil {
		t.Fatalf("%d writes of %d bytes, %v", b.Len(), b.Size(), b.Check())
	}
	for i, op := range b.Ops() {
		if op.Kind != want[i].Kind || !bytes.Equal(op.Key, want[i].Key) || !bytes.Equal(op.Value, want[i].Value) {
			t.Errorf("write %d is %v, want %v", i, op, want[i])
		}
	}
	if shard, term := b.Fenced(); shard != 3 || term != 9 {
		t.Errorf("fenced by shard %d, term %d", shard, term)
	}
}

func TestBatchReset(t *testing.T) {
	var b kv.Batch
	b.Set([]byte("a"), []byte("1"))
	b.Set(nil, nil)
	b.Fence(1, 2)
	kept := b.Ops()
	b.Reset()
	if b.Len() != 0 || b.Size() != 0 || b.Check() != nil {
		t.Errorf("after Reset: %d writes of %d bytes, %v", b.Len(), b.Size(), b.Check())
	}
	if _, term := b.Fenced(); term != 0 {
		t.Errorf("after Reset: fenced by term %d", term)
	}
	if kept[0].Key != nil || kept[0].Value != nil {
		t.Error("Reset keeps the writes alive")
	}
	key, value := []byte("key"), []byte("value")
	if n := testing.AllocsPerRun(100, func() {
		b.Set(key, value)
		b.Reset()
	}); n != 0 {
		t.Errorf("a batch that is used again allocates %v times", n)
	}
}

func TestBatchLimits(t *testing.T) {
	t.Parallel()
	key, value := make([]byte, kv.MaxKey), make([]byte, kv.MaxValue)
	fill := func(b *kv.Batch, size int) {
		for b.Size()+len(key)+len(value) <= size {
			b.Set(key, value)
		}
		if rest := size - b.Size(); rest > 0 {
			b.Set(key[:1], value[:rest-1])
		}
	}
	tests := []struct {
		name  string
		write func(b *kv.Batch)
		want  error
	}{
		{"largest key and value", func(b *kv.Batch) { b.Set(key, value) }, nil},
		{"largest range", func(b *kv.Batch) { b.DeleteRange(key, key) }, nil},
		{"range from the start", func(b *kv.Batch) { b.DeleteRange(nil, key) }, nil},
		{"largest batch", func(b *kv.Batch) { fill(b, kv.MaxBatch) }, nil},
		{"key", func(b *kv.Batch) { b.Set(append(key, 0), nil) },
			&kv.OversizeError{What: "key", Size: kv.MaxKey + 1, Limit: kv.MaxKey}},
		{"key to delete", func(b *kv.Batch) { b.Delete(append(key, 0)) },
			&kv.OversizeError{What: "key", Size: kv.MaxKey + 1, Limit: kv.MaxKey}},
		{"range", func(b *kv.Batch) { b.DeleteRange(key, append(key, 0)) },
			&kv.OversizeError{What: "key", Size: kv.MaxKey + 1, Limit: kv.MaxKey}},
		{"value", func(b *kv.Batch) { b.Set(key, append(value, 0)) },
			&kv.OversizeError{What: "value", Size: kv.MaxValue + 1, Limit: kv.MaxValue}},
		{"batch", func(b *kv.Batch) { fill(b, kv.MaxBatch); b.Delete(key[:1]) },
			&kv.OversizeError{What: "batch", Size: kv.MaxBatch + 1, Limit: kv.MaxBatch}},
		{"empty key", func(b *kv.Batch) { b.Set(nil, value) }, kv.ErrEmptyKey},
		{"empty key to delete", func(b *kv.Batch) { b.Delete(nil) }, kv.ErrEmptyKey},
	}
	for _, test := range tests {
		var b kv.Batch
		test.write(&b)
		n, size := b.Len(), b.Size()
		if size > kv.MaxBatch {
			t.Errorf("%s: the batch holds %d bytes", test.name, size)
		}
		b.Set([]byte("later"), nil)
		if test.want == nil {
			// Only the full batch has no room for one more write.
			if full := size == kv.MaxBatch; (b.Check() != nil) != full {
				t.Errorf("%s: %v", test.name, b.Check())
			}
			continue
		}
		if b.Len() != n || b.Size() != size {
			t.Errorf("%s: a refused batch still grows", test.name)
		}
		var got, want *kv.OversizeError
		switch {
		case errors.As(test.want, &want):
			if !errors.As(b.Check(), &got) || *got != *want {
				t.Errorf("%s: %v, want %v", test.name, b.Check(), want)
			}
		case !errors.Is(b.Check(), test.want):
			t.Errorf("%s: %v, want %v", test.name, b.Check(), test.want)
		}
	}
}
