package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var client = New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "plain") }))

// ask sends a request with headers given in pairs.
func ask(t *testing.T, method, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	client.ServeHTTP(w, r)
	return w.Result()
}

// asset is the path of a file whose name holds a hash.
func asset(t *testing.T, suffix string) string {
	t.Helper()
	for name := range client.files {
		if strings.HasPrefix(name, "assets/") && strings.HasSuffix(name, suffix) {
			return "/" + name
		}
	}
	t.Fatalf("no asset ends with %s", suffix)
	return ""
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	script := asset(t, ".js")
	for _, c := range []struct {
		name, method, path string
		headers            []string
		status             int
		contentType, cache string
	}{
		{"front page", "GET", "/", []string{"Accept", "text/html,*/*"}, 200, "text/html; charset=utf-8", "no-cache"},
		{"front page by name", "GET", "/index.html", nil, 200, "text/html; charset=utf-8", "no-cache"},
		{"curl", "GET", "/", []string{"Accept", "*/*"}, 200, "text/plain; charset=utf-8", ""},
		{"script", "GET", script, nil, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"head", "HEAD", script, nil, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"manifest", "GET", "/manifest.webmanifest", nil, 200, "application/manifest+json", "no-cache"},
		{"service worker", "GET", "/sw.js", nil, 200, "text/javascript; charset=utf-8", "no-cache"},
		{"icon", "GET", "/icon-192.png", nil, 200, "image/png", "no-cache"},
		{"missing", "GET", "/assets/missing.js", nil, 404, "text/plain; charset=utf-8", ""},
		{"folder", "GET", "/assets/", nil, 404, "text/plain; charset=utf-8", ""},
		{"upwards", "GET", "/assets/../../web.go", nil, 404, "text/plain; charset=utf-8", ""},
		{"post", "POST", "/", nil, 405, "text/plain; charset=utf-8", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, c.method, c.path, c.headers...)
			if got.StatusCode != c.status || got.Header.Get("Content-Type") != c.contentType ||
				got.Header.Get("Cache-Control") != c.cache {
				t.Errorf("got %d, %q, %q, want %d, %q, %q", got.StatusCode, got.Header.Get("Content-Type"),
					got.Header.Get("Cache-Control"), c.status, c.contentType, c.cache)
			}
		})
	}
}

func TestHeadersForbidWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for name := range client.files {
		h := ask(t, "GET", "/"+name, "Accept", "text/html").Header
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'",
			"base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy %q lacks %s", name, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy allows something unsafe: %s", name, csp)
		}
		for key, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin"} {
			if h.Get(key) != want {
				t.Errorf("%s: %s is %q, want %q", name, key, h.Get(key), want)
			}
		}
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	script := asset(t, ".js")
	plain, packed := ask(t, "GET", script), ask(t, "GET", script, "Accept-Encoding", "br, gzip")
	if plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("encodings are %q and %q", plain.Header.Get("Content-Encoding"), packed.Header.Get("Content-Encoding"))
	}
	if plain.Header.Get("ETag") == packed.Header.Get("ETag") {
		t.Error("both forms have the same tag")
	}
	r, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if whole, _ := io.ReadAll(plain.Body); string(whole) != string(unpacked) {
		t.Error("the compressed form is another file")
	}
	for _, never := range []string{"gzip;q=0", "gzip; q=0.0", "br", "identity"} {
		if got := ask(t, "GET", script, "Accept-Encoding", never).Header.Get("Content-Encoding"); got != "" {
			t.Errorf("%q is answered by %s", never, got)
		}
	}
}

func TestKnownTag(t *testing.T) {
	t.Parallel()
	first := ask(t, "GET", "/", "Accept", "text/html")
	again := ask(t, "GET", "/", "Accept", "text/html", "If-None-Match", first.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("got %d for a known tag", again.StatusCode)
	}
}

// The scripts and styles that the front page asks for at once have to come quickly over a slow network.
func TestFirstLoadIsSmall(t *testing.T) {
	t.Parallel()
	const most = 150 << 10
	page := string(client.files["index.html"].body)
	var size int
	for name, f := range client.files {
		if strings.Contains(page, name) && strings.HasPrefix(name, "assets/") {
			size += len(f.compressed())
		}
	}
	t.Logf("%d bytes, compressed", size)
	if size == 0 || size > most {
		t.Errorf("the first load has %d bytes, want 1 to %d", size, most)
	}
}
