package ws

import (
	"bytes"
	"strings"
	"testing"
)

func parseRequest(t *testing.T, head string) *Request {
	t.Helper()
	var q Request
	if err := q.Parse([]byte(head)); err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	return &q
}

func TestRequestTargets(t *testing.T) {
	t.Parallel()
	for target, want := range map[string][3]string{ // path, query, host
		"/":                          {"/", "", "h"},
		"/chat":                      {"/chat", "", "h"},
		"/chat?a=b&c":                {"/chat", "a=b&c", "h"},
		"/chat?":                     {"/chat", "", "h"},
		"/a?b?c":                     {"/a", "b?c", "h"},
		"/../etc/passwd":             {"/../etc/passwd", "", "h"},
		"/%2e%2e/x":                  {"/%2e%2e/x", "", "h"},
		"//double":                   {"//double", "", "h"},
		"/see?at=http://x.example/y": {"/see", "at=http://x.example/y", "h"},
		"*":                          {"*", "", "h"},
		"http://o.example":           {"/", "", "o.example"},
		"HTTPS://o.example:8443/p?q": {"/p", "q", "o.example:8443"},
		"http://o.example?q":         {"/", "q", "o.example"},
		"http://[::1]:80/":           {"/", "", "[::1]:80"},
	} {
		q := parseRequest(t, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		if string(q.Path) != want[0] || string(q.RawQuery) != want[1] || string(q.Host()) != want[2] {
			t.Errorf("%s: path %q, query %q, host %q", target, q.Path, q.RawQuery, q.Host())
		}
	}
	for _, target := range []string{"", "x", "?q", "http://", "http:///x", "http://user@h/", "ws://h/", "/é", "/a\x7f", "://h/", "**"} {
		var q Request
		if err := q.Parse([]byte("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")); err == nil {
			t.Errorf("%q was accepted: path %q", target, q.Path)
		}
	}
}

func TestConnectTarget(t *testing.T) {
	t.Parallel()
	q := parseRequest(t, "CONNECT o.example:443 HTTP/1.1\r\nHost: h\r\n\r\n")
	if string(q.Path) != "o.example:443" || string(q.Host()) != "o.example:443" || q.RawQuery != nil {
		t.Errorf("path %q, query %q, host %q", q.Path, q.RawQuery, q.Host())
	}
	for _, target := range []string{"", "/", "/x", "http://h/", "h:1?q", "h:1/x"} {
		if err := q.Parse([]byte("CONNECT " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")); err == nil {
			t.Errorf("%q was accepted: path %q", target, q.Path)
		}
	}
}

func TestRequestFields(t *testing.T) {
	t.Parallel()
	q := parseRequest(t, "POST /send HTTP/1.1\r\nHost:h\r\nX-A: 1\r\nx-a:\t2 \r\nX-Empty:\r\nContent-Length: 3\r\n\r\n")
	if string(q.Method) != "POST" || q.Minor != 1 {
		t.Errorf("%s, minor %d", q.Method, q.Minor)
	}
	if v := q.Get("x-a"); string(v) != "1" {
		t.Errorf("first X-A is %q", v)
	}
	if v := q.Get("x-empty"); v == nil || len(v) != 0 {
		t.Errorf("X-Empty is %v", v)
	}
	if v := q.Get("x-none"); v != nil {
		t.Errorf("X-None is %q", v)
	}
	var all []string
	for v := range q.All("x-a") {
		all = append(all, string(v))
	}
	if strings.Join(all, "|") != "1|2" {
		t.Errorf("X-A is %q", all)
	}
	// The same Request again: nothing of the last one may be left.
	if err := q.Parse([]byte("GET http://o.example/ HTTP/1.0\r\n\r\n")); err != nil || q.Minor != 0 || q.Get("x-a") != nil {
		t.Errorf("%v, minor %d, X-A %q", err, q.Minor, q.Get("x-a"))
	}
	if err := q.Parse([]byte("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")); err != nil || string(q.Host()) != "h" || q.RawQuery != nil {
		t.Errorf("%v, host %q, query %q", err, q.Host(), q.RawQuery)
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	q := parseRequest(t, "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; token=x=y==;b; quoted=\"v w\"\r\ncookie: late=2;  a=3; half=\"x; other=x\"; sign=\"; none=\r\n\r\n")
	for name, want := range map[string]string{"a": "1", "token": "x=y==", "quoted": "v w", "late": "2", "half": "\"x",
		"other": "x\"", "sign": "\"", "none": ""} {
		if got, ok := q.Cookie(name); string(got) != want || !ok {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
	for _, name := range []string{"b", "A", "absent", ""} {
		if got, ok := q.Cookie(name); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	q := parseRequest(t, "GET /?a=1&name=%E9%B8%BF+%e9%9b%81&flag&a=2&k%65y=v&bad=%zz&cut=%4&empty=&eq=a=b&lead=+x HTTP/1.1\r\nHost: h\r\n\r\n")
	for name, want := range map[string]string{"a": "1", "name": "鸿 雁", "flag": "", "key": "v", "empty": "", "eq": "a=b", "lead": " x"} {
		if got, ok := q.Query(name); string(got) != want || !ok {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
	for _, name := range []string{"bad", "cut", "none"} {
		if got, ok := q.Query(name); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestHeadReaderAnySplit(t *testing.T) {
	t.Parallel()
	request, behind := upgrade("Cookie: a=b"), []byte("\x81\x80\x01\x02\x03\x04\r\n\r\n")
	in := append(append([]byte("\r\n"), request...), behind...)
	for i := range in {
		for _, j := range []int{i, i + 1, i + (len(in)-i)/2, len(in)} {
			var h HeadReader
			var rest []byte
			var head []byte
			for _, chunk := range [][]byte{in[:i], in[i:min(j, len(in))], in[min(j, len(in)):]} {
				if head != nil {
					rest = append(rest, chunk...)
					continue
				}
				got, n, err := h.Next(bytes.Clone(chunk))
				if err != nil {
					t.Fatalf("cut at %d and %d: %v", i, j, err)
				}
				head = got
				rest = append(rest, chunk[n:]...)
			}
			if !bytes.Equal(head, request) || !bytes.Equal(rest, behind) {
				t.Fatalf("cut at %d and %d: head %q, behind it %q", i, j, head, rest)
			}
			h.Release()
		}
	}
}

// A head that never ends is refused at its limit, however it comes, and long before that one whose lines end wrongly.
func TestHeadReaderIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		unit string
		want *Refusal
	}{
		"one long line": {"x", errHeadSize},
		"many lines":    {"a: b\r\n", errHeadSize},
		"empty lines":   {"\r\n", errHeadSize},
		"bare LF":       {"abc\n", errBareLF},
		"only LF":       {"\n", errBareLF},
	} {
		for _, step := range []int{1, 7, 4096, 1 << 20} {
			var h HeadReader
			piece := []byte(strings.Repeat(c.unit, step))
			var err error
			used := 0
			for err == nil && used < 4*MaxHead+len(piece) {
				var n int
				_, n, err = h.Next(piece)
				used += n
			}
			if err != error(c.want) || used > MaxHead+len(piece) || h.buf != nil {
				t.Errorf("%s in steps of %d: %v after %d bytes", name, step, err, used)
			}
		}
	}
	var h HeadReader
	if head, n, err := h.Next(nil); head != nil || n != 0 || err != nil {
		t.Errorf("empty chunk: %q, %d, %v", head, n, err)
	}
	exact := append(bytes.Repeat([]byte("a"), MaxHead-4), "\r\n\r\n"...)
	if head, n, err := h.Next(exact); len(head) != MaxHead || n != MaxHead || err != nil {
		t.Errorf("%d bytes of %d: %v", len(head), n, err)
	}
}

// Whatever a head is, it is found at the same place however it is cut; and what parses has fields that are what they
// were sent as.
func FuzzRequest(f *testing.F) {
	f.Add(upgrade(), uint16(40))
	f.Add(upgrade("Connection: keep-alive, Upgrade", "GET http://h/?q HTTP/1.1"), uint16(3))
	f.Add([]byte("\r\nGET * HTTP/1.0\r\nA : b\r\n\r\n"), uint16(1))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Extensions: a; b=\"c\\\"\", d\r\n\r\n"), uint16(20))
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		var whole, parts HeadReader
		head, n, err := whole.Next(in)
		i := int(cut) % (len(in) + 1)
		got, m, gotErr := parts.Next(bytes.Clone(in[:i]))
		if got == nil && gotErr == nil {
			got, m, gotErr = parts.Next(bytes.Clone(in[i:]))
			m += i
		}
		if !bytes.Equal(got, head) || gotErr != err || err == nil && m != n {
			t.Fatalf("cut at %d: %q, %d, %v, whole: %q, %d, %v", i, got, m, gotErr, head, n, err)
		}
		var q Request
		if head == nil || q.Parse(head) != nil {
			return
		}
		for _, f := range q.list {
			line := string(f.name) + ":"
			at := bytes.Index(head, []byte("\r\n"+line))
			if at < 0 || !isToken(f.name) || bytes.ContainsAny(f.value, "\r\n\x00") {
				t.Fatalf("field %q: %q", f.name, f.value)
			}
		}
		if len(q.Path) == 0 || q.Path[0] != '/' && string(q.Path) != "*" && string(q.Method) != "CONNECT" || bytes.ContainsAny(q.Path, " ?#\r\n") {
			t.Fatalf("path %q", q.Path)
		}
		out, _, err := (&Acceptor{Deflate: &Deflate{}}).Accept(nil, &q)
		var h HeadReader
		var r Response
		answer, _, bad := h.Next(out)
		if bad == nil {
			bad = r.Parse(answer)
		}
		if bad != nil || (r.Status == 101) != (err == nil) {
			t.Fatalf("answer %q to %q: %v", out, head, bad)
		}
	})
}
