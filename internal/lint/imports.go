package lint

import (
	"path"
	"slices"
	"strings"
)

// An importRule binds some files and forbids them some imports.
type importRule struct {
	name    string
	says    string // the rule in words, for the message
	binds   func(f *file) bool
	forbids func(f *file, i imported) bool
	// indirect extends the rule to what the packages of this module that f imports import in turn.
	indirect bool
}

// drivers are the storage engines and brokers behind the contracts kv and bus.
var drivers = []string{
	"database/sql", "github.com/cockroachdb/pebble", "github.com/jackc/pgx", "github.com/nats-io", "go.etcd.io/bbolt",
}

// core is the packages that decide what the product does, without a socket, a disk or a clock.
var core = []string{
	"internal/session", "internal/operation", "internal/account", "internal/chat", "internal/inbox", "internal/store",
}

// codecs are the packages that turn bytes into words and back, and do nothing else.
var codecs = []string{"wire", "internal/ws"}

var importRules = []importRule{
	{
		name:    "root",
		says:    "the root package imports the standard library only",
		binds:   shipped("."),
		forbids: func(_ *file, i imported) bool { return !i.std() },
	},
	{
		name:  "bytes-only",
		says:  "wire and internal/ws work on bytes, without net, net/http, time, os or a logger",
		binds: shippedUnder(codecs...),
		forbids: func(_ *file, i imported) bool {
			return slices.Contains([]string{"net", "net/http", "time", "os", "log", "log/slog"}, i.path)
		},
	},
	{
		name:    "carrier",
		says:    "carrier knows bytes, not protocols, and no other package of this module",
		binds:   shippedUnder("internal/carrier"),
		forbids: func(_ *file, i imported) bool { return i.ours && !under(i.path, "internal/carrier") },
	},
	{
		name:  "reactor",
		says:  "the reactor knows bytes, not protocols: of this module it imports carrier only",
		binds: shippedUnder("internal/reactor"),
		forbids: func(_ *file, i imported) bool {
			return i.ours && i.path != "internal/carrier" && !under(i.path, "internal/reactor")
		},
	},
	{
		name:  "core",
		says:  "session, operation, account, chat, inbox and store see no network, file, carrier or driver",
		binds: shippedUnder(core...),
		forbids: func(_ *file, i imported) bool {
			if i.ours {
				return under(i.path, "internal/carrier", "internal/reactor", "internal/gate")
			}
			return slices.Contains([]string{"net", "net/http", "os"}, i.path) || under(i.path, drivers...)
		},
		indirect: true,
	},
	{
		name: "kv",
		says: "only store and app see kv",
		binds: func(f *file) bool {
			return !f.testOnly && !under(f.dir, "internal/kv", "internal/store", "internal/app")
		},
		forbids: func(_ *file, i imported) bool { return i.ours && under(i.path, "internal/kv") },
	},
	{
		name:  "engines",
		says:  "only app knows the implementations of kv and bus",
		binds: func(f *file) bool { return !f.testOnly && !under(f.dir, "internal/app") },
		forbids: func(f *file, i imported) bool {
			engine := engineOf(i)
			return engine != "" && !under(f.dir, engine)
		},
	},
	{
		name:     "hints",
		says:     "hints are no part of the correctness of inbox",
		binds:    shippedUnder("internal/inbox"),
		forbids:  func(_ *file, i imported) bool { return i.ours && under(i.path, "internal/bus") },
		indirect: true,
	},
	{
		name:  "far-side",
		says:  "client and internal/inspect import no server package",
		binds: shippedUnder("client", "internal/inspect"),
		forbids: func(f *file, i imported) bool {
			own := under(f.dir, "internal/inspect") && under(i.path, "internal/inspect")
			return i.ours && under(i.path, "internal") && !under(i.path, "internal/ws") && !own
		},
		indirect: true,
	},
	{
		name:    "tests-only",
		says:    "sim and the *test packages are imported by tests only",
		binds:   func(f *file) bool { return !f.testOnly },
		forbids: func(_ *file, i imported) bool { return i.ours && testPackage(i.path) },
	},
	{
		name:    "app",
		says:    "only commands and tests start the whole server",
		binds:   func(f *file) bool { return !f.testOnly && !under(f.dir, "cmd", "internal/app") },
		forbids: func(_ *file, i imported) bool { return i.ours && under(i.path, "internal/app") },
	},
	{
		name:    "schema",
		says:    "only wire imports the generated code; use its names",
		binds:   func(f *file) bool { return !under(f.dir, "wire", "proto") },
		forbids: func(_ *file, i imported) bool { return i.ours && under(i.path, "proto") },
	},
}

// shipped binds the files of the package in dir that are no tests, shippedUnder those of whole subtrees.
func shipped(dir string) func(*file) bool {
	return func(f *file) bool { return !f.testOnly && f.dir == dir }
}

func shippedUnder(roots ...string) func(*file) bool {
	return func(f *file) bool { return !f.testOnly && under(f.dir, roots...) }
}

// engineOf returns the folder of the implementation that i belongs to, "" where it belongs to none.
func engineOf(i imported) string {
	for _, contract := range []string{"internal/kv/", "internal/bus/"} {
		rest, ok := strings.CutPrefix(i.path, contract)
		if !i.ours || !ok || testPackage(i.path) {
			continue
		}
		name, _, _ := strings.Cut(rest, "/")
		return contract + name
	}
	return ""
}

func (t *tree) checkImports() {
	next := t.graph()
	for _, f := range t.files {
		for _, i := range f.imports {
			for _, rule := range importRules {
				if !rule.binds(f) {
					continue
				}
				if rule.forbids(f, i) {
					t.report(f, i.pos, rule.name, "imports %s: %s", i.path, rule.says)
				} else if chain := rule.reaches(f, i, next); rule.indirect && chain != nil {
					t.report(f, i.pos, rule.name, "imports %s: %s", strings.Join(chain, ", which imports "), rule.says)
				}
			}
		}
	}
}

// graph returns what each package of this module imports of this module, outside tests.
func (t *tree) graph() map[string][]imported {
	next := make(map[string][]imported)
	for _, f := range t.files {
		for _, i := range f.imports {
			if !f.testOnly && i.ours {
				next[f.dir] = append(next[f.dir], i)
			}
		}
	}
	return next
}

// reaches returns the shortest chain of packages from start to one that the rule forbids f, nil where there is none.
func (r importRule) reaches(f *file, start imported, next map[string][]imported) []string {
	if !start.ours {
		return nil
	}
	chains := [][]string{{start.path}}
	seen := map[string]bool{start.path: true}
	for len(chains) > 0 {
		chain := chains[0]
		chains = chains[1:]
		for _, i := range next[chain[len(chain)-1]] {
			longer := append(slices.Clone(chain), i.path)
			if r.forbids(f, i) {
				return longer
			}
			if !seen[i.path] {
				seen[i.path] = true
				chains = append(chains, longer)
			}
		}
	}
	return nil
}

// vague are names that say nothing about what a package holds, and so gather everything.
var vague = []string{"util", "utils", "common", "tools", "helper", "helpers", "types", "errors", "model", "models"}

func (t *tree) checkNames() {
	for _, f := range t.files {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		for _, bad := range vague {
			if name == bad || path.Base(f.dir) == bad {
				t.report(f, f.syntax.Name.Pos(), "vague", "package %s: name a package for the thing it holds", bad)
			}
		}
	}
}
