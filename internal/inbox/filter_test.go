package inbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// someFilter is a filter of the ids 0 to n-1 of account 1.
func someFilter(n uint64) *hourFilter {
	f := &hourFilter{}
	for i := range n {
		f.add(filterIDOf(1, clientID(i)))
	}
	return f
}

func TestFilter(t *testing.T) {
	t.Parallel()
	const n = 50_000
	f := someFilter(n)
	read, err := unmarshalFilter(f.marshal())
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i := range uint64(n) {
		if id := filterIDOf(1, clientID(i)); !f.mayHold(id) || !read.mayHold(id) {
			t.Fatalf("id %d is not in its filter", i)
		}
		other := filterIDOf(2, clientID(i))
		if f.mayHold(other) {
			wrong++
		}
		if f.mayHold(other) != read.mayHold(other) {
			t.Fatalf("id %d: the filter answers otherwise than the one it was read from", i)
		}
	}
	if rate := float64(wrong) / n; rate > 0.005 {
		t.Errorf("%.2f %% of other ids look as if they were in the filter", 100*rate)
	}
	if want := f.bytes(); want > 8*n || read.bytes() != want {
		t.Errorf("the filter takes %d bytes, read back %d", want, read.bytes())
	}
	read.add(filterIDOf(3, clientID(1)))
	if !read.mayHold(filterIDOf(3, clientID(1))) {
		t.Error("an id that was added to a filter read back is not in it")
	}
}

// TestFilterBits pins which bits an id sets: filters on disks depend on it.
func TestFilterBits(t *testing.T) {
	t.Parallel()
	f := newBloom(10 * idsOfBlock)
	f.add(filterIDOf(0x0102030405060708, hongyan.ClientID([]byte("0123456789abcdef"))))
	raw := f.appendTo(nil)
	var set []int
	for i, b := range raw[4:] {
		for bit := range 8 {
			if b>>bit&1 != 0 {
				set = append(set, 8*i+bit)
			}
		}
	}
	if want := []int{4664, 4675, 4758, 4837, 4875, 4938, 5003, 5073}; !slices.Equal(set, want) {
		t.Errorf("the bits are %v, want %v", set, want)
	}
}

// TestLargeFilterIsWrittenInPieces closes an hour whose filter is larger than what a round may carry.
func TestLargeFilterIsWrittenInPieces(t *testing.T) {
	t.Parallel()
	const n = 200_000
	g := newRig(t)
	g.must(func(*Tx) error { return nil })
	g.loadFilters()
	hour := hourOf(g.nowMS)
	for i := range uint64(n) {
		g.e.dedupe.add(filterIDOf(1, clientID(i)))
	}
	size := len(g.e.dedupe.hours[hour].marshal())
	g.nowMS += hourMS
	stored := func() (n int, err error) {
		view := g.e.store.View()
		defer view.Close()
		raw, err := store.GetFilter(view, hour)
		if err != nil {
			t.Fatal(err)
		}
		_, err = unmarshalFilter(raw)
		return len(raw), err
	}
	for before := 0; before < size; {
		g.must(func(*Tx) error { return nil })
		now, err := stored()
		if now-before > store.MaxFilterPiece || now == before {
			t.Fatalf("a round has written %d bytes of a filter", now-before)
		}
		if (err == nil) != (now == size) {
			t.Fatalf("%d of %d bytes are read with the error %v", now, size, err)
		}
		before = now
	}
	rounds := g.e.Counts().Rounds
	g.must(func(*Tx) error { return nil })
	if g.e.Counts().Rounds != rounds {
		t.Error("a filter was written further than to its end")
	}
	// A restart reads it, and does not go through the hour's records: there are none.
	g.open()
	g.must(func(*Tx) error { return nil })
	g.loadFilters()
	if f := g.e.dedupe.hours[hour]; !f.complete || f.dropped || !f.mayHold(filterIDOf(1, clientID(n-1))) {
		t.Errorf("after a restart the filter does not hold what it held")
	}
}

// TestFilterOfARunawayHour commits more in one hour than the filters have room for.
func TestFilterOfARunawayHour(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	start := g.nowMS
	g.first(1, 1, start)
	g.nowMS += hourMS
	g.must(func(*Tx) error { return nil })
	g.e.dedupe.limit = 40 << 10 // one segment fits, two do not
	for n := uint64(2); n < 2+firstRoom+1; n++ {
		g.e.dedupe.add(filterIDOf(2, clientID(n)))
	}
	g.first(1, 2, g.nowMS)
	g.again(1, 1, start)
	g.again(1, 2, g.nowMS)
	if g.e.dedupe.bytes > g.e.dedupe.limit {
		t.Errorf("the filters take %d bytes, the limit is %d", g.e.dedupe.bytes, g.e.dedupe.limit)
	}
	// The hour closes without a filter, and the next one begins with an empty one.
	hour := hourOf(g.nowMS)
	g.nowMS += hourMS
	g.first(1, 3, g.nowMS)
	view := g.e.store.View()
	defer view.Close()
	if raw, err := store.GetFilter(view, hour); raw != nil || err != nil {
		t.Errorf("a filter of %d bytes was written for an hour that has none, %v", len(raw), err)
	}
	if !g.e.dedupe.unseen(hourOf(g.nowMS), filterIDOf(1, clientID(4))) {
		t.Error("the new hour has no filter either")
	}
}

// TestFilterThatComesLate loads the filter of the hour of a restart when that hour's own was dropped already: what was
// committed after the restart is in neither.
func TestFilterThatComesLate(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	start := g.nowMS
	g.first(1, 1, start)
	g.open()
	view := g.e.store.View()
	late, err := LoadFilter(view, hourOf(start), func() bool { return true })
	view.Close()
	if err != nil {
		t.Fatal(err)
	}
	g.first(1, 2, start)
	g.e.dedupe.limit = 0
	g.nowMS += hourMS
	g.first(1, 3, g.nowMS)
	g.e.dedupe.limit = MaxFilterBytes
	g.must(late.Do)
	g.again(1, 1, start)
	g.again(1, 2, start)
}

// TestFiltersFollowTheEngineClock restarts while the machine's clock is behind what the engine told before.
func TestFiltersFollowTheEngineClock(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	told := g.nowMS
	g.first(1, 1, told)
	g.nowMS -= 5 * hourMS
	g.open()
	g.must(func(*Tx) error { return nil })
	g.loadFilters()
	if !g.e.dedupe.unseen(hourOf(told), filterIDOf(1, clientID(2))) {
		t.Error("the hour in which requests are committed has no filter")
	}
	g.again(1, 1, told)
}

func TestLoadingStops(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(func(tx *Tx) error {
		for n := range uint64(2*goOnEvery + 1) {
			tx.Remember(1, clientID(n), store.Original{})
		}
		return nil
	})
	view := g.e.store.View()
	defer view.Close()
	asked := 0
	f, err := LoadFilter(view, hourOf(g.nowMS), func() bool { asked++; return asked < 2 })
	if f != nil || err != nil || asked != 2 {
		t.Errorf("loaded %v, %v, after %d questions", f, err, asked)
	}
}

// TestDamagedFilter changes and cuts a stored filter: it must be built anew rather than forget a request.
func TestDamagedFilter(t *testing.T) {
	t.Parallel()
	raw := someFilter(10).marshal()
	r := newRand(t)
	for range 1000 {
		b := slices.Clone(raw)
		switch r.IntN(3) {
		case 0:
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		case 1:
			b = b[:r.IntN(len(b))]
		case 2:
			b = append(b, byte(r.Uint32()))
		}
		if _, err := unmarshalFilter(b); err == nil {
			t.Fatal("a damaged filter was taken")
		}
	}
	g := newRig(t)
	start := g.nowMS
	g.first(1, 1, start)
	g.must(func(tx *Tx) error { store.PutFilter(tx.Tx, hourOf(start), 0, raw[:len(raw)-1]); return nil })
	g.nowMS += hourMS
	g.open()
	g.must(func(*Tx) error { return nil })
	g.loadFilters()
	if g.e.dedupe.unseen(hourOf(start), filterIDOf(1, clientID(1))) {
		t.Error("the hour was not read from its records")
	}
	g.again(1, 1, start)
}

func FuzzFilter(f *testing.F) {
	f.Add([]byte{})
	f.Add((&hourFilter{}).marshal())
	f.Add(someFilter(1).marshal()[:200])
	f.Add(binary.BigEndian.AppendUint32([]byte{filterFormat, 0, 0, 0, 4, 0, 0, 0, 0}, 1<<31))
	f.Fuzz(func(t *testing.T, raw []byte) {
		read, err := unmarshalFilter(raw)
		if err != nil {
			return
		}
		read.mayHold(filterIDOf(1, clientID(1)))
		if again := read.marshal(); !bytes.Equal(again, raw) {
			t.Fatalf("%x is written back as %x", raw, again)
		}
	})
}

// BenchmarkFilter is what an id that is new costs.
func BenchmarkFilter(b *testing.B) {
	for _, n := range []uint64{1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := someFilter(n)
			for i := range b.N {
				if f.mayHold(filterIDOf(2, clientID(uint64(i)))) {
					continue
				}
			}
		})
	}
}
