package media

import (
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan"
)

// description is what an uploader says of a file.
type description struct{ name, mime string }

// unknownType is the media type of a file of which nothing is known (RFC 2046 §4.5.1).
const unknownType = "application/octet-stream"

// describe checks and cleans what an uploader says: of a path the last name counts, of a media type what stands before the
// parameters.
func describe(name, mediaType string) (description, error) {
	switch {
	case len(name) > hongyan.MaxLabel:
		return description{}, hongyan.Errorf(hongyan.TooLarge, "the name has %d bytes, the limit is %d", len(name), hongyan.MaxLabel)
	case !utf8.ValidString(name):
		return description{}, hongyan.Errorf(hongyan.Invalid, "the name is not UTF-8")
	case len(mediaType) > maxType:
		return description{}, hongyan.Errorf(hongyan.TooLarge, "the type has %d bytes, the limit is %d", len(mediaType), maxType)
	}
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, name)
	if strings.Trim(name, ".") == "" {
		name = ""
	}
	if mediaType == "" {
		return description{name, unknownType}, nil
	}
	t, _, err := mime.ParseMediaType(mediaType)
	if err != nil || !strings.Contains(t, "/") {
		return description{}, hongyan.Errorf(hongyan.Invalid, "%q is no media type", mediaType).WithHint("such as image/png")
	}
	return description{name, t}, nil
}

// maxType is how long a media type may be (RFC 6838 §4.2 allows 127 bytes to each of its halves).
const maxType = 127 + 1 + 127

// Inline reports whether browsers may show an object of a media type as part of a page. Everything else is for saving only:
// it might be a page itself, with scripts.
func Inline(mediaType string) bool {
	switch mediaType {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return recording(mediaType)
}

func recording(mediaType string) bool {
	return strings.HasPrefix(mediaType, "audio/") || strings.HasPrefix(mediaType, "video/")
}

// mediaType returns the type of an object from its first bytes and from what its uploader said. What may be shown inline is
// known by its bytes; the rest is mostly archives and text, of which the uploader knows more. A recording in a container
// that holds sound or pictures is what the uploader says, and so is one in a format that is not known here.
func mediaType(head []byte, said string) string {
	found, _, err := mime.ParseMediaType(http.DetectContentType(head))
	switch {
	case err != nil: // never: it makes valid ones
		return unknownType
	case recording(found) && recording(said), found == unknownType && recording(said):
		return said
	case Inline(found):
		return found
	case Inline(said):
		return found
	}
	return said
}
