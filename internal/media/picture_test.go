package media

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan"
)

// saved keeps a file that is to be kept.
func (w *world) saved(name string, content []byte) hongyan.Media {
	w.tb.Helper()
	m, err := w.Save(w.tb.Context(), 1, name, "", bytes.NewReader(content))
	if err != nil {
		w.tb.Fatalf("%s: %v", name, err)
	}
	return m
}

// header makes a PNG that is nothing but a claim of its size.
func header(width, height uint32) []byte {
	ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), width), height)
	ihdr = append(ihdr, 8, 6, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return binary.BigEndian.AppendUint32(append(b, ihdr...), crc32.ChecksumIEEE(ihdr))
}

// TestPictures keeps pictures of every format, and what only looks like one.
func TestPictures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	encoded := func(encode func(*bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	grey := image.NewGray(image.Rect(0, 0, 300, 200))
	clear := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	wild := image.NewRGBA(image.Rect(0, 0, 240, 240)) // hard to compress
	random := rand.New(rand.NewPCG(5, 6))
	for i := range wild.Pix {
		wild.Pix[i] = byte(random.Uint32()) | 3
	}
	webp, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name          string
		content       []byte
		mime          string
		width, height uint32
		thumbnail     image.Point // zero: none
	}{
		{"jpeg", encoded(func(b *bytes.Buffer) error { return jpeg.Encode(b, grey, nil) }), "image/jpeg", 300, 200, image.Pt(240, 160)},
		{"gif", encoded(func(b *bytes.Buffer) error { return gif.Encode(b, grey, nil) }), "image/gif", 300, 200, image.Pt(240, 160)},
		{"png", encoded(func(b *bytes.Buffer) error { return png.Encode(b, grey) }), "image/png", 300, 200, image.Pt(240, 160)},
		{"webp", webp, "image/webp", 1, 1, image.Pt(1, 1)},
		{"transparent", encoded(func(b *bytes.Buffer) error { return png.Encode(b, clear) }), "image/png", 64, 64, image.Pt(64, 64)},
		{"line", encoded(func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 5000, 1))) }), "image/png", 5000, 1, image.Pt(240, 1)},
		{"noise", encoded(func(b *bytes.Buffer) error { return png.Encode(b, wild) }), "image/png", 240, 240, image.Pt(240, 240)},
		{"bomb", header(100_000, 100_000), "image/png", 100_000, 100_000, image.Point{}},
		{"tall bomb", header(1, 1<<31-1), "image/png", 1, 1<<31 - 1, image.Point{}},
		{"within the limit, and empty", header(4096, 4096), "image/png", 4096, 4096, image.Point{}},
		{"cut off", encoded(func(b *bytes.Buffer) error { return png.Encode(b, wild) })[:5000], "image/png", 240, 240, image.Point{}},
		{"nothing but a name", []byte("\x89PNG\r\n\x1a\n"), "image/png", 0, 0, image.Point{}},
	} {
		m := w.saved(test.name, test.content)
		if m.MIME != test.mime || m.Width != test.width || m.Height != test.height {
			t.Errorf("%s: %s, %d × %d", test.name, m.MIME, m.Width, m.Height)
		}
		if len(m.Thumbnail) > hongyan.MaxThumbnail {
			t.Errorf("%s: a thumbnail of %d bytes", test.name, len(m.Thumbnail))
		}
		var size image.Point
		if small, err := jpeg.Decode(bytes.NewReader(m.Thumbnail)); err == nil {
			size = small.Bounds().Size()
			if r, g, b, _ := small.At(size.X/2, size.Y/2).RGBA(); test.name == "transparent" && (r < 0xf000 || g < 0xf000 || b < 0xf000) {
				t.Errorf("what lets through is drawn as %v", small.At(size.X/2, size.Y/2))
			}
		} else if len(m.Thumbnail) > 0 {
			t.Errorf("%s: %v", test.name, err)
		}
		if size != test.thumbnail {
			t.Errorf("%s: a thumbnail of %v, want %v", test.name, size, test.thumbnail)
		}
	}
}

// turned makes a JPEG with an orientation: stored, it is red above left, green above right and blue below.
func turned(tb testing.TB, order appendOrder, value uint16) []byte {
	tb.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 80, 40))
	for y := range 40 {
		for x := range 80 {
			c := color.RGBA{B: 255, A: 255}
			if y < 20 {
				c = color.RGBA{R: 255, A: 255}
				if x >= 40 {
					c = color.RGBA{G: 255, A: 255}
				}
			}
			m.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		tb.Fatal(err)
	}
	tiff := []byte("II*\x00")
	if order.Uint16([]byte{0, 1}) == 1 {
		tiff = []byte("MM\x00*")
	}
	tiff = order.AppendUint16(order.AppendUint32(tiff, 8), 2)
	for _, entry := range [][2]uint16{{0x0100, 80}, {0x0112, value}} {
		tiff = order.AppendUint32(order.AppendUint16(order.AppendUint16(tiff, entry[0]), 3), 1)
		tiff = order.AppendUint16(order.AppendUint16(tiff, entry[1]), 0)
	}
	exif := append([]byte("Exif\x00\x00"), tiff...)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+len(exif)))
	return append(append(append(bytes.Clone(b.Bytes()[:2]), segment...), exif...), b.Bytes()[2:]...)
}

// appendOrder is what both byte orders are.
type appendOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// TestOrientation: a picture that a camera has stored turned has the size and the thumbnail that people see.
func TestOrientation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	corners := map[string]image.Point{"above left": {0, 0}, "above right": {1, 0}, "below left": {0, 1}, "below right": {1, 1}}
	// Where the first pixel of the first row, and the last of it, are shown (Exif 3.0 §4.6.5.1).
	want := [9][2]string{
		{"above left", "above right"}, // 0 is not valid
		{"above left", "above right"}, {"above right", "above left"}, {"below right", "below left"}, {"below left", "below right"},
		{"above left", "below left"}, {"above right", "below right"}, {"below right", "above right"}, {"below left", "above left"},
	}
	for i, order := range []appendOrder{binary.LittleEndian, binary.BigEndian} {
		for value, corner := range want {
			m := w.saved(string(rune('a'+i)), turned(t, order, uint16(value)))
			small, err := jpeg.Decode(bytes.NewReader(m.Thumbnail))
			if err != nil {
				t.Fatal(err)
			}
			width, height := 80, 40
			if value >= 5 {
				width, height = height, width
			}
			if m.Width != uint32(width) || m.Height != uint32(height) || small.Bounds().Dx() != width || small.Bounds().Dy() != height {
				t.Errorf("orientation %d: %d × %d, the thumbnail %v", value, m.Width, m.Height, small.Bounds())
				continue
			}
			at := func(name string) (r, g, b uint32) {
				c := corners[name]
				r, g, b, _ = small.At(5+c.X*(width-10), 5+c.Y*(height-10)).RGBA()
				return r, g, b
			}
			if r, g, b := at(corner[0]); r < 0xc000 || g > 0x4000 || b > 0x4000 {
				t.Errorf("orientation %d: %s is not red", value, corner[0])
			}
			if r, g, b := at(corner[1]); g < 0xc000 || r > 0x4000 || b > 0x4000 {
				t.Errorf("orientation %d: %s is not green", value, corner[1])
			}
		}
	}
}

// FuzzOrientation: whatever stands in a file, its orientation is one.
func FuzzOrientation(f *testing.F) {
	f.Add(turned(f, binary.LittleEndian, 6)[:100])
	f.Add(turned(f, binary.BigEndian, 8)[:100])
	f.Add([]byte{0xff, 0xd8, 0xff, 0xff, 0xff, 0xe1, 0, 2})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := orientation(b); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
	})
}

// TestMediaType: what may be shown inline is decided by the bytes alone.
func TestMediaType(t *testing.T) {
	t.Parallel()
	const text, zip, html, mp4, unknown = "text", "PK\x03\x04", "<html>", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "\x01\x02\x03"
	picture := string(header(1, 1))
	for _, test := range []struct{ head, said, want string }{
		{picture, unknownType, "image/png"},
		{picture, "text/html", "image/png"},
		{html, "image/png", "text/html"},
		{html, "audio/mpeg", "text/html"},
		{text, "image/svg+xml", "image/svg+xml"},
		{text, "text/markdown", "text/markdown"},
		{zip, "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"},
		{mp4, "audio/mp4", "audio/mp4"},
		{mp4, unknownType, "video/mp4"},
		{mp4, "image/png", "video/mp4"},
		{unknown, "audio/amr", "audio/amr"},
		{unknown, "image/webp", unknownType},
		{unknown, "application/x-goose", "application/x-goose"},
	} {
		if got := mediaType([]byte(test.head), test.said); got != test.want {
			t.Errorf("%q that is said to be %s is %s, want %s", test.head, test.said, got, test.want)
		}
		if Inline(mediaType([]byte(test.head), test.said)) && strings.HasPrefix(test.head, "<") {
			t.Errorf("a page is shown inline as %s", mediaType([]byte(test.head), test.said))
		}
	}
	for mime, want := range map[string]bool{
		"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "audio/mpeg": true, "video/mp4": true,
		"image/svg+xml": false, "text/html": false, "application/pdf": false, "text/plain": false, "application/xhtml+xml": false, "": false,
	} {
		if Inline(mime) != want {
			t.Errorf("%q inline: %v", mime, !want)
		}
	}
}

// BenchmarkExamine looks into a photograph of 12 megapixels.
func BenchmarkExamine(b *testing.B) {
	w := newWorld(b)
	m := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = byte(i ^ i>>9)
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, m, nil); err != nil {
		b.Fatal(err)
	}
	path := w.path("photo")
	if err := os.WriteFile(path, photo.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if p, err := w.examine(b.Context(), path); err != nil || len(p.thumbnail) == 0 {
			b.Fatal(err)
		}
	}
}
