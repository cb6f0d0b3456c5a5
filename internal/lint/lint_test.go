package lint

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// long names the files of this repository that may be longer than maxLines, each with the reason.
var long = map[string]string{}

func TestRepository(t *testing.T) {
	t.Parallel()
	found, err := Check(os.DirFS("../.."), long)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// In the trees below, $ stands for the module's path. want is the start of every violation in order, up to the words
// of the rule; what a tree holds beyond it shows where the rule ends.
var trees = []struct {
	name  string
	files map[string]string
	long  map[string]string
	want  []string
}{
	{
		name: "root",
		files: map[string]string{
			"a.go":      src("hongyan", "fmt", "$/wire", "golang.org/x/sys/unix"),
			"a_test.go": src("hongyan", "go.uber.org/goleak"),
		},
		want: []string{
			"a.go:5: imports wire: the root package [root]",
			"a.go:6: imports golang.org/x/sys/unix: the root package [root]",
		},
	},
	{
		name: "bytes-only",
		files: map[string]string{
			"wire/a.go":             src("wire", "fmt", "net/netip", "net", "time"),
			"internal/ws/a.go":      src("ws", "net/url", "net/http", "os", "log", "log/slog"),
			"internal/ws/a_test.go": src("ws", "net"),
			"internal/gate/a.go":    src("gate", "net", "time"),
		},
		want: []string{
			"internal/ws/a.go:5: imports net/http: wire and internal/ws [bytes-only]",
			"internal/ws/a.go:6: imports os: wire and internal/ws [bytes-only]",
			"internal/ws/a.go:7: imports log: wire and internal/ws [bytes-only]",
			"internal/ws/a.go:8: imports log/slog: wire and internal/ws [bytes-only]",
			"wire/a.go:6: imports net: wire and internal/ws [bytes-only]",
			"wire/a.go:7: imports time: wire and internal/ws [bytes-only]",
		},
	},
	{
		name: "goroutine",
		files: map[string]string{
			"wire/a.go":          src("wire") + "func f() {\n\tgo f()\n}\n",
			"internal/ws/a.go":   src("ws") + "func f() { func() { go f() }() }\n",
			"internal/gate/a.go": src("gate") + "func f() { go f() }\n",
		},
		want: []string{
			"internal/ws/a.go:4: go statement: [goroutine]",
			"wire/a.go:5: go statement: [goroutine]",
		},
	},
	{
		name: "carrier",
		files: map[string]string{
			"internal/carrier/a.go":             src("carrier", "net", "$", "$/internal/reactor"),
			"internal/carrier/a_test.go":        src("carrier", "$/wire"),
			"internal/carrier/carriertest/a.go": src("carriertest", "$/internal/carrier", "$/internal/gate"),
			"internal/gate/a.go":                src("gate", "$/internal/carrier", "$/internal/reactor"),
		},
		want: []string{
			"internal/carrier/a.go:5: imports .: carrier knows bytes [carrier]",
			"internal/carrier/a.go:6: imports internal/reactor: carrier knows bytes [carrier]",
		},
	},
	{
		name: "reactor",
		files: map[string]string{
			"internal/reactor/a.go":      src("reactor", "net", "$/internal/carrier", "$/internal/poll"),
			"internal/reactor/loop/a.go": src("loop", "$/internal/reactor", "$/wire", "$/internal/gate"),
			"internal/reactor/a_test.go": src("reactor", "$/wire", "$/internal/carrier/carriertest"),
			"internal/poll/a.go":         src("poll", "$/wire"),
		},
		want: []string{
			"internal/reactor/a.go:6: imports internal/poll: the reactor [reactor]",
			"internal/reactor/loop/a.go:5: imports wire: the reactor [reactor]",
			"internal/reactor/loop/a.go:6: imports internal/gate: the reactor [reactor]",
		},
	},
	{
		name: "core",
		files: map[string]string{
			"internal/session/a.go":    src("session", "net/netip", "net", "$/internal/gate"),
			"internal/chat/a.go":       src("chat", "net/http", "$/internal/push"),
			"internal/inbox/a.go":      src("inbox", "os", "os/signal"),
			"internal/operation/a.go":  src("operation", "$/internal/reactor"),
			"internal/account/a.go":    src("account", "net/netip", "os"),
			"internal/store/a.go":      src("store", "$/internal/kv", "github.com/cockroachdb/pebble/v2", "github.com/jackc/pgx/v5"),
			"internal/store/b.go":      src("store", "github.com/nats-io/nats.go", "go.etcd.io/bbolt", "database/sql"),
			"internal/store/a_test.go": src("store", "os"),
			"internal/push/a.go":       src("push", "$/internal/gate"),
		},
		want: []string{
			"internal/account/a.go:5: imports os: session, [core]",
			"internal/chat/a.go:4: imports net/http: session, [core]",
			"internal/chat/a.go:5: imports internal/push, which imports internal/gate: session, [core]",
			"internal/inbox/a.go:4: imports os: session, [core]",
			"internal/operation/a.go:4: imports internal/reactor: session, [core]",
			"internal/session/a.go:5: imports net: session, [core]",
			"internal/session/a.go:6: imports internal/gate: session, [core]",
			"internal/store/a.go:5: imports github.com/cockroachdb/pebble/v2: session, [core]",
			"internal/store/a.go:6: imports github.com/jackc/pgx/v5: session, [core]",
			"internal/store/b.go:4: imports github.com/nats-io/nats.go: session, [core]",
			"internal/store/b.go:5: imports go.etcd.io/bbolt: session, [core]",
			"internal/store/b.go:6: imports database/sql: session, [core]",
		},
	},
	{
		name: "clock",
		files: map[string]string{
			"internal/session/a.go":      src("session", "time") + "var now, then = time.Now, time.Unix(0, 0)\n",
			"internal/chat/a.go":         "// Package chat is a fixture.\npackage chat\n\nimport clock \"time\"\n\nvar x = clock.Since(clock.Time{})\n",
			"internal/inbox/a.go":        "// Package inbox is a fixture.\npackage inbox\n\nimport . \"time\"\n\nvar x = Now()\n",
			"internal/operation/a.go":    src("operation", "time") + "var a, b, c = time.Until, time.After, time.Sleep\n",
			"internal/store/a.go":        src("store", "time") + "var a, b, c, d = time.AfterFunc, time.NewTimer, time.NewTicker, time.Tick\n",
			"internal/session/a_test.go": src("session", "time") + "var start = time.Now()\n",
			"internal/app/a.go":          src("app", "time") + "var start = time.Now()\n",
		},
		want: []string{
			"internal/chat/a.go:6: time.Since: the clock [clock]",
			"internal/inbox/a.go:4: dot import of time hides its calls: the clock [clock]",
			"internal/operation/a.go:6: time.After: the clock [clock]",
			"internal/operation/a.go:6: time.Sleep: the clock [clock]",
			"internal/operation/a.go:6: time.Until: the clock [clock]",
			"internal/session/a.go:6: time.Now: the clock [clock]",
			"internal/store/a.go:6: time.AfterFunc: the clock [clock]",
			"internal/store/a.go:6: time.NewTicker: the clock [clock]",
			"internal/store/a.go:6: time.NewTimer: the clock [clock]",
			"internal/store/a.go:6: time.Tick: the clock [clock]",
		},
	},
	{
		name: "kv",
		files: map[string]string{
			"internal/chat/a.go":        src("chat", "$/internal/kv"),
			"internal/chat/a_test.go":   src("chat", "$/internal/kv", "$/internal/kv/pebblekv"),
			"internal/store/a.go":       src("store", "$/internal/kv"),
			"internal/app/a.go":         src("app", "$/internal/kv"),
			"internal/sim/a.go":         src("sim", "$/internal/kv"),
			"internal/kv/kvtest/a.go":   src("kvtest", "$/internal/kv"),
			"internal/kv/pebblekv/a.go": src("pebblekv", "$/internal/kv"),
		},
		want: []string{"internal/chat/a.go:4: imports internal/kv: only store [kv]"},
	},
	{
		name: "engines",
		files: map[string]string{
			"internal/store/a.go":           src("store", "$/internal/kv/pebblekv"),
			"internal/kv/pgkv/a.go":         src("pgkv", "$/internal/kv/pebblekv/vfs"),
			"internal/gate/a.go":            src("gate", "$/internal/bus", "$/internal/bus/natsbus"),
			"internal/kv/pebblekv/a.go":     src("pebblekv", "$/internal/kv/pebblekv/vfs"),
			"internal/kv/pebblekv/vfs/a.go": src("vfs", "$/internal/kv/pebblekv"),
			"internal/app/a.go":             src("app", "$/internal/kv/pebblekv", "$/internal/bus/natsbus"),
			"internal/kv/pgkv/pgkv_test.go": src("pgkv", "$/internal/kv/kvtest", "$/internal/kv/pebblekv"),
		},
		want: []string{
			"internal/gate/a.go:5: imports internal/bus/natsbus: only app [engines]",
			"internal/kv/pgkv/a.go:4: imports internal/kv/pebblekv/vfs: only app [engines]",
			"internal/store/a.go:4: imports internal/kv/pebblekv: only app [engines]",
		},
	},
	{
		name: "hints",
		files: map[string]string{
			"internal/inbox/a.go":  src("inbox", "$/internal/bus", "$/internal/notice"),
			"internal/notice/a.go": src("notice", "$/internal/bus"),
		},
		want: []string{
			"internal/inbox/a.go:4: imports internal/bus: hints [hints]",
			"internal/inbox/a.go:5: imports internal/notice, which imports internal/bus: hints [hints]",
		},
	},
	{
		name: "far-side",
		files: map[string]string{
			"client/a.go":                src("client", "$", "$/wire", "$/internal/ws", "$/internal/session"),
			"client/a_test.go":           src("client", "$/internal/app"),
			"internal/inspect/a.go":      src("inspect", "$/internal/inspect/pcap", "$/internal/auth"),
			"internal/inspect/pcap/a.go": src("pcap", "$/wire"),
			"internal/ws/a.go":           src("ws", "$/internal/reactor"),
		},
		want: []string{
			"client/a.go:6: imports internal/ws, which imports internal/reactor: client and [far-side]",
			"client/a.go:7: imports internal/session: client and [far-side]",
			"internal/inspect/a.go:5: imports internal/auth: client and [far-side]",
		},
	},
	{
		name: "tests-only",
		files: map[string]string{
			"internal/app/a.go":           src("app", "$/internal/kv/kvtest", "$/internal/sim", "$/internal/sim/disk"),
			"internal/app/a_test.go":      src("app", "$/internal/kv/kvtest", "$/internal/sim"),
			"internal/gate/gatetest/a.go": src("gatetest", "$/internal/sim", "$/internal/bus/bustest"),
		},
		want: []string{
			"internal/app/a.go:4: imports internal/kv/kvtest: sim and [tests-only]",
			"internal/app/a.go:5: imports internal/sim: sim and [tests-only]",
			"internal/app/a.go:6: imports internal/sim/disk: sim and [tests-only]",
		},
	},
	{
		name: "vague",
		files: map[string]string{
			"internal/util/a.go":       src("util"),
			"internal/text/a.go":       src("helpers"),
			"internal/errors/a.go":     src("failure"),
			"internal/model/a_test.go": src("model_test"),
			"internal/commons/a.go":    src("commons"),
		},
		want: []string{
			"internal/errors/a.go:2: package errors: [vague]",
			"internal/model/a_test.go:2: package model: [vague]",
			"internal/text/a.go:2: package helpers: [vague]",
			"internal/util/a.go:2: package util: [vague]",
		},
	},
	{
		name: "app",
		files: map[string]string{
			"internal/api/a.go":        src("api", "$/internal/app"),
			"examples/echo/main.go":    src("main", "$/internal/app"),
			"cmd/hongyan/main.go":      src("main", "$/internal/app"),
			"internal/app/config/a.go": src("config", "$/internal/app"),
			"internal/sim/a.go":        src("sim", "$/internal/app"),
			"client/a_test.go":         src("client", "$/internal/app"),
		},
		want: []string{
			"examples/echo/main.go:4: imports internal/app: only commands [app]",
			"internal/api/a.go:4: imports internal/app: only commands [app]",
		},
	},
	{
		name: "schema",
		files: map[string]string{
			"client/a.go":      src("client", "$/proto/hongyan/v1"),
			"client/a_test.go": src("client", "$/proto/hongyan/v1"),
			"wire/a.go":        src("wire", "$/proto/hongyan/v1"),
		},
		want: []string{
			"client/a.go:4: imports proto/hongyan/v1: only wire [schema]",
			"client/a_test.go:4: imports proto/hongyan/v1: only wire [schema]",
		},
	},
	{
		name: "print",
		files: map[string]string{
			"internal/api/a.go":      src("api", "fmt", "log") + "func f() {\n\tfmt.Println()\n\tlog.Printf(\"\")\n\t_ = fmt.Sprint()\n}\n",
			"internal/api/b.go":      "// Package api is a fixture.\npackage api\n\nimport out \"fmt\"\n\nvar f = out.Print\n",
			"internal/api/c.go":      "package api\n\nimport . \"fmt\"\n",
			"internal/api/a_test.go": src("api", "fmt") + "func f() { fmt.Println() }\n",
			"cmd/hongyan/main.go":    src("main", "fmt") + "func main() { fmt.Println() }\n",
			"examples/echo/main.go":  src("main", "log") + "func main() { log.Fatal() }\n",
		},
		want: []string{
			"internal/api/a.go:8: fmt.Println: only commands [print]",
			"internal/api/a.go:9: log.Printf: only commands [print]",
			"internal/api/b.go:6: fmt.Print: only commands [print]",
			"internal/api/c.go:3: dot import of fmt hides its calls: only commands [print]",
		},
	},
	{
		name: "skip",
		files: map[string]string{
			"internal/api/a_test.go": src("api", "testing") +
				"func TestA(t *testing.T) {\n\tt.Skip()\n\tt.Run(\"\", func(u *testing.T) { u.SkipNow() })\n}\n" +
				"func help(tb testing.TB) { tb.Skipf(\"\") }\n" +
				"func read(s scanner) { s.Skip() }\n",
		},
		want: []string{
			"internal/api/a_test.go:7: t.Skip: [skip]",
			"internal/api/a_test.go:8: u.SkipNow: [skip]",
			"internal/api/a_test.go:10: tb.Skipf: [skip]",
		},
	},
	{
		name: "unfinished",
		files: map[string]string{
			"internal/api/a.go":      src("api") + "// TO" + "DO: all of it\nvar methodology, hackney int\n",
			"internal/api/a_test.go": src("api") + "var s = `\nFIX" + "ME`\n",
			"internal/api/b.go":      "// Code generated by a fixture. DO NOT EDIT.\n\npackage api\n\n// X" + "XX\n",
		},
		want: []string{
			"internal/api/a.go:4: TO" + "DO: [unfinished]",
			"internal/api/a_test.go:5: FIX" + "ME: [unfinished]",
		},
	},
	{
		name: "length",
		files: map[string]string{
			"internal/api/a.go":      src("api") + strings.Repeat("\n", 498),
			"internal/api/b.go":      src("api") + strings.Repeat("\n", 497),
			"internal/api/c.go":      src("api") + strings.Repeat("\n", 498),
			"internal/api/a_test.go": src("api") + strings.Repeat("\n", 498),
			"internal/api/d.go":      "// Code generated by a fixture. DO NOT EDIT.\n\npackage api\n" + strings.Repeat("\n", 498),
		},
		long: map[string]string{
			"internal/api/b.go":    "not long any more",
			"internal/api/c.go":    "one table that reads best in one piece",
			"internal/api/gone.go": "moved",
		},
		want: []string{
			"internal/api/a.go:501: 501 lines, more than 500: [length]",
			"internal/api/b.go:1: allowed to be long, and is not: [length]",
			"internal/api/gone.go:1: allowed to be long, and is not: [length]",
		},
	},
	{
		name: "package-comment",
		files: map[string]string{
			"internal/api/a.go":        "package api\n",
			"internal/api/b_test.go":   src("api"),
			"internal/auth/a.go":       "package auth\n",
			"internal/auth/doc.go":     src("auth"),
			"internal/auth/a_test.go":  "package auth_test\n",
			"internal/media/a.go":      "// Stores what people send.\npackage media\n",
			"internal/e2e/e2e_test.go": "package e2e\n",
			"cmd/hongyan/main.go":      "package main\n",
			"proto/a.pb.go":            "// Code generated by a fixture. DO NOT EDIT.\n\npackage proto\n",
		},
		want: []string{
			"cmd/hongyan/main.go:1: package main: [package-comment]",
			"internal/api/a.go:1: package api: [package-comment]",
			"internal/e2e/e2e_test.go:1: package e2e: [package-comment]",
			"internal/media/a.go:2: package media: [package-comment]",
		},
	},
	{
		name: "doc",
		files: map[string]string{
			"a.go": src("hongyan") + "func F() {}\n\nfunc f() {}\n\ntype T[P any] struct{}\n\n" +
				"func (t *T[P]) M() {}\n\ntype u struct{}\n\nfunc (u) M() {}\n",
			"wire/a.go": src("wire") + "const A, b = 1, 2\n\n// Numbers.\nconst (\n\tC = 1\n\tD = 2\n)\n\n" +
				"var (\n\tE = 1 // e\n\tG = 2\n)\n\n// H is.\ntype H int\n\n" +
				"const (\n\tI H = iota\n\tJ\n\tK = 3\n)\n\nfunc (H) Error() string { return \"\" }\n\nfunc Error() {}\n",
			"client/cache/a.go":  src("cache") + "type T int\n",
			"client/a_test.go":   src("client") + "func F() {}\n",
			"internal/api/a.go":  src("api") + "func F() {}\n",
			"internal/app/a.go":  src("app") + "type T int\n",
			"internal/chat/a.go": src("chat") + "var V int\n",
		},
		want: []string{
			"a.go:4: F is exported [doc]",
			"a.go:8: T is exported [doc]",
			"a.go:10: M is exported [doc]",
			"client/cache/a.go:4: T is exported [doc]",
			"wire/a.go:4: A is exported [doc]",
			"wire/a.go:14: G is exported [doc]",
			"wire/a.go:23: K is exported [doc]",
			"wire/a.go:28: Error is exported [doc]",
		},
	},
	{
		name: "link",
		files: map[string]string{
			"README.md":                "[a](docs/A.md#part), [b](docs/B.md)\n\n![c](c.png) [d](https://example.com/d) [e](#here)\n",
			"docs/A.md":                "[up](../README.md \"title\") [down](decisions/)\n",
			"docs/decisions/a.md":      "[a](A.md)\n",
			"docs/decisions/README.md": "[a](a.md)\n",
		},
		want: []string{
			"README.md:1: docs/B.md: [link]",
			"README.md:3: c.png: [link]",
			"docs/decisions/a.md:1: A.md: there is no docs/decisions/A.md [link]",
		},
	},
	{
		name: "unlisted",
		files: map[string]string{
			"docs/decisions/README.md": "[a](a.md)\n",
			"docs/decisions/a.md":      "A\n",
			"docs/decisions/b.md":      "B\n",
		},
		want: []string{"docs/decisions/b.md:1: add the decision [unlisted]"},
	},
	{
		name: "elsewhere", // trees that are not ours to judge
		files: map[string]string{
			".git/a.go":                        "package common\n",
			"_old/a.go":                        "package common\n",
			"wire/testdata/a.go":               "package common\n",
			"web/node_modules/flat/util/a.go":  "package util\n",
			"examples/other/go.mod":            "module other\n",
			"examples/other/util/a.go":         "package util\n",
			"internal/session/testdata/bad.go": "no Go at all",
		},
	},
}

func TestTrees(t *testing.T) {
	t.Parallel()
	for _, tree := range trees {
		t.Run(tree.name, func(t *testing.T) {
			t.Parallel()
			fsys := make(fstest.MapFS)
			for name, text := range tree.files {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			found, err := Check(fsys, tree.long)
			if err != nil {
				t.Fatal(err)
			}
			for i := range max(len(found), len(tree.want)) {
				switch {
				case i >= len(tree.want):
					t.Errorf("unwanted: %s", found[i])
				case i >= len(found):
					t.Errorf("missing: %s", tree.want[i])
				case !matches(found[i], tree.want[i]):
					t.Errorf("found %s, want %s", found[i], tree.want[i])
				}
			}
		})
	}
}

// matches compares the start of a violation and its rule.
func matches(v Violation, want string) bool {
	start, rule, _ := strings.Cut(strings.TrimSuffix(want, "]"), " [")
	return v.Rule == rule && strings.HasPrefix(v.String(), start)
}

// TestEveryRule fails for a rule that no tree above breaks.
func TestEveryRule(t *testing.T) {
	t.Parallel()
	broken := make(map[string]bool)
	for _, tree := range trees {
		for _, want := range tree.want {
			_, rule, _ := strings.Cut(strings.TrimSuffix(want, "]"), " [")
			broken[rule] = true
		}
	}
	for _, rule := range importRules {
		if !broken[rule.name] {
			t.Errorf("no tree breaks the import rule %s", rule.name)
		}
	}
	for _, rule := range callRules {
		if !broken[rule.name] {
			t.Errorf("no tree breaks the call rule %s", rule.name)
		}
	}
}

func TestParseError(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"wire/a.go": {Data: []byte("package wire\n\nfunc {\n")}}
	if _, err := Check(fsys, nil); err == nil || !strings.Contains(err.Error(), "wire/a.go:3") {
		t.Fatalf("error %v does not name the file and line", err)
	}
}

// src returns the source of a documented package with the given imports, the first of them on line 4.
func src(pkg string, imports ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "// Package %s is a fixture.\npackage %s\n", pkg, pkg)
	if len(imports) == 0 {
		return b.String() + "\n"
	}
	b.WriteString("import (\n")
	for _, path := range imports {
		fmt.Fprintf(&b, "\t%q\n", strings.Replace(path, "$", module, 1))
	}
	b.WriteString(")\n")
	return b.String()
}
