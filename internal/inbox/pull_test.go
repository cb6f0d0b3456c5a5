package inbox

import (
	"slices"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// names are what a page brings, in order: m for a message, the item otherwise.
func names(page Page) string {
	var list []string
	for _, e := range page.Entries {
		name := "m"
		if e.Type != hongyan.TypeMessage {
			name = string(e.Ref.Item)
		}
		list = append(list, name)
	}
	return strings.Join(list, " ")
}

func TestPullMergesTypes(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(setting(1, "s1"), message("", 1, 2), contact(1, "c1"), message("", 2, 1), setting(1, "s2"), contact(1, "c2"), message("", 1, 2))
	g.must(message("", 1, 2), setting(2, "other's"))
	types := []hongyan.Type{hongyan.TypeContact, hongyan.TypeSetting}
	for _, test := range []struct {
		name  string
		limit int
		types []hongyan.Type
		pages []string
	}{
		{"all at once", 100, nil, []string{"s1 m c1 m s2 c2 m m"}},
		{"as many as there are", 8, nil, []string{"s1 m c1 m s2 c2 m m"}},
		{"threes", 3, nil, []string{"s1 m c1", "m s2 c2", "m m"}},
		{"one by one", 1, nil, []string{"s1", "m", "c1", "m", "s2", "c2", "m", "m"}},
		{"at least one", -1, nil, []string{"s1", "m", "c1", "m", "s2", "c2", "m", "m"}},
		{"two types", 3, types, []string{"s1 c1 s2", "c2"}},
		{"messages", 3, []hongyan.Type{hongyan.TypeMessage}, []string{"m m m", "m"}},
		{"a type without any", 3, []hongyan.Type{hongyan.TypeReceipt}, []string{""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := g.key(1, 0)
			for i, want := range test.pages {
				page := g.mustPull(1, key, test.limit, test.types...)
				if got := names(page); got != want || page.More != (i < len(test.pages)-1) {
					t.Errorf("page %d is %q, more: %v; want %q", i, got, page.More, want)
				}
				again := g.mustPull(1, key, test.limit, test.types...)
				if !slices.EqualFunc(again.Entries, page.Entries, sameEntry) || again.Key != page.Key {
					t.Errorf("page %d is %q the second time", i, names(again))
				}
				key = page.Key
			}
			for _, typ := range hongyan.Types {
				want := hongyan.Version(0)
				if test.types == nil || slices.Contains(test.types, typ) {
					want = g.newest(1) // all was read, so the key stands for all of it
				}
				if key.Seen(typ) != want {
					t.Errorf("in the end the key has seen type %d up to %x, want %x", typ, key.Seen(typ), want)
				}
			}
			if rest := g.mustPull(1, key, 100, test.types...); len(rest.Entries) != 0 || rest.More || rest.Key != key {
				t.Errorf("after the last page comes %+v", rest)
			}
		})
	}
}

// TestPullOfTypesInTurn pulls one type after the other with the same key: each comes once.
func TestPullOfTypesInTurn(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(setting(1, "s1"), contact(1, "c1"), message("", 1), setting(1, "s2"))
	key := g.key(1, 0)
	for _, step := range []struct {
		types []hongyan.Type
		want  string
	}{
		{[]hongyan.Type{hongyan.TypeSetting}, "s1 s2"},
		{[]hongyan.Type{hongyan.TypeSetting, hongyan.TypeMessage}, "m"},
		{nil, "c1"},
		{nil, ""},
	} {
		page := g.mustPull(1, key, 10, step.types...)
		if got := names(page); got != step.want {
			t.Errorf("types %v: %q, want %q", step.types, got, step.want)
		}
		key = page.Key
	}
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(setting(1, "s1"), message("", 1), contact(1, "c1"), message("", 1))
	upTo := g.newest(1)
	g.must(setting(1, "s1"), message("", 1)) // after the reset: not in its backlog, and s1 has moved out of it
	for _, test := range []struct {
		limit int
		pages []string
	}{
		{100, []string{"m c1 m"}},
		{2, []string{"m c1", "m"}},
		{3, []string{"m c1 m"}},
		{1, []string{"m", "c1", "m"}},
	} {
		above := hongyan.Version(0)
		for i, want := range test.pages {
			r := g.e.Read()
			entries, more, err := r.Backlog(1, above, upTo, test.limit)
			r.Close()
			if got := names(Page{Entries: entries}); err != nil || got != want || more != (i < len(test.pages)-1) {
				t.Errorf("limit %d, page %d: %q, more: %v, %v; want %q", test.limit, i, got, more, err, want)
			}
			above = entries[len(entries)-1].Version
		}
	}
	r := g.e.Read()
	defer r.Close()
	if entries, more, err := r.Backlog(1, upTo, upTo, 10); len(entries) != 0 || more || err != nil {
		t.Errorf("the backlog of nothing is %v, %v, %v", entries, more, err)
	}
}

func sameEntry(a, b store.Entry) bool { return a.Version == b.Version && a.Type == b.Type }
