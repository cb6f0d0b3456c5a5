package hongyan

import (
	"unicode/utf8"
)

// Kind says what a Content holds. The numbers travel and are stored.
type Kind uint8

const (
	KindText     Kind = 1
	KindImage    Kind = 2
	KindVoice    Kind = 3
	KindVideo    Kind = 4
	KindFile     Kind = 5
	KindLocation Kind = 6
	KindCustom   Kind = 7 // opaque bytes with a type, for applications
	KindNotice   Kind = 8 // what happened in a group; written by the server only
)

// Limits of a Content.
const (
	MaxText      = 64 << 10  // bytes of a text or caption
	MaxCustom    = 64 << 10  // bytes of custom data
	MaxThumbnail = 16 << 10  // bytes of an inline thumbnail
	MaxMentions  = 100       // accounts mentioned by name
	MaxLabel     = 512       // bytes of a name, type, address or excerpt
	MaxContent   = 128 << 10 // bytes of a whole encoded content
)

// Content is what a message says. Kind tells which one of the parts is set: Text for KindText, Media for images,
// voices, videos and files, and so on. Text is also the caption of media and the fallback of custom content.
type Content struct {
	Kind       Kind      `cbor:"1,keyasint"`
	Text       string    `cbor:"2,keyasint,omitempty"`
	Media      *Media    `cbor:"3,keyasint,omitempty"`
	Location   *Location `cbor:"4,keyasint,omitempty"`
	Custom     *Custom   `cbor:"5,keyasint,omitempty"`
	Notice     *Notice   `cbor:"6,keyasint,omitempty"`
	Mentions   []UserID  `cbor:"7,keyasint,omitempty"`
	MentionAll bool      `cbor:"8,keyasint,omitempty"`
	Quote      *Quote    `cbor:"9,keyasint,omitempty"`
	Forward    *Forward  `cbor:"10,keyasint,omitempty"`
}

// Media refers to a stored object.
type Media struct {
	Ref        string `cbor:"1,keyasint"`           // the name under which the object is fetched
	Name       string `cbor:"2,keyasint,omitempty"` // file name for people
	MIME       string `cbor:"3,keyasint,omitempty"`
	Size       uint64 `cbor:"4,keyasint,omitempty"` // bytes
	Width      uint32 `cbor:"5,keyasint,omitempty"` // pixels
	Height     uint32 `cbor:"6,keyasint,omitempty"`
	DurationMS uint32 `cbor:"7,keyasint,omitempty"`
	SHA256     []byte `cbor:"8,keyasint,omitempty"`
	Thumbnail  []byte `cbor:"9,keyasint,omitempty"` // a small JPEG, PNG or WebP
}

// Location is a place on the earth (WGS 84).
type Location struct {
	Latitude  float64 `cbor:"1,keyasint"`
	Longitude float64 `cbor:"2,keyasint"`
	Name      string  `cbor:"3,keyasint,omitempty"`
	Address   string  `cbor:"4,keyasint,omitempty"`
}

// Custom is an application's own content.
type Custom struct {
	Type string `cbor:"1,keyasint"`
	Data []byte `cbor:"2,keyasint,omitempty"`
}

// Quote refers to the message that is being answered.
type Quote struct {
	Ordinal Ordinal `cbor:"1,keyasint"` // in the same conversation
	From    UserID  `cbor:"2,keyasint"`
	Excerpt string  `cbor:"3,keyasint,omitempty"`
}

// Forward names the author of a content that is passed on.
type Forward struct {
	From     UserID `cbor:"1,keyasint"`
	FromName string `cbor:"2,keyasint,omitempty"`
	TimeMS   int64  `cbor:"3,keyasint,omitempty"`
}

// NoticeEvent is what a Notice reports.
type NoticeEvent uint8

const (
	NoticeCreated      NoticeEvent = 1
	NoticeJoined       NoticeEvent = 2 // Users came in, brought by the sender or by themselves
	NoticeLeft         NoticeEvent = 3
	NoticeRemoved      NoticeEvent = 4
	NoticeTitle        NoticeEvent = 5 // Text is the new title
	NoticeAnnouncement NoticeEvent = 6 // Text is the new announcement
	NoticeOwner        NoticeEvent = 7
	NoticeAdmin        NoticeEvent = 8
	NoticeNoAdmin      NoticeEvent = 9
	NoticeMuted        NoticeEvent = 10 // no Users: everybody
	NoticeUnmuted      NoticeEvent = 11
	NoticeDissolved    NoticeEvent = 12
)

// Notice is the record of a change in a group, in its place among the messages. The sender is who did it.
type Notice struct {
	Event NoticeEvent `cbor:"1,keyasint"`
	Users []UserID    `cbor:"2,keyasint,omitempty"`
	Text  string      `cbor:"3,keyasint,omitempty"`
}

// Text is the commonest content.
func Text(s string) Content { return Content{Kind: KindText, Text: s} }

// Check reports the first thing about c that a sender may not send, as an Invalid or TooLarge Error.
func (c *Content) Check() error {
	if err := c.checkPart(); err != nil {
		return err
	}
	switch {
	case len(c.Text) > MaxText:
		return tooLarge("text", len(c.Text), MaxText)
	case !utf8.ValidString(c.Text):
		return Errorf(Invalid, "the text is not UTF-8")
	case len(c.Mentions) > MaxMentions:
		return Errorf(Invalid, "%d accounts are mentioned, the limit is %d", len(c.Mentions), MaxMentions).
			WithHint("mention all instead")
	case c.Quote != nil && c.Quote.Ordinal == 0:
		return Errorf(Invalid, "the quote names no message").WithHint("give the ordinal of the quoted message")
	}
	if c.Quote != nil {
		if err := checkLabel("excerpt of the quote", c.Quote.Excerpt); err != nil {
			return err
		}
	}
	if c.Forward != nil {
		return checkLabel("name of the forwarded author", c.Forward.FromName)
	}
	return nil
}

// checkPart checks that the part that Kind promises, and no other, is there.
func (c *Content) checkPart() error {
	parts := 0
	for _, set := range []bool{c.Media != nil, c.Location != nil, c.Custom != nil, c.Notice != nil} {
		if set {
			parts++
		}
	}
	var ok bool
	switch c.Kind {
	case KindText:
		ok = parts == 0 && c.Text != ""
	case KindImage, KindVoice, KindVideo, KindFile:
		if ok = parts == 1 && c.Media != nil; ok {
			return c.Media.check()
		}
	case KindLocation:
		if ok = parts == 1 && c.Location != nil; ok {
			return c.Location.check()
		}
	case KindCustom:
		if ok = parts == 1 && c.Custom != nil; ok {
			return c.Custom.check()
		}
	case KindNotice:
		return Errorf(Forbidden, "notices are written by the server")
	}
	if !ok {
		return Errorf(Invalid, "the content is empty or does not match its kind").
			WithHint("set exactly one of text, media, location and custom; a text must not be empty")
	}
	return nil
}

func (m *Media) check() error {
	switch {
	case m.Ref == "":
		return Errorf(Invalid, "the media has no reference").WithHint("upload it first")
	case len(m.SHA256) != 0 && len(m.SHA256) != 32:
		return Errorf(Invalid, "the SHA-256 of the media has %d bytes, not 32", len(m.SHA256))
	case len(m.Thumbnail) > MaxThumbnail:
		return tooLarge("thumbnail", len(m.Thumbnail), MaxThumbnail)
	}
	return checkLabel("reference, name or type of the media", m.Ref, m.Name, m.MIME)
}

func (l *Location) check() error {
	// Written so that a NaN fails too.
	if !(l.Latitude >= -90 && l.Latitude <= 90 && l.Longitude >= -180 && l.Longitude <= 180) {
		return Errorf(Invalid, "no such place: latitude %v, longitude %v", l.Latitude, l.Longitude)
	}
	return checkLabel("name or address of the place", l.Name, l.Address)
}

func (c *Custom) check() error {
	switch {
	case c.Type == "":
		return Errorf(Invalid, "the custom content has no type").WithHint("name it, so that other applications can tell")
	case len(c.Data) > MaxCustom:
		return tooLarge("custom data", len(c.Data), MaxCustom)
	}
	return checkLabel("type of the custom content", c.Type)
}

// checkLabel checks short texts. One that is not UTF-8 could be stored but never again be sent to anybody.
func checkLabel(what string, labels ...string) error {
	for _, s := range labels {
		if len(s) > MaxLabel {
			return tooLarge(what, len(s), MaxLabel)
		}
		if !utf8.ValidString(s) {
			return Errorf(Invalid, "the %s is not UTF-8", what)
		}
	}
	return nil
}

func tooLarge(what string, size, limit int) *Error {
	return Errorf(TooLarge, "the %s is %d bytes, the limit is %d", what, size, limit)
}
