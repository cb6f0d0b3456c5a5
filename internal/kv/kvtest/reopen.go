package kvtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

// RunReopen checks what a store keeps when it is closed and opened again. place returns a function that opens one and
// the same place each time it is called, empty at first; the suite closes the store before it opens it again.
func RunReopen(t *testing.T, place func(t *testing.T) (open func() kv.Store)) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, open func() kv.Store)
	}{
		{"Durable", testDurable},
		{"Unwaited", testUnwaited},
		{"Terms", testTerms},
		{"MetamorphicReopen", testMetamorphicReopen},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, place(t))
		})
	}
}

func closeStore(t *testing.T, s kv.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func testDurable(t *testing.T, open func() kv.Store) {
	s := open()
	expect(t, s)
	set(t, s, pair{"a", "1"}, pair{"b", "1"}, pair{"c", "1"}, pair{"\xff", ""})
	closeStore(t, s)

	s = open()
	expect(t, s, pair{"a", "1"}, pair{"b", "1"}, pair{"c", "1"}, pair{"\xff", ""})
	var b kv.Batch
	b.DeleteRange([]byte("a"), []byte("c"))
	b.Set([]byte("b"), []byte("2"))
	b.Delete([]byte("\xff"))
	commit(t, s, &b)
	closeStore(t, s)

	s = open()
	expect(t, s, pair{"b", "2"}, pair{"c", "1"})
	closeStore(t, s)
}

// testUnwaited leaves the last batches unwaited: they may be lost, from the end, but not in part.
func testUnwaited(t *testing.T, open func() kv.Store) {
	const keys, batches = 4, 10
	s := open()
	var b kv.Batch
	setGeneration(&b, 'k', keys, "0")
	commit(t, s, &b)
	for i := 1; i < batches; i++ {
		b = kv.Batch{}
		setGeneration(&b, 'k', keys, fmt.Sprint(i))
		b.Set(fmt.Appendf(nil, "n%d", i), nil)
		if _, err := s.Apply(&b); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = open()
	last, err := generation(s, 'k', keys)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < batches; i++ {
		_, err := s.Get(fmt.Appendf(nil, "n%d", i))
		if there := err == nil; there != (fmt.Sprint(i) <= last) {
			t.Fatalf("batch %d is there: %v, and the last one is %s", i, there, last)
		}
	}
	closeStore(t, s)
}

func testTerms(t *testing.T, open func() kv.Store) {
	s := open()
	claim(t, s, 3, 1)
	claim(t, s, 3, 2)
	claim(t, s, 1<<31, 1)
	if err := fenced(s, 3, 2, "a"); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)

	s = open()
	// The term outlives the process, and so does the refusal.
	if err := fenced(s, 3, 1, "b"); !errors.Is(err, kv.ErrFenced) {
		t.Fatalf("%v, want ErrFenced", err)
	}
	claim(t, s, 3, 3)
	if err := fenced(s, 3, 2, "c"); !errors.Is(err, kv.ErrFenced) {
		t.Fatalf("%v, want ErrFenced", err)
	}
	claim(t, s, 1<<31, 2)
	claim(t, s, 5, 1)
	expect(t, s, pair{"a", "1"})
	var b kv.Batch
	b.DeleteRange(nil, repeat(0xff, kv.MaxKey))
	commit(t, s, &b)
	closeStore(t, s)

	s = open()
	claim(t, s, 3, 4)
	expect(t, s)
	closeStore(t, s)
}

func testMetamorphicReopen(t *testing.T, open func() kv.Store) {
	const rounds, steps = 8, 100
	r := newRand(t)
	m := model{}
	var b kv.Batch
	for round := range rounds {
		s := open()
		for step := range steps {
			if r.IntN(2) == 0 {
				randomBatch(r, &b, round*steps+step)
				commit(t, s, &b)
				m.apply(&b)
			} else if err := compare(r, s, m); err != nil {
				t.Fatalf("round %d, step %d: %v", round, step, err)
			}
		}
		expect(t, s, m.scan(nil, nil, false)...)
		closeStore(t, s)
	}
}
