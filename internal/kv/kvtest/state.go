package kvtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

func testSnapshot(t *testing.T, s kv.Store) {
	empty := takeSnapshot(t, s)
	set(t, s, pair{"a", "1"}, pair{"b", "1"}, pair{"c", "1"})
	first := takeSnapshot(t, s)
	var b kv.Batch
	b.Set([]byte("a"), []byte("2"))
	b.Delete([]byte("b"))
	b.Set([]byte("d"), []byte("2"))
	commit(t, s, &b)
	second := takeSnapshot(t, s)
	b.Reset()
	b.DeleteRange([]byte("a"), []byte("z"))
	commit(t, s, &b)

	for range 2 {
		expect(t, empty)
		expectNone(t, empty, "a")
		expect(t, first, pair{"a", "1"}, pair{"b", "1"}, pair{"c", "1"})
		expectGet(t, first, "b", "1")
		expectNone(t, first, "d")
		expect(t, second, pair{"a", "2"}, pair{"c", "1"}, pair{"d", "2"})
		expectNone(t, second, "b")
		expectScan(t, second, []byte("a\x00"), nil, true, []pair{{"d", "2"}, {"c", "1"}})
		expect(t, s)
	}
	for _, snapshot := range []kv.Snapshot{second, empty, first} {
		if err := snapshot.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// testSnapshotUnderWriters reads each snapshot twice while writers are at work: it must not move between the readings.
// Two families of keys are written in the same batch, so it must not tear between them either.
func testSnapshotUnderWriters(t *testing.T, s kv.Store) {
	const keys, batches = 8, 100
	write := func(i int) error {
		var b kv.Batch
		setGeneration(&b, 'k', keys, fmt.Sprint(i))
		setGeneration(&b, 'm', keys, fmt.Sprint(i))
		return tryCommit(s, &b)
	}
	if err := write(0); err != nil {
		t.Fatal(err)
	}
	var done atomic.Int32
	writer := func() error {
		defer done.Add(1)
		for i := range batches {
			if err := write(i); err != nil {
				return err
			}
		}
		return nil
	}
	reader := func() error {
		for done.Load() < 2 {
			snapshot := s.Snapshot()
			a, err1 := generation(snapshot, 'k', keys)
			b, err2 := generation(snapshot, 'm', keys)
			again, err3 := generation(snapshot, 'k', keys)
			value, err4 := snapshot.Get([]byte{'m', 3})
			if err := errors.Join(err1, err2, err3, err4, snapshot.Close()); err != nil {
				return err
			}
			if a != b || a != again || string(value) != a {
				return fmt.Errorf("one snapshot showed the batches %q, %q, %q and %q", a, b, again, value)
			}
		}
		return nil
	}
	group(t, writer, writer, reader, reader)
}

func testClosed(t *testing.T, s kv.Store) {
	var b kv.Batch
	b.Set([]byte("a"), []byte("1"))
	c, err := s.Apply(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil && !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Wait after Close: %v, want nil or ErrClosed", err)
	}
	want := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, kv.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", what, err)
		}
	}
	_, err = s.Get([]byte("a"))
	want("Get", err)
	_, err = scan(s, nil, nil, false)
	want("Scan", err)
	_, err = s.Claim(1)
	want("Claim", err)
	_, err = s.Apply(&b)
	want("Apply", err)
	want("Close", s.Close())
	snapshot := s.Snapshot()
	_, err = snapshot.Get([]byte("a"))
	want("Get in a snapshot", err)
	_, err = scan(snapshot, nil, nil, true)
	want("Scan in a snapshot", err)
	want("Close of a snapshot", snapshot.Close())
}

// testCloseWaits closes the store while a snapshot and an iterator are open: both go on, new calls are refused, and
// Close returns when both have ended.
func testCloseWaits(t *testing.T, s kv.Store) {
	set(t, s, pair{"a", "1"}, pair{"b", "2"})
	snapshot, it := takeSnapshot(t, s), startScan(t, s, false)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	for {
		if _, err := s.Get([]byte("a")); errors.Is(err, kv.ErrClosed) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	expect(t, snapshot, pair{"a", "1"}, pair{"b", "2"})
	expectGet(t, snapshot, "b", "2")
	for _, key := range []string{"a", "b"} {
		if !it.Next() || string(it.Key()) != key {
			t.Fatalf("the iterator ended before %q", key)
		}
	}
	select {
	case err := <-closed:
		t.Fatalf("Close returned %v before the snapshot and the iterator had ended", err)
	default:
	}
	if err := errors.Join(it.Close(), snapshot.Close(), <-closed); err != nil {
		t.Fatal(err)
	}
}

// testConcurrentReaders lets readers of every kind run beside writers. Each writer counts up in a key of its own, so a
// reader can tell that what it sees never goes back.
func testConcurrentReaders(t *testing.T, s kv.Store) {
	const writers, batches = 4, 50
	var done atomic.Int32
	functions := make([]func() error, 0, 2*writers)
	for w := range writers {
		key := []byte{'w', byte(w)}
		set(t, s, pair{string(key), "0"})
		functions = append(functions, func() error {
			defer done.Add(1)
			var b kv.Batch
			for i := 1; i <= batches; i++ {
				b.Reset()
				b.Set(key, []byte(strconv.Itoa(i)))
				c, err := s.Apply(&b)
				if err != nil {
					return err
				}
				if got, err := s.Get(key); err != nil || string(got) != strconv.Itoa(i) {
					return fmt.Errorf("right after Apply: %q, %v, want %d", got, err, i)
				}
				if err := c.Wait(); err != nil {
					return err
				}
			}
			return nil
		}, func() error {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			last := make([]int, writers)
			for done.Load() < writers {
				var pairs []pair
				var err error
				if r.IntN(2) == 0 {
					snapshot := s.Snapshot()
					pairs, err = scan(snapshot, []byte("w"), []byte("x"), false)
					err = errors.Join(err, snapshot.Close())
				} else {
					pairs, err = scan(s, []byte("w"), []byte("x"), false)
				}
				if err != nil || len(pairs) != writers {
					return fmt.Errorf("%v, %w", pairs, err)
				}
				for i, p := range pairs {
					n, err := strconv.Atoi(p.value)
					if err != nil || n < last[i] {
						return fmt.Errorf("key %d went from %d to %q", i, last[i], p.value)
					}
					last[i] = n
				}
			}
			return nil
		})
	}
	group(t, functions...)
}
