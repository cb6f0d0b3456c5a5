package inbox

import (
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/store"
)

// pull answers a key once everything is settled.
func (g *rig) pull(u hongyan.UserID, key hongyan.SyncKey, limit int, types ...hongyan.Type) (Page, error) {
	g.t.Helper()
	r := g.e.Read()
	page, err := r.Pull(u, key, types, limit)
	if released, lost := release(r); !released || lost != nil {
		g.t.Fatalf("released %v, %v", released, lost)
	}
	return page, err
}

// mustPull is pull for keys in order.
func (g *rig) mustPull(u hongyan.UserID, key hongyan.SyncKey, limit int, types ...hongyan.Type) Page {
	g.t.Helper()
	page, err := g.pull(u, key, limit, types...)
	if err != nil {
		g.t.Fatal(err)
	}
	return page
}

// key is what a device of u has that has seen everything up to v.
func (g *rig) key(u hongyan.UserID, v hongyan.Version) hongyan.SyncKey {
	return hongyan.KeyAt(g.e.Generation(), u, v)
}

// trim takes u's message entries up to v away.
func trim(u hongyan.UserID, v hongyan.Version) func(tx *Tx) error {
	return func(tx *Tx) error { store.TrimEntries(tx.Tx, u, 0, store.TrimLine{Line: v}); return nil }
}

func TestResets(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(message("one", 1, 2))
	one := g.newest(2)
	g.must(message("two", 1, 2), setting(2, "s"))
	state := g.newest(2)
	g.must(trim(2, one))
	for _, test := range []struct {
		name  string
		key   hongyan.SyncKey
		types []hongyan.Type
		want  ResetReason
		code  hongyan.Code
	}{
		{name: "first", want: ResetFirst},
		{name: "before there was anything", key: g.key(2, 0), want: ResetTrimmed},
		{name: "below the line", key: g.key(2, one-1), want: ResetTrimmed},
		{name: "below the line, but of no matter", key: g.key(2, one-1), types: []hongyan.Type{hongyan.TypeSetting}},
		{name: "below the line, with others", key: g.key(2, one-1),
			types: []hongyan.Type{hongyan.TypeSetting, hongyan.TypeMessage}, want: ResetTrimmed},
		{name: "at the line", key: g.key(2, one)},
		{name: "at the head", key: g.key(2, state)},
		{name: "ahead", key: g.key(2, state+1), code: hongyan.KeyAhead},
		{name: "another account's", key: g.key(1, one), code: hongyan.KeyInvalid},
		{name: "another generation", key: hongyan.KeyAt(g.e.Generation()+1, 2, state+1), want: ResetGeneration},
	} {
		t.Run(test.name, func(t *testing.T) {
			page, err := g.pull(2, test.key, 10, test.types...)
			codeOf(t, err, test.code)
			if page.Reset != test.want {
				t.Errorf("reset for the reason %d, want %d", page.Reset, test.want)
			}
			if test.want != NoReset && (len(page.Entries) > 0 || page.Key != g.key(2, state)) {
				t.Errorf("the reset is %+v, want no entries and the head %x", page, state)
			}
		})
	}
}

// TestResetIsNotBelowTheLine reads while the round that trims past the last durable entry is not durable itself.
func TestResetIsNotBelowTheLine(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.must(message("one", 1, 2))
	one := g.newest(2)
	g.must(message("two", 1, 2))
	r, _ := g.commit(func(tx *Tx) error {
		if err := message("three", 1, 2)(tx); err != nil {
			return err
		}
		return trim(2, tx.Newest())(tx)
	})
	read := g.e.Read()
	page, err := read.Pull(2, g.key(2, one), nil, 10)
	if err != nil || page.Reset != ResetTrimmed {
		t.Fatalf("the page is %+v, %v", page, err)
	}
	if released, _ := release(read); released {
		t.Error("an answer was released that shows a round before it is durable")
	}
	g.settle(r)
	if next := g.mustPull(2, page.Key, 10); next.Reset != NoReset {
		t.Errorf("the key of a reset is reset for the reason %d", next.Reset)
	}
}
