package ws

import "errors"

// inflateNaive decodes DEFLATE (RFC 1951) bit by bit behind a dictionary, and tells how far back the farthest reference
// reached. A payload is complete when the bytes that the sender left away have brought it to the end of a block.
func inflateNaive(dict, payload []byte) (out []byte, farthest int, err error) {
	in := &bitReader{p: append(append([]byte(nil), payload...), 0, 0, 0xFF, 0xFF)}
	out = append(out, dict...)
	defer func() {
		if recover() != nil {
			err = errors.New("cut short")
		}
	}()
	for in.at < 8*len(in.p) {
		final := in.bits(1)
		var literals, distances map[[2]int]int
		switch in.bits(2) {
		case 0:
			in.at = (in.at + 7) &^ 7
			n, inverse := in.bits(16), in.bits(16)
			if n^inverse != 0xFFFF {
				return nil, 0, errors.New("stored length")
			}
			for range n {
				out = append(out, byte(in.bits(8)))
			}
			if in.at == 8*len(in.p) {
				return out[len(dict):], farthest, nil
			}
			continue
		case 1:
			var lengths [288]int
			for i := range lengths {
				switch {
				case i < 144:
					lengths[i] = 8
				case i < 256:
					lengths[i] = 9
				case i < 280:
					lengths[i] = 7
				default:
					lengths[i] = 8
				}
			}
			literals = codes(lengths[:])
			var five [30]int
			for i := range five {
				five[i] = 5
			}
			distances = codes(five[:])
		case 2:
			literals, distances = dynamicCodes(in)
		default:
			return nil, 0, errors.New("block type 3")
		}
		for {
			symbol := in.symbol(literals)
			if symbol == 256 {
				break
			}
			if symbol < 256 {
				out = append(out, byte(symbol))
				continue
			}
			length := lengthBase[symbol-257] + in.bits(lengthExtra[symbol-257])
			d := in.symbol(distances)
			distance := distanceBase[d] + in.bits(distanceExtra[d])
			farthest = max(farthest, distance)
			for range length {
				out = append(out, out[len(out)-distance])
			}
		}
		if final == 1 {
			in.at = (in.at + 7) &^ 7
		}
	}
	return nil, 0, errors.New("ends inside the stream")
}

type bitReader struct {
	p  []byte
	at int
}

func (r *bitReader) bits(n int) (v int) {
	for i := range n {
		v |= int(r.p[r.at/8]>>(r.at%8)&1) << i
		r.at++
	}
	return v
}

func (r *bitReader) symbol(codes map[[2]int]int) int {
	for code, n := 0, 1; n <= 15; n++ {
		code = code<<1 | r.bits(1)
		if symbol, ok := codes[[2]int{n, code}]; ok {
			return symbol
		}
	}
	panic("no such code")
}

// codes assigns the canonical codes of RFC 1951 §3.2.2: length and code to symbol.
func codes(lengths []int) map[[2]int]int {
	table, code := map[[2]int]int{}, 0
	for n := 1; n <= 15; n++ {
		for symbol, length := range lengths {
			if length == n {
				table[[2]int{n, code}] = symbol
				code++
			}
		}
		code <<= 1
	}
	return table
}

func dynamicCodes(in *bitReader) (literals, distances map[[2]int]int) {
	nLiteral, nDistance, nLength := in.bits(5)+257, in.bits(5)+1, in.bits(4)+4
	var order [19]int
	for i := range nLength {
		order[[...]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[i]] = in.bits(3)
	}
	table := codes(order[:])
	var lengths []int
	for len(lengths) < nLiteral+nDistance {
		repeat, value := 1, 0
		switch symbol := in.symbol(table); symbol {
		case 16:
			repeat, value = 3+in.bits(2), lengths[len(lengths)-1]
		case 17:
			repeat = 3 + in.bits(3)
		case 18:
			repeat = 11 + in.bits(7)
		default:
			value = symbol
		}
		for range repeat {
			lengths = append(lengths, value)
		}
	}
	return codes(lengths[:nLiteral]), codes(lengths[nLiteral:])
}

var (
	lengthBase = [...]int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
		195, 227, 258}
	lengthExtra  = [...]int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase = [...]int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
		3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distanceExtra = [...]int{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)
