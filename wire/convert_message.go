package wire

import (
	"google.golang.org/protobuf/proto"

	"github.com/hongyan-im/hongyan"
	pb "github.com/hongyan-im/hongyan/proto/hongyan/v1"
)

// FromMessage makes the body of a message. Only a present message has a content.
func FromMessage(m hongyan.Message) *Message {
	b := &Message{
		Id:           uint64(m.ID),
		Conversation: m.Conversation.String(),
		Ordinal:      uint64(m.Ordinal),
		From:         uint64(m.From),
		FromName:     m.FromName,
		TimeMs:       m.TimeMS,
		State:        pb.Message_State(m.State),
	}
	if m.ClientID != (hongyan.ClientID{}) {
		b.ClientId = append([]byte(nil), m.ClientID[:]...) // m itself stays off the heap
	}
	if m.State == hongyan.Present {
		b.Content = FromContent(m.Content)
	}
	return b
}

// ToMessage reads a message. The client id may be unset, because messages from the server itself have none.
func ToMessage(b *Message) (hongyan.Message, error) {
	var m hongyan.Message
	var err error
	if b == nil {
		return m, missing("message")
	}
	m = hongyan.Message{
		ID:       hongyan.MessageID(b.Id),
		Ordinal:  hongyan.Ordinal(b.Ordinal),
		From:     hongyan.UserID(b.From),
		FromName: b.FromName,
		TimeMS:   b.TimeMs,
	}
	if m.Conversation, err = toConversationID("conversation", b.Conversation); err != nil {
		return m, err
	}
	if len(b.ClientId) > 0 {
		if m.ClientID, err = ToClientID(b.ClientId); err != nil {
			return m, err
		}
	}
	if m.State, err = toEnum("state", b.State, hongyan.Present, hongyan.Expired); err != nil {
		return m, err
	}
	switch {
	case m.State == hongyan.Present:
		if m.Content, err = part("content", ToContent, b.Content); err != nil {
			return m, err
		}
	case b.Content != nil:
		return m, invalid("content", "a recalled or expired message has none")
	}
	return m, nil
}

// FromContent makes the body of a content.
func FromContent(c hongyan.Content) *Content {
	b := &Content{Mentions: FromIDs(c.Mentions), MentionAll: c.MentionAll}
	if c.Kind != hongyan.KindText {
		b.Caption = c.Text
	}
	switch c.Kind {
	case hongyan.KindText:
		b.Part = &pb.Content_Text{Text: c.Text}
	case hongyan.KindImage:
		b.Part = &pb.Content_Image{Image: FromMedia(c.Media)}
	case hongyan.KindVoice:
		b.Part = &pb.Content_Voice{Voice: FromMedia(c.Media)}
	case hongyan.KindVideo:
		b.Part = &pb.Content_Video{Video: FromMedia(c.Media)}
	case hongyan.KindFile:
		b.Part = &pb.Content_File{File: FromMedia(c.Media)}
	case hongyan.KindLocation:
		b.Part = &pb.Content_Location{Location: fromLocation(c.Location)}
	case hongyan.KindCustom:
		b.Part = &pb.Content_Custom{Custom: fromCustom(c.Custom)}
	case hongyan.KindNotice:
		b.Part = &pb.Content_Notice{Notice: fromNotice(c.Notice)}
	}
	if q := c.Quote; q != nil {
		b.Quote = &Quote{Ordinal: uint64(q.Ordinal), From: uint64(q.From), Excerpt: q.Excerpt}
	}
	if f := c.Forward; f != nil {
		b.Forward = &Forward{From: uint64(f.From), FromName: f.FromName, TimeMs: f.TimeMS}
	}
	return b
}

// ToContent reads a content. It refuses one that is over hongyan.MaxContent, as TooLarge; whether a sender may send it
// is for hongyan.Content.Check to say.
func ToContent(b *Content) (hongyan.Content, error) {
	var c hongyan.Content
	var err error
	if b == nil {
		return c, missing("content")
	}
	if n := proto.Size(b); n > hongyan.MaxContent {
		return c, hongyan.Errorf(hongyan.TooLarge, "size: %d bytes, the limit is %d", n, hongyan.MaxContent)
	}
	switch p := b.Part.(type) {
	case *pb.Content_Text:
		if b.Caption != "" {
			return c, invalid("caption", "a text has none")
		}
		c.Kind, c.Text = hongyan.KindText, p.Text
	case *pb.Content_Image:
		c.Kind, c.Media = hongyan.KindImage, ToMedia(p.Image)
	case *pb.Content_Voice:
		c.Kind, c.Media = hongyan.KindVoice, ToMedia(p.Voice)
	case *pb.Content_Video:
		c.Kind, c.Media = hongyan.KindVideo, ToMedia(p.Video)
	case *pb.Content_File:
		c.Kind, c.Media = hongyan.KindFile, ToMedia(p.File)
	case *pb.Content_Location:
		c.Kind, c.Location = hongyan.KindLocation, toLocation(p.Location)
	case *pb.Content_Custom:
		c.Kind, c.Custom = hongyan.KindCustom, &hongyan.Custom{Type: p.Custom.GetType(), Data: p.Custom.GetData()}
	case *pb.Content_Notice:
		c.Kind = hongyan.KindNotice
		if c.Notice, err = pointer("notice", toNotice, p.Notice); err != nil {
			return c, err
		}
	default:
		return c, invalid("part", "the content has none that is known here").
			WithHint("set exactly one of text, image, voice, video, file, location and custom")
	}
	if c.Kind != hongyan.KindText {
		c.Text = b.Caption
	}
	c.Mentions, c.MentionAll = ToIDs[hongyan.UserID](b.Mentions), b.MentionAll
	if q := b.Quote; q != nil {
		c.Quote = &hongyan.Quote{Ordinal: hongyan.Ordinal(q.Ordinal), From: hongyan.UserID(q.From), Excerpt: q.Excerpt}
	}
	if f := b.Forward; f != nil {
		c.Forward = &hongyan.Forward{From: hongyan.UserID(f.From), FromName: f.FromName, TimeMS: f.TimeMs}
	}
	return c, nil
}

// FromMedia makes the body of a medium; of none, an empty one.
func FromMedia(m *hongyan.Media) *Media {
	if m == nil {
		return &Media{}
	}
	return &Media{
		Ref: m.Ref, Name: m.Name, Mime: m.MIME, Size: m.Size, Width: m.Width, Height: m.Height,
		DurationMs: m.DurationMS, Sha256: m.SHA256, Thumbnail: m.Thumbnail,
	}
}

// ToMedia reads a medium.
func ToMedia(b *Media) *hongyan.Media {
	return &hongyan.Media{
		Ref: b.GetRef(), Name: b.GetName(), MIME: b.GetMime(), Size: b.GetSize(), Width: b.GetWidth(),
		Height: b.GetHeight(), DurationMS: b.GetDurationMs(), SHA256: b.GetSha256(), Thumbnail: b.GetThumbnail(),
	}
}

func fromLocation(l *hongyan.Location) *Location {
	if l == nil {
		return &Location{}
	}
	return &Location{Latitude: l.Latitude, Longitude: l.Longitude, Name: l.Name, Address: l.Address}
}

func toLocation(b *Location) *hongyan.Location {
	return &hongyan.Location{
		Latitude: b.GetLatitude(), Longitude: b.GetLongitude(), Name: b.GetName(), Address: b.GetAddress(),
	}
}

func fromCustom(c *hongyan.Custom) *Custom {
	if c == nil {
		return &Custom{}
	}
	return &Custom{Type: c.Type, Data: c.Data}
}

func fromNotice(n *hongyan.Notice) *Notice {
	if n == nil {
		return &Notice{}
	}
	return &Notice{Event: pb.Notice_Event(n.Event), Users: FromIDs(n.Users), Text: n.Text}
}

func toNotice(b *Notice) (hongyan.Notice, error) {
	event, err := toEnum("event", b.Event, hongyan.NoticeCreated, hongyan.NoticeDissolved)
	return hongyan.Notice{Event: event, Users: ToIDs[hongyan.UserID](b.Users), Text: b.Text}, err
}
