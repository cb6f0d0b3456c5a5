package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds on a stored hash. A record that asks for more is refused before anything is allocated for it.
const (
	MaxMemory  = 128 << 10 // KiB of one computation: twice the second recommended option of RFC 9106 §4
	MaxTime    = 16        // passes over the memory
	MaxThreads = 16        // lanes

	minSalt, maxSalt = 8, 64  // bytes
	minKey, maxKey   = 16, 64 // bytes; a shorter one would be met by chance
	maxHashText      = 256    // bytes of the whole string
)

// ErrHashFormat is what ParsePasswordHash returns, wrapped with the reason, for a string that is not a canonical
// argon2id PHC string within the bounds.
var ErrHashFormat = errors.New("auth: not an acceptable argon2id hash")

// Params are the costs of one argon2id computation (RFC 9106 §3.1).
type Params struct {
	Memory  uint32 // KiB, from 8*Threads to MaxMemory
	Time    uint32 // passes, from 1 to MaxTime
	Threads uint8  // lanes, from 1 to MaxThreads
}

// DefaultParams returns the costs for new installations: 19 MiB, two passes, one lane.
func DefaultParams() Params {
	return Params{Memory: 19 << 10, Time: 2, Threads: 1}
}

func (p Params) check() error {
	switch {
	case p.Threads < 1 || p.Threads > MaxThreads:
		return fmt.Errorf("%d lanes, want 1 to %d", p.Threads, MaxThreads)
	case p.Time < 1 || p.Time > MaxTime:
		return fmt.Errorf("%d passes, want 1 to %d", p.Time, MaxTime)
	case p.Memory < 8*uint32(p.Threads) || p.Memory > MaxMemory:
		return fmt.Errorf("%d KiB of memory, want %d to %d", p.Memory, 8*uint32(p.Threads), MaxMemory)
	}
	return nil
}

// PasswordHash is a parsed argon2id hash. The zero value stands for an account that does not exist or has no
// password; Hasher.Verify spends the same time on it and never accepts.
type PasswordHash struct {
	redacted
	params    Params
	salt, key *string // raw bytes; both nil in the zero value
}

// phcEncoding is the unpadded base64 of the PHC string format; Strict refuses stray trailing bits.
var phcEncoding = base64.RawStdEncoding.Strict()

// Reveal returns the PHC string for the caller's record:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>
//
// It is empty for the zero PasswordHash.
func (h PasswordHash) Reveal() string {
	if h.key == nil {
		return ""
	}
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", h.params.Memory, h.params.Time, h.params.Threads,
		phcEncoding.EncodeToString([]byte(*h.salt)), phcEncoding.EncodeToString([]byte(*h.key)))
}

// ParsePasswordHash parses what Reveal returned. It accepts only the canonical spelling, so that a parsed hash
// reveals the same bytes again, and only costs within the bounds above; anything else is ErrHashFormat.
func ParsePasswordHash(text string) (PasswordHash, error) {
	if len(text) > maxHashText {
		return PasswordHash{}, fmt.Errorf("%w: %d bytes long, at most %d", ErrHashFormat, len(text), maxHashText)
	}
	rest, found := strings.CutPrefix(text, "$argon2id$v=19$")
	if !found {
		return PasswordHash{}, fmt.Errorf("%w: another algorithm or version", ErrHashFormat)
	}
	part := strings.Split(rest, "$")
	if len(part) != 3 {
		return PasswordHash{}, fmt.Errorf("%w: %d fields after the version, want 3", ErrHashFormat, len(part))
	}
	params, err := parseParams(part[0])
	if err != nil {
		return PasswordHash{}, fmt.Errorf("%w: %w", ErrHashFormat, err)
	}
	salt, err := parsePHCBytes(part[1], minSalt, maxSalt)
	if err != nil {
		return PasswordHash{}, fmt.Errorf("%w: salt: %w", ErrHashFormat, err)
	}
	key, err := parsePHCBytes(part[2], minKey, maxKey)
	if err != nil {
		return PasswordHash{}, fmt.Errorf("%w: key: %w", ErrHashFormat, err)
	}
	return PasswordHash{params: params, salt: &salt, key: &key}, nil
}

func parseParams(text string) (Params, error) {
	field := strings.Split(text, ",")
	if len(field) != 3 {
		return Params{}, fmt.Errorf("%d costs, want m, t and p", len(field))
	}
	var value [3]uint32
	for i, name := range []string{"m=", "t=", "p="} {
		digits, found := strings.CutPrefix(field[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !found || err != nil || strconv.FormatUint(n, 10) != digits {
			return Params{}, fmt.Errorf("cost %q is not %s followed by a plain decimal number", field[i], name)
		}
		value[i] = uint32(n)
	}
	if value[2] > MaxThreads {
		return Params{}, fmt.Errorf("%d lanes, want 1 to %d", value[2], MaxThreads)
	}
	p := Params{Memory: value[0], Time: value[1], Threads: uint8(value[2])}
	return p, p.check()
}

func parsePHCBytes(text string, least, most int) (string, error) {
	b, err := phcEncoding.DecodeString(text)
	if err != nil {
		return "", errors.New("not unpadded base64")
	}
	if len(b) < least || len(b) > most {
		return "", fmt.Errorf("%d bytes, want %d to %d", len(b), least, most)
	}
	// The decoder skips line breaks, even a strict one.
	if phcEncoding.EncodedLen(len(b)) != len(text) {
		return "", errors.New("contains a line break")
	}
	return string(b), nil
}
