package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan"
)

func open(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func entry(n int) Entry { return Entry{RequestID: fmt.Sprint(n), Report: Report{Client: "test"}} }

func (l *Log) must(t *testing.T, limit int) []Entry {
	t.Helper()
	list, err := l.List(limit)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestReportsAreBounded adds far more than is kept: the latest are there, in order, and the disk holds no more than it may.
func TestReportsAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir)
	l.half = 4000
	const added = 500
	for n := range added {
		if err := l.Add(entry(n)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(l *Log) {
		t.Helper()
		list := l.must(t, added)
		if len(list) < 20 || len(list) == added {
			t.Fatalf("%d reports are kept", len(list))
		}
		for i, e := range list {
			if want := fmt.Sprint(added - 1 - i); e.RequestID != want {
				t.Fatalf("report %d is %s, want %s", i, e.RequestID, want)
			}
		}
		if got := l.must(t, 3); len(got) != 3 || got[0].RequestID != fmt.Sprint(added-1) {
			t.Errorf("the latest three are %v", got)
		}
	}
	check(l)
	var disk int64
	for _, name := range []string{newer, older} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s may be read by others: %v", name, info.Mode())
		}
		disk += info.Size()
	}
	if disk > 2*l.half {
		t.Errorf("they take %d bytes, more than %d", disk, 2*l.half)
	}
	check(open(t, dir)) // after a restart
}

// TestALineThatACrashHasCut is passed over, and what comes after it is not lost with it.
func TestALineThatACrashHasCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir)
	if err := l.Add(entry(1)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, newer)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(text, text[:len(text)/2]...), 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	if err := l.Add(entry(2)); err != nil {
		t.Fatal(err)
	}
	if list := l.must(t, 10); len(list) != 2 || list[0].RequestID != "2" || list[1].RequestID != "1" {
		t.Errorf("the reports are %v", list)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	r, err := Parse([]byte(`{"client":"go\u001b[2J","sinceMs":"5","waiting":2,"password":"x","attempts":[{"transport":"tls",
		"address":"a:1","atMs":"7","tookMs":3,"stage":"connect","error":"` + strings.Repeat("雁", 1000) + `","body":"secret"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if r.Client != "go [2J" || r.SinceMS != 5 || r.Waiting != 2 || len(r.Attempts) != 1 || r.Attempts[0].TookMS != 3 {
		t.Errorf("read as %+v", r)
	}
	if n := utf8.RuneCountInString(r.Attempts[0].Error); n != MaxText {
		t.Errorf("%d characters are kept", n)
	}
	if kept, _ := json.Marshal(r); strings.Contains(string(kept), "secret") || strings.Contains(string(kept), "password") {
		t.Errorf("kept %s", kept)
	}
	for text, code := range map[string]hongyan.Code{
		``: hongyan.Invalid, `[]`: hongyan.Invalid, `{"sinceMs":5}`: hongyan.Invalid, `{"waiting":-1}`: hongyan.Invalid,
		`{"attempts":[` + strings.Repeat("{},", MaxAttempts) + `{}]}`: hongyan.TooMany,
	} {
		if _, err := Parse([]byte(text)); hongyan.CodeOf(err) != code {
			t.Errorf("%.20s: %v", text, err)
		}
	}
}

// FuzzParse: what is read is bounded, printable, and reads back as it was kept.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"client":"a","sinceMs":"1","attempts":[{"error":"\u0000\ud800"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Parse(body)
		if err != nil {
			return
		}
		kept, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(kept)
		if err != nil {
			t.Fatal(err)
		}
		if twice, _ := json.Marshal(again); string(twice) != string(kept) {
			t.Errorf("kept %s, and then %s", kept, twice)
		}
	})
}
