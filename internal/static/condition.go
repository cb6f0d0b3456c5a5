package static

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/http1"
)

// version is what a client may know of a file.
type version struct {
	tag      string
	modified time.Time // to the second
}

// check evaluates the conditions of a request in the order of RFC 9110 §13.2.2. It returns 0, 304 or 412.
func (v version) check(x *http1.Exchange) int {
	switch {
	case x.Get("if-match") != nil:
		if !v.listed(x, "if-match", false) {
			return http.StatusPreconditionFailed
		}
	default:
		if t, ok := date(x.Get("if-unmodified-since")); ok && v.modified.After(t) {
			return http.StatusPreconditionFailed
		}
	}
	switch {
	case x.Get("if-none-match") != nil:
		if v.listed(x, "if-none-match", true) {
			return http.StatusNotModified
		}
	default:
		if t, ok := date(x.Get("if-modified-since")); ok && !v.modified.After(t) {
			return http.StatusNotModified
		}
	}
	return 0
}

// listed reports whether v is in a list of entity tags. The weak comparison looks past the mark of weak ones (§8.8.3.2).
func (v version) listed(x *http1.Exchange, field string, weak bool) bool {
	for value := range x.All(field) {
		if string(value) == "*" {
			return true
		}
		// A tag of this package has no comma, so one that is cut at a comma is none.
		for tag := range strings.SplitSeq(string(value), ",") {
			tag = strings.Trim(tag, " \t")
			if weak {
				tag = strings.TrimPrefix(tag, "W/")
			}
			if tag == v.tag {
				return true
			}
		}
	}
	return false
}

// date reads an HTTP date in one of its three forms (§5.6.7).
func date(p []byte) (time.Time, bool) {
	if p == nil {
		return time.Time{}, false
	}
	t, err := http.ParseTime(string(p))
	return t, err == nil
}

// span is a part of a file: its first and its last byte. The last one of an empty file is -1.
type span struct{ first, last int64 }

// rangeOf returns the part of a file of size bytes that is asked for and the status 206, everything and 200 if the
// question is for all or can be left aside, or 416. Of several ranges none is served (§14.2 allows that), for a client that
// asks for a thousand overlapping ones wants no file.
func (v version) rangeOf(x *http1.Exchange, size int64) (span, int) {
	all := span{0, size - 1}
	asked := x.Get("range")
	if asked == nil || string(x.Method) != "GET" || !v.stillIs(x.Get("if-range")) {
		return all, http.StatusOK
	}
	unit, set, ok := strings.Cut(string(asked), "=")
	from, to, dash := strings.Cut(set, "-")
	if !ok || !dash || !strings.EqualFold(unit, "bytes") || strings.Contains(set, ",") {
		return all, http.StatusOK
	}
	from, to = strings.Trim(from, " \t"), strings.Trim(to, " \t")
	first, okFirst := position(from)
	last, okLast := position(to)
	switch {
	case from == "" && okLast: // the last bytes
		first, last = max(0, size-last), size-1
	case okFirst && to == "":
		last = size - 1
	case okFirst && okLast && first <= last:
		last = min(last, size-1)
	default:
		return all, http.StatusOK // not valid, so as if it was not there
	}
	if first >= size || first > last {
		return all, http.StatusRequestedRangeNotSatisfiable
	}
	return span{first, last}, http.StatusPartialContent
}

// position reads a number of bytes. What is too large for any file stands for its end.
func position(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n = math.MaxInt64
	}
	return n, true
}

// stillIs evaluates If-Range (§13.1.5), whose value is an entity tag, compared strongly, or the very date.
func (v version) stillIs(condition []byte) bool {
	if condition == nil || string(condition) == v.tag {
		return true
	}
	t, ok := date(condition)
	return ok && t.Equal(v.modified)
}
