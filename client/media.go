package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/wire"
)

// Limits of what goes over files.
const (
	partsAtOnce  = 3               // of an upload
	fileRequest  = 5 * time.Minute // for a part, or for a server to begin with an answer
	fileAttempts = 6               // in a row that bring nothing
	fileRetryMin = time.Second     // before the second attempt; it doubles from one to the next
)

// Upload is a file to be uploaded.
type Upload struct {
	Name    string // for people
	MIME    string // media type; the server looks at the bytes too
	Content io.ReaderAt
	Size    int64
	// Progress is told how many bytes the server has, now and then, by one goroutine at a time. It may be nil.
	Progress func(done int64)
}

// Upload brings a file to the server and returns what a message says of it, with a thumbnail if it is a picture. It goes on
// where the connection broke, in this call and in a later one with the same file: the server knows it by its content.
// Refusals are *hongyan.Error: TooLarge, TooMany (the account's quota), StorageLow and so on.
func (c *Client) Upload(ctx context.Context, u Upload) (hongyan.Media, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	hash := sha256.New()
	n, err := io.Copy(hash, io.NewSectionReader(u.Content, 0, u.Size))
	if err == nil && n != u.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return hongyan.Media{}, fmt.Errorf("cannot read the file: %w", err)
	}
	plan, err := protojson.Marshal(&wire.Media{Name: u.Name, Mime: u.MIME, Size: uint64(u.Size), Sha256: hash.Sum(nil)})
	if err != nil {
		return hongyan.Media{}, err
	}
	var m hongyan.Media
	err = c.overFiles(ctx, func(ctx context.Context, l *fileLink) (progress bool, err error) {
		t := &transfer{link: l, upload: u}
		m, err = t.run(ctx, plan)
		return t.sent.Load() > 0, err
	})
	return m, err
}

// Download writes the file of a reference to w, and returns what is known of it: Ref, Name, MIME and Size. It goes on where
// the connection broke. NotFound says that there is no such file. Progress may be nil.
func (c *Client) Download(
	ctx context.Context, ref string, w io.Writer, progress func(done, size int64),
) (hongyan.Media, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	f := &fetch{m: hongyan.Media{Ref: ref}, w: w, progress: progress}
	err := c.overFiles(ctx, func(ctx context.Context, l *fileLink) (bool, error) {
		before := f.done
		err := f.run(ctx, l)
		return f.done > before, err
	})
	return f.m, err
}

// overFiles makes attempts until one succeeds, there is no hope, or too many in a row bring nothing.
func (c *Client) overFiles(ctx context.Context, attempt func(context.Context, *fileLink) (progress bool, err error)) error {
	wait := fileRetryMin
	for failed := 0; ; wait *= 2 {
		l, err := c.fileLink(ctx)
		progress := false
		if err == nil {
			progress, err = attempt(ctx, l)
			l.http.CloseIdleConnections()
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		var local *localError
		e := refusal(err)
		if errors.As(err, &local) || e != nil && !e.Code.Retryable() && e.Code != hongyan.TokenExpired {
			return err
		}
		if failed++; progress {
			failed, wait = 0, fileRetryMin
		}
		if failed >= fileAttempts {
			return err
		}
		pause := wait
		if e != nil {
			pause = max(pause, e.RetryAfter)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%w: %v", context.Cause(ctx), err)
		}
	}
}

// localError is a fault of this device, which no attempt cures.
type localError struct{ error }

func (e *localError) Unwrap() error { return e.error }

// fileLink is the short link for files, over the way by which the server was reached last.
type fileLink struct {
	base, token string
	http        *http.Client
}

// fileLink finds the way to the server by connecting to it.
func (c *Client) fileLink(ctx context.Context) (*fileLink, error) {
	s, err := c.session(ctx, false)
	if err != nil {
		return nil, err
	}
	creds, o := c.credentials(), c.opts.Dial
	o.Pin = pinOf(o, creds)
	l := &fileLink{base: "http://" + nameOf(s.route) + shortLink, token: creds.DeviceToken}
	dial := func(ctx context.Context) (net.Conn, error) {
		return o.reach(ctx, s.route.Host, addressOf(s.route), s.secure, func() {})
	}
	if path, ok := strings.CutPrefix(creds.Server, "unix:"); ok {
		l.base = "http://localhost" + shortLink
		dial = func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "unix", path) }
	} else if s.secure {
		l.base = "https://" + nameOf(s.route) + shortLink
	}
	l.http = newShortClient(dial)
	return l, nil
}

// open makes a request and returns its answer, whatever it is.
func (l *fileLink) open(ctx context.Context, method, path string, body io.Reader, header map[string]string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, l.base+path, body)
	if err != nil {
		return nil, &localError{err}
	}
	if section, ok := body.(*io.SectionReader); ok {
		request.ContentLength = section.Size()
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := l.http.Do(request)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // the rest says what was asked
	}
	return response, err
}

// ask makes a request as the device and reads the answer in JSON into reply.
func (l *fileLink) ask(ctx context.Context, method, path, kind string, body io.Reader, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, fileRequest)
	defer cancel()
	header := map[string]string{"Authorization": "Bearer " + l.token}
	if kind != "" {
		header["Content-Type"] = kind
	}
	response, err := l.open(ctx, method, path, body, header)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := readShort(response)
	if err != nil {
		return err
	}
	if m, ok := reply.(*wire.Media); ok {
		return wire.UnmarshalJSON(text, m)
	}
	return json.Unmarshal(text, reply)
}

// transfer is an attempt to upload a file.
type transfer struct {
	link   *fileLink
	upload Upload
	sent   atomic.Int64 // bytes of this attempt

	mu   sync.Mutex
	done int64 // bytes that the server has
}

// run begins the upload or finds the one that was begun, sends what is missing, and finishes.
func (t *transfer) run(ctx context.Context, plan []byte) (hongyan.Media, error) {
	var begun struct {
		Upload   string
		PartSize int64
		Media    json.RawMessage
	}
	if err := t.link.ask(ctx, http.MethodPost, "media", "application/json", bytes.NewReader(plan), &begun); err != nil {
		return hongyan.Media{}, err
	}
	if begun.Media != nil {
		t.arrived(t.upload.Size)
		var m wire.Media
		err := wire.UnmarshalJSON(begun.Media, &m)
		return *wire.ToMedia(&m), err
	}
	path := "media/uploads/" + url.PathEscape(begun.Upload)
	missing, err := t.missing(ctx, path, max(begun.PartSize, 1))
	if err == nil {
		err = t.send(ctx, path, missing)
	}
	var m wire.Media
	if err == nil {
		err = t.link.ask(ctx, http.MethodPost, path+"/finish", "", nil, &m)
	}
	if hongyan.CodeOf(err) == hongyan.NotFound {
		// It was finished, by a request whose answer was lost, or is gone: beginning again tells which.
		err = fmt.Errorf("the upload has ended: %v", err)
	}
	return *wire.ToMedia(&m), err
}

// arrived tells how far the upload is.
func (t *transfer) arrived(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += n
	if t.upload.Progress != nil {
		t.upload.Progress(t.done)
	}
}

// piece is a run of bytes of a file.
type piece struct{ offset, length int64 }

// missing asks what the server has and returns the parts that it has not.
func (t *transfer) missing(ctx context.Context, path string, partSize int64) ([]piece, error) {
	var has struct {
		Received []struct {
			Offset int64 `json:",string"`
			Length int64 `json:",string"`
		}
	}
	if err := t.link.ask(ctx, http.MethodGet, path, "", nil, &has); err != nil {
		return nil, err
	}
	var parts []piece
	at, done := int64(0), int64(0)
	until := func(end int64) {
		for ; at < end; at += partSize {
			parts = append(parts, piece{at, min(partSize, end-at)})
		}
	}
	for _, r := range has.Received {
		until(r.Offset)
		at = r.Offset + r.Length
		done += r.Length
	}
	until(t.upload.Size)
	t.arrived(done)
	return parts, nil
}

// send sends parts, some at once, until one fails.
func (t *transfer) send(ctx context.Context, path string, parts []piece) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	queue := make(chan piece, len(parts))
	for _, p := range parts {
		queue <- p
	}
	close(queue)
	var work sync.WaitGroup
	for range min(partsAtOnce, len(parts)) {
		work.Go(func() {
			for p := range queue {
				if ctx.Err() != nil {
					return
				}
				if err := t.sendPart(ctx, path, p); err != nil {
					fail(err)
				}
			}
		})
	}
	work.Wait()
	return context.Cause(ctx)
}

func (t *transfer) sendPart(ctx context.Context, path string, p piece) error {
	var reply struct{}
	err := t.link.ask(ctx, http.MethodPut, path+"?offset="+strconv.FormatInt(p.offset, 10), "application/octet-stream",
		io.NewSectionReader(t.upload.Content, p.offset, p.length), &reply)
	if err == nil {
		t.sent.Add(p.length)
		t.arrived(p.length)
	}
	return err
}

// fetch is a download, over all attempts.
type fetch struct {
	m        hongyan.Media
	w        io.Writer
	progress func(done, size int64)
	done     int64
	etag     string
}

// run fetches what is still missing.
func (f *fetch) run(ctx context.Context, l *fileLink) error {
	header := map[string]string{}
	if f.done > 0 {
		header["Range"], header["If-Range"] = fmt.Sprintf("bytes=%d-", f.done), f.etag
	}
	response, err := l.open(ctx, http.MethodGet, "media/"+url.PathEscape(f.m.Ref), nil, header)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusPartialContent && f.done > 0:
	case response.StatusCode == http.StatusOK && response.ContentLength >= 0:
		f.describe(response)
		if _, err := io.CopyN(io.Discard, response.Body, f.done); err != nil { // which w has already
			return err
		}
	default:
		if _, err := readShort(response); err != nil {
			return err
		}
		return fmt.Errorf("something answered with %s that is no server", response.Status)
	}
	_, err = io.Copy(f, response.Body)
	if err == nil && uint64(f.done) != f.m.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// describe notes what an answer says of the file.
func (f *fetch) describe(r *http.Response) {
	f.m.MIME, f.m.Size, f.etag = r.Header.Get("Content-Type"), uint64(r.ContentLength), r.Header.Get("ETag")
	if _, params, err := mime.ParseMediaType(r.Header.Get("Content-Disposition")); err == nil {
		f.m.Name = params["filename"]
	}
}

// Write passes what has come on.
func (f *fetch) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.done += int64(n)
	if f.progress != nil {
		f.progress(f.done, int64(f.m.Size))
	}
	if err != nil {
		err = &localError{err}
	}
	return n, err
}
