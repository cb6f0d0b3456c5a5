package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// parse takes the settings of a TOML text. name is what errors call the file.
func (l *loader) parse(name, text string) {
	var top map[string]toml.Primitive
	md, err := toml.Decode(text, &top)
	if err != nil {
		line, message := 1, err.Error()
		if e, ok := errors.AsType[toml.ParseError](err); ok {
			// At the end of the text the decoder names the line before, even if there is none.
			line, message = max(line, e.Position.Line), e.Message
		}
		l.fault(line, at(name, line), "", "%s", message)
		return
	}
	f := file{loader: l, name: name, text: text, md: &md}
	f.table("", top)
}

// file is the state of a walk over one TOML file.
type file struct {
	*loader
	name string
	text string
	md   *toml.MetaData
}

// table takes the values of one table. Faults are sorted by line afterwards, so the order of the map does not show.
func (f *file) table(prefix string, values map[string]toml.Primitive) {
	for name, primitive := range values {
		key := prefix + name
		line := f.line(primitive)
		if line == 0 {
			line = f.header(strings.TrimSuffix(prefix, "."))
		}
		row, isSetting := find(key)
		_, isSection := sections[key]
		switch {
		case isSetting:
			f.take(row, primitive, line)
		case isSection:
			var inner map[string]toml.Primitive
			if err := f.md.PrimitiveDecode(primitive, &inner); err != nil || inner == nil {
				f.fault(line, at(f.name, line), "write ["+key+"] on a line of its own, and its settings below", "%q is a table", key)
				continue
			}
			f.table(key+".", inner)
		default:
			f.unknown(key, line)
		}
	}
}

func (f *file) take(r row, primitive toml.Primitive, line int) {
	where := at(f.name, line)
	var decoded any
	if err := f.md.PrimitiveDecode(primitive, &decoded); err != nil {
		f.fault(line, where, "", "%s: %v", r.key, err)
		return
	}
	v := r.value(&f.config)
	text, ok := v.fromTOML(decoded)
	if !ok {
		f.fault(line, where, "", "%s wants %s", r.key, v.wants())
		return
	}
	f.setAt(r, text, where, line)
}

func (f *file) unknown(key string, line int) {
	hint := "hongyan config lists all settings"
	if name := nearest(key); name != "" {
		hint = fmt.Sprintf("did you mean %q?", name)
		if table, _, dotted := strings.Cut(name, "."); dotted {
			hint += " It belongs under [" + table + "]."
		}
	}
	f.fault(line, at(f.name, line), hint, "unknown setting %q", key)
}

// probe has its decoding fail, because an error is the only thing that tells where in the file a value stands.
type probe struct{}

func (probe) UnmarshalTOML(any) error { return errors.New("probe") }

// line is the line of a value's key. A table that only dotted keys imply stands where its first key does. It is zero if
// the decoder does not know.
func (f *file) line(p toml.Primitive) int {
	e, _ := errors.AsType[toml.ParseError](f.md.PrimitiveDecode(p, &probe{}))
	first := e.Position.Line
	var inner map[string]toml.Primitive
	if first == 0 && f.md.PrimitiveDecode(p, &inner) == nil {
		for _, value := range inner {
			if line := f.line(value); first == 0 || line != 0 && line < first {
				first = line
			}
		}
	}
	return first
}

// header is the line where a table begins, for values whose line the decoder does not know, as those of an empty key: the
// first line if it cannot be told.
func (f *file) header(table string) int {
	n := 0
	for line := range strings.Lines(f.text) {
		n++
		if inner, ok := strings.CutPrefix(strings.TrimSpace(line), "["); ok && strings.HasPrefix(strings.TrimSpace(inner), table) {
			return n
		}
	}
	return 1
}

func at(name string, line int) string {
	if line == 0 {
		return name
	}
	return fmt.Sprintf("%s:%d", name, line)
}

func find(key string) (row, bool) {
	for _, r := range table {
		if r.key == key {
			return r, true
		}
	}
	return row{}, false
}

// nearest is the setting or section whose name is closest to an unknown one, or "" if none is close. The names without
// their tables are compared too, so that a setting in the wrong table is found.
func nearest(unknown string) string {
	const longest = 64 // what is longer is no slip of the pen
	if len(unknown) > longest {
		return ""
	}
	best, bestDistance := "", longest
	try := func(name, a, b string) {
		if d := distance(a, b); d <= len(b)/3 && d < bestDistance {
			best, bestDistance = name, d
		}
	}
	for _, r := range table {
		try(r.key, unknown, r.key)
	}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		try(name, unknown, name)
	}
	for _, r := range table {
		try(r.key, last(unknown), last(r.key))
	}
	return best
}

// last is a key without its table.
func last(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// distance is the Levenshtein distance of two names, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// WriteFile writes c as a TOML file that explains every setting and that Load reads back to c.
func WriteFile(w io.Writer, c Config) error {
	var b strings.Builder
	b.WriteString("# The settings of a Hongyan server: hongyan serve --config FILE\n" +
		"# Each can also be given as a flag (--tls.cert) or in the environment (HONGYAN_TLS_CERT), which win over this\n" +
		"# file. What is left out has its default.\n")
	section := ""
	for _, r := range table {
		name := r.key
		if s, rest, dotted := strings.Cut(r.key, "."); dotted {
			if name = rest; s != section {
				section = s
				fmt.Fprintf(&b, "\n# %s\n[%s]\n", sections[s], s)
			}
		}
		fmt.Fprintf(&b, "\n# %s\n%s = %s\n", strings.ReplaceAll(r.doc, "\n", "\n# "), name, r.value(&c).literal())
	}
	_, err := io.WriteString(w, b.String())
	return err
}
