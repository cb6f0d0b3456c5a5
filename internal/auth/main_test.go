package auth

import (
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seeded returns a deterministic source of randomness for tests.
func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func password(t testing.TB, typed string) Password {
	t.Helper()
	pw, err := NewPassword(typed)
	if err != nil {
		t.Fatalf("NewPassword(%q): %v", typed, err)
	}
	return pw
}

// cheap are the least costs there are, for tests of everything but the hash.
var cheap = Params{Memory: 8, Time: 1, Threads: 1}

func newHasher(t testing.TB, p Params, concurrent, waiting int) *Hasher {
	t.Helper()
	h, err := NewHasher(p, concurrent, waiting)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
