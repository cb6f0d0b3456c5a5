package api

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hongyan-im/hongyan/internal/media"
	"github.com/hongyan-im/hongyan/wire"
)

// noise is n bytes that nobody can guess.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// asked is a request in the device's name.
func (d *device) asked(method, path string, body []byte, headers ...string) answer {
	d.tb.Helper()
	return d.do(method, Prefix+path, string(body), append(headers, "Authorization", "Bearer "+d.token)...)
}

// medium is the Media in an answer, which has to be one.
func (a answer) medium(tb testing.TB) *wire.Media {
	tb.Helper()
	var m wire.Media
	if err := protojson.Unmarshal(a.body, &m); err != nil || a.StatusCode != http.StatusOK || m.Ref == "" {
		tb.Fatalf("%v: no media: %s %q", err, a.Status, a.body)
	}
	return &m
}

// upload begins an upload and returns its id.
func (d *device) upload(content []byte, name, mime string) string {
	d.tb.Helper()
	sum := sha256.Sum256(content)
	a := d.asked("POST", "media", []byte(fmt.Sprintf(`{"size":"%d","name":%q,"mime":%q,"sha256":%q}`, len(content), name, mime,
		base64.StdEncoding.EncodeToString(sum[:]))), "Content-Type", typeJSON)
	var got struct {
		Upload, ExpiresMs string
		PartSize          int
	}
	if err := json.Unmarshal(a.body, &got); err != nil || a.StatusCode != http.StatusCreated || got.PartSize != media.PartSize ||
		a.Header.Get("Location") != Prefix+"media/uploads/"+got.Upload || got.ExpiresMs == "" {
		d.tb.Fatalf("begin: %v, %s %q", err, a.Status, a.body)
	}
	return got.Upload
}

// TestUploadInParts sends a file in parts, from behind and at once, asks what has come, finishes, and gets it again.
func TestUploadInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.register("ann"), w.register("bob")
	content := noise(3<<20 + 5)
	id := ann.upload(content, "雁.bin", "application/x-goose")
	path := "media/uploads/" + id
	part := func(from, to int) answer {
		return ann.asked("PUT", path+"?offset="+strconv.Itoa(from), content[from:to])
	}
	if a := part(2<<20, len(content)); string(a.body) != `{"received":"1048581"}` {
		t.Fatalf("the last part: %s %q", a.Status, a.body)
	}
	if a := ann.asked("GET", path, nil); !strings.Contains(string(a.body), `"size":"3145733","received":[{"offset":"2097152","length":"1048581"}]`) {
		t.Errorf("what has come: %s %q", a.Status, a.body)
	}
	if p := ann.asked("POST", path+"/finish", nil).problem(t); p.Code != "INVALID" {
		t.Errorf("finished too early: %+v", p)
	}
	for _, a := range []answer{bob.asked("GET", path, nil), bob.asked("PUT", path+"?offset=0", content[:9]), bob.asked("DELETE", path, nil), bob.asked("POST", path+"/finish", nil)} {
		if p := a.problem(t); p.Code != "NOT_FOUND" {
			t.Errorf("another account at the upload: %+v", p)
		}
	}
	var wg sync.WaitGroup
	for _, from := range []int{1 << 20, 0, 1 << 20} {
		wg.Go(func() {
			if a := part(from, from+1<<20); a.StatusCode != http.StatusOK {
				t.Errorf("the part at %d: %s %q", from, a.Status, a.body)
			}
		})
	}
	wg.Wait()
	m := ann.asked("POST", path+"/finish", []byte("{}"), "Content-Type", typeJSON).medium(t)
	sum := sha256.Sum256(content)
	if m.Name != "雁.bin" || m.Mime != "application/x-goose" || m.Size != uint64(len(content)) || !bytes.Equal(m.Sha256, sum[:]) {
		t.Errorf("the file is %v", m)
	}
	if a := w.do("GET", Prefix+"media/"+m.Ref, ""); a.StatusCode != 200 || !bytes.Equal(a.body, content) {
		t.Errorf("the file came back with %d bytes: %s", len(a.body), a.Status)
	}
	// Whoever has lost the answer begins again, and has it.
	a := ann.asked("POST", "media", []byte(fmt.Sprintf(`{"size":%d,"name":"雁.bin","mime":"application/x-goose","sha256":%q}`, len(content),
		base64.StdEncoding.EncodeToString(sum[:]))), "Content-Type", typeJSON)
	var got struct{ Media json.RawMessage }
	var again wire.Media
	if json.Unmarshal(a.body, &got) != nil || a.StatusCode != 200 || protojson.Unmarshal(got.Media, &again) != nil || again.Ref != m.Ref {
		t.Errorf("begun again: %s %q", a.Status, a.body)
	}
	id = ann.upload(noise(100), "", "")
	if a := ann.asked("DELETE", "media/uploads/"+id, nil); a.StatusCode != 200 {
		t.Errorf("cancelled: %s %q", a.Status, a.body)
	}
	if p := ann.asked("GET", "media/uploads/"+id, nil).problem(t); p.Code != "NOT_FOUND" {
		t.Errorf("after that: %+v", p)
	}
}

// TestWhole sends a picture in one request and fetches it and its thumbnail as browsers do.
func TestWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.register("ann")
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 500, 250))); err != nil {
		t.Fatal(err)
	}
	picture := b.Bytes()
	m := ann.asked("POST", "media/whole?name=lake.png", picture, "Content-Type", "image/png").medium(t)
	if m.Width != 500 || m.Height != 250 || len(m.Thumbnail) == 0 || m.Name != "lake.png" {
		t.Errorf("the picture is %v", m)
	}
	path := Prefix + "media/" + m.Ref
	for _, test := range []struct {
		what, method, path string
		headers            []string
		status             int
		body               []byte
		want               map[string]string
	}{
		{"whole", "GET", path, nil, 200, picture, map[string]string{
			"Content-Type": "image/png", "Content-Disposition": "inline; filename=lake.png", "ETag": `"` + m.Ref + `"`,
			"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
			"Cache-Control": "private, max-age=31536000, immutable", "Accept-Ranges": "bytes",
			"Content-Length": strconv.Itoa(len(picture)), "Cross-Origin-Resource-Policy": "same-origin",
		}},
		{"head", "HEAD", path, nil, 200, nil, map[string]string{"Content-Length": strconv.Itoa(len(picture))}},
		{"range", "GET", path, []string{"Range", "bytes=1-3"}, 206, picture[1:4], map[string]string{
			"Content-Range": fmt.Sprintf("bytes 1-3/%d", len(picture))}},
		{"end", "GET", path, []string{"Range", "bytes=-4"}, 206, picture[len(picture)-4:], nil},
		{"beyond", "GET", path, []string{"Range", "bytes=9999999-"}, 416, nil, nil},
		{"known", "GET", path, []string{"If-None-Match", `"` + m.Ref + `"`}, 304, nil, nil},
		{"thumbnail", "GET", path + "/thumbnail", nil, 200, m.Thumbnail, map[string]string{"Content-Type": "image/jpeg"}},
		{"head of the thumbnail", "HEAD", path + "/thumbnail", nil, 200, nil, map[string]string{"Content-Length": strconv.Itoa(len(m.Thumbnail))}},
	} {
		a := w.do(test.method, test.path, "", test.headers...)
		if a.StatusCode != test.status || test.body != nil && !bytes.Equal(a.body, test.body) {
			t.Errorf("%s: %s with %d bytes", test.what, a.Status, len(a.body))
		}
		for name, value := range test.want {
			if got := a.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", test.what, name, got, value)
			}
		}
	}
	// What may be a page is for saving only.
	page := ann.asked("POST", "media/whole?name=a%22b.html", []byte("<html><script>alert(1)</script>"), "Content-Type", "text/html").medium(t)
	a := w.do("GET", Prefix+"media/"+page.Ref, "")
	if got := a.Header.Get("Content-Disposition"); got != `attachment; filename="a\"b.html"` {
		t.Errorf("a page is given as %q", got)
	}
	// So is one that says it is a picture.
	page = ann.asked("POST", "media/whole", []byte("<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"), "Content-Type", "image/png").medium(t)
	a = w.do("GET", Prefix+"media/"+page.Ref, "")
	if got := a.Header.Get("Content-Disposition"); got != "attachment" || strings.HasPrefix(a.Header.Get("Content-Type"), "image/") {
		t.Errorf("a page that says it is a picture is given as %q, %q", a.Header.Get("Content-Type"), got)
	}
}

// TestMediaRefuses sends what may not be.
func TestMediaRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.register("ann")
	id := ann.upload(noise(1000), "", "")
	key := w.register("key")
	key.token = ""
	for _, test := range []struct {
		what   string
		answer answer
		status int
		code   string
	}{
		{"no token", w.do("POST", "/v1/media", `{"size":"1"}`, "Content-Type", typeJSON), 401, "UNAUTHENTICATED"},
		{"no token, whole", w.do("POST", "/v1/media/whole", "x"), 401, "UNAUTHENTICATED"},
		{"no token, part", w.do("PUT", "/v1/media/uploads/"+id+"?offset=0", "x"), 401, "UNAUTHENTICATED"},
		{"no size", ann.asked("POST", "media", []byte(`{}`), "Content-Type", typeJSON), 400, "INVALID"},
		{"too large", ann.asked("POST", "media", []byte(`{"size":"20971521"}`), "Content-Type", typeJSON), 413, "TOO_LARGE"},
		{"huge", ann.asked("POST", "media", []byte(`{"size":"18446744073709551615"}`), "Content-Type", typeJSON), 413, "TOO_LARGE"},
		{"not JSON", ann.asked("POST", "media", []byte(`size`), "Content-Type", typeJSON), 400, "INVALID"},
		{"not said to be JSON", ann.asked("POST", "media", []byte(`{"size":"1"}`)), 415, "INVALID"},
		{"no type", ann.asked("POST", "media", []byte(`{"size":"1","mime":"goose"}`), "Content-Type", typeJSON), 400, "INVALID"},
		{"short hash", ann.asked("POST", "media", []byte(`{"size":"1","sha256":"AAAA"}`), "Content-Type", typeJSON), 400, "INVALID"},
		{"whole too large", ann.asked("POST", "media/whole", noise(media.MaxWhole+1)), 413, "TOO_LARGE"},
		{"nothing", ann.asked("POST", "media/whole", nil), 400, "INVALID"},
		{"compressed", ann.asked("POST", "media/whole", []byte("x"), "Content-Encoding", "gzip"), 415, "INVALID"},
		{"no offset", ann.asked("PUT", "media/uploads/"+id, []byte("x")), 400, "INVALID"},
		{"negative offset", ann.asked("PUT", "media/uploads/"+id+"?offset=-1", []byte("x")), 400, "INVALID"},
		{"offset outside", ann.asked("PUT", "media/uploads/"+id+"?offset=1000", []byte("x")), 400, "INVALID"},
		{"end outside", ann.asked("PUT", "media/uploads/"+id+"?offset=999", []byte("xy")), 400, "INVALID"},
		{"empty part", ann.asked("PUT", "media/uploads/"+id+"?offset=0", nil), 400, "INVALID"},
		{"part too large", ann.asked("PUT", "media/uploads/"+id+"?offset=0", noise(media.MaxPart+1)), 413, "TOO_LARGE"},
		{"no such upload", ann.asked("GET", "media/uploads/u_x", nil), 404, "NOT_FOUND"},
		{"no such reference", w.do("GET", "/v1/media/m_AAAAAAAAAAAAAAAAAAAAAA", ""), 404, "NOT_FOUND"},
		{"no reference", w.do("GET", "/v1/media/..%2f..%2fetc%2fpasswd", ""), 404, "UNKNOWN_OPERATION"},
		{"no path", w.do("GET", "/v1/media/%2e%2e", ""), 404, "NOT_FOUND"},
		{"no thumbnail", w.do("GET", "/v1/media/x/thumbnail", ""), 404, "NOT_FOUND"},
		{"wrong method", ann.asked("POST", "media/x", nil), 405, "INVALID"},
		{"not by the key of a file", w.do("GET", "/v1/media/"+strings.Repeat("0", 64), ""), 404, "NOT_FOUND"},
	} {
		if p := test.answer.problem(t); p.Status != test.status || p.Code != test.code {
			t.Errorf("%s: %+v, want %d %s", test.what, p, test.status, test.code)
		}
	}
	plain := *w.peer.Load()
	plain.Secure = false
	w.peer.Store(&plain)
	for _, a := range []answer{w.do("GET", "/v1/media/m_AAAAAAAAAAAAAAAAAAAAAA", ""), ann.asked("POST", "media/whole", []byte("x"))} {
		if p := a.problem(t); p.Code != "TLS_REQUIRED" {
			t.Errorf("unencrypted: %+v", p)
		}
	}
}

// TestAFileThatDoesNotCome: a part that breaks off, or comes too slowly, is refused and does not count.
func TestAFileThatDoesNotCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.mediaTime = 300 * time.Millisecond
	ann := w.register("ann")
	id := ann.upload(noise(1000), "", "")
	c, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "PUT /v1/media/uploads/%s?offset=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n%s",
		id, ann.token, noise(500))
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusRequestTimeout || !r.Close {
		t.Errorf("%s, and the connection stays open: %v", r.Status, !r.Close)
	}
	if a := ann.asked("GET", "media/uploads/"+id, nil); !strings.Contains(string(a.body), `"received":[]`) {
		t.Errorf("what has come: %s", a.body)
	}
}

// TestMediaFromOtherPages: a page of another origin that is let in may ask for everything that uploading takes.
func TestMediaFromOtherPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "https://chat.example")
	a := w.do("OPTIONS", "/v1/media/uploads/u_x", "", "Origin", "https://chat.example", "Access-Control-Request-Method", "PUT")
	if got := a.Header.Get("Access-Control-Allow-Methods"); a.StatusCode != http.StatusNoContent || !strings.Contains(got, "PUT") || !strings.Contains(got, "DELETE") {
		t.Errorf("%s, methods %q", a.Status, got)
	}
	if p := w.do("OPTIONS", "/v1/media/uploads/u_x", "", "Origin", "https://evil.example").problem(t); p.Code != "FORBIDDEN" {
		t.Errorf("from elsewhere: %+v", p)
	}
}

// FuzzParseOffset: what is read is what a decimal number is, and nothing else.
func FuzzParseOffset(f *testing.F) {
	for _, seed := range []string{"", "0", "1", "-1", "+1", "1e3", "9223372036854775807", "9223372036854775808", "0x10", " 1", "1_0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseOffset(text)
		if err != nil {
			return
		}
		if n < 0 || strings.TrimLeft(text, "0") != strings.TrimLeft(strconv.FormatInt(n, 10), "0") {
			t.Errorf("%q is read as %d", text, n)
		}
	})
}
