// Package web carries the built web client and serves it to browsers.
//
// The files come from web/app, where npm builds them into dist; this package embeds that folder. Names of files under
// assets hold a hash of their content, so a browser keeps them for good; everything else is asked for anew each time
// and answered by 304 while it is the same. A file that is worth it is compressed once, when it is first wanted.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed all:app/dist
var dist embed.FS

// The client runs nothing that is not a file of its own, talks to this host and to the addresses that the server has
// named, and is shown in no frame. Pictures that were not uploaded yet, and thumbnails within messages, are blob: and data:.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
	"media-src 'self' blob:; connect-src 'self' ws: wss:; manifest-src 'self'; worker-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

const (
	forGood  = "public, max-age=31536000, immutable"
	askAgain = "no-cache"
)

// smallest is the size in bytes from which compressing pays: below, it saves no packet.
const smallest = 1 << 10

// types are those that the system's own table may lack or tell otherwise.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json",
}

// file is one file of the client.
type file struct {
	body        []byte
	contentType string
	cache       string
	tag         string        // strong, without the quotes
	compressed  func() []byte // nil for what does not get smaller
}

// Client is the web client as an HTTP handler.
type Client struct {
	files map[string]*file // by path, without the slash in front
	plain http.Handler
}

// New returns a handler for the client's files. Whoever asks for the front page without wanting HTML, as curl does, gets
// the answer of plain.
func New(plain http.Handler) *Client {
	c := &Client{files: make(map[string]*file), plain: plain}
	root, err := fs.Sub(dist, "app/dist")
	if err == nil {
		err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			body, err := fs.ReadFile(root, name)
			if err == nil {
				c.files[name] = newFile(name, body)
			}
			return err
		})
	}
	if err != nil {
		panic("web: the embedded files cannot be read: " + err.Error()) // they are a part of the program
	}
	return c
}

func newFile(name string, body []byte) *file {
	sum := sha256.Sum256(body)
	f := &file{body: body, cache: askAgain, tag: base64.RawURLEncoding.EncodeToString(sum[:12])}
	extension := path.Ext(name)
	if f.contentType = types[extension]; f.contentType == "" {
		f.contentType = mime.TypeByExtension(extension)
	}
	if strings.HasPrefix(name, "assets/") {
		f.cache = forGood
	}
	if len(body) >= smallest && extension != ".png" {
		f.compressed = sync.OnceValue(func() []byte { return compress(body) })
	}
	return f
}

// compress never fails: it writes to memory.
func compress(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

func (c *Client) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		w.Header().Add("Vary", "Accept")
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			c.plain.ServeHTTP(w, r)
			return
		}
		name = "index.html"
	}
	f := c.files[name]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	body, tag := f.body, f.tag
	if f.compressed != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			body, tag = f.compressed(), f.tag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	// ServeContent answers conditions, ranges and HEAD. It takes no time: the tag says what changed.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3) as far as browsers use it.
func acceptsGzip(accept string) bool {
	for one := range strings.SplitSeq(accept, ",") {
		coding, weight, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return weight != "q=0" && !strings.HasPrefix(weight, "q=0.0")
		}
	}
	return false
}
