// Package lint holds the rules of this tree that the compiler does not know: which package may import which, where the
// clock and goroutines are out of bounds, and what code and documents owe their readers. docs/ARCHITECTURE.md says why.
//
// Check parses every Go file of a tree, under whatever build tags, and returns what breaks a rule. It resolves names
// by the imports of each file, not by types. The package's own test runs it over this repository.
package lint

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the import path of the tree's root package.
const module = "github.com/hongyan-im/hongyan"

// A Violation is one breach of one rule.
type Violation struct {
	File string // slash-separated, relative to the root of the tree
	Line int    // counted from 1
	Rule string // the short name of the rule
	Text string // the offending import, call or word, and what the rule wants
}

// String returns the violation as compilers write theirs: file:line: text [rule].
func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: %s [%s]", v.File, v.Line, v.Text, v.Rule)
}

// Check returns the violations in the Go files and documents of fsys, ordered by file and line. Hidden folders, testdata,
// node_modules and nested modules are not looked at. long names the files that may be longer than maxLines, each
// with the reason. The error is that of a file that cannot be read or parsed.
func Check(fsys fs.FS, long map[string]string) ([]Violation, error) {
	t, err := load(fsys)
	if err != nil {
		return nil, err
	}
	t.checkImports()
	t.checkCode()
	t.checkNames()
	t.checkWords()
	t.checkLength(long)
	t.checkPackageComments()
	t.checkDocComments()
	if err := t.checkDocs(fsys); err != nil {
		return nil, err
	}
	slices.SortFunc(t.found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	return t.found, nil
}

// tree is every parsed file and what was found wrong so far.
type tree struct {
	fset  *token.FileSet
	files []*file // in the order of their paths
	found []Violation
}

type file struct {
	path      string
	dir       string // "." for the root
	src       []byte
	syntax    *ast.File
	imports   []imported
	generated bool
	test      bool // a _test.go file
	testOnly  bool // a _test.go file, or a file of a package that only tests import
}

// imported is one import of one file. Packages of this module go by their folder, "." for the root.
type imported struct {
	path string // import path, or the folder when ours
	ours bool
	name string // the name it goes by in the file, "." for a dot import
	pos  token.Pos
}

// std reports whether the package belongs to the standard library, whose paths alone have no dot in their first element.
func (i imported) std() bool {
	first, _, _ := strings.Cut(i.path, "/")
	return !i.ours && !strings.Contains(first, ".")
}

func load(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	return t, walk(fsys, ".go", t.add)
}

// walk calls visit with every file of the tree that has the extension, in the order of their paths.
func walk(fsys fs.FS, ext string, visit func(name string, text []byte) error) error {
	return fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skipDir(fsys, name)
		case path.Ext(name) != ext:
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return visit(name, text)
	})
}

func skipDir(fsys fs.FS, name string) error {
	if name == "." {
		return nil
	}
	base := path.Base(name)
	if base[0] == '.' || base[0] == '_' || base == "testdata" || base == "node_modules" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (t *tree) add(name string, src []byte) error {
	syntax, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &file{path: name, dir: path.Dir(name), src: src, syntax: syntax}
	f.generated = ast.IsGenerated(syntax)
	f.test = strings.HasSuffix(name, "_test.go")
	f.testOnly = f.test || testPackage(f.dir)
	for _, spec := range syntax.Imports {
		f.imports = append(f.imports, importOf(spec))
	}
	t.files = append(t.files, f)
	return nil
}

func importOf(spec *ast.ImportSpec) imported {
	// The parser has checked the literal.
	full, _ := strconv.Unquote(spec.Path.Value)
	i := imported{path: full, name: path.Base(full), pos: spec.Pos()}
	if spec.Name != nil {
		i.name = spec.Name.Name
	}
	if full == module {
		i.path, i.ours = ".", true
	} else if rest, ok := strings.CutPrefix(full, module+"/"); ok {
		i.path, i.ours = rest, true
	}
	return i
}

// testPackage reports whether the package in dir exists for tests: the simulator, or a suite such as kv/kvtest.
func testPackage(dir string) bool {
	return under(dir, "internal/sim") || strings.HasSuffix(dir, "test")
}

// under reports whether dir is one of the roots or below it.
func under(dir string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return dir == root || strings.HasPrefix(dir, root+"/")
	})
}

func (t *tree) report(f *file, pos token.Pos, rule, format string, args ...any) {
	t.reportLine(f.path, t.fset.Position(pos).Line, rule, format, args...)
}

func (t *tree) reportLine(name string, line int, rule, format string, args ...any) {
	t.found = append(t.found, Violation{File: name, Line: line, Rule: rule, Text: fmt.Sprintf(format, args...)})
}
