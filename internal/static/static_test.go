package static_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/http1"
	"github.com/hongyan-im/hongyan/internal/static"
	"github.com/hongyan-im/hongyan/internal/websocket/conntest"
)

var (
	now      = time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	modified = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
)

type router struct{ site *static.Site }

func (r router) Route(x *http1.Exchange) { r.site.Serve(x, "/") }
func (r router) Take(net.Conn, []byte)   { panic("handed over") }
func (r router) Closed()                 {}

// folder is a site, with files around it that nobody may see.
func folder(t testing.TB) router {
	t.Helper()
	top := t.TempDir()
	for name, text := range map[string]string{
		"secret":                    "secret",
		"site/index.html":           "<p>first",
		"site/a.txt":                "0123456789",
		"site/empty.css":            "",
		"site/img/x.PNG":            "png",
		"site/app/index.html":       "<p>app",
		"site/b c%.js":              "js",
		"site/鸿雁.txt":               "goose",
		"site/.env":                 "secret",
		"site/.git/config":          "secret",
		"site/.well-known/security": "known",
		"site/bare/x":               "x",
		"site/odd/index.html/x":     "x",
		"site/unknown.xyz":          "?",
	} {
		file := filepath.Join(top, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": "../secret", "up": "..", "absolute": filepath.Join(top, "secret"), "inside.txt": "a.txt"} {
		if err := os.Symlink(to, filepath.Join(top, "site", link)); err != nil {
			t.Fatal(err)
		}
	}
	site, err := static.Open(filepath.Join(top, "site"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { site.Close() })
	return router{site}
}

var limits = http1.Limits{Head: time.Second, Idle: time.Minute}

// ask sends one request, with header fields "Name: value", and returns the response with its body.
func ask(t testing.TB, r router, method, target string, fields ...string) (*http.Response, string) {
	t.Helper()
	conn := &conntest.Conn{}
	conn.Handler = http1.New(conn, r, &limits, now)
	fields = append([]string{method + " " + target + " HTTP/1.1", "Host: a"}, fields...)
	conn.Feed(now, []byte(strings.Join(fields, "\r\n")+"\r\n\r\n"))
	in := bufio.NewReader(strings.NewReader(conn.Take()))
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	if in.Buffered() > 0 || conn.Aborted {
		t.Fatalf("%s %s: %d bytes behind the answer, aborted %v", method, target, in.Buffered(), conn.Aborted)
	}
	return resp, string(body)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	r := folder(t)
	for target, want := range map[string]string{
		"/":                       "200 text/html; charset=utf-8 <p>first",
		"/index.html":             "200 text/html; charset=utf-8 <p>first",
		"/?a=b":                   "200 text/html; charset=utf-8 <p>first",
		"http://a/a.txt":          "200 text/plain; charset=utf-8 0123456789",
		"/empty.css":              "200 text/css; charset=utf-8 ",
		"/img/x.PNG":              "200 image/png png",
		"/app/":                   "200 text/html; charset=utf-8 <p>app",
		"/b%20c%25.js":            "200 text/javascript; charset=utf-8 js",
		"/%E9%B8%BF%e9%9b%81.txt": "200 text/plain; charset=utf-8 goose",
		"/unknown.xyz":            "200 application/octet-stream ?",
		"/inside.txt":             "200 text/plain; charset=utf-8 0123456789",
		"/.well-known/security":   "200 application/octet-stream known",
	} {
		resp, body := ask(t, r, "GET", target)
		if got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Content-Type"), " ", body); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
		if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: header %v", target, resp.Header)
		}
		head, nothing := ask(t, r, "HEAD", target)
		if head.StatusCode != 200 || head.ContentLength != int64(len(body)) || nothing != "" {
			t.Errorf("HEAD %s: %d, length %d, body %q", target, head.StatusCode, head.ContentLength, nothing)
		}
	}
}

// No path leads out of the folder: not by dots, however they are written, not by a link, not by another system's notion of
// a path. And there is no listing.
func TestNothingElse(t *testing.T) {
	t.Parallel()
	r := folder(t)
	for _, target := range []string{
		"/../secret", "/a/../../secret", "/%2e%2e/secret", "/.%2E/secret", "/..%2fsecret", "/%2e%2e%2fsecret", "/..%5csecret", `/..\secret`,
		"/%252e%252e/secret", "/./a.txt", "//etc/passwd", "/%2fetc/passwd", "/a.txt%00.html", "/a.txt%", "/a.txt%4", "/a.txt%zz",
		"/out", "/up/secret", "/absolute", "/.env", "/.git/config", "/img//x.PNG", "/a.txt/", "/missing", "/bare", "/bare/", "/odd/", "/C:/secret",
		"/a.txt/x", "/" + strings.Repeat("x", 5000),
	} {
		resp, body := ask(t, r, "GET", target)
		if resp.StatusCode != 404 || strings.Contains(body, "secret") {
			t.Errorf("%.100s: %d %q", target, resp.StatusCode, body)
		}
	}
}

func TestFolderWithoutSlash(t *testing.T) {
	t.Parallel()
	resp, _ := ask(t, folder(t), "GET", "/app?x=//evil.example")
	if resp.StatusCode != 301 || resp.Header.Get("Location") != "/app/?x=//evil.example" {
		t.Fatalf("%d, %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

func TestOnlyReading(t *testing.T) {
	t.Parallel()
	resp, _ := ask(t, folder(t), "DELETE", "/a.txt")
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Fatalf("%d, %v", resp.StatusCode, resp.Header)
	}
}

// Opening a named pipe would wait for its writer.
func TestPipeIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	site, err := static.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	if resp, _ := ask(t, router{site}, "GET", "/pipe"); resp.StatusCode != 404 {
		t.Fatal(resp.StatusCode)
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	r := folder(t)
	resp, _ := ask(t, r, "GET", "/a.txt")
	tag, date := resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	if date != "Fri, 02 Jan 2026 03:04:05 GMT" || len(tag) < 4 {
		t.Fatalf("ETag %q, Last-Modified %q", tag, date)
	}
	const before, after = "Fri, 02 Jan 2026 03:04:04 GMT", "Fri, 02 Jan 2026 03:04:06 GMT"
	for fields, want := range map[string]int{
		"If-None-Match: " + tag:                                304,
		"If-None-Match: W/" + tag:                              304,
		`If-None-Match: "x", ` + tag:                           304,
		"If-None-Match: *":                                     304,
		`If-None-Match: "x"`:                                   200,
		`If-None-Match: "x"|If-Modified-Since: ` + date:        200, // the tag decides
		"If-Modified-Since: " + date:                           304,
		"If-Modified-Since: " + after:                          304,
		"If-Modified-Since: " + before:                         200,
		"If-Modified-Since: yesterday":                         200,
		"If-Modified-Since: Friday, 02-Jan-26 03:04:05 GMT":    304,
		"If-Match: " + tag:                                     200,
		"If-Match: *":                                          200,
		"If-Match: W/" + tag:                                   412,
		`If-Match: "x"`:                                        412,
		"If-Unmodified-Since: " + date:                         200,
		"If-Unmodified-Since: " + before:                       412,
		"If-Match: " + tag + "|If-Unmodified-Since: " + before: 200,
		"If-Match: " + tag + "|If-None-Match: " + tag:          304,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			resp, body := ask(t, r, method, "/a.txt", strings.Split(fields, "|")...)
			if resp.StatusCode != want || want == 304 && (body != "" || resp.Header.Get("ETag") != tag) {
				t.Errorf("%s %s: %d %q, want %d", method, fields, resp.StatusCode, body, want)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	site, err := static.Open(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	if other, _ := ask(t, router{site}, "GET", "/x"); other.Header.Get("ETag") == tag {
		t.Error("another version has the same tag")
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	r := folder(t)
	resp, _ := ask(t, r, "GET", "/a.txt")
	tag, date := resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	for fields, want := range map[string]string{
		"Range: bytes=0-3":                       "206 0123 bytes 0-3/10",
		"Range: BYTES=2-2":                       "206 2 bytes 2-2/10",
		"Range: bytes=7-":                        "206 789 bytes 7-9/10",
		"Range: bytes=7-99":                      "206 789 bytes 7-9/10",
		"Range: bytes=7-99999999999999999999999": "206 789 bytes 7-9/10",
		"Range: bytes=-4":                        "206 6789 bytes 6-9/10",
		"Range: bytes=-99":                       "206 0123456789 bytes 0-9/10",
		"Range: bytes=10-":                       "416 the file has no such part bytes */10",
		"Range: bytes=99999999999999999999999-":  "416 the file has no such part bytes */10",
		"Range: bytes=-0":                        "416 the file has no such part bytes */10",
		"Range: bytes=4-2":                       "200 0123456789 ",
		"Range: bytes=-":                         "200 0123456789 ",
		"Range: bytes=a-b":                       "200 0123456789 ",
		"Range: bytes=+1-2":                      "200 0123456789 ",
		"Range: bytes 1-2":                       "200 0123456789 ",
		"Range: lines=1-2":                       "200 0123456789 ",
		"Range: bytes=0-1,4-5":                   "200 0123456789 ",
		"Range: bytes=0-3|If-Range: " + tag:      "206 0123 bytes 0-3/10",
		"Range: bytes=0-3|If-Range: W/" + tag:    "200 0123456789 ",
		`Range: bytes=0-3|If-Range: "x"`:         "200 0123456789 ",
		"Range: bytes=0-3|If-Range: " + date:     "206 0123 bytes 0-3/10",
		"Range: bytes=0-3|If-Range: Fri, 02 Jan 2026 03:04:06 GMT": "200 0123456789 ",
		"Range: bytes=0-3|If-None-Match: " + tag:                   "304  ",
	} {
		resp, body := ask(t, r, "GET", "/a.txt", strings.Split(fields, "|")...)
		if got := fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(body), " ", resp.Header.Get("Content-Range")); got != want {
			t.Errorf("%s: %q, want %q", fields, got, want)
		}
	}
	if resp, _ := ask(t, r, "HEAD", "/a.txt", "Range: bytes=0-3"); resp.StatusCode != 200 || resp.ContentLength != 10 {
		t.Errorf("HEAD: %d, length %d", resp.StatusCode, resp.ContentLength)
	}
	if resp, _ := ask(t, r, "GET", "/empty.css", "Range: bytes=0-"); resp.StatusCode != 416 {
		t.Errorf("of nothing: %d", resp.StatusCode)
	}
}

// Whatever the path, it is a file of the folder or nothing.
func FuzzPath(f *testing.F) {
	r := folder(f)
	for _, s := range []string{"/a.txt", "/../secret", "/%2e%2e/secret", "/up/secret", "/app", "/%", "/.well-known/../../secret"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !strings.HasPrefix(target, "/") || strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c >= 0x7F || c == '#' }) {
			return
		}
		resp, body := ask(t, r, "GET", target)
		if strings.Contains(body, "secret") && resp.StatusCode != 301 {
			t.Fatalf("%q: %d %q", target, resp.StatusCode, body)
		}
		if resp.StatusCode >= 500 {
			t.Fatalf("%q: %d", target, resp.StatusCode)
		}
	})
}
