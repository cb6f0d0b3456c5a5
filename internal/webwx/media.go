package webwx

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"regexp"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/media"
	"github.com/hongyan-im/hongyan/wire"
)

// mediaReference finds the reference of a file in a content that this package has written, for clients that forward by
// sending that content back.
var mediaReference = regexp.MustCompile(`(?:hyref="|` + mediaPrefix + `)(m_[A-Za-z0-9_-]{22})`)

// sendMedia sends a picture, a recording or a file that was uploaded before, or forwards one that was received.
func (x *exchange) sendMedia(kind hongyan.Kind) error {
	m := &x.body.Msg
	ref, ok := strings.CutPrefix(m.MediaId, mediaPrefix)
	if !ok {
		found := mediaReference.FindStringSubmatch(m.MediaId + " " + m.Content)
		if found == nil {
			return hongyan.Errorf(hongyan.NotFound, "the request names no file of this server").WithHint("upload it first")
		}
		ref = found[1]
	}
	described, err := x.describe(ref)
	if err != nil {
		return err
	}
	return x.send(hongyan.Content{Kind: kind, Media: described}, ref)
}

// describe is what a message says of an uploaded file.
func (x *exchange) describe(ref string) (*hongyan.Media, error) {
	o, err := x.server.config.Media.Open(x.ctx, ref)
	if err != nil {
		return nil, err
	}
	m := o.Media
	if err := o.Close(); err != nil {
		return nil, err
	}
	if m.Thumbnail, err = x.server.config.Media.Thumbnail(x.ctx, ref); err != nil && hongyan.CodeOf(err) != hongyan.NotFound {
		return nil, err
	}
	return &m, nil
}

func (x *exchange) sendPicture() error  { return x.sendMedia(hongyan.KindImage) }
func (x *exchange) sendEmoticon() error { return x.sendMedia(hongyan.KindImage) }
func (x *exchange) sendVideo() error    { return x.sendMedia(hongyan.KindVideo) }

// appMessage is what sendApp reads of a content.
type appMessage struct {
	Title  string `xml:"title"`
	Type   int    `xml:"type"`
	URL    string `xml:"url"`
	Attach struct {
		ID string `xml:"attachid"`
	} `xml:"appattach"`
}

// sendApp sends a file, which clients describe in XML, or a link.
func (x *exchange) sendApp() error {
	m := &x.body.Msg
	var app appMessage
	content := m.Content
	if at := strings.Index(content, "<appmsg"); at > 0 { // a forwarded one has more around it
		content = content[at:]
	}
	if err := xml.Unmarshal([]byte(content), &app); err != nil {
		return hongyan.Errorf(hongyan.Invalid, "the content is no appmsg: %v", err)
	}
	if app.Attach.ID == "" {
		if app.URL == "" {
			return hongyan.Errorf(hongyan.Invalid, "only files and links can be sent this way")
		}
		return x.send(hongyan.Text(strings.TrimSpace(app.Title+"\n"+app.URL)), content)
	}
	m.MediaId = app.Attach.ID
	return x.sendMedia(hongyan.KindFile)
}

// message reads one message of a conversation; nil if the caller may not see it or it is gone.
func (x *exchange) message(c hongyan.ConversationID, o hongyan.Ordinal) (*hongyan.Message, error) {
	r, err := ask(x, wire.OpHistory, &wire.HistoryRequest{Conversation: c.String(), Before: uint64(o) + 1, Limit: 1}, &wire.HistoryReply{})
	if err != nil || len(r.Messages) == 0 {
		return nil, err
	}
	m, err := wire.ToMessage(r.Messages[0])
	if err != nil || m.Ordinal != o {
		return nil, err
	}
	return &m, nil
}

// getMessageMedia serves what belongs to a message: a picture, a recording. Clients give the id as MsgID or msgid.
func (x *exchange) getMessageMedia() error {
	id := parseMessageID(x.param("msgid"))
	if id == 0 {
		return errNoMedia
	}
	c, err := x.conversationOf(id)
	if err != nil {
		return err
	}
	if c.IsZero() {
		return errNoMedia
	}
	m, err := x.message(c, id.ordinal())
	if err != nil {
		return err
	}
	if m == nil || m.Content.Media == nil {
		return errNoMedia
	}
	if thumbnail := m.Content.Media.Thumbnail; x.param("type") == "slave" && len(thumbnail) > 0 {
		x.picture(thumbnail)
		return nil
	}
	return x.serveMedia(m.Content.Media.Ref)
}

var errNoMedia = hongyan.Errorf(hongyan.NotFound, "there is no such file")

// getMedia serves a file by the id that it was received with, which nobody can guess.
func (x *exchange) getMedia() error {
	ref, ok := strings.CutPrefix(x.param("mediaid"), mediaPrefix)
	if !ok {
		return errNoMedia
	}
	return x.serveMedia(ref)
}

// serveMedia answers with a file, or the part of it that is asked for.
func (x *exchange) serveMedia(ref string) error {
	o, err := x.server.config.Media.Open(x.ctx, ref)
	if err != nil {
		return err
	}
	defer o.Close()
	h := x.w.Header()
	h.Set("Content-Type", o.Media.MIME)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if !media.Inline(o.Media.MIME) {
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", "attachment")
	}
	x.server.metrics.answered(x.name, retOK)
	http.ServeContent(x.w, x.r, "", o.Created, o)
	return nil
}

// avatar serves the picture of an account, a group or the file helper.
func (x *exchange) avatar() error {
	name := x.param("username")
	number := uint64(parseUser(name))
	ref := ""
	if g := parseGroup(name); g != 0 {
		number = uint64(g)
		r, err := ask(x, wire.OpGetGroup, &wire.GetGroupRequest{Group: number}, &wire.GetGroupReply{})
		if err == nil {
			ref = r.Group.GetAvatar()
		}
	} else if number != 0 {
		known, err := x.profiles(hongyan.UserID(number))
		if err != nil {
			return err
		}
		ref = known[hongyan.UserID(number)].Avatar
	}
	if strings.HasPrefix(ref, media.RefPrefix) {
		if err := x.serveMedia(ref); hongyan.CodeOf(err) != hongyan.NotFound {
			return err
		}
	}
	x.picture(identicon(number))
	return nil
}

// picture answers with a small picture, whose type its bytes say.
func (x *exchange) picture(b []byte) {
	x.server.metrics.answered(x.name, retOK)
	x.w.Header().Set("Content-Type", http.DetectContentType(b))
	http.ServeContent(x.w, x.r, "", x.now, bytes.NewReader(b))
}
