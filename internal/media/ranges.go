package media

import (
	"cmp"
	"slices"
)

// Range is a run of bytes of an upload.
type Range struct{ Offset, Length int64 }

func (r Range) end() int64 { return r.Offset + r.Length }

// ranges are the bytes of an upload that have come: in order, none empty, with something missing between any two.
type ranges []Range

// add returns the ranges with r, which may overlap what is there.
func (l ranges) add(r Range) ranges {
	if r.Length <= 0 {
		return l
	}
	i, _ := slices.BinarySearchFunc(l, r.Offset, func(one Range, offset int64) int { return cmp.Compare(one.end(), offset) })
	j := i // the first range that is wholly behind r
	for j < len(l) && l[j].Offset <= r.end() {
		end := max(r.end(), l[j].end())
		r.Offset = min(r.Offset, l[j].Offset)
		r.Length = end - r.Offset
		j++
	}
	return slices.Replace(slices.Clone(l), i, j, r)
}

// cover reports whether every byte of r has come.
func (l ranges) cover(r Range) bool {
	i, _ := slices.BinarySearchFunc(l, r.end(), func(one Range, end int64) int { return cmp.Compare(one.end(), end) })
	return i < len(l) && l[i].Offset <= r.Offset
}

// total is how many bytes have come.
func (l ranges) total() (n int64) {
	for _, r := range l {
		n += r.Length
	}
	return n
}
