package lint

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// decisions is the folder whose README lists every other file in it.
const decisions = "docs/decisions"

// link matches the target of a Markdown link, without the anchor.
var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

// checkDocs wants the links between the documents to lead somewhere, and every decision to be listed.
func (t *tree) checkDocs(fsys fs.FS) error {
	var written, listed []string
	err := walk(fsys, ".md", func(name string, text []byte) error {
		dir := path.Dir(name)
		if dir == decisions && path.Base(name) != "README.md" {
			written = append(written, name)
		}
		line := 0
		for row := range bytes.Lines(text) {
			line++
			for _, m := range link.FindAllSubmatch(row, -1) {
				target := string(m[1])
				if strings.Contains(target, ":") {
					continue // another site's business
				}
				target = path.Join(dir, target)
				if dir == decisions && path.Base(name) == "README.md" {
					listed = append(listed, target)
				}
				if _, err := fs.Stat(fsys, target); err != nil {
					t.reportLine(name, line, "link", "%s: there is no %s", m[1], target)
				}
			}
		}
		return nil
	})
	for _, name := range written {
		if !slices.Contains(listed, name) {
			t.reportLine(name, 1, "unlisted", "add the decision to %s/README.md", decisions)
		}
	}
	return err
}
