package webwx

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/media"
)

// Limits of uploads.
const (
	chunkSize    = 512 << 10        // bytes of every part but the last: all clients have agreed on this
	maxUpload    = 1 << 20          // bytes of the request that brings one
	maxUploads   = 4096             // that are not complete, of all sessions
	uploadLife   = 30 * time.Minute // after which one that is not complete is forgotten
	maxFormValue = 16 << 10         // bytes of a field that is no file
)

// uploads are the uploads that are not complete. What has come of them is in the media store, under a name that only this
// memory knows: after a restart a client begins again.
type uploads struct {
	mu    sync.Mutex
	now   func() time.Time
	byKey map[string]*upload
	order []*upload // by age
}

// upload is a file that comes in parts.
type upload struct {
	key, id string
	user    hongyan.UserID
	began   time.Time
	mu      sync.Mutex // held while a part is written, so that the last one finds all others
	ref     string     // of the file, when it is whole
}

func newUploads(now func() time.Time) *uploads {
	return &uploads{now: now, byKey: map[string]*upload{}}
}

// enter returns the upload of a key, or begins it. Those that had to make room for it are over.
func (u *uploads) enter(key string, user hongyan.UserID) (up *upload, over []*upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	for len(u.order) > 0 && (len(u.order) >= maxUploads || now.Sub(u.order[0].began) > uploadLife) {
		over = append(over, u.order[0])
		delete(u.byKey, u.order[0].key)
		u.order[0] = nil
		u.order = u.order[1:]
	}
	if up, ok := u.byKey[key]; ok {
		return up, over
	}
	up = &upload{key: key, user: user, began: now}
	u.byKey[key] = up
	u.order = append(u.order, up)
	return up, over
}

// abort lets the media store forget what has come of uploads that are over.
func (x *exchange) abort(over []*upload) {
	for _, up := range over {
		up.mu.Lock()
		if up.id != "" && up.ref == "" {
			_ = x.server.config.Media.Abort(up.user, up.id) // an error: it has forgotten it already
		}
		up.mu.Unlock()
	}
}

// form is the body of webwxuploadmedia. Its fields come in any order.
type form struct {
	fields map[string]string
	file   []byte
	name   string // of the file
	there  bool   // the file is
}

// parseForm reads the body of an upload.
func parseForm(r *multipart.Reader) (form, error) {
	f := form{fields: map[string]string{}}
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return form{}, hongyan.Errorf(hongyan.Invalid, "the form cannot be read: %v", err)
		}
		limit := int64(maxFormValue)
		if part.FileName() != "" || part.FormName() == "filename" {
			limit = maxUpload
		}
		b, err := io.ReadAll(io.LimitReader(part, limit+1))
		switch {
		case err != nil:
			return form{}, hongyan.Errorf(hongyan.Invalid, "the form cannot be read: %v", err)
		case int64(len(b)) > limit:
			return form{}, hongyan.Errorf(hongyan.TooLarge, "a part of the form has more than %d bytes", limit)
		case limit == maxUpload:
			f.file, f.name, f.there = b, part.FileName(), true
		default:
			f.fields[strings.ToLower(part.FormName())] = string(b)
		}
	}
	if !f.there {
		return form{}, hongyan.Errorf(hongyan.Invalid, "the form has no file")
	}
	return f, nil
}

// uploaded is the answer to an upload.
type uploaded struct {
	BaseResponse      baseResponse
	MediaId           string
	StartPos          int64
	CDNThumbImgHeight int
	CDNThumbImgWidth  int
	EncryFileName     string
}

// uploadMedia takes a file, or a part of one.
func (x *exchange) uploadMedia() error {
	x.crossOrigin()
	if x.r.Method == http.MethodOptions {
		x.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	connection := http.NewResponseController(x.w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyTime)) // an error: there is no connection, as in tests
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxUpload+maxFormValue*16)
	r, err := x.r.MultipartReader()
	if err != nil {
		return hongyan.Errorf(hongyan.Invalid, "an upload is a form of several parts: %v", err)
	}
	f, err := parseForm(r)
	if err != nil {
		return err
	}
	_ = connection.SetReadDeadline(time.Time{})
	if x.body, err = parseBody([]byte(f.fields["uploadmediarequest"])); err != nil {
		return err
	}
	if ticket, _, _ := strings.Cut(f.fields[cookieTicket], ";"); ticket != "" && x.query.Get(cookieTicket) == "" {
		x.query.Set(cookieTicket, ticket)
	}
	if err := x.authenticate(); err != nil {
		return err
	}
	return x.store(f)
}

// store writes what an upload has brought.
func (x *exchange) store(f form) error {
	name := fileName(f.fields["name"], f.name)
	chunks, _ := strconv.Atoi(f.fields["chunks"])
	if chunks <= 1 {
		m, err := x.server.config.Media.Save(x.ctx, x.caller.User, name, f.fields["type"], bytes.NewReader(f.file))
		if err != nil {
			return err
		}
		return x.reply(uploaded{MediaId: mediaID(m.Ref), StartPos: int64(len(f.file)), EncryFileName: name})
	}
	chunk, err := strconv.Atoi(f.fields["chunk"])
	size, err2 := strconv.ParseInt(f.fields["size"], 10, 64)
	if err != nil || err2 != nil || chunk < 0 || chunk >= chunks || size <= int64(chunks-1)*chunkSize || size > int64(chunks)*chunkSize {
		return hongyan.Errorf(hongyan.Invalid, "part %.20q of %d, of %.20q bytes: that cannot be", f.fields["chunk"], chunks, f.fields["size"])
	}
	b := &x.body
	key := x.server.seal.sum("upload", x.sid, string(b.ClientMediaId), b.FileMd5, name, f.fields["size"])
	up, over := x.server.uploads.enter(string(key), x.caller.User)
	x.abort(over)
	up.mu.Lock()
	defer up.mu.Unlock()
	offset := int64(chunk) * chunkSize
	if err := x.storePart(up, media.Upload{Size: size, Name: name, MIME: f.fields["type"]}, offset, f.file, chunk == chunks-1); err != nil {
		return err
	}
	a := uploaded{StartPos: offset + int64(len(f.file))}
	if chunk == chunks-1 {
		a.MediaId, a.EncryFileName = mediaID(up.ref), name
	}
	return x.reply(a)
}

// storePart writes one of several parts down, and makes the file whole with the last one. Clients send them in order, and
// may repeat each.
func (x *exchange) storePart(up *upload, u media.Upload, offset int64, b []byte, last bool) error {
	if up.ref != "" { // a repetition
		return nil
	}
	store := x.server.config.Media
	if up.id == "" {
		begun, err := store.Begin(x.ctx, x.caller.User, u)
		if err != nil {
			return err
		}
		up.id = begun.ID
	}
	if _, err := store.Put(x.ctx, x.caller.User, up.id, offset, bytes.NewReader(b)); err != nil {
		return err
	}
	if !last {
		return nil
	}
	m, err := store.Finish(x.ctx, x.caller.User, up.id)
	up.ref = m.Ref // empty after an error
	return err
}

// fileName is the name of a file without the path on the sender's machine, which openwechat sends along.
func fileName(names ...string) string {
	for _, name := range names {
		if name = path.Base(strings.ReplaceAll(name, `\`, "/")); name != "" && name != "." && name != "/" {
			return strings.ToValidUTF8(name, "\uFFFD")
		}
	}
	return "file"
}

// checkUpload says before an upload of a large file whether that is there already. It never is, since a hash alone gives
// nobody access.
func (x *exchange) checkUpload() error {
	sum := x.server.seal.sum("check", x.sid, x.body.FileMd5)
	return x.reply(struct {
		BaseResponse  baseResponse
		MediaId       string
		AESKey        string
		Signature     string
		EncryFileName string
	}{AESKey: hex.EncodeToString(sum[:16]), Signature: hex.EncodeToString(sum), EncryFileName: fileName(x.body.FileName)})
}

// crossOrigin lets pages of the main host use the file host, as those of the original do.
func (x *exchange) crossOrigin() {
	origin := x.r.Header.Get("Origin")
	_, host, _ := strings.Cut(origin, "://")
	if host == "" || host != baseHost(x.r) {
		return
	}
	h := x.w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	h.Add("Vary", "Origin")
}
