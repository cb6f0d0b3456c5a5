package media

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	_ "image/gif" // decoders of what gets a thumbnail
	"image/jpeg"
	_ "image/png"
	"io"
	"os"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"github.com/hongyan-im/hongyan"
)

// picture is what an object tells of itself.
type picture struct {
	head          []byte // its first bytes, by which its type is known
	width, height uint32 // pixels, as it is shown; zero if it is no image
	thumbnail     []byte // a JPEG, empty if there is none
}

// sniffed is how many bytes tell the type of a file.
const sniffed = 512

// examine looks into a file. An image that cannot be read, or is too large to be, has no thumbnail, and that is all.
func (s *Store) examine(ctx context.Context, path string) (p picture, err error) {
	f, err := os.Open(path)
	if err != nil {
		return p, diskError(err)
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, sniffed)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return p, diskError(err)
	}
	p.head = head[:n]
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return p, diskError(err)
	}
	start := bufio.NewReaderSize(f, exifSpan)
	beginning, _ := start.Peek(exifSpan) // less than that is all there is
	config, format, err := image.DecodeConfig(start)
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return p, nil
	}
	towards := 1
	if format == "jpeg" {
		towards = orientation(beginning)
	}
	p.width, p.height = uint32(config.Width), uint32(config.Height)
	if lying(towards) {
		p.width, p.height = p.height, p.width
	}
	if int64(config.Width) > MaxPixels/int64(config.Height) {
		return p, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return p, diskError(err)
	}
	if err := s.drawing.take(ctx); err != nil {
		return p, err
	}
	defer s.drawing.leave()
	if whole, _, err := image.Decode(bufio.NewReader(f)); err == nil {
		p.thumbnail = drawThumbnail(whole, towards)
	}
	return p, nil
}

// drawThumbnail makes a small JPEG, on white where the image lets through. It is empty if it cannot be made small enough.
func drawThumbnail(whole image.Image, towards int) []byte {
	if whole.Bounds().Empty() {
		return nil
	}
	size := whole.Bounds().Size()
	if long := max(size.X, size.Y); long > MaxThumbnailSide {
		size = image.Pt(max(1, size.X*MaxThumbnailSide/long), max(1, size.Y*MaxThumbnailSide/long))
	}
	small := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(small, small.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.BiLinear.Scale(small, small.Bounds(), whole, whole.Bounds(), draw.Over, nil)
	small = turn(small, towards)
	for _, quality := range []int{80, 60, 40, 20} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, small, &jpeg.Options{Quality: quality}); err != nil {
			return nil
		}
		if b.Len() <= hongyan.MaxThumbnail {
			return b.Bytes()
		}
	}
	return nil
}
