// Package kvtest is the conformance suite of kv.Store: what an engine must do whatever it is built on. Run checks one
// store from open to close, RunReopen what survives between two openings of the same place.
//
// A suite assumes nothing about the engine but the contract: no files, no clock, no limit on how slow a call may be.
package kvtest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hongyan-im/hongyan/internal/kv"
)

var seedFlag = flag.Uint64("kvtest.seed", 0, "seed of the randomized tests of kvtest; 0 draws one")

// test is one case of the suite, on an empty store.
type test struct {
	name string
	run  func(t *testing.T, s kv.Store)
}

// Run checks the whole contract. open returns a new, empty store each time; the suite closes it. Several may be open
// at a time.
func Run(t *testing.T, open func(t *testing.T) kv.Store) {
	RunReads(t, open)
	run(t, open, []test{
		{"BatchOrder", testBatchOrder},
		{"BatchReuse", testBatchReuse},
		{"EmptyBatch", testEmptyBatch},
		{"Atomicity", testAtomicity},
		{"SnapshotUnderWriters", testSnapshotUnderWriters},
		{"Fence", testFence},
		{"FenceHides", testFenceHides},
		{"FenceRace", testFenceRace},
		{"Oversize", testOversize},
		{"LargestBatch", testLargestBatch},
		{"Closed", testClosed},
		{"CloseWaits", testCloseWaits},
		{"ConcurrentReaders", testConcurrentReaders},
	})
}

// RunReads checks the part of the contract that an engine may keep in one place and break in another, when it holds
// records in several: what is read back. It is part of Run.
func RunReads(t *testing.T, open func(t *testing.T) kv.Store) {
	run(t, open, []test{
		{"Order", testOrder},
		{"Bounds", testBounds},
		{"Values", testValues},
		{"Ownership", testOwnership},
		{"Iterators", testIterators},
		{"Prefixes", testPrefixes},
		{"DeleteRange", testDeleteRange},
		{"Snapshot", testSnapshot},
		{"Metamorphic", testMetamorphic},
	})
}

func run(t *testing.T, open func(t *testing.T) kv.Store, tests []test) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil && !errors.Is(err, kv.ErrClosed) {
					t.Errorf("close at the end of the test: %v", err)
				}
			})
			test.run(t, s)
		})
	}
}

// newRand returns a source whose seed is in the test's log.
func newRand(t *testing.T) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-kvtest.seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// pair is a key and its value.
type pair struct{ key, value string }

func (p pair) String() string { return fmt.Sprintf("%q=%q", p.key, p.value) }

func set(t *testing.T, s kv.Store, pairs ...pair) {
	t.Helper()
	var b kv.Batch
	for _, p := range pairs {
		b.Set([]byte(p.key), []byte(p.value))
	}
	commit(t, s, &b)
}

// commit applies the batch and waits for it.
func commit(t *testing.T, s kv.Store, b *kv.Batch) {
	t.Helper()
	if err := tryCommit(s, b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func tryCommit(s kv.Store, b *kv.Batch) error {
	c, err := s.Apply(b)
	if err != nil {
		return err
	}
	return c.Wait()
}

// scan returns what a walk over the range yields.
func scan(r kv.Reader, from, to []byte, reverse bool) ([]pair, error) {
	var got []pair
	it := r.Scan(from, to, reverse)
	for it.Next() {
		got = append(got, pair{string(it.Key()), string(it.Value())})
	}
	var err error
	if it.Next() {
		err = fmt.Errorf("a walk that had ended went on at %q", it.Key())
	}
	return got, errors.Join(err, it.Close())
}

// expect checks the whole content.
func expect(t *testing.T, r kv.Reader, want ...pair) {
	t.Helper()
	expectScan(t, r, nil, nil, false, want)
}

// differ says where two lists of pairs part, or nothing if they are equal.
func differ(got, want []pair) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("%d pairs, and %v is missing", len(got), want[i])
		case i >= len(want):
			return fmt.Errorf("%d pairs, and %v is too many", len(got), got[i])
		case got[i] != want[i]:
			return fmt.Errorf("pair %d is %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}

// expectScan checks one walk.
func expectScan(t *testing.T, r kv.Reader, from, to []byte, reverse bool, want []pair) {
	t.Helper()
	if err := compareScan(r, from, to, reverse, want); err != nil {
		t.Fatal(err)
	}
}

func compareScan(r kv.Reader, from, to []byte, reverse bool, want []pair) error {
	got, err := scan(r, from, to, reverse)
	if err == nil {
		err = differ(got, want)
	}
	if err != nil {
		return fmt.Errorf("scan from %q to %q (nil: %v), reverse %v: %w", from, to, to == nil, reverse, err)
	}
	return nil
}

// takeSnapshot returns a snapshot that is closed at the end of the test at the latest: an open one keeps the store from
// closing, and so a failed test from ending.
func takeSnapshot(t *testing.T, s kv.Store) kv.Snapshot {
	snapshot := s.Snapshot()
	t.Cleanup(func() { _ = snapshot.Close() })
	return snapshot
}

// startScan does the same with an iterator.
func startScan(t *testing.T, s kv.Store, reverse bool) kv.Iterator {
	it := s.Scan(nil, nil, reverse)
	t.Cleanup(func() { _ = it.Close() })
	return it
}

func expectGet(t *testing.T, r kv.Reader, key, want string) {
	t.Helper()
	got, err := r.Get([]byte(key))
	if err != nil || string(got) != want {
		t.Fatalf("Get(%q) = %q, %v, want %q", key, got, err, want)
	}
}

func expectNone(t *testing.T, r kv.Reader, key string) {
	t.Helper()
	if got, err := r.Get([]byte(key)); !errors.Is(err, kv.ErrNotFound) {
		t.Fatalf("Get(%q) = %q, %v, want ErrNotFound", key, got, err)
	}
}

// group runs the functions at once and reports the errors they return.
func group(t *testing.T, functions ...func() error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(functions))
	for i, f := range functions {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// generation returns the value that all n keys under the prefix hold, or an error if they differ.
func generation(r kv.Reader, prefix byte, n int) (string, error) {
	pairs, err := scan(r, []byte{prefix}, []byte{prefix + 1}, false)
	if err != nil {
		return "", err
	}
	if len(pairs) != n {
		return "", fmt.Errorf("%d keys under %q, want %d", len(pairs), prefix, n)
	}
	for _, p := range pairs {
		if p.value != pairs[0].value {
			return "", fmt.Errorf("half a batch is visible: %v", pairs)
		}
	}
	return pairs[0].value, nil
}

// setGeneration writes one batch that gives n keys under the prefix the same value, by way of a range delete.
func setGeneration(b *kv.Batch, prefix byte, n int, value string) {
	b.DeleteRange([]byte{prefix}, []byte{prefix + 1})
	for i := range n {
		b.Set([]byte{prefix, byte(i)}, []byte(value))
	}
}

func repeat(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
