package ws

import (
	"encoding/binary"
)

// utf8State validates UTF-8 that arrives in pieces (RFC 6455 §8.1, RFC 3629 §4). The zero value stands before the first
// byte. It fails at the first byte with which no valid text can begin, inside a code point too.
//
// The value is a state of a finite automaton, written as the distance by which a word of utf8Table is to be shifted so
// that its low six bits are the following state.
type utf8State uint8

// States. Between the two ends of text and error, each says what has to come next.
const (
	utf8Whole   utf8State = 6 * iota // any first byte: the text so far is complete
	utf8Bad                          // nothing: the text is not UTF-8
	utf8Tail1                        // one more byte 80..BF
	utf8Tail2                        // two
	utf8Tail3                        // three
	utf8AfterE0                      // A0..BF, one more: anything less would be overlong
	utf8AfterED                      // 80..9F, one more: anything above is a surrogate
	utf8AfterF0                      // 90..BF, two more: anything less would be overlong
	utf8AfterF4                      // 80..8F, two more: anything above is beyond U+10FFFF
	utf8States  = iota
	utf8Mask    = 63
)

// utf8Table has a word for each byte; the word's bits from s up are the state that follows s.
var utf8Table = func() (table [256]uint64) {
	set := func(from utf8State, lo, hi int, to utf8State) {
		for b := lo; b <= hi; b++ {
			table[b] &^= utf8Mask << from
			table[b] |= uint64(to) << from
		}
	}
	for s := range utf8States {
		set(utf8State(6*s), 0, 255, utf8Bad)
	}
	set(utf8Whole, 0x00, 0x7F, utf8Whole)
	set(utf8Whole, 0xC2, 0xDF, utf8Tail1)
	set(utf8Whole, 0xE0, 0xE0, utf8AfterE0)
	set(utf8Whole, 0xE1, 0xEF, utf8Tail2)
	set(utf8Whole, 0xED, 0xED, utf8AfterED)
	set(utf8Whole, 0xF0, 0xF0, utf8AfterF0)
	set(utf8Whole, 0xF1, 0xF3, utf8Tail3)
	set(utf8Whole, 0xF4, 0xF4, utf8AfterF4)
	set(utf8Tail1, 0x80, 0xBF, utf8Whole)
	set(utf8Tail2, 0x80, 0xBF, utf8Tail1)
	set(utf8Tail3, 0x80, 0xBF, utf8Tail2)
	set(utf8AfterE0, 0xA0, 0xBF, utf8Tail1)
	set(utf8AfterED, 0x80, 0x9F, utf8Tail1)
	set(utf8AfterF0, 0x90, 0xBF, utf8Tail2)
	set(utf8AfterF4, 0x80, 0x8F, utf8Tail2)
	return table
}()

const utf8HighBits = 0x8080808080808080

// next returns the state after p.
func (s utf8State) next(p []byte) utf8State {
	if len(p) >= 2*utf8VectorStep && hasVector {
		for s != utf8Whole {
			if s = s.step(p[:1]); s == utf8Bad {
				return utf8Bad
			}
			p = p[1:]
		}
		n := len(p) &^ (utf8VectorStep - 1)
		if !utf8Vector(&p[0], n) {
			return utf8Bad
		}
		// The automaton goes on at the last lead byte whose code point may not be complete.
		for back := 1; back <= 3; back++ {
			if b := p[n-back]; b < 0x80 {
				break
			} else if b >= 0xC0 {
				n -= back
				break
			}
		}
		p = p[n:]
	}
	return s.step(p)
}

// step is next without vector instructions.
func (s utf8State) step(p []byte) utf8State {
	state := uint64(s)
	for len(p) >= 16 {
		if state == uint64(utf8Whole) && (binary.LittleEndian.Uint64(p)|binary.LittleEndian.Uint64(p[8:]))&utf8HighBits == 0 {
			p = p[16:]
			continue
		}
		for _, b := range p[:16] {
			state = utf8Table[b] >> (state & utf8Mask)
		}
		if state &= utf8Mask; state == uint64(utf8Bad) {
			return utf8Bad
		}
		p = p[16:]
	}
	for _, b := range p {
		state = utf8Table[b] >> (state & utf8Mask)
	}
	return utf8State(state & utf8Mask)
}
