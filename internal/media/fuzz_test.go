package media

import (
	"mime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan"
)

// FuzzParseRef: what is a reference is written back as it was, and has no byte that means anything in a path.
func FuzzParseRef(f *testing.F) {
	for _, seed := range []string{
		"", "m_", "m_AAAAAAAAAAAAAAAAAAAAAA", "m_AAAAAAAAAAAAAAAAAAAAAB", "m_AAAAAAAAAAAAAAAAAAAAA\n", "m_../../../../etc/passwd",
		"m_AAAAAAAAAAAAAAAAAAAAAA==", "M_AAAAAAAAAAAAAAAAAAAAAA", "m_________________________",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, ok := parseRef(text)
		if !ok {
			return
		}
		if formatRef(ref) != text || strings.ContainsAny(text, "/\\.%\n") {
			t.Errorf("%q is read as %x", text, ref)
		}
	})
}

// FuzzParseParts: a list is read up to the same place wherever it is cut behind that, what is read lies within the upload, and
// what is read and written again is read as the same.
func FuzzParseParts(f *testing.F) {
	f.Add(appendPart(appendPart(nil, Range{0, 10}), Range{5, 95}), int64(100))
	f.Add(appendPart(appendPart(nil, Range{50, 50}), Range{50, 51}), int64(100))
	f.Add(appendPart(nil, Range{1, -1}), int64(100))
	f.Add(make([]byte, 40), int64(100))
	f.Fuzz(func(t *testing.T, list []byte, size int64) {
		received, good := parseParts(list, size)
		if good > len(list) || good%partSize != 0 {
			t.Fatalf("%d of %d bytes are good", good, len(list))
		}
		if again, n := parseParts(list[:good], size); n != good || !slices.Equal(again, received) {
			t.Fatalf("without what is damaged %v is %v", received, again)
		}
		var written []byte
		for _, r := range received {
			if r.Offset < 0 || r.Length <= 0 || r.end() > size {
				t.Fatalf("%v is outside an upload of %d bytes", r, size)
			}
			written = appendPart(written, r)
		}
		if again, _ := parseParts(written, size); !slices.Equal(again, received) {
			t.Fatalf("%v is written as %v", received, again)
		}
	})
}

// FuzzDescribe: what a file is said to be is either refused, or short, clean, and the same when it is said again.
func FuzzDescribe(f *testing.F) {
	for _, seed := range [][2]string{
		{"a.png", "image/png"}, {"../../etc/passwd", "text/plain; charset=utf-8"}, {`C:\x\y.txt`, ""}, {"..", "IMAGE/PNG"},
		{"a\x00b\nc", "a/b"}, {"鸿雁.jpg", "audio"}, {"\xff", "x/y"}, {strings.Repeat("a", 513), ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, mediaType string) {
		d, err := describe(name, mediaType)
		if err != nil {
			return
		}
		if !utf8.ValidString(d.name) || len(d.name) > hongyan.MaxLabel || strings.ContainsAny(d.name, "/\\\x00\n\r") || d.name == "." || d.name == ".." {
			t.Errorf("the name %q becomes %q", name, d.name)
		}
		if parsed, params, err := mime.ParseMediaType(d.mime); err != nil || len(params) > 0 || parsed != d.mime || len(d.mime) > maxType {
			t.Errorf("the type %q becomes %q", mediaType, d.mime)
		}
		if again, err := describe(d.name, d.mime); err != nil || again != d {
			t.Errorf("%+v becomes %+v, %v", d, again, err)
		}
	})
}
