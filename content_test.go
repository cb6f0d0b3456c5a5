package hongyan

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestContentCheck(t *testing.T) {
	t.Parallel()
	media := func(change func(*Media)) Content {
		m := &Media{Ref: "m1", Name: "goose.jpg", MIME: "image/jpeg", SHA256: make([]byte, 32)}
		change(m)
		return Content{Kind: KindImage, Media: m}
	}
	place := func(latitude, longitude float64) Content {
		return Content{Kind: KindLocation, Location: &Location{Latitude: latitude, Longitude: longitude}}
	}
	quoting := func(q Quote) Content { return Content{Kind: KindText, Text: "a", Quote: &q} }
	forwarding := func(f Forward) Content { return Content{Kind: KindText, Text: "a", Forward: &f} }
	long := strings.Repeat("x", MaxLabel+1)
	label := long[:MaxLabel]
	const broken = "\xe9\x9b" // 雁 without its last byte
	for _, tt := range []struct {
		name string
		c    Content
		want Code // zero: it may be sent
	}{
		{"text", Text("雁"), 0},
		{"longest text", Text(strings.Repeat("x", MaxText)), 0},
		{"text too long", Text(strings.Repeat("x", MaxText+1)), TooLarge},
		{"empty text", Text(""), Invalid},
		{"text that is not UTF-8", Text(broken), Invalid},
		{"nothing", Content{}, Invalid},
		{"unknown kind", Content{Kind: 9, Text: "a"}, Invalid},
		{"text with a medium", Content{Kind: KindText, Text: "a", Media: &Media{Ref: "m1"}}, Invalid},

		{"image", media(func(*Media) {}), 0},
		{"image with a caption", Content{Kind: KindImage, Text: "a", Media: &Media{Ref: "m1"}}, 0},
		{"voice", Content{Kind: KindVoice, Media: &Media{Ref: "m1", DurationMS: 2000}}, 0},
		{"video", Content{Kind: KindVideo, Media: &Media{Ref: "m1"}}, 0},
		{"file", Content{Kind: KindFile, Media: &Media{Ref: "m1"}}, 0},
		{"image without a medium", Content{Kind: KindImage, Text: "a"}, Invalid},
		{"image and place", Content{Kind: KindImage, Media: &Media{Ref: "m1"}, Location: &Location{}}, Invalid},
		{"no reference", media(func(m *Media) { m.Ref = "" }), Invalid},
		{"reference too long", media(func(m *Media) { m.Ref = long }), TooLarge},
		{"longest labels", media(func(m *Media) { m.Ref, m.Name, m.MIME = label, label, label }), 0},
		{"file name too long", media(func(m *Media) { m.Name = long }), TooLarge},
		{"type too long", media(func(m *Media) { m.MIME = long }), TooLarge},
		{"file name that is not UTF-8", media(func(m *Media) { m.Name = broken }), Invalid},
		{"no SHA-256", media(func(m *Media) { m.SHA256 = nil }), 0},
		{"short SHA-256", media(func(m *Media) { m.SHA256 = make([]byte, 20) }), Invalid},
		{"largest thumbnail", media(func(m *Media) { m.Thumbnail = make([]byte, MaxThumbnail) }), 0},
		{"thumbnail too large", media(func(m *Media) { m.Thumbnail = make([]byte, MaxThumbnail+1) }), TooLarge},
		{"caption that is not UTF-8", Content{Kind: KindImage, Text: broken, Media: &Media{Ref: "m1"}}, Invalid},

		{"place", place(48.1, 11.6), 0},
		{"corner of the map", place(-90, 180), 0},
		{"north of the pole", place(90.1, 0), Invalid},
		{"west of the world", place(0, -180.1), Invalid},
		{"nowhere", place(math.NaN(), 0), Invalid},
		{"nowhere else", place(0, math.NaN()), Invalid},
		{"infinitely far", place(math.Inf(1), 0), Invalid},
		{"no place", Content{Kind: KindLocation}, Invalid},
		{"long name of a place", Content{Kind: KindLocation, Location: &Location{Name: long}}, TooLarge},
		{"address that is not UTF-8", Content{Kind: KindLocation, Location: &Location{Address: broken}}, Invalid},

		{"custom", Content{Kind: KindCustom, Text: "fallback", Custom: &Custom{Type: "x.vote", Data: []byte{0xFF}}}, 0},
		{"largest custom", Content{Kind: KindCustom, Custom: &Custom{Type: label, Data: make([]byte, MaxCustom)}}, 0},
		{"custom too large", Content{Kind: KindCustom, Custom: &Custom{Type: "x", Data: make([]byte, MaxCustom+1)}}, TooLarge},
		{"custom without type", Content{Kind: KindCustom, Custom: &Custom{}}, Invalid},
		{"custom type too long", Content{Kind: KindCustom, Custom: &Custom{Type: long}}, TooLarge},
		{"custom type that is not UTF-8", Content{Kind: KindCustom, Custom: &Custom{Type: broken}}, Invalid},
		{"no custom", Content{Kind: KindCustom}, Invalid},

		{"notice", Content{Kind: KindNotice, Notice: &Notice{Event: NoticeJoined}}, Forbidden},
		{"text with a notice", Content{Kind: KindText, Text: "a", Notice: &Notice{}}, Invalid},

		{"mentions", Content{Kind: KindText, Text: "a", Mentions: make([]UserID, MaxMentions)}, 0},
		{"too many mentions", Content{Kind: KindText, Text: "a", Mentions: make([]UserID, MaxMentions+1)}, Invalid},
		{"quote", quoting(Quote{Ordinal: 1, Excerpt: label}), 0},
		{"quote of nothing", quoting(Quote{}), Invalid},
		{"long quote", quoting(Quote{Ordinal: 1, Excerpt: long}), TooLarge},
		{"quote that is not UTF-8", quoting(Quote{Ordinal: 1, Excerpt: broken}), Invalid},
		{"forward", forwarding(Forward{FromName: label}), 0},
		{"long forward", forwarding(Forward{FromName: long}), TooLarge},
		{"forward that is not UTF-8", forwarding(Forward{FromName: broken}), Invalid},
		{"quote and a bad forward", Content{
			Kind: KindText, Text: "a", Quote: &Quote{Ordinal: 1}, Forward: &Forward{FromName: broken}}, Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.c.Check()
			if CodeOf(err) != tt.want {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Message == "" || len(e.Message) > 200) {
				t.Errorf("the error says %q", err)
			}
		})
	}
}
