package torture

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/history"
	"github.com/hongyan-im/hongyan/wire"
)

const (
	ann, bob = hongyan.UserID(1), hongyan.UserID(2)
)

var talk = hongyan.Direct(ann, bob)

// TestRecordAfterKill cuts a record anywhere in its last line: what is whole is read, and the next life appends behind it.
func TestRecordAfterKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "record.jsonl")
	r, _, err := openRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	first := r.begin(entry{Kind: history.Send, Text: "one"})
	r.add(entry{What: done, Op: first, ID: 7}, nil)
	second := r.begin(entry{Kind: history.Send, Text: "two"})
	r.close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(text) - 1; text[cut-1] != '\n'; cut-- {
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		r, entries, err := openRecord(path)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if len(entries) != 2 || entries[1].ID != 7 || entries[1].Op != first {
			t.Fatalf("cut at %d: %+v", cut, entries)
		}
		if n := r.begin(entry{Text: "again"}); n != second {
			t.Errorf("cut at %d: the next request is number %d, want %d", cut, n, second)
		}
		r.close()
		if _, entries, err = openRecord(path); err != nil || len(entries) != 3 {
			t.Fatalf("cut at %d: %d entries, %v", cut, len(entries), err)
		}
	}
}

func said(n hongyan.Ordinal, text string) *hongyan.Message {
	return &hongyan.Message{
		ID: hongyan.MessageID(100 + n), Conversation: talk, Ordinal: n, From: ann, ClientID: hongyan.ClientID{byte(n)},
		Content: hongyan.Text(text),
	}
}

// rec makes a record of a device by what it tells.
func rec(t *testing.T, d device, tell func(r *recorder)) device {
	t.Helper()
	d.Record = filepath.Join(t.TempDir(), "record.jsonl")
	r, _, err := openRecord(d.Record)
	if err != nil {
		t.Fatal(err)
	}
	tell(r)
	r.close()
	return d
}

// sender is a device of ann that has sent two messages and fetched them.
func sender(t *testing.T) device {
	return rec(t, device{User: ann, Device: 11, Way: linkTCP}, func(r *recorder) {
		for n := hongyan.Ordinal(1); n <= 2; n++ {
			m := said(n, []string{"", "one", "two"}[n])
			op := r.begin(entry{Kind: history.Send, Conversation: talk.String(), Client: m.ClientID[:], Text: m.Content.Text, Patient: true})
			r.add(entry{What: done, Op: op, ID: uint64(m.ID), Ordinal: uint64(n), TimeMS: m.TimeMS}, nil)
		}
		asked := monotonic()
		r.add(entry{What: page, Asked: asked}, &wire.SyncReply{Version: 12, Changes: []*wire.Change{
			wire.FromChange(hongyan.Change{Version: 11, Message: said(1, "one")}),
			wire.FromChange(hongyan.Change{Version: 12, Message: said(2, "two")}),
		}})
	})
}

// TestLoadSDK reads what a device of the SDK was told: a reset, what came before it, what came since, and something twice
// because of a kill. What it was not told is missed.
func TestLoadSDK(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		told []entry
		rule history.Rule
		hold int
	}{
		"in order":          {[]entry{{Ordinal: 1}, {Ordinal: 2}}, "", 2},
		"again":             {[]entry{{Ordinal: 1}, {Ordinal: 1}, {Ordinal: 2}, {Ordinal: 2}}, "", 2},
		"backfilled late":   {[]entry{{Ordinal: 2}, {Ordinal: 1, Backfilled: true}}, "", 2},
		"skipped":           {[]entry{{Ordinal: 2}}, history.Key, 2},
		"the wrong way":     {[]entry{{Ordinal: 2}, {Ordinal: 1}}, history.Versions, 2},
		"not in the store":  {[]entry{{Ordinal: 1}, {Ordinal: 2}}, history.Durable, 1},
		"only in the store": {[]entry{{Ordinal: 1}}, "", 2}, // the program may be behind when all ends
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, texts := sender(t), []string{"", "one", "two"}
			d := rec(t, device{User: bob, Device: 21, Way: sdkTCP}, func(r *recorder) {
				r.add(entry{What: reset}, nil)
				for _, e := range c.told {
					n := hongyan.Ordinal(e.Ordinal)
					change := hongyan.Change{Version: hongyan.Version(20 + n), Message: said(n, texts[n])}
					r.add(entry{What: told, Backfilled: e.Backfilled}, wire.FromChange(change))
				}
				body := new(wire.SyncReply)
				for n := hongyan.Ordinal(1); n <= hongyan.Ordinal(c.hold); n++ {
					body.Changes = append(body.Changes, wire.FromChange(hongyan.Change{Message: said(n, texts[n])}))
				}
				r.add(entry{What: held}, body)
				r.add(entry{What: whole}, nil)
			})
			// Another device of bob's knows what his log has.
			other := rec(t, device{User: bob, Device: 22, Way: poll}, func(r *recorder) {
				r.add(entry{What: page, Asked: monotonic()}, &wire.SyncReply{Version: 22, Changes: []*wire.Change{
					wire.FromChange(hongyan.Change{Version: 21, Message: said(1, "one")}),
					wire.FromChange(hongyan.Change{Version: 22, Message: said(2, "two")}),
				}})
			})
			l, err := load([]device{first, d, other})
			if err != nil {
				t.Fatal(err)
			}
			found := append(history.Check(l.h), history.Linearizable(l.h, 0)...)
			if c.rule == "" && len(found) > 0 {
				t.Fatalf("%v", found)
			}
			if c.rule != "" && !slices.ContainsFunc(found, func(v history.Violation) bool { return v.Rule == c.rule }) {
				t.Fatalf("%v, want one of %s", found, c.rule)
			}
		})
	}
}
