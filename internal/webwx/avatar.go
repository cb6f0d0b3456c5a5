package webwx

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
)

// identicon is the picture of whoever has none: a pattern of 5 by 5 fields, the same left and right, as a JPEG. Nobody has
// to find the pattern pretty, but it has to be the same every time and another one for somebody else.
func identicon(user uint64) []byte {
	const fields, size, margin = 5, 26, 7
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("identicon"), user))
	back := color.RGBA{240, 240, 240, 255}
	front := color.RGBA{64 + sum[0]/2, 64 + sum[1]/2, 64 + sum[2]/2, 255}
	const side = fields*size + 2*margin
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{back, front})
	for y := range fields * size {
		for x := range fields * size {
			column := min(x/size, fields-1-x/size)
			if sum[3+y/size*fields+column]&1 == 1 {
				img.SetColorIndex(margin+x, margin+y, 1)
			}
		}
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}) // to a Buffer nothing fails
	return b.Bytes()
}
