package media

import (
	"encoding/binary"
	"image"
)

// exifSpan is how much of a JPEG is searched for its orientation: the segments before the picture, of which Exif is to be
// the first and has at most 64 KiB.
const exifSpan = 128 << 10

// orientation returns how a JPEG is to be turned to be shown: the value of the Exif tag Orientation, 1 to 8 (Exif 3.0 §4.6.5.1),
// and 1 for what has none. b is the beginning of the file.
func orientation(b []byte) int {
	for b = after(b, 2); len(b) >= 4 && b[0] == 0xff; { // behind the marker SOI
		kind, size := b[1], int(binary.BigEndian.Uint16(b[2:]))
		if kind == 0xff { // a filling byte
			b = b[1:]
			continue
		}
		if kind == 0xda || kind == 0xd9 || size < 2 || len(b) < 2+size {
			break
		}
		if segment := b[4 : 2+size]; kind == 0xe1 && len(segment) > 6 && string(segment[:6]) == "Exif\x00\x00" {
			return tiffOrientation(segment[6:])
		}
		b = b[2+size:]
	}
	return 1
}

func after(b []byte, n int) []byte { return b[min(n, len(b)):] }

// tiffOrientation looks through the first directory of a TIFF structure (TIFF 6.0 §2).
func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	offset := order.Uint32(b[4:])
	if int64(offset)+2 > int64(len(b)) {
		return 1
	}
	directory := b[offset:]
	const tag, short, entry = 0x0112, 3, 12
	n := int(order.Uint16(directory))
	for directory = directory[2:]; n > 0 && len(directory) >= entry; n-- {
		if order.Uint16(directory) == tag && order.Uint16(directory[2:]) == short {
			if value := int(order.Uint16(directory[8:])); value >= 1 && value <= 8 {
				return value
			}
			return 1
		}
		directory = directory[entry:]
	}
	return 1
}

// lying reports whether an orientation exchanges width and height.
func lying(orientation int) bool { return orientation >= 5 }

// turn returns a picture as its orientation wants it to be shown.
func turn(m *image.RGBA, orientation int) *image.RGBA {
	if orientation == 1 {
		return m
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	size := image.Pt(w, h)
	if lying(orientation) {
		size = image.Pt(h, w)
	}
	turned := image.NewRGBA(image.Rectangle{Max: size})
	for y := range h {
		for x := range w {
			to := [...]image.Point{
				2: {w - 1 - x, y}, 3: {w - 1 - x, h - 1 - y}, 4: {x, h - 1 - y},
				5: {y, x}, 6: {h - 1 - y, x}, 7: {h - 1 - y, w - 1 - x}, 8: {y, w - 1 - x},
			}[orientation]
			turned.SetRGBA(to.X, to.Y, m.RGBAAt(x, y))
		}
	}
	return turned
}
