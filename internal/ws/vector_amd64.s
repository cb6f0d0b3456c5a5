#include "textflag.h"

// func xorVector(p *byte, n int, key uint64)
//
// n is a positive multiple of 128.
TEXT ·xorVector(SB), NOSPLIT, $0-24
	MOVQ         p+0(FP), AX
	MOVQ         n+8(FP), CX
	VPBROADCASTQ key+16(FP), Y0

loop:
	VPXOR   (AX), Y0, Y1
	VPXOR   32(AX), Y0, Y2
	VPXOR   64(AX), Y0, Y3
	VPXOR   96(AX), Y0, Y4
	VMOVDQU Y1, (AX)
	VMOVDQU Y2, 32(AX)
	VMOVDQU Y3, 64(AX)
	VMOVDQU Y4, 96(AX)
	ADDQ    $128, AX
	SUBQ    $128, CX
	JNE     loop
	VZEROUPPER
	RET

// What a pair of neighbouring bytes may be guilty of, one bit per offence, looked up three times: by the high and the
// low half of the first byte and by the high half of the second. A bit that survives the AND of the three is proven.
//
//	01 lead byte without continuation    10 surrogate
//	02 continuation after ASCII          20 two bytes for one
//	04 three bytes for two               40 four bytes for three, or beyond U+10FFFF
//	08 beyond U+10FFFF                   80 two continuations in a row (right only as third or fourth byte)

// High half of the first byte: 0..7 ASCII, 8..B continuation, C and D, E, F leads.
DATA utf8FirstHigh<>+0(SB)/8, $0x0202020202020202
DATA utf8FirstHigh<>+8(SB)/8, $0x4915012180808080
GLOBL utf8FirstHigh<>(SB), RODATA|NOPTR, $16

// Low half of the first byte.
DATA utf8FirstLow<>+0(SB)/8, $0xCBCBCB8B8383A3E7
DATA utf8FirstLow<>+8(SB)/8, $0xCBCBDBCBCBCBCBCB
GLOBL utf8FirstLow<>(SB), RODATA|NOPTR, $16

// High half of the second byte.
DATA utf8SecondHigh<>+0(SB)/8, $0x0101010101010101
DATA utf8SecondHigh<>+8(SB)/8, $0x01010101BABAAEE6
GLOBL utf8SecondHigh<>(SB), RODATA|NOPTR, $16

DATA utf8Bytes<>+0(SB)/4, $0x8070600F
GLOBL utf8Bytes<>(SB), RODATA|NOPTR, $4

// func utf8Vector(p *byte, n int) bool
//
// n is a positive multiple of 32. The method is that of Keiser and Lemire, "Validating UTF-8 in less than one
// instruction per byte".
TEXT ·utf8Vector(SB), NOSPLIT, $0-17
	MOVQ           p+0(FP), AX
	MOVQ           n+8(FP), CX
	VBROADCASTI128 utf8FirstHigh<>(SB), Y15
	VBROADCASTI128 utf8FirstLow<>(SB), Y14
	VBROADCASTI128 utf8SecondHigh<>(SB), Y13
	VPBROADCASTB   utf8Bytes<>+0(SB), Y12     // 0F
	VPBROADCASTB   utf8Bytes<>+1(SB), Y11     // 60: E0 and above keep the top bit when it is subtracted
	VPBROADCASTB   utf8Bytes<>+2(SB), Y10     // 70: F0 and above do
	VPBROADCASTB   utf8Bytes<>+3(SB), Y9      // 80
	VPXOR          Y1, Y1, Y1                 // the block before this one
	VPXOR          Y2, Y2, Y2                 // offences so far

block:
	VMOVDQU   (AX), Y0
	VPOR      Y0, Y1, Y3
	VPMOVMSKB Y3, DX
	TESTL     DX, DX
	JEQ       advance       // ASCII after ASCII

	// Y4, Y5, Y6: at each position the byte one, two and three places before.
	VPERM2I128 $0x21, Y0, Y1, Y3
	VPALIGNR   $15, Y3, Y0, Y4
	VPALIGNR   $14, Y3, Y0, Y5
	VPALIGNR   $13, Y3, Y0, Y6

	VPSRLW  $4, Y4, Y7
	VPAND   Y12, Y7, Y7
	VPSHUFB Y7, Y15, Y7
	VPAND   Y12, Y4, Y4
	VPSHUFB Y4, Y14, Y4
	VPAND   Y4, Y7, Y7
	VPSRLW  $4, Y0, Y4
	VPAND   Y12, Y4, Y4
	VPSHUFB Y4, Y13, Y4
	VPAND   Y4, Y7, Y7

	// The second continuation in a row is right two places after E0.. and three places after F0.., and due there.
	VPSUBUSB Y11, Y5, Y5
	VPSUBUSB Y10, Y6, Y6
	VPOR     Y5, Y6, Y5
	VPAND    Y9, Y5, Y5
	VPXOR    Y5, Y7, Y7
	VPOR     Y7, Y2, Y2

advance:
	VMOVDQA Y0, Y1
	ADDQ    $32, AX
	SUBQ    $32, CX
	JNE     block
	VPTEST  Y2, Y2
	SETEQ   ret+16(FP)
	VZEROUPPER
	RET
