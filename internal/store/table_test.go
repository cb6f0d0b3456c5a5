package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// TestTable reads and writes a table through transactions and views: a view stays as it was, a transaction sees its own
// writes, and a writer that remembers answers as one that does not.
func TestTable(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	want := func(r Reader, what string, name string) {
		t.Helper()
		a, err := Accounts.Get(r, 1)
		switch {
		case err != nil:
			t.Errorf("%s: %v", what, err)
		case name == "" && a != nil:
			t.Errorf("%s: there is %+v", what, a)
		case name != "" && (a == nil || a.Name != name):
			t.Errorf("%s: there is %+v, want %q", what, a, name)
		}
	}
	empty := g.view()
	tx := g.Begin()
	want(tx, "at first", "")
	Accounts.Put(tx, 1, &Account{Name: "ann"})
	want(tx, "written, to the transaction", "ann")
	want(g.view(), "written, to others", "")
	g.apply(tx)
	want(g.view(), "applied", "ann")
	want(empty, "applied, to an earlier view", "")
	want(g.Begin(), "applied, to the next transaction", "ann")
	g.open()
	want(g.Begin(), "to a writer that remembers nothing", "ann")

	tx = g.Begin()
	Accounts.Put(tx, 1, &Account{Name: "bob"})
	Accounts.Delete(tx, 1)
	want(tx, "deleted, to the transaction", "")
	Accounts.Put(tx, 1, &Account{Name: "cat"})
	want(tx, "written again", "cat")
	Accounts.Delete(tx, 1)
	g.apply(tx)
	want(g.view(), "deleted", "")
	want(g.Begin(), "deleted, to the next transaction", "")
	g.open()
	want(g.Begin(), "deleted, to a writer that remembers nothing", "")
}

// TestTableForgets goes through more records than a writer remembers: what was written in a transaction is still seen.
func TestTableForgets(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	tx := g.Begin()
	Names.Put(tx, "first", new(hongyan.UserID(1)))
	Names.Put(tx, "gone", new(hongyan.UserID(2)))
	Names.Delete(tx, "gone")
	for n := range CachedRecords + 1 {
		if _, err := Cursors.Get(tx, Holder{1, hongyan.DeviceID(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if tx.w.cache.Len() > CachedRecords {
		t.Errorf("the writer remembers %d records", tx.w.cache.Len())
	}
	if u, err := Names.Get(tx, "first"); err != nil || u == nil || *u != 1 {
		t.Errorf("what was written is %v, %v", u, err)
	}
	if u, err := Names.Get(tx, "gone"); err != nil || u != nil {
		t.Errorf("what was deleted is %v, %v", u, err)
	}
}

// TestTablesAtRandom compares two writers, one of which is new for each transaction, with a map.
func TestTablesAtRandom(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	g, forgetful := newRig(t), newRig(t)
	model := map[string]hongyan.UserID{}
	for range 300 {
		forgetful.open()
		txs := []*Tx{g.Begin(), forgetful.Begin()}
		for range r.IntN(20) {
			name := fmt.Sprint("name", r.IntN(20))
			op, value := r.IntN(3), hongyan.UserID(r.Uint64())
			for _, tx := range txs {
				switch op {
				case 0:
					Names.Put(tx, name, &value)
				case 1:
					Names.Delete(tx, name)
				}
			}
			switch op {
			case 0:
				model[name] = value
			case 1:
				delete(model, name)
			}
			for _, tx := range txs {
				u, err := Names.Get(tx, name)
				want, there := model[name]
				if err != nil || (u != nil) != there || u != nil && *u != want {
					t.Fatalf("%s is %v, %v, want %v, %v", name, u, err, want, there)
				}
			}
		}
		g.apply(txs[0])
		forgetful.apply(txs[1])
		for _, of := range []*rig{g, forgetful} {
			var names []string
			if err := ListNames(of.Begin(), "", func(name string, u hongyan.UserID) bool {
				if u != model[name] {
					t.Fatalf("%s is listed as %d", name, u)
				}
				names = append(names, name)
				return true
			}); err != nil || len(names) != len(model) || !slices.IsSorted(names) {
				t.Fatalf("listed %v, %v, want %v", names, err, model)
			}
		}
	}
}

// TestLists goes through the lists of accounts that stand next to each other.
func TestLists(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.write(func(tx *Tx) {
		for u := hongyan.UserID(1); u <= 3; u++ {
			Accounts.Put(tx, u, &Account{Name: fmt.Sprint("user", u)})
			Names.Put(tx, fmt.Sprint("user", u), &u)
			for other := hongyan.UserID(1); other <= 3; other++ {
				Contacts.Put(tx, Pair{u, other}, &Contact{Remark: fmt.Sprint(u, other)})
				Views.Put(tx, Part{u, hongyan.Direct(u, other)}, &ConversationView{Read: hongyan.Ordinal(other)})
				Settings.Put(tx, SettingName{u, fmt.Sprint("s", other)}, &[]byte{byte(other)})
			}
		}
	})
	r := g.view()
	lists := map[string]func(visit func(string) bool) error{
		"names": func(visit func(string) bool) error {
			return ListNames(r, "user1", func(name string, u hongyan.UserID) bool { return visit(fmt.Sprint(name, " ", u)) })
		},
		"accounts": func(visit func(string) bool) error {
			return ListAccounts(r, 1, func(u hongyan.UserID, a *Account) bool { return visit(fmt.Sprint(u, " ", a.Name)) })
		},
		"contacts": func(visit func(string) bool) error {
			return ListContacts(r, 2, 1, func(other hongyan.UserID, c *Contact) bool { return visit(fmt.Sprint(other, " ", c.Remark)) })
		},
		"views": func(visit func(string) bool) error {
			return ListViews(r, 2, func(c hongyan.ConversationID, v *ConversationView) bool { return visit(fmt.Sprint(c, " ", v.Read)) })
		},
		"settings": func(visit func(string) bool) error {
			return ListSettings(r, 2, func(name string, v []byte) bool { return visit(fmt.Sprint(name, " ", v)) })
		},
	}
	for name, want := range map[string][]string{
		"names":    {"user2 2", "user3 3"},
		"accounts": {"2 user2", "3 user3"},
		"contacts": {"2 2 2", "3 2 3"},
		"views":    {"d:1:2 1", "d:2:2 2", "d:2:3 3"},
		"settings": {"s1 [1]", "s2 [2]", "s3 [3]"},
	} {
		for limit := 1; limit <= len(want)+1; limit++ {
			var got []string
			err := lists[name](func(s string) bool { got = append(got, s); return len(got) < limit })
			if err != nil || !slices.Equal(got, want[:min(limit, len(want))]) {
				t.Errorf("%s, %d at most: %q, %v, want %q", name, limit, got, err, want)
			}
		}
	}
}

// TestRememberedRecordsCostNothing pins that a look at a record that the writer remembers reads no store.
func TestRememberedRecordsCostNothing(t *testing.T) {
	g := newRig(t)
	g.write(func(tx *Tx) { Accounts.Put(tx, 1, &Account{Name: "ann"}) })
	tx := g.Begin()
	if err := g.kv.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err := Accounts.Get(tx, 1); err != nil || a == nil || a.Name != "ann" {
		t.Errorf("%+v, %v", a, err)
	}
}
