package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

const (
	saltSize = 16 // bytes of a new salt (RFC 9106 §3.1)
	keySize  = 32 // bytes of a new key

	// nominalPass is what one pass over one KiB takes on a slow shared core. It feeds the retry hint and nothing else.
	nominalPass = time.Microsecond
	minRetry    = time.Second
)

// ErrWrongPassword is what Verify returns for a password that does not fit, for an account that does not exist, and
// for one that has no password: a client cannot tell them apart.
var ErrWrongPassword = errors.New("auth: wrong name or password")

// BusyError says that the waiting line of a Hasher is full. Nothing was computed.
type BusyError struct {
	RetryAfter time.Duration // at least a second; about the time in which the line drains
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("auth: too many logins at once, retry after %v", e.RetryAfter)
}

// Hasher computes password hashes, a bounded number at a time, because each takes Params.Memory KiB and a core for
// tens of milliseconds. Callers beyond that number wait in line, first come, first served; callers beyond the line
// get a *BusyError at once. A Hasher may be used from several goroutines.
type Hasher struct {
	params Params
	line   chan struct{} // one element for each caller that computes or waits
	slots  chan struct{} // one element for each caller that computes
}

// NewHasher returns a Hasher that gives new hashes the costs p, computes at most concurrent hashes at once and lets
// at most waiting further callers wait. Its resident memory peaks at about 2.5 × concurrent × p.Memory KiB, because
// the garbage collector takes time to take back what was used; records made with greater costs count with theirs,
// up to MaxMemory.
func NewHasher(p Params, concurrent, waiting int) (*Hasher, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("auth: password costs: %w", err)
	}
	if concurrent < 1 || waiting < 0 {
		return nil, fmt.Errorf("auth: %d concurrent and %d waiting password hashes, want at least 1 and 0",
			concurrent, waiting)
	}
	return &Hasher{
		params: p,
		line:   make(chan struct{}, concurrent+waiting),
		slots:  make(chan struct{}, concurrent),
	}, nil
}

// Hash returns the hash of a new password under a salt read from rand. The errors are a *RuleError when pw is
// shorter than MinPassword, a *BusyError, the end of ctx while waiting, and those of rand.
func (h *Hasher) Hash(ctx context.Context, rand io.Reader, pw Password) (PasswordHash, error) {
	if n := utf8.RuneCountInString(*pw.text); n < MinPassword {
		return PasswordHash{}, &RuleError{"password", fmt.Sprintf("has %d characters", n),
			fmt.Sprintf("use at least %d", MinPassword)}
	}
	salt, err := readString(rand, saltSize)
	if err != nil {
		return PasswordHash{}, err
	}
	derived, err := h.compute(ctx, pw, []byte(salt), h.params, keySize)
	if err != nil {
		return PasswordHash{}, err
	}
	key := string(derived)
	return PasswordHash{params: h.params, salt: &salt, key: &key}, nil
}

// Verify returns nil if pw is the password that stored was made from, and ErrWrongPassword if not. A caller that
// finds no account passes the zero PasswordHash and gets ErrWrongPassword after the same work. The other errors, a
// *BusyError or the end of ctx while waiting, are no verdict on the password.
func (h *Hasher) Verify(ctx context.Context, stored PasswordHash, pw Password) error {
	params, salt, want := h.params, make([]byte, saltSize), make([]byte, keySize)
	if stored.key != nil {
		params, salt, want = stored.params, []byte(*stored.salt), []byte(*stored.key)
	}
	got, err := h.compute(ctx, pw, salt, params, len(want))
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(got, want) != 1 || stored.key == nil {
		return ErrWrongPassword
	}
	return nil
}

// NeedsRehash reports whether stored was made at other costs or sizes than this Hasher's. The caller then replaces
// it with a new hash while it holds the password that Verify has just accepted.
func (h *Hasher) NeedsRehash(stored PasswordHash) bool {
	return stored.key != nil &&
		(stored.params != h.params || len(*stored.salt) != saltSize || len(*stored.key) != keySize)
}

// Load returns how many callers compute and how many wait in line, for metrics.
func (h *Hasher) Load() (computing, waiting int) {
	computing = len(h.slots)
	return computing, max(0, len(h.line)-computing)
}

func (h *Hasher) compute(ctx context.Context, pw Password, salt []byte, p Params, size int) ([]byte, error) {
	select {
	case h.line <- struct{}{}:
	default:
		return nil, &BusyError{RetryAfter: h.drainTime()}
	}
	defer func() { <-h.line }()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	// Both cases may have been ready: a caller that is gone costs nobody a computation.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return argon2.IDKey([]byte(*pw.text), salt, p.Time, p.Memory, p.Threads, uint32(size)), nil
}

func (h *Hasher) drainTime() time.Duration {
	one := time.Duration(h.params.Memory) * time.Duration(h.params.Time) * nominalPass
	rounds := (cap(h.line) + cap(h.slots) - 1) / cap(h.slots)
	return max(minRetry, time.Duration(rounds)*one)
}
