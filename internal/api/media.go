package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/media"
	"github.com/hongyan-im/hongyan/wire"
)

// maxUploadBody is how many bytes the description of a file may have.
const maxUploadBody = 8 << 10

// account makes the holder of the request's token the caller, who must have an account.
func (x *exchange) account() (hongyan.UserID, error) {
	token, err := bearer(x.r.Header.Get("Authorization"))
	if err != nil {
		return 0, err
	}
	if token == "" {
		return 0, hongyan.Errorf(hongyan.Unauthenticated, "an upload needs a token").WithHint(bearerHint)
	}
	id, err := x.identify(token)
	return id.User, err
}

// beginUpload begins an upload of the file that a Media describes. A file that the account has uploaded already is
// answered at once.
func (x *exchange) beginUpload() {
	in, _, err := formats(x.r)
	if err == nil && in != formatJSON {
		err = refuse(http.StatusUnsupportedMediaType, hongyan.Errorf(hongyan.Invalid, "the description of a file is JSON"))
	}
	var owner hongyan.UserID
	if err == nil {
		owner, err = x.account()
	}
	var body []byte
	if err == nil {
		body, err = x.bodyWithin(maxUploadBody, x.api.bodyTime)
	}
	var said wire.Media
	if err == nil {
		err = wire.UnmarshalJSON(body, &said)
	}
	var begun media.Begun
	if err == nil {
		begun, err = x.api.media.Begin(x.r.Context(), owner, media.Upload{
			Size: int64(min(said.Size, 1<<62)), Name: said.Name, MIME: said.Mime, SHA256: said.Sha256,
		})
	}
	switch {
	case err != nil:
		x.finish("", nil, err)
	case begun.Media != nil:
		text, err := protojson.Marshal(wire.FromMedia(begun.Media))
		x.finishJSON(map[string]json.RawMessage{"media": text}, err)
	default:
		x.w.Header().Set("Location", Prefix+"media/uploads/"+begun.ID)
		x.status = http.StatusCreated
		x.finishJSON(struct {
			Upload    string `json:"upload"`
			PartSize  int    `json:"partSize"`
			ExpiresMS int64  `json:"expiresMs,string"`
		}{begun.ID, media.PartSize, begun.Expires.UnixMilli()}, nil)
	}
}

// finishJSON answers with what v is in JSON, or a problem.
func (x *exchange) finishJSON(v any, err error) {
	var body []byte
	if err == nil {
		body, err = json.Marshal(v)
	}
	x.finish(typeJSON, body, err)
}

// finishMedia answers with an object that was kept, or a problem.
func (x *exchange) finishMedia(m hongyan.Media, err error) {
	var body []byte
	if err == nil {
		body, err = protojson.Marshal(wire.FromMedia(&m))
	}
	x.finish(typeJSON, body, x.mediaError(err))
}

// mediaError is what an error of the media store is told as: who has gone is not answered.
func (x *exchange) mediaError(err error) error {
	if errors.Is(err, context.Canceled) && x.r.Context().Err() != nil {
		return errGone
	}
	return err
}

// takePart writes a part of an upload down.
func (x *exchange) takePart() {
	owner, err := x.account()
	var offset int64
	if err == nil {
		offset, err = parseOffset(x.r.URL.Query().Get("offset"))
	}
	var p media.Progress
	if err == nil {
		err = x.file(media.MaxPart, func(r io.Reader) (err error) {
			p, err = x.api.media.Put(x.r.Context(), owner, x.name, offset, r)
			return err
		})
	}
	x.finishJSON(struct {
		Received int64 `json:"received,string"`
	}{p.Total()}, x.mediaError(err))
}

// parseOffset reads where a part begins: a decimal number without a sign.
func parseOffset(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, hongyan.Errorf(hongyan.Invalid, "offset: %q is no number", text).
			WithHint("say where the part begins: PUT …?offset=0")
	}
	return int64(n), nil
}

// file gives a body of raw bytes to take, which has at most limit of them.
func (x *exchange) file(limit int64, take func(io.Reader) error) error {
	if coding := x.r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return refuse(http.StatusUnsupportedMediaType,
			hongyan.Errorf(hongyan.Invalid, "files in the coding %q are not read here", coding).
				WithHint("send the bytes as they are, without Content-Encoding"))
	}
	tooLarge := hongyan.Errorf(hongyan.TooLarge, "the body has more than %d bytes", limit).
		WithHint("upload the file in parts: POST " + Prefix + "media")
	if x.r.ContentLength > limit {
		return tooLarge
	}
	connection := http.NewResponseController(x.w)
	_ = connection.SetReadDeadline(time.Now().Add(x.api.mediaTime)) // an error: there is no connection, as in tests
	body := &fileBody{r: x.r.Body, left: limit, time: x.api.mediaTime, tooLarge: tooLarge}
	err := take(body)
	if body.ended {
		_ = connection.SetReadDeadline(time.Time{})
		x.read = true
	}
	return err
}

// fileBody reads a body and says what is wrong with it to its sender.
type fileBody struct {
	r        io.Reader
	left     int64
	time     time.Duration
	tooLarge error
	ended    bool
}

func (b *fileBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		return 0, b.tooLarge
	case errors.Is(err, io.EOF):
		b.ended = true
		return n, io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, refuse(http.StatusRequestTimeout, hongyan.Errorf(hongyan.Unavailable, "the file did not come within %v", b.time).
			WithHint("send smaller parts"))
	case err != nil:
		return 0, hongyan.Errorf(hongyan.Invalid, "the body cannot be read: %v", err)
	}
	return n, nil
}

// showUpload says what has come of an upload.
func (x *exchange) showUpload() {
	owner, err := x.account()
	var p media.Progress
	if err == nil {
		p, err = x.api.media.Received(owner, x.name)
	}
	type span struct {
		Offset int64 `json:"offset,string"`
		Length int64 `json:"length,string"`
	}
	received := []span{}
	for _, r := range p.Received {
		received = append(received, span(r))
	}
	x.finishJSON(struct {
		Size      int64  `json:"size,string"`
		Received  []span `json:"received"`
		ExpiresMS int64  `json:"expiresMs,string"`
	}{p.Size, received, p.Expires.UnixMilli()}, err)
}

// finishUpload makes an upload an object.
func (x *exchange) finishUpload() {
	owner, err := x.account()
	if err == nil {
		_, err = x.body() // there is nothing in it to be read, but it is to be gone
	}
	var m hongyan.Media
	if err == nil {
		m, err = x.api.media.Finish(x.r.Context(), owner, x.name)
	}
	x.finishMedia(m, err)
}

// abortUpload forgets an upload.
func (x *exchange) abortUpload() {
	owner, err := x.account()
	if err == nil {
		err = x.api.media.Abort(owner, x.name)
	}
	x.finish(typeJSON, []byte("{}"), err)
}

// takeWhole keeps a small file that comes in one piece.
func (x *exchange) takeWhole() {
	owner, err := x.account()
	var m hongyan.Media
	if err == nil {
		err = x.file(media.MaxWhole, func(r io.Reader) (err error) {
			m, err = x.api.media.Save(x.r.Context(), owner, x.r.URL.Query().Get("name"), x.r.Header.Get("Content-Type"), r)
			return err
		})
	}
	x.finishMedia(m, err)
}

// What browsers may do with files of strangers: keep them, since a reference always leads to the same bytes; show those that
// are safe; run nothing in them; and give them to no page of another origin that has not been let in.
const (
	mediaCaching = "private, max-age=31536000, immutable"
	mediaPolicy  = "sandbox; default-src 'none'"
)

// showMedia gives whoever has a reference the object. Ranges, conditions and HEAD are net/http's (RFC 9110 §13, §14).
func (x *exchange) showMedia() {
	err := x.secure()
	var o media.Object
	if err == nil {
		o, err = x.api.media.Open(x.r.Context(), x.name)
	}
	if err != nil {
		x.refuse(err)
		return
	}
	defer func() { _ = o.Close() }()
	x.mediaHeader(o.Media)
	http.ServeContent(x.w, x.r, "", o.Created, o.ReadSeekCloser) // the file itself, which the system can send
}

// showThumbnail gives whoever has the reference of an image its thumbnail.
func (x *exchange) showThumbnail() {
	err := x.secure()
	var thumbnail []byte
	if err == nil {
		thumbnail, err = x.api.media.Thumbnail(x.r.Context(), x.name)
	}
	if err != nil {
		x.refuse(err)
		return
	}
	x.mediaHeader(hongyan.Media{Ref: x.name + ".thumbnail", MIME: "image/jpeg"})
	http.ServeContent(x.w, x.r, "", time.Time{}, bytes.NewReader(thumbnail))
}

// secure refuses a connection that somebody else may read: who gives a reference away there gives the file away.
func (x *exchange) secure() error {
	if x.caller.Secure {
		return nil
	}
	return hongyan.Errorf(hongyan.TLSRequired, "this connection is not encrypted").
		WithHint("connect again with TLS, on the same port")
}

// mediaHeader says what a file is and how it may be used.
func (x *exchange) mediaHeader(m hongyan.Media) {
	x.api.metrics.answered("OK")
	h := x.w.Header()
	h.Set("Content-Type", m.MIME)
	h.Set("Cache-Control", mediaCaching)
	h.Set("Content-Security-Policy", mediaPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("ETag", `"`+m.Ref+`"`)
	disposition := "attachment"
	if media.Inline(m.MIME) {
		disposition = "inline"
	}
	if m.Name != "" {
		disposition = mime.FormatMediaType(disposition, map[string]string{"filename": m.Name})
	}
	h.Set("Content-Disposition", disposition)
}
