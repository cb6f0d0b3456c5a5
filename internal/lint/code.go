package lint

import (
	"go/ast"
	"go/token"
	"slices"
)

// A callRule binds some files and forbids them some functions of one package, called or passed on.
type callRule struct {
	name  string
	says  string
	binds func(f *file) bool
	pkg   string
	funcs []string
}

var callRules = []callRule{
	{
		name:  "clock",
		says:  "the clock is an argument here",
		binds: shippedUnder(core...),
		pkg:   "time",
		funcs: []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Sleep", "Tick"},
	},
	{
		name:  "print",
		says:  "only commands and examples write to the terminal",
		binds: talksNot,
		pkg:   "fmt",
		funcs: []string{"Print", "Printf", "Println"},
	},
	{
		name:  "print",
		says:  "only commands and examples write to the terminal; log through the *slog.Logger you were given",
		binds: talksNot,
		pkg:   "log",
		funcs: []string{
			"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Output",
		},
	},
}

// talksNot binds what has no terminal of its own. Tests may print: examples do.
func talksNot(f *file) bool { return !f.testOnly && !under(f.dir, "cmd", "examples") }

func (t *tree) checkCode() {
	for _, f := range t.files {
		for _, rule := range callRules {
			if rule.binds(f) {
				t.checkCalls(f, rule)
			}
		}
		if shippedUnder(codecs...)(f) {
			t.checkGoroutines(f)
		}
		t.checkSkips(f)
	}
}

func (t *tree) checkCalls(f *file, rule callRule) {
	names := make(map[string]bool)
	for _, i := range f.imports {
		if i.path != rule.pkg || i.ours {
			continue
		}
		if i.name == "." {
			t.report(f, i.pos, rule.name, "dot import of %s hides its calls: %s", rule.pkg, rule.says)
		}
		names[i.name] = true
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] && slices.Contains(rule.funcs, sel.Sel.Name) {
			t.report(f, sel.Pos(), rule.name, "%s.%s: %s", rule.pkg, sel.Sel.Name, rule.says)
		}
		return true
	})
}

func (t *tree) checkGoroutines(f *file) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok {
			t.report(f, g.Pos(), "goroutine", "go statement: wire and internal/ws start no goroutine")
		}
		return true
	})
}

// checkSkips finds tests that can pass without running. What needs other surroundings stands behind a build tag,
// where the scripts run it.
func (t *tree) checkSkips(f *file) {
	testers := testingParams(f)
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && testers[x.Name] {
			t.report(f, sel.Pos(), "skip", "%s.%s: a test runs or does not exist", x.Name, sel.Sel.Name)
		}
		return true
	})
}

// testingParams returns the names of the parameters in f that are a testing.TB or a pointer to a testing.T, B or F.
func testingParams(f *file) map[string]bool {
	names := make(map[string]bool)
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		fn, ok := n.(*ast.FuncType)
		if !ok {
			return true
		}
		for _, field := range fn.Params.List {
			if !isTester(field.Type) {
				continue
			}
			for _, name := range field.Names {
				names[name.Name] = true
			}
		}
		return true
	})
	return names
}

func isTester(typ ast.Expr) bool {
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	sel, ok := typ.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "testing" && slices.Contains([]string{"T", "B", "F", "TB"}, sel.Sel.Name)
}

// checkDocComments holds the packages that other modules import to a comment on everything they export.
func (t *tree) checkDocComments() {
	for _, f := range t.files {
		if f.testOnly || f.generated || !(f.dir == "." || under(f.dir, "wire", "client", "server")) || f.syntax.Name.Name == "main" {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) && !errorMethod(d) {
					t.reportDoc(f, d.Name)
				}
			case *ast.GenDecl:
				t.checkSpecs(f, d)
			}
		}
	}
}

// checkSpecs accepts the comment of a group, of one of its members, or behind the member on its line. Constants of a
// named type are covered by the comment of the type.
func (t *tree) checkSpecs(f *file, d *ast.GenDecl) {
	typed := false
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if d.Doc == nil && s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
				t.reportDoc(f, s.Name)
			}
		case *ast.ValueSpec:
			if s.Type != nil || len(s.Values) > 0 { // else the line repeats the type of the one above
				typed = d.Tok == token.CONST && s.Type != nil
			}
			if typed || d.Doc != nil || s.Doc != nil || s.Comment != nil {
				continue
			}
			for _, name := range s.Names {
				if name.IsExported() {
					t.reportDoc(f, name)
				}
			}
		}
	}
}

func (t *tree) reportDoc(f *file, name *ast.Ident) {
	t.report(f, name.Pos(), "doc", "%s is exported and has no comment", name.Name)
}

// exportedReceiver reports whether d is a function or a method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return token.IsExported(x.Name)
		default:
			return true
		}
	}
}

// errorMethod reports whether d is one of the methods of errors, which say no more than the standard library does.
func errorMethod(d *ast.FuncDecl) bool {
	return d.Recv != nil && (d.Name.Name == "Error" || d.Name.Name == "Unwrap")
}
