package lint

import (
	"bytes"
	"regexp"
	"strings"
)

// maxLines is how long a file may grow before it has to be split. Generated files and tests may be longer.
const maxLines = 500

// unfinished matches the words that mark work left for later; the brackets keep it from matching itself.
var unfinished = regexp.MustCompile(`\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b`)

func (t *tree) checkWords() {
	for _, f := range t.files {
		if f.generated {
			continue
		}
		line := 0
		for text := range bytes.Lines(f.src) {
			line++
			if word := unfinished.Find(text); word != nil {
				t.reportLine(f.path, line, "unfinished", "%s: finish it, or write the decision down in docs", word)
			}
		}
	}
}

func (t *tree) checkLength(long map[string]string) {
	seen := make(map[string]bool)
	for _, f := range t.files {
		lines := bytes.Count(f.src, []byte("\n"))
		over := lines > maxLines && !f.generated && !f.test
		if over && long[f.path] == "" {
			t.reportLine(f.path, lines, "length", "%d lines, more than %d: split it", lines, maxLines)
		}
		seen[f.path] = over
	}
	for name := range long {
		if !seen[name] {
			t.reportLine(name, 1, "length", "allowed to be long, and is not: strike it off the list")
		}
	}
}

// checkPackageComments wants one file of every package to say what the package is. A folder that holds tests alone
// is asked the same; generated packages have their schema to say it.
func (t *tree) checkPackageComments() {
	type folder struct {
		first      *file // a file to report, one that ships where there is any
		documented bool
	}
	folders := make(map[string]*folder)
	for _, f := range t.files {
		if f.generated {
			continue
		}
		d := folders[f.dir]
		if d == nil {
			d = &folder{first: f}
			folders[f.dir] = d
		}
		if d.first.test && !f.test {
			d.first, d.documented = f, false
		}
		if f.test == d.first.test && describes(f) {
			d.documented = true
		}
	}
	for _, d := range folders {
		if !d.documented {
			t.report(d.first, d.first.syntax.Name.Pos(), "package-comment", "package %s: no file says what it is: start a comment with %q",
				d.first.syntax.Name.Name, opening(d.first))
		}
	}
}

func describes(f *file) bool {
	return f.syntax.Doc != nil && strings.HasPrefix(f.syntax.Doc.Text(), opening(f))
}

// opening is how go doc expects the comment of a package to begin. That of a command begins with any words.
func opening(f *file) string {
	if name := f.syntax.Name.Name; name != "main" {
		return "Package " + name + " "
	}
	return ""
}
