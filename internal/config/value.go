package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is one setting within a Config. Its text form is what a flag and the environment hold.
type value interface {
	// set reads the text form.
	set(text string) error
	// text is what set reads.
	text() string
	// literal is the value in a TOML file.
	literal() string
	// fromTOML gives the text form of a decoded TOML value; false if it is of another type.
	fromTOML(decoded any) (string, bool)
	// wants names the TOML type with an example.
	wants() string
	// kind is one word for what a value is.
	kind() string
}

// textValue is a string: a path.
type textValue struct{ p *string }

func (v textValue) set(s string) error { *v.p = s; return nil }
func (v textValue) text() string       { return *v.p }
func (v textValue) literal() string    { return quote(*v.p) }
func (v textValue) wants() string      { return `a string, such as "name"` }
func (v textValue) kind() string       { return "path" }

func (v textValue) fromTOML(d any) (string, bool) { return fromString(d) }

// listValue is a list of strings, separated by commas in the text form.
type listValue struct{ p *[]string }

func (v listValue) set(s string) error {
	*v.p = nil
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*v.p = append(*v.p, item)
		}
	}
	return nil
}

func (v listValue) text() string { return strings.Join(*v.p, ",") }

func (v listValue) literal() string {
	quoted := make([]string, len(*v.p))
	for i, s := range *v.p {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (v listValue) wants() string { return `a list of strings, such as ["one", "two"]` }
func (v listValue) kind() string  { return "list" }

func (v listValue) fromTOML(d any) (string, bool) {
	list, ok := d.([]any)
	items := make([]string, len(list))
	for i := range list {
		s, isString := list[i].(string)
		items[i], ok = s, ok && isString && !strings.Contains(s, ",")
	}
	return strings.Join(items, ","), ok
}

// switchValue is true or false.
type switchValue struct{ p *bool }

func (v switchValue) set(s string) (err error) {
	if *v.p, err = strconv.ParseBool(s); err != nil {
		return fmt.Errorf("%q is neither true nor false", s)
	}
	return nil
}

func (v switchValue) text() string    { return strconv.FormatBool(*v.p) }
func (v switchValue) literal() string { return v.text() }
func (v switchValue) wants() string   { return "true or false, without quotes" }
func (v switchValue) kind() string    { return "bool" }

func (v switchValue) fromTOML(d any) (string, bool) {
	b, ok := d.(bool)
	return strconv.FormatBool(b), ok
}

// countValue is a whole number between min and max.
type countValue struct {
	p        *int
	min, max int
}

func (v countValue) set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("%q is no whole number", s)
	}
	*v.p = n
	return within(n, v.min, v.max)
}

func (v countValue) text() string    { return strconv.Itoa(*v.p) }
func (v countValue) literal() string { return v.text() }
func (v countValue) wants() string   { return "a whole number, without quotes" }
func (v countValue) kind() string    { return "number" }

func (v countValue) fromTOML(d any) (string, bool) {
	n, ok := d.(int64)
	return strconv.FormatInt(n, 10), ok
}

// durationValue is a time between min and max.
type durationValue struct {
	p        *time.Duration
	min, max time.Duration
}

func (v durationValue) set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration: write a number and a unit, such as 90s, 2m or 1h30m", s)
	}
	*v.p = d
	return within(duration(d), duration(v.min), duration(v.max))
}

func (v durationValue) text() string    { return duration(*v.p).String() }
func (v durationValue) literal() string { return quote(v.text()) }
func (v durationValue) wants() string   { return `a duration in quotes, such as "90s" or "2m"` }
func (v durationValue) kind() string    { return "duration" }

func (v durationValue) fromTOML(d any) (string, bool) { return fromString(d) }

// duration writes 2m for what time.Duration writes as 2m0s.
type duration time.Duration

func (d duration) String() string {
	s := time.Duration(d).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// sizeValue is a number of bytes between min and max.
type sizeValue struct {
	p        *Size
	min, max Size
}

func (v sizeValue) set(s string) (err error) {
	if *v.p, err = ParseSize(s); err != nil {
		return err
	}
	return within(*v.p, v.min, v.max)
}

func (v sizeValue) text() string    { return v.p.String() }
func (v sizeValue) literal() string { return quote(v.text()) }
func (v sizeValue) wants() string   { return `a size in quotes, such as "64MiB"` }
func (v sizeValue) kind() string    { return "size" }

func (v sizeValue) fromTOML(d any) (string, bool) { return fromString(d) }

// choiceValue is one of several words.
type choiceValue[T ~string] struct {
	p     *T
	words []T
}

func (v choiceValue[T]) set(s string) error {
	*v.p = T(s)
	if !slices.Contains(v.words, T(s)) {
		return fmt.Errorf("%q is not one of %s", s, v.list())
	}
	return nil
}

func (v choiceValue[T]) text() string    { return string(*v.p) }
func (v choiceValue[T]) literal() string { return quote(v.text()) }
func (v choiceValue[T]) wants() string   { return "one of " + v.list() + ", in quotes" }
func (v choiceValue[T]) kind() string    { return "word" }

func (v choiceValue[T]) fromTOML(d any) (string, bool) { return fromString(d) }

func (v choiceValue[T]) list() string {
	words := make([]string, len(v.words))
	for i, w := range v.words {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}

func fromString(d any) (string, bool) {
	s, ok := d.(string)
	return s, ok
}

// within reports an error unless min ≤ n ≤ max.
func within[T interface{ ~int | ~int64 }](n, min, max T) error {
	if n < min || n > max {
		return fmt.Errorf("%v is outside %v to %v", n, min, max)
	}
	return nil
}

// quote writes s as a TOML basic string (TOML 1.0, section String).
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
