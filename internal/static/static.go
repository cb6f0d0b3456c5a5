// Package static serves the files of one folder, the operator's own, over HTTP: GET and HEAD with conditions and ranges
// (RFC 9110 §13, §14), index.html for a folder, no listings, and nothing outside of the folder whatever the request or the
// links in it say. A file goes from the disk to the network without passing through this process.
//
//	Exchange ─► path ─► os.Root ─► conditions ─► range ─► Exchange.RespondFile
package static

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hongyan-im/hongyan/internal/http1"
)

// Site is a folder that is served. It may be used by any number of connections at the same time.
type Site struct {
	root *os.Root
}

// Open returns the site of the folder dir.
func Open(dir string) (*Site, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Site{root}, nil
}

// Close lets go of the folder. Files that are being sent are finished.
func (s *Site) Close() error { return s.root.Close() }

const index = "index.html"

var (
	nothing    = http1.Text(404, "there is nothing here")
	forbidden  = http1.Text(403, "this is not for everybody")
	failed     = http1.Text(500, "the file cannot be read")
	notAllowed = func() http1.Response {
		r := http1.Text(405, "files can only be read")
		r.Fields = "Allow: GET, HEAD\r\n"
		return r
	}()
)

// Serve settles x, whose path below prefix names a file of the site. prefix begins and ends with "/".
func (s *Site) Serve(x *http1.Exchange, prefix string) {
	below, ok := strings.CutPrefix(string(x.Path), prefix)
	if !ok {
		x.Respond(nothing)
		return
	}
	if !x.Reads() {
		x.Respond(notAllowed)
		return
	}
	name, ok := fileName(below)
	if !ok {
		x.Respond(nothing)
		return
	}
	f, info, err := s.open(name)
	folder := err == nil && info.IsDir()
	if folder {
		f, info, err = s.openIndex(f, name)
	}
	switch {
	case err != nil:
		x.Respond(failure(err))
	case folder && name != "." && !strings.HasSuffix(below, "/"):
		// Relative links in the page would miss the folder.
		_ = f.Close()
		x.Respond(moved(string(x.Path)+"/", x.RawQuery))
	case !folder && strings.HasSuffix(below, "/"):
		_ = f.Close()
		x.Respond(nothing)
	default:
		respond(x, f, info)
	}
}

// fileName turns the part of a request's path below the site into a name in the root: "." for the root itself. False:
// there can be no such file. What could mean something to an operating system that it did not mean to the client is
// refused before any system sees it, and so are names that begin with a dot: those are the operator's own.
func fileName(below string) (string, bool) {
	name, ok := unescape(strings.TrimSuffix(below, "/"))
	if !ok || strings.ContainsAny(name, "\\\x00") {
		return "", false
	}
	if name == "" {
		return ".", below == ""
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment[0] == '.' && segment != ".well-known" { // RFC 8615
			return "", false
		}
	}
	return name, true
}

// unescape decodes the percent-encoding of a path. An encoded slash is refused: it would be no separator.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", false
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil || c == '/' {
			return "", false
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), true
}

// open opens a file or folder. It never waits, not even for the writer of a named pipe.
func (s *Site) open(name string) (*os.File, fs.FileInfo, error) {
	f, err := s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// openIndex opens the page of the open folder.
func (s *Site) openIndex(folder *os.File, name string) (*os.File, fs.FileInfo, error) {
	_ = folder.Close()
	f, info, err := s.open(path.Join(name, index))
	if err == nil && info.IsDir() {
		_ = f.Close()
		err = fs.ErrNotExist
	}
	return f, info, err
}

// failure is the answer to a file that cannot be opened. That a path leads out of the folder is told to nobody.
func failure(err error) http1.Response {
	if errors.Is(err, fs.ErrPermission) {
		return forbidden
	}
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO} {
		if errors.Is(err, e) {
			return failed // of this process or machine, not of the file
		}
	}
	return nothing
}

// moved sends the client to another path of this site. path is as the client sent it, so it can hold nothing that would
// end the header field.
func moved(path string, query []byte) http1.Response {
	r := http1.Text(301, "it is here: "+path)
	if len(query) > 0 {
		path += "?" + string(query)
	}
	r.Fields = "Location: " + path + "\r\n"
	return r
}

// respond answers with the file, with what has changed of it, or with a part.
func respond(x *http1.Exchange, f *os.File, info fs.FileInfo) {
	v := version{tag: entityTag(info), modified: info.ModTime().UTC().Truncate(time.Second)}
	r := http1.Response{Status: 200, Type: typeOf(info.Name())}
	r.Fields = "ETag: " + v.tag + "\r\nLast-Modified: " + v.modified.Format(http.TimeFormat) +
		"\r\nCache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\nAccept-Ranges: bytes\r\n"
	switch v.check(x) {
	case http.StatusNotModified:
		_ = f.Close()
		r.Status, r.Type = 304, ""
		x.Respond(r)
		return
	case http.StatusPreconditionFailed:
		_ = f.Close()
		x.Respond(http1.Text(412, "the file is another one"))
		return
	}
	size := info.Size()
	part, status := v.rangeOf(x, size)
	switch status {
	case http.StatusPartialContent:
		r.Status = 206
		r.Fields += "Content-Range: bytes " + strconv.FormatInt(part.first, 10) + "-" + strconv.FormatInt(part.last, 10) +
			"/" + strconv.FormatInt(size, 10) + "\r\n"
	case http.StatusRequestedRangeNotSatisfiable:
		_ = f.Close()
		r = http1.Text(416, "the file has no such part")
		r.Fields = "Content-Range: bytes */" + strconv.FormatInt(size, 10) + "\r\n"
		x.Respond(r)
		return
	}
	x.RespondFile(r, f, part.first, part.last+1-part.first)
}

// entityTag is a strong validator, as long as nobody changes a file twice within the clock's step and keeps its size.
func entityTag(info fs.FileInfo) string {
	return `"` + strconv.FormatInt(info.Size(), 16) + "-" + strconv.FormatInt(info.ModTime().UnixNano(), 16) + `"`
}
