package store

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// versions lists the versions of u's entries of one type in (above, upTo].
func versions(t *testing.T, r Reader, u hongyan.UserID, typ hongyan.Type, above, upTo hongyan.Version, falling bool) (list []hongyan.Version) {
	t.Helper()
	if err := ListEntries(r, u, typ, above, upTo, falling, func(e Entry) bool {
		if e.Type != typ {
			t.Errorf("an entry of type %d among those of type %d", e.Type, typ)
		}
		list = append(list, e.Version)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEntries(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.write(func(tx *Tx) {
		for _, v := range []hongyan.Version{1, 3, 1 << 32, MaxVersion} {
			AddEntry(tx, 5, Entry{v, hongyan.TypeMessage, MessageRef(RefMessage, direct, hongyan.Ordinal(v))})
		}
		AddEntry(tx, 5, Entry{2, hongyan.TypeContact, Ref{Kind: RefItem, Item: []byte("c")}})
		AddEntry(tx, 6, Entry{2, hongyan.TypeMessage, MessageRef(RefMessage, direct, 1)})
	})
	r := g.view()
	type list = []hongyan.Version
	for _, test := range []struct {
		above, upTo hongyan.Version
		want        list
	}{
		{0, MaxVersion, list{1, 3, 1 << 32, MaxVersion}},
		{0, 0, nil},
		{0, 1, list{1}},
		{1, 3, list{3}},
		{1, 1, nil},
		{3, 1, nil},
		{2, MaxVersion - 1, list{3, 1 << 32}},
		{MaxVersion, MaxVersion, nil},
	} {
		for _, falling := range []bool{false, true} {
			want := slices.Clone(test.want)
			if falling {
				slices.Reverse(want)
			}
			if got := versions(t, r, 5, hongyan.TypeMessage, test.above, test.upTo, falling); !slices.Equal(got, want) {
				t.Errorf("above %d up to %d, falling %v: %v, want %v", test.above, test.upTo, falling, got, want)
			}
		}
	}
	n := 0
	if err := ListEntries(r, 5, hongyan.TypeMessage, 0, MaxVersion, false, func(Entry) bool { n++; return n < 2 }); err != nil || n != 2 {
		t.Errorf("a walk that was stopped came to %d entries, %v", n, err)
	}
}

// TestItemsMove has one entry for each item of a state: the latest.
func TestItemsMove(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	g := newRig(t)
	latest := map[string]hongyan.Version{}
	v := hongyan.Version(0)
	for range 200 {
		if r.IntN(5) == 0 {
			g.open()
		}
		g.write(func(tx *Tx) {
			for range r.IntN(6) {
				v++
				name := fmt.Sprint("item", r.IntN(8))
				latest[name] = v
				if err := MoveItem(tx, 5, hongyan.TypeContact, []byte(name), v); err != nil {
					t.Fatal(err)
				}
				if err := MoveItem(tx, 6, hongyan.TypeContact, []byte("other"), v); err != nil {
					t.Fatal(err)
				}
			}
		})
		got := map[string]hongyan.Version{}
		if err := ListEntries(g.view(), 5, hongyan.TypeContact, 0, MaxVersion, false, func(e Entry) bool {
			got[string(e.Ref.Item)] = e.Version
			return true
		}); err != nil || !reflect.DeepEqual(got, latest) {
			t.Fatalf("the log has %v, %v, want %v", got, err, latest)
		}
		if n := len(versions(t, g.view(), 6, hongyan.TypeContact, 0, MaxVersion, false)); n > 1 {
			t.Fatalf("an item has %d entries", n)
		}
	}
}

func TestHeadAndTrimLine(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	head := func(want hongyan.Version) {
		t.Helper()
		if got, err := Head(g.view(), 5); err != nil || got != want {
			t.Errorf("the head is %d, %v, want %d", got, err, want)
		}
	}
	message := func(v hongyan.Version) func(tx *Tx) {
		return func(tx *Tx) { AddEntry(tx, 5, Entry{v, hongyan.TypeMessage, MessageRef(RefOwn, direct, 1)}) }
	}
	trim := func(from hongyan.Version, to TrimLine) {
		t.Helper()
		before := g.view()
		g.write(func(tx *Tx) { TrimEntries(tx, 5, from, to) })
		// Line and entries are of one moment, in every view.
		for _, r := range []*View{before, g.view()} {
			line, err := TrimLines.Get(r, 5)
			if err != nil {
				t.Fatal(err)
			}
			above := hongyan.Version(0)
			if line != nil {
				above = line.Line
			}
			for _, v := range versions(t, r, 5, hongyan.TypeMessage, 0, MaxVersion, false) {
				if v <= above {
					t.Errorf("entry %d is there and the line at %d", v, above)
				}
			}
		}
	}
	head(0)
	for _, v := range []hongyan.Version{2, 4, 6, 8} {
		g.write(message(v))
		head(v)
	}
	trim(0, TrimLine{Line: 4})
	head(8)
	if got := versions(t, g.view(), 5, hongyan.TypeMessage, 0, MaxVersion, false); !slices.Equal(got, []hongyan.Version{6, 8}) {
		t.Errorf("left are %v", got)
	}
	trim(4, TrimLine{Line: 8, Counted: 8})
	head(8)
	if got := versions(t, g.view(), 5, hongyan.TypeMessage, 0, MaxVersion, false); got != nil {
		t.Errorf("left are %v", got)
	}
	g.write(func(tx *Tx) {
		if err := MoveItem(tx, 5, hongyan.TypeReceipt, []byte("r"), 9); err != nil {
			t.Fatal(err)
		}
	})
	head(9)
	g.write(message(10))
	head(10)
	if n := len(versions(t, g.view(), 5, hongyan.TypeReceipt, 0, MaxVersion, false)); n != 1 {
		t.Errorf("%d states left, which are never trimmed", n)
	}
	line, err := TrimLines.Get(g.view(), 5)
	if want := (TrimLine{Line: 8, Head: 8, Counted: 8}); err != nil || line == nil || *line != want {
		t.Errorf("the line is %+v, %v, want %+v", line, err, want)
	}
}
